"""How item-locations are replenished and what has been seen of it: ways of sourcing, declared lanes, order lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Key = tuple[str, str, str]
"""(origin, destination, mode); mode is empty where none is known."""

OWN = "@"
"""Stands in the mode of a key that holds an item's own declared lead time."""


@dataclass(frozen=True)
class Way:
    """One way of being replenished; `days` and `sd` where the sourcing line declares its own lead time."""

    origin: str
    destination: str
    mode: str
    days: float | None
    sd: float | None

    def order(self) -> tuple[str, str, str, float, float]:
        """Sort key."""
        return self.origin, self.destination, self.mode, self.days or 0.0, self.sd or 0.0


def own_mode(way: Way) -> str:
    """The mode under which an item's own declared lead time is kept.

    >>> own_mode(Way("S", "D", "sea", 30.0, None))
    'sea@30±0'
    """
    return f"{way.mode}{OWN}{way.days or 0.0:g}±{way.sd or 0.0:g}"


@dataclass(frozen=True)
class Declared:
    """Declared mean and standard deviation by lane."""

    lanes: dict[Key, tuple[float, float | None]]
    modes: dict[tuple[str, str], tuple[str, ...]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Declared:
        """From the lanes table."""
        lanes: dict[Key, tuple[float, float | None]] = {}
        modes: dict[tuple[str, str], tuple[str, ...]] = {}
        names = ["origin_id", "destination_id", "mode", "lead_time_days", "lead_time_sd_days"]
        for row in snapshot.lanes.select(names).to_pylist():
            ends, mode = (row["origin_id"], row["destination_id"]), row["mode"] or ""
            if row["lead_time_days"] is not None:
                lanes[(*ends, mode)] = (row["lead_time_days"], row["lead_time_sd_days"])
            modes[ends] = (*modes.get(ends, ()), mode)
        return cls(lanes, modes)

    def mode(self, origin: str, destination: str, mode: str) -> str:
        """The mode as named, else the lane's only one, else none."""
        known = self.modes.get((origin, destination), ())
        return mode or (known[0] if len(known) == 1 else "")

    def of_lane(self, origin: str, destination: str, mode: str) -> tuple[float, float | None] | None:
        """Declared mean and sd; without a mode those of the first, by an undeclared mode those of the one without."""
        if (origin, destination, mode) in self.lanes:
            return self.lanes[origin, destination, mode]
        known = self.modes.get((origin, destination), ())
        return self.lanes.get((origin, destination, "" if mode or not known else known[0]))


@dataclass(frozen=True)
class Observed:
    """Order lines of our own replenishment: age or lead time in days, and whether they have arrived."""

    days: Floats
    done: Flags
    lane: npt.NDArray[np.int64]
    mode: npt.NDArray[np.int64]
    declared: Floats
    """Declared mean of the line's lane; 0 where there is none."""
    lane_codes: dict[Key, int]
    mode_codes: dict[str, int]

    @classmethod
    def of(cls, snapshot: Snapshot, declared: Declared) -> Observed:
        """From the lead times of a snapshot; lines received before they were ordered are left out."""
        table = snapshot.lead_times
        ways = distinct(table, ["origin_id", "destination_id", "mode"])
        keys = [_key(way, declared) for way in ways]
        lane_codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
        mode_codes = {mode: code for code, mode in enumerate(dict.fromkeys(key[2] for key in keys))}
        place = codes_of(table, ["origin_id", "destination_id", "mode"])
        days, done = _days(snapshot)
        keep = days > 0
        means = [declared.of_lane(*key) for key in keys]
        mean = np.array([found[0] if found else 0.0 for found in means])
        lane = np.array([lane_codes[key] for key in keys], np.int64)
        mode = np.array([mode_codes[key[2]] for key in keys], np.int64)
        place = place[keep]
        return cls(days[keep], done[keep], lane[place], mode[place], mean[place], lane_codes, mode_codes)

    def on_lane(self, origin: str, destination: str, mode: str) -> Flags:
        """Lines of one lane."""
        return np.asarray(self.lane == self.lane_codes.get((origin, destination, mode), -1))

    def by_mode(self, mode: str) -> Flags:
        """Lines of one mode of transport."""
        return np.asarray(self.mode == self.mode_codes.get(mode, -1))

    def everywhere(self) -> Flags:
        """All lines."""
        return np.ones(len(self.days), bool)


def _key(way: dict[str, Any], declared: Declared) -> Key:
    origin, destination = way["origin_id"] or "", way["destination_id"] or ""
    return origin, destination, declared.mode(origin, destination, way["mode"] or "")


def _days(snapshot: Snapshot) -> tuple[Floats, Flags]:
    """Lead time of completed lines, age of open ones, and which are completed."""
    table = snapshot.lead_times
    taken = np.array(table.column("days").to_numpy(zero_copy_only=False), np.float64)
    ordered = np.asarray(table.column("ordered_at").fill_null(snapshot.as_of), np.int64)
    done = ~np.isnan(taken)
    days = np.where(done, taken, (snapshot.as_of - ordered) / MICROSECONDS_PER_DAY)
    return np.where(done & (days == 0), 1e-6, days), done


def primary_sources(snapshot: Snapshot) -> pa.Table:
    """The sourcing line of first priority of each item-location that is valid today (sorted by row)."""
    table = snapshot.sourcing
    row = np.asarray(table.column("row").to_numpy(zero_copy_only=False), np.int64)
    first = _day(table, "valid_from", -(2**31))
    last = _day(table, "valid_to", 2**31)
    priority = np.asarray(table.column("priority").fill_null(1).to_numpy(zero_copy_only=False), np.int64)
    source = codes_of(table, ["source_id"])
    order = np.lexsort((source, priority, row))
    order = order[((row >= 0) & (first <= snapshot.today) & (last >= snapshot.today))[order]]
    kept = order[np.diff(row[order], prepend=-1) > 0] if len(order) else order
    return table.take(pa.array(kept, pa.int64()))


def _day(table: pa.Table, column: str, missing: int) -> npt.NDArray[np.int64]:
    days = table.column(column).cast(pa.int32()).cast(pa.int64()).fill_null(missing)
    return np.asarray(days.to_numpy(zero_copy_only=False), np.int64)


def distinct_ways(lines: pa.Table) -> tuple[list[Way], npt.NDArray[np.int64]]:
    """The distinct ways of some sourcing lines, and each line's position among them."""
    names = ["source_id", "location_id", "mode", "lead_time_days", "lead_time_sd_days"]
    ways = []
    for row in distinct(lines, names):
        days = row["lead_time_days"]
        sd = row["lead_time_sd_days"] if days is not None else None
        ways.append(Way(row["source_id"], row["location_id"], row["mode"] or "", days, sd))
    return ways, codes_of(lines, names)


def replenishment_lines(snapshot: Snapshot) -> pa.Table:
    """Open purchase and transfer order lines."""
    ours = np.array(
        [kind in ("purchase", "transfer") for kind in snapshot.open_orders.column("kind").to_pylist()], bool
    )
    return snapshot.open_orders.filter(pa.array(ours, pa.bool_()))


def distinct(table: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    """The distinct rows of some columns, in the order of `codes_of`."""
    code = codes_of(table, names)
    _, first = np.unique(code, return_index=True)
    rows: list[dict[str, Any]] = table.select(names).take(pa.array(first, pa.int64())).to_pylist()
    return rows


def codes_of(table: pa.Table, names: list[str]) -> npt.NDArray[np.int64]:
    """Dense codes of the rows of some columns: equal rows have equal codes (nulls are equal)."""
    code = np.zeros(len(table), np.int64)
    for name in names:
        column = table.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
        part = np.asarray(column.indices.to_numpy(zero_copy_only=False), np.int64)
        width = int(part.max(initial=0)) + 1
        code = np.unique(code * width + part, return_inverse=True)[1].astype(np.int64).ravel()
    return code
