"""A chunk: up to 100,000 rows of one file as columns, with the place of every row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.quantity import MAX_DECIMALS
from stocktwin.ingest.findings import Finding, printable, raw_json

CHUNK_ROWS = 100_000
ROW, FILE = "_row", "_file"
"""Pseudo columns: the row's number in the file and the file's name."""


@dataclass(frozen=True)
class Chunk:
    """Rows of one file. Columns are Arrow arrays of one length, typed where the file is (Parquet), else text."""

    file: str
    columns: Mapping[str, pa.Array]
    rows: npt.NDArray[np.int64]
    """Row numbers, 1 = first row of data."""
    lines: npt.NDArray[np.int64] | None = None
    bad_text: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Column → position → text whose bytes are no UTF-8 (as lone surrogates)."""
    broken: tuple[Finding, ...] = ()
    """Rows that have no columns: too few or too many cells, an unclosed quote. They are not in `columns`."""
    ambiguous: frozenset[str] = frozenset()
    """Columns whose name stands more than once in the header."""

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, keep: npt.NDArray[np.bool_]) -> Chunk:
        """The rows where `keep` holds, without the broken ones."""
        if keep.all():
            return replace(self, broken=())
        mask = pa.array(keep)
        place = np.cumsum(keep) - 1
        return replace(
            self,
            columns={name: column.filter(mask) for name, column in self.columns.items()},
            rows=self.rows[keep],
            lines=None if self.lines is None else self.lines[keep],
            bad_text={
                name: {int(place[at]): text for at, text in cells.items() if keep[at]}
                for name, cells in self.bad_text.items()
            },
            broken=(),
        )

    def line(self, at: int) -> int | None:
        """Line of the text file where row `at` begins."""
        return None if self.lines is None else int(self.lines[at])

    def cell(self, name: str, at: int) -> str | None:
        """Text of one cell, as delivered; None where it is empty or the file has no such column."""
        if at in self.bad_text.get(name, {}):
            return self.bad_text[name][at]
        if name not in self.columns:
            return None
        return _scalar_text(self.columns[name][at])

    def raws(self, at: Sequence[int]) -> list[str]:
        """Whole rows as JSON {source column: text}. Empty cells are left out, but for columns that stand twice: a
        replay must know that they do."""
        if not len(at):
            return []
        columns = [text_of(column.take(pa.array(at, pa.int64()))).to_pylist() for column in self.columns.values()]
        for name, texts in zip(self.columns, columns, strict=True):
            spoilt = self.bad_text.get(name, {})
            texts[:] = [spoilt.get(place, text) for place, text in zip(at, texts, strict=True)] if spoilt else texts
        rows = zip(*columns, strict=True) if columns else [()] * len(at)
        twice = {name for name in self.columns if {name, name.rpartition("#")[0]} & self.ambiguous}
        named = (zip(self.columns, row, strict=True) for row in rows)
        return [raw_json({name: text or "" for name, text in row if text or name in twice}) for row in named]

    def text(self, name: str) -> pa.Array:
        """A column, real or pseudo, as text."""
        if name == ROW:
            return pa.array(self.rows).cast(pa.string())
        if name == FILE:
            return pa.array([self.file], pa.string()).take(pa.array(np.zeros(len(self), np.int64)))
        return text_of(self.columns[name])


def chunk_of_rows(
    file: str,
    names: Sequence[str],
    columns: Sequence[Sequence[str | None]],
    rows: Iterable[int],
    lines: Iterable[int] | None,
    broken: tuple[Finding, ...] = (),
    ambiguous: frozenset[str] = frozenset(),
) -> Chunk:
    """A chunk of text columns."""
    arrays: dict[str, pa.Array] = {}
    bad: dict[str, dict[int, str]] = {}
    for name, values in zip(names, columns, strict=True):
        arrays[name], escaped = text_column(values)
        if escaped:
            bad[name] = escaped
    numbers = np.fromiter(rows, np.int64)
    positions = None if lines is None else np.fromiter(lines, np.int64)
    return Chunk(file, arrays, numbers, positions, bad, broken, ambiguous)


def text_column(values: Sequence[str | None]) -> tuple[pa.Array, dict[int, str]]:
    """An Arrow text column, and the cells whose bytes are no UTF-8 (escaped in the column)."""
    try:
        return pa.array(values, pa.string()), {}
    except (UnicodeError, pa.ArrowException):
        clean = [printable(value) for value in values]
        bad = {at: value for at, value in enumerate(values) if value is not None and _has_surrogate(value)}
        return pa.array(clean, pa.string()), bad


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def unique_names(header: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """Header names made unique, and those that stand more than once.

    >>> unique_names(["a", " b ", "a", ""])[0]
    ['a', 'b', 'a#2', 'column_4']
    """
    names: list[str] = []
    twice: set[str] = set()
    for at, text in enumerate(header, 1):
        name = (printable(text) or "").strip() or f"column_{at}"
        if name in names:
            twice.add(name)
            name = next(f"{name}#{copy}" for copy in range(2, len(header) + 2) if f"{name}#{copy}" not in names)
        names.append(name)
    return names, frozenset(twice)


def repeated_names(names: Sequence[str]) -> frozenset[str]:
    """Names that stood more than once in the header from which `unique_names` made these.

    >>> sorted(repeated_names(["a", "b", "a#2", "c#2"]))
    ['a']
    """
    return frozenset(name.removesuffix("#2") for name in names if name.endswith("#2")) & frozenset(names)


def text_of(cells: pa.Array) -> pa.Array:
    """Any column as text, the way a careful hand would write it into a CSV file."""
    kind = cells.type
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_dictionary(kind):
        return text_of(cells.dictionary_decode())
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_large_string(kind):
        return cells.cast(pa.string())
    if pa.types.is_nested(kind):
        return pa.array([cell_text(value) for value in cells.to_pylist()], pa.string())
    return each_distinct(cells, _values_text)


def each_distinct(cells: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`function` of the distinct values of a column, put back in place."""
    coded = encoded(cells)
    return function(coded.dictionary).take(coded.indices)


def encoded(cells: pa.Array) -> pa.DictionaryArray:
    """A column as distinct values and codes; as text where Arrow cannot tell its values apart (lists, records)."""
    try:
        return pc.dictionary_encode(cells)
    except pa.ArrowException:
        texts = [cell_text(value) for value in cells.to_pylist()]
        return pc.dictionary_encode(pa.array(texts, pa.string()))


def _values_text(values: pa.Array) -> pa.Array:
    return pa.array([_scalar_text(value) for value in values], pa.string())


def _scalar_text(scalar: pa.Scalar) -> str | None:
    kind = scalar.type
    if scalar.is_valid and pa.types.is_timestamp(kind) and kind.unit == "ns":
        scalar = scalar.cast(pa.timestamp("us", kind.tz), safe=False)
    try:
        return cell_text(scalar.as_py())
    except (ValueError, OverflowError, pa.ArrowException):
        return str(scalar.cast(pa.int64()).as_py()) if pa.types.is_temporal(kind) else str(scalar)


def cell_text(value: Any) -> str | None:
    """One value as text; a float says no more than nine decimal places.

    >>> cell_text(12.0), cell_text(0.1 + 0.2), cell_text(True), cell_text(float("nan"))
    ('12', '0.3', 'true', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return _other_text(value)


def _other_text(value: Any) -> str | None:
    if isinstance(value, int | Decimal):
        return format(value, "d" if isinstance(value, int) else "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return printable(value.decode("utf-8", "surrogateescape"))
    return json.dumps(value, default=str, ensure_ascii=False)


def _float_text(value: float) -> str | None:
    if math.isnan(value):
        return None
    exact = Decimal(repr(value))
    if not exact.is_finite() or abs(exact) > 10**17:
        return repr(value)
    text = format(exact.quantize(Decimal(1).scaleb(-MAX_DECIMALS)), "f").rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
