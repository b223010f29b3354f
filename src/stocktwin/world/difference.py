"""Which rows of a table were not told before: tables as multisets of rows, the files of a table taken together."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stocktwin.world.encoding import Columns

Ints = npt.NDArray[np.int64]

ENDING: Final = re.compile(r"(-\d{4}-\d\d-\d\d)?\.(csv|parquet)")


def told_before(path: Path, columns: Columns) -> Columns:
    """What stands under these columns in the files of a table (`NAME.parquet`, `NAME-2026-01-01.parquet` …; `path`
    without ending), in the types that they have."""
    there = sorted(path.parent.glob(f"{path.name}*")) if path.parent.is_dir() else []
    files = [file for file in there if ENDING.fullmatch(file.name[len(path.name) :])]
    parts = [_read(file, list(columns)) for file in files]
    return {
        name: pa.concat_arrays([column.slice(0, 0), *(part[k].cast(column.type) for part in parts)])
        for k, (name, column) in enumerate(columns.items())
    }


def _read(path: Path, columns: list[str]) -> list[pa.Array]:
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=columns)
        return [table.column(name).combine_chunks() for name in columns]
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [pa.array([row[name] for row in rows], pa.string()) for name in columns]


def new_rows(columns: Columns, before: Columns) -> tuple[Columns, int]:
    """The rows of a table that are not among those told before, and how many of those are not among the rows; a row
    that occurs twice is two rows.

    >>> fresh, unknown = new_rows({"x": pa.array(["a", "b", "b", "c"])}, {"x": pa.array(["b", "a", "d"])})
    >>> fresh["x"].to_pylist(), unknown
    (['b', 'c'], 1)
    """
    told, now = (len(next(iter(part.values()))) for part in (before, columns))
    code = np.zeros(told + now, np.int64)
    for name, column in columns.items():
        code = _refined(code, _codes(pa.concat_arrays([before[name], column])))
    counts = np.bincount(code[:told], minlength=len(code) + 1)
    known = _occurrence(code[told:]) < counts[code[told:]]
    fresh = pa.array(~known)
    return {name: column.filter(fresh) for name, column in columns.items()}, told - int(known.sum())


def _codes(column: pa.Array) -> Ints:
    """A number for each distinct value; a missing text is an empty one, as in CSV."""
    whole = pc.fill_null(column, "") if pa.types.is_string(column.type) else column
    return np.asarray(whole.dictionary_encode("encode").indices.to_numpy(), np.int64)


def _refined(code: Ints, by: Ints) -> Ints:
    """Numbers of the distinct pairs. Mostly the first of them tells the second: an id tells the rest of its row."""
    first = np.zeros(len(code) + 1, np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    if (by[first[code]] == by).all():
        return code
    return np.asarray(_codes(pa.array(code * (len(by) + 1) + by)))


def _occurrence(code: Ints) -> Ints:
    """How many equal ones stand before each."""
    order = np.argsort(code, kind="stable")
    inside = code[order]
    first = np.searchsorted(inside, inside)
    out = np.empty(len(code), np.int64)
    out[order] = np.arange(len(code)) - first
    return out
