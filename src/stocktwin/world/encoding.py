"""Columns and files: exact decimals, texts, instants as Arrow; Parquet and CSV whose bytes depend on data only."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PLACES: Final = 3
"""Decimal places of quantities in the files; no item of the world has more."""
CSV_TABLES: Final = ("items", "units", "locations", "lanes", "sourcing", "policies", "crossref")
ROW_GROUP: Final = 100_000
PARQUET: Final[dict[str, Any]] = {"compression": "zstd", "write_statistics": True}
Columns = dict[str, pa.Array]
Pieces = Iterator[Columns]
"""A table too large to be held at once, piece by piece."""
QUANTITY: Final = pa.decimal128(18, PLACES)
INSTANT: Final = pa.timestamp("us", tz="UTC")


def quantities(atomic: Ints, scale: Ints, valid: Flags | None = None) -> pa.Array:
    """Exact decimals in base units from whole atomic units.

    >>> quantities(np.array([1500, 7]), np.array([3, 0])).to_pylist()
    [Decimal('1.500'), Decimal('7.000')]
    """
    value = atomic * 10 ** (PLACES - scale)
    words = np.empty((len(value), 2), np.int64)
    words[:, 0], words[:, 1] = value, value >> 63
    whole = pa.Array.from_buffers(QUANTITY, len(value), [None, pa.py_buffer(words)])
    return whole if valid is None else pc.if_else(pa.array(valid), whole, pa.scalar(None, QUANTITY))


def instants(micros: Ints, valid: Flags | None = None) -> pa.Array:
    """UTC timestamps, null where not `valid`."""
    return pa.array(micros, pa.int64(), mask=None if valid is None else ~valid).cast(INSTANT)


def dates(days: npt.NDArray[np.int32], valid: Flags | None = None) -> pa.Array:
    """Calendar dates from days since 1970-01-01."""
    return pa.array(days, pa.int32(), mask=None if valid is None else ~valid).cast(pa.date32())


def chosen(names: Sequence[str | None], at: Ints) -> pa.Array:
    """`names[at]`, null where `at` is negative.

    >>> chosen(("a", "b"), np.array([1, -1])).to_pylist()
    ['b', None]
    """
    return pa.array(list(names), pa.string()).take(pa.array(at, mask=at < 0))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts put together, element by element."""
    return pc.binary_join_element_wise(*[pa.scalar(p) if isinstance(p, str) else p for p in parts], "")


def where(mask: Flags, yes: pa.Array | None, no: pa.Array | None) -> pa.Array:
    """`yes` where the mask holds, else `no`; None stands for null texts."""
    null = pa.scalar(None, pa.string())
    return pc.if_else(pa.array(mask), null if yes is None else yes, null if no is None else no)


def tables(columns: Columns | Pieces) -> Iterator[pa.Table]:
    """A table whole, or its pieces."""
    yield from map(pa.table, [columns] if isinstance(columns, dict) else columns)


def write_columns(path: Path, columns: Columns | Pieces) -> int:
    """Writes one table as a file of this name (without ending): small master tables as CSV, all else and numbered
    parts as Parquet. Returns its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name in CSV_TABLES and isinstance(columns, dict):
        cells = zip(*(column.to_pylist() for column in columns.values()), strict=True)
        return write_csv(path.with_name(f"{path.name}.csv"), tuple(columns), cells)
    pieces = tables(columns)
    table, rows = next(pieces), 0
    with pq.ParquetWriter(path.with_name(f"{path.name}.parquet"), table.schema, **PARQUET) as writer:
        for piece in chain([table], pieces):
            writer.write_table(piece, row_group_size=ROW_GROUP)
            rows += piece.num_rows
    return rows


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Writes one CSV file, empty where there is nothing to say; returns its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(["" if cell is None else cell for cell in row])
            count += 1
    return count


def number(value: float, places: int = 4) -> str:
    """A plain decimal without trailing zeros.

    >>> number(2.50), number(1e-5, 6), number(3.0)
    ('2.5', '0.00001', '3')
    """
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def base_units(atomic: int, scale: int) -> str:
    """An exact quantity in base units, as text.

    >>> base_units(1500, 3), base_units(7, 0)
    ('1.5', '7')
    """
    return number_of(Decimal(atomic).scaleb(-scale))


def number_of(value: Decimal) -> str:
    """A decimal as plain text without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
