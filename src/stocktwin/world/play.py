"""The feeds as a film: which rows of which source became known between two moments, exactly as they stand in the files.

Delivering them is `app`'s work. Nothing here reads the truth.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY
from stocktwin.domain.errors import NotFoundError
from stocktwin.tables.schema import FACT_TABLES

FEEDS: Final = "feeds"
ERP_DATABASE: Final = Path("feeds") / "erp_db" / "erp.sqlite"
MOMENTS: Final = ("recorded_at", "updated_at", "event_time", "departed_at", "date")
"""Columns that say when a row became known; the first that is filled in counts."""
PART: Final = re.compile(r"[-_.]\d.*")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """Rows of one table of one source, oldest first, in the source's own words."""

    source: str
    table: str
    rows: pa.Table


@dataclass(frozen=True)
class _Strip:
    source: str
    table: str
    rows: pa.Table
    known: Ints


class Film:
    """Every dated row of the feeds of a world's folder, in the order in which it became known."""

    def __init__(self, folder: Path) -> None:
        """NotFoundError where there are no feeds."""
        self._folder = folder
        settings = tomllib.loads((folder / "twin.toml").read_text("utf-8")) if (folder / "twin.toml").exists() else {}
        zone = str(settings.get("timezone", "UTC"))
        self._strips = [_strip(*key, paths, zone) for key, paths in _dated(folder).items()]
        self._strips = [strip for strip in self._strips if len(strip.known)]
        if not self._strips:
            raise NotFoundError("feeds in", str(folder))

    @property
    def first(self) -> int:
        """When the first row became known, µs."""
        return min(int(strip.known[0]) for strip in self._strips)

    @property
    def last(self) -> int:
        """When the last row became known, µs."""
        return max(int(strip.known[-1]) for strip in self._strips)

    def between(self, after: int, until: int) -> Iterator[Scene]:
        """What became known after one moment and not after the other (µs)."""
        for strip in self._strips:
            low, high = (int(place) for place in np.searchsorted(strip.known, [after, until], side="right"))
            if high > low:
                yield Scene(strip.source, strip.table, strip.rows.slice(low, high - low))

    def masters(self, source: str) -> Iterator[tuple[str, pa.Table]]:
        """Master data of a source as texts, table by table."""
        for name, table, path in _files(self._folder):
            if name == source and table not in FACT_TABLES:
                yield table, (_csv(path) if path.suffix == ".csv" else pq.read_table(path))

    def write_until(self, target: Path, until: int) -> None:
        """Makes `target` the folder of a twin at a moment: `twin.toml`, master data, and the rows known by then."""
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._folder / "twin.toml", target / "twin.toml")
        for path in _masters(self._folder):
            copy = target / path.relative_to(self._folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for scene in self.between(self.first - 1, until):
            path = target / FEEDS / scene.source / f"{scene.table}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(scene.rows, path, compression="zstd")


def _files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """(source, table, path) of every exchange file of the feeds, in order of name."""
    for path in sorted((folder / FEEDS).glob("*/*")):
        if path.suffix in (".parquet", ".csv"):
            yield path.parent.name, PART.sub("", path.stem), path


def _dated(folder: Path) -> dict[tuple[str, str], list[Path]]:
    found: dict[tuple[str, str], list[Path]] = {}
    for source, table, path in _files(folder):
        if table in FACT_TABLES and path.suffix == ".parquet":
            found.setdefault((source, table), []).append(path)
    return found


def _masters(folder: Path) -> Iterator[Path]:
    dated = {path for paths in _dated(folder).values() for path in paths}
    return (path for _, _, path in _files(folder) if path not in dated)


def _csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8") as stream:
        names = stream.readline().rstrip("\n").split(",")
    return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())))


def _strip(source: str, table: str, paths: list[Path], zone: str) -> _Strip:
    rows = pa.concat_tables([pq.read_table(path) for path in paths], promote_options="permissive")
    known = known_at(rows, zone)
    order = np.argsort(known, kind="stable")
    return _Strip(source, table, rows.take(pa.array(order)), known[order])


def known_at(rows: pa.Table, zone: str = "UTC") -> Ints:
    """When each row became known, µs. Local times without an offset are taken to be the twin's: a place in another zone
    is some hours early or late, in the right order."""
    known = pa.nulls(rows.num_rows, pa.int64())
    for name in MOMENTS:
        if name in rows.column_names:
            known = pc.coalesce(known, _micros(rows.column(name).combine_chunks(), zone))
    return np.asarray(pc.fill_null(known, 0).to_numpy(zero_copy_only=False), np.int64)


def _micros(column: pa.Array, zone: str) -> pa.Array:
    if pa.types.is_date(column.type):
        return pc.multiply(column.cast(pa.int32()).cast(pa.int64()), DAY)
    if pa.types.is_string(column.type):
        zoned = pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")
        plain = _local(pc.if_else(zoned, None, column).cast(pa.timestamp("us")), zone)
        instant = pc.if_else(zoned, column, None).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        return pc.coalesce(instant, plain)
    if column.type.tz is None:
        return _local(column, zone)
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())


def _local(column: pa.Array, zone: str) -> pa.Array:
    plain = column.cast(pa.timestamp("us"))
    return pc.assume_timezone(plain, zone, ambiguous="earliest", nonexistent="earliest").cast(pa.int64())
