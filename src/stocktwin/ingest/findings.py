"""Findings: what is wrong with a row, where, with which value, and the row itself, so that it can be mended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stocktwin.tables.batch import REJECTED_SCHEMA

LONGEST_VALUE = 500


@dataclass(frozen=True)
class Finding:
    """One line of `REJECTED_SCHEMA`; row 0 is the file as a whole."""

    row: int
    line: int | None
    column: str | None
    value: str | None
    reason: str
    raw: str | None = None
    system: str | None = None
    """The system that the row names; None where it cannot be told."""
    waits: bool = False
    """Whether it can be read as soon as master data arrives."""


def rejected_table(findings: Sequence[Finding]) -> pa.Table:
    """Findings as an Arrow table, in the order of rows."""
    ordered = sorted(findings, key=lambda finding: finding.row)
    columns = {
        "row": [finding.row for finding in ordered],
        "line": [finding.line for finding in ordered],
        "column": [printable(finding.column) for finding in ordered],
        "value": [_short(printable(finding.value)) for finding in ordered],
        "reason": [_short(printable(finding.reason)) for finding in ordered],
        "raw": [finding.raw for finding in ordered],
        "system": [finding.system for finding in ordered],
        "state": ["parked" if finding.waits else None for finding in ordered],
    }
    return pa.table(columns, schema=REJECTED_SCHEMA)


def printable(text: str | None) -> str | None:
    r"""Text in which bytes that are no UTF-8 are escaped.

    >>> printable(b"caf\xe9".decode("utf-8", "surrogateescape"))
    'caf\\xe9'
    """
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape" if _escaped(text) else "replace").decode("utf-8", "backslashreplace")


def _escaped(text: str) -> bool:
    return all(not 0xD800 <= ord(letter) <= 0xDFFF or 0xDC80 <= ord(letter) <= 0xDCFF for letter in text)


def raw_json(cells: Mapping[str, Any]) -> str:
    """The row as JSON in pure ASCII (bytes that are no UTF-8 survive as lone surrogates)."""
    return json.dumps(cells, ensure_ascii=True)


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
