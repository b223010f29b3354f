"""The feeds as a film: which rows of which source became known between two moments, exactly as they stand in the files.

Delivering them is `app`'s work. Nothing here reads the truth.
"""

from __future__ import annotations

import csv as csv_rows
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
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
ARRIVING: Final = ("receipt", "transfer_in", "return")
"""Movements that happen at their destination; reversals have their ends swapped."""
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
        sites = site_zones(folder / FEEDS)
        self._strips = [_strip(*key, paths, zone, sites.get(key[0], {})) for key, paths in _dated(folder).items()]
        self._strips = [strip for strip in self._strips if len(strip.known)]
        if not self._strips:
            raise NotFoundError("folder with feeds", str(folder))

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


def site_zones(feeds: Path) -> dict[str, dict[str, str]]:
    """Of each source its names of the places that have a time zone, and that zone."""
    zones: dict[str, str] = {}
    names: list[tuple[str, str, str]] = []
    for path in sorted(feeds.glob("*/*.csv")):
        table = PART.sub("", path.stem)
        if table in ("locations", "crossref"):
            with path.open(encoding="utf-8", newline="") as stream:
                for row in csv_rows.DictReader(stream):
                    if table == "locations":
                        zones[row["location_id"]] = row.get("timezone") or ""
                    elif row["kind"] == "location":
                        names.append((row["system"], row["external_id"], row["internal_id"]))
    ours = {place: name for place, name in zones.items() if name}
    out = {path.name: dict(ours) for path in feeds.glob("*") if path.is_dir()}
    for system, theirs, place in names:
        if place in ours:
            out.setdefault(system, dict(ours))[theirs] = ours[place]
    return out


def _strip(source: str, table: str, paths: list[Path], zone: str, sites: Mapping[str, str]) -> _Strip:
    rows = pa.concat_tables([pq.read_table(path) for path in paths], promote_options="permissive")
    known = known_at(rows, zone, sites)
    order = np.argsort(known, kind="stable")
    return _Strip(source, table, rows.take(pa.array(order)), known[order])


def known_at(rows: pa.Table, zone: str = "UTC", sites: Mapping[str, str] | None = None) -> Ints:
    """When each row became known, µs. Local times without an offset are those of the place that the row is about, by
    its zone in `sites` (name → time zone), as the twin reads them; where none is known, those of `zone`."""
    zones = _zones(rows, sites or {}, zone)
    known = pa.nulls(rows.num_rows, pa.int64())
    for name in MOMENTS:
        if name in rows.column_names:
            known = pc.coalesce(known, _micros(rows.column(name).combine_chunks(), zones))
    return np.asarray(pc.fill_null(known, 0).to_numpy(zero_copy_only=False), np.int64)


def _zones(rows: pa.Table, sites: Mapping[str, str], zone: str) -> pa.Array:
    """The zone of each row's place: of the end where the movement happens, else of the other."""

    def at(column: str) -> pa.Array:
        if column not in rows.column_names or not sites:
            return pa.nulls(rows.num_rows, pa.string())
        at = pc.index_in(rows.column(column).combine_chunks().cast(pa.string()), pa.array(sites, pa.string()))
        return pa.array(sites.values(), pa.string()).take(at)

    here, there = at("from_id"), at("to_id")
    if "kind" in rows.column_names and "corrects" in rows.column_names:
        arrives = pc.is_in(rows.column("kind").combine_chunks().cast(pa.string()), pa.array(ARRIVING))
        swap = pc.xor(arrives, rows.column("corrects").combine_chunks().is_valid())
        here, there = pc.if_else(swap, there, here), pc.if_else(swap, here, there)
    return pc.coalesce(at("location_id"), here, there, pa.scalar(zone))


def _micros(column: pa.Array, zones: pa.Array) -> pa.Array:
    if pa.types.is_date(column.type):
        return pc.multiply(column.cast(pa.int32()).cast(pa.int64()), DAY)
    if pa.types.is_string(column.type):
        zoned = pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")
        plain = _local(pc.if_else(zoned, None, column).cast(pa.timestamp("us")), zones)
        instant = pc.if_else(zoned, column, None).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        return pc.coalesce(instant, plain)
    if column.type.tz is None:
        return _local(column, zones)
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())


def _local(column: pa.Array, zones: pa.Array) -> pa.Array:
    plain, out = column.cast(pa.timestamp("us")), pa.nulls(len(column), pa.int64())
    for zone in pc.unique(zones).to_pylist():
        here = pc.if_else(pc.equal(zones, zone), plain, None)
        instant = pc.assume_timezone(here, zone, ambiguous="earliest", nonexistent="earliest").cast(pa.int64())
        out = pc.coalesce(out, instant)
    return out
