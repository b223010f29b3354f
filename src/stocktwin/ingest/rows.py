"""Rows that come one by one (REST, streams): dictionaries or JSON lines of exchange tables → deliveries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stocktwin.domain.errors import UsageError
from stocktwin.ingest.chunk import CHUNK_ROWS, cell_text, chunk_of_rows
from stocktwin.ingest.findings import Finding, raw_json, rejected_table
from stocktwin.ingest.mapping import Context, Key, apply
from stocktwin.ingest.sources.text import CELLS
from stocktwin.ingest.specs import READING_ORDER, SourceSpec, exchange_map
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES


def read_rows(
    rows: Iterable[Mapping[str, Any]],
    table: str,
    source: SourceSpec,
    *,
    file: str = "rows",
    location_timezones: Mapping[str, str] | None = None,
    crossref: Mapping[Key, str] | None = None,
) -> Delivery:
    """Rows of one exchange table under its own column names; row numbers count from 1.

    Raises NotFoundError-like UsageError for an unknown table or more than 100,000 rows.
    """
    if table not in TABLES:
        raise UsageError(f"no exchange table is called {table!r}; they are {', '.join(TABLES)}")
    numbered = [(at, at, row) for at, row in enumerate(rows, 1)]
    context = Context.of(source, location_timezones, crossref)
    return _delivery(numbered, [], table, context, file)


def read_json_lines(
    lines: str | bytes | Iterable[str],
    source: SourceSpec,
    *,
    table: str | None = None,
    file: str = "facts",
    location_timezones: Mapping[str, str] | None = None,
    crossref: Mapping[Key, str] | None = None,
) -> list[Delivery]:
    """JSON objects, one a line, each of `table` or of the table that its key `table` names; one delivery per table,
    master data first. A line that is no such object is a rejected row (of `table`, else of `movements`)."""
    by_table: dict[str, list[tuple[int, int, Mapping[str, Any]]]] = {}
    broken: list[Finding] = []
    row = 0
    for line, text in enumerate(_split(lines), 1):
        if not text.strip():
            continue
        row += 1
        try:
            name, cells = _parse_line(text, table)
            by_table.setdefault(name, []).append((row, line, cells))
        except ValueError as error:
            broken.append(Finding(row, line, None, text.strip(), str(error), raw_json({CELLS: [text.strip()]})))
    fallback = table if table in TABLES else "movements"
    if broken:
        by_table.setdefault(str(fallback), [])
    context = Context.of(source, location_timezones, crossref)
    return [
        _delivery(by_table[name], broken if name == fallback else [], name, context, file)
        for name in READING_ORDER
        if name in by_table
    ]


def _split(lines: str | bytes | Iterable[str]) -> Iterable[str]:
    if isinstance(lines, bytes):
        lines = lines.decode("utf-8", "surrogateescape")
    return lines.split("\n") if isinstance(lines, str) else lines


def _parse_line(text: str, table: str | None) -> tuple[str, Mapping[str, Any]]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    name = table if table is not None else row.pop("table", None)
    if not isinstance(name, str) or name not in TABLES:
        raise ValueError(f"names no exchange table (key `table`): {name!r}")
    return name, row


def _delivery(
    rows: Sequence[tuple[int, int, Mapping[str, Any]]], broken: list[Finding], table: str, context: Context, file: str
) -> Delivery:
    if len(rows) + len(broken) > CHUNK_ROWS:
        raise UsageError(f"{len(rows) + len(broken)} rows in one message; send at most {CHUNK_ROWS} at a time")
    names = list(dict.fromkeys(name for _, _, row in rows for name in row))
    columns = [[cell_text(row.get(name)) for _, _, row in rows] for name in names]
    chunk = chunk_of_rows(file, names, columns, [row for row, _, _ in rows], [line for _, line, _ in rows])
    mapped = apply(exchange_map(table, file), chunk, context)
    context.learn(table, mapped.facts)
    findings = mapped.findings + broken
    source = context.source
    return Delivery(source.name, table, file, mapped.facts, rejected_table(findings), system=source.system)
