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
Texts = list[pa.Array]

ENDING: Final = re.compile(r"(-\d{4}-\d\d-\d\d)?\.(csv|parquet)")


def told_before(path: Path, columns: list[str]) -> Texts:
    """What stands in the files of a table (`NAME.parquet`, `NAME-2026-01-01.parquet` …; `path` without ending), as
    text, column by column."""
    there = sorted(path.parent.glob(f"{path.name}*")) if path.parent.is_dir() else []
    files = [file for file in there if ENDING.fullmatch(file.name[len(path.name) :])]
    parts = [_read(file, columns) for file in files]
    return [pa.concat_arrays([pa.array([], pa.string()), *column]) for column in zip(*parts, strict=True)] or [
        pa.array([], pa.string()) for _ in columns
    ]


def _read(path: Path, columns: list[str]) -> Texts:
    if path.suffix == ".parquet":
        table = pq.read_table(path, columns=columns)
        return [_text(table.column(name).combine_chunks()) for name in columns]
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [pa.array([row[name] for row in rows], pa.string()) for name in columns]


def new_rows(columns: Columns, before: Texts) -> Columns:
    """The rows of a table that are not among those told before; a row that occurs twice is two rows.

    >>> new_rows({"x": pa.array(["a", "b", "b", "c"])}, [pa.array(["b", "a"])])["x"].to_pylist()
    ['b', 'c']
    """
    told = len(before[0])
    code = np.zeros(told + len(next(iter(columns.values()))), np.int64)
    for old, new in zip(before, columns.values(), strict=True):
        both = pa.concat_arrays([old, _text(new)]).dictionary_encode()
        pair = code * len(both.dictionary) + both.indices.to_numpy().astype(np.int64)
        code = pa.array(pair).dictionary_encode().indices.to_numpy().astype(np.int64)
    fresh = pa.array(_occurrence(code[told:]) >= np.bincount(code[:told], minlength=len(code) + 1)[code[told:]])
    return {name: column.filter(fresh) for name, column in columns.items()}


def _occurrence(code: Ints) -> Ints:
    """How many equal ones stand before each."""
    order = np.argsort(code, kind="stable")
    inside = code[order]
    first = np.searchsorted(inside, inside)
    out = np.empty(len(code), np.int64)
    out[order] = np.arange(len(code)) - first
    return out


def _text(column: pa.Array) -> pa.Array:
    return pc.fill_null(column.cast(pa.string()), "")
