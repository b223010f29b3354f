"""Lead times as distributions: what each lane has shown, else its mode, else the network, else what is declared.

Order to receipt, in whole days. Lines still open are right-censored evidence (they took at least their age) and enter
by the Kaplan–Meier estimator: dropping them would make every lane look faster than it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.replenishment import (
    OWN,
    Declared,
    Key,
    Observed,
    Way,
    distinct,
    distinct_ways,
    own_mode,
    primary_sources,
    replenishment_lines,
)
from stocktwin.analytics.survival import Days, conditional_days, gamma_table, kaplan_meier_table
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]

CELLS = 512
"""Resolution of a distribution: days at the probabilities (k + ½)/512."""
BASES = ("lane", "mode", "network", "declared", "assumed")
ASSUMED_DAYS = 7.0
"""Lead time where nothing is known and nothing declared; such lanes have basis `assumed`."""
OVERDUE = 0.99

ARRIVAL_SCHEMA = pa.schema(
    [
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("item_id", pa.string()),
        ("from_id", pa.string()),
        ("to_id", pa.string()),
        ("open_quantity", pa.int64()),  # atomic units
        ("ordered_at", pa.int64()),
        ("q10", pa.int64()),  # instants, µs
        ("q50", pa.int64()),
        ("q90", pa.int64()),
        ("overdue", pa.bool_()),  # older than 99 % of lead times
        ("basis", pa.string()),
    ]
)
"""Arrival windows of open purchase and transfer lines."""


@dataclass(frozen=True)
class LeadTimeModel:
    """Lead-time distributions by (origin, destination, mode); an item's own declared one has mode `mode@mean±sd`."""

    keys: tuple[Key, ...]
    table: npt.NDArray[np.int32]
    """[keys, 512] whole days ≥ 1, non-decreasing, at probabilities (k + ½)/512."""
    mean_days: Floats
    """[keys] mean of the table's row."""
    basis: tuple[str, ...]
    """What each rests on, of `BASES`."""
    count: npt.NDArray[np.int64]
    """[keys] completed order lines behind it."""

    @cached_property
    def _rows(self) -> dict[Key, int]:
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def _lanes(self) -> dict[tuple[str, str], int]:
        """(origin, destination) → row to use where no mode is named: without mode, else the most used, else first."""
        best: dict[tuple[str, str], int] = {}
        for row, (origin, destination, mode) in enumerate(self.keys):
            if OWN in mode:
                continue
            known = best.get((origin, destination))
            if known is None or (self.keys[known][2] and self.count[row] > self.count[known]):
                best[origin, destination] = row
        return best

    def index(self, origin: str, destination: str, mode: str | None = None) -> int:
        """Row of a lane. Without a mode: the row without one, else the mode with most lines behind it.

        NotFoundError naming the lane where there is none.
        """
        row = self._rows.get((origin, destination, mode)) if mode else self._lanes.get((origin, destination))
        if row is None:
            raise NotFoundError("lane", f"{origin} → {destination}" + (f" by {mode}" if mode else ""))
        return row

    def quantile(self, row: int, p: float) -> int:
        """Days within which a share p of lines arrive."""
        if not 0 < p < 1:
            raise UsageError(f"a probability lies between 0 and 1: {p}")
        return int(self.table[row, min(math.ceil(p * CELLS) - 1, CELLS - 1)])

    def for_rows(self, snapshot: Snapshot) -> npt.NDArray[np.int32]:
        """[item-locations] row of the table of each one's primary source; −1 where it has no source."""
        lines = primary_sources(snapshot)
        out = np.full(len(snapshot), -1, np.int32)
        out[lines.column("row").to_numpy(zero_copy_only=False)] = self._of_lines(lines)
        return out

    def _of_lines(self, lines: pa.Table) -> npt.NDArray[np.int32]:
        """Row of the table for each sourcing line; each distinct way of sourcing is looked up once."""
        distinct, at = distinct_ways(lines)
        found = [self._of_way(way) for way in distinct]
        return np.array(found, np.int32)[at] if found else np.zeros(0, np.int32)

    def _of_way(self, way: Way) -> int:
        own = self._rows.get((way.origin, way.destination, own_mode(way))) if way.days is not None else None
        if own is not None:
            return own
        exact = self._rows.get((way.origin, way.destination, way.mode)) if way.mode else None
        return exact if exact is not None else self._lanes.get((way.origin, way.destination), -1)


def fit_lead_times(snapshot: Snapshot, *, minimum_sample: int = 10) -> LeadTimeModel:
    """Lead-time distributions of every lane that is declared, sourced from, observed or on order.

    A lane with `minimum_sample` completed lines speaks for itself; else its mode does, else the network; these pools
    are taken relative to each lane's declared mean where there is one, so that a short lane does not inherit a long
    one's days. Without any history: the declared mean and sd (gamma; no sd: exactly the mean), an item's own before the
    lane's. UsageError where `minimum_sample` is below 1.
    """
    if minimum_sample < 1:
        raise UsageError(f"a minimum sample is at least 1: {minimum_sample}")
    declared = Declared.of(snapshot)
    seen = Observed.of(snapshot, declared)
    ways = sorted({*_lane_ways(snapshot, declared), *distinct_ways(primary_sources(snapshot))[0]}, key=Way.order)
    keys: dict[Key, tuple[Days, str, int]] = {}
    for way in ways:
        mode = declared.mode(way.origin, way.destination, way.mode)
        plain = (way.origin, way.destination, mode)
        if plain not in keys:
            keys[plain] = _fit(seen, plain, declared.of_lane(*plain), minimum_sample)
        if way.days is not None and keys[plain][1] != "lane":
            own = (way.origin, way.destination, own_mode(way))
            keys[own] = _fit(seen, plain, (way.days, way.sd), minimum_sample)
    order = sorted(keys)
    table = np.stack([keys[key][0] for key in order]) if order else np.zeros((0, CELLS), np.int32)
    return LeadTimeModel(
        tuple(order),
        table,
        table.mean(axis=1) if order else np.zeros(0),
        tuple(keys[key][1] for key in order),
        np.array([keys[key][2] for key in order], np.int64),
    )


def _lane_ways(snapshot: Snapshot, declared: Declared) -> set[Way]:
    """Every lane that is declared, observed or on order."""
    ends = {(key[0], key[1], key[2]) for key in declared.lanes}
    for row in distinct(snapshot.lead_times, ["origin_id", "destination_id", "mode"]):
        ends.add((row["origin_id"] or "", row["destination_id"] or "", row["mode"] or ""))
    for row in distinct(replenishment_lines(snapshot), ["from_id", "to_id"]):
        ends.add((row["from_id"] or "", row["to_id"] or "", ""))
    return {Way(*end, None, None) for end in ends}


def _fit(seen: Observed, key: Key, declared: tuple[float, float | None] | None, minimum: int) -> tuple[Days, str, int]:
    """Table, basis and completed lines of one lane: lane, else mode, else network, else declared, else assumed."""
    origin, destination, mode = key
    pools = [("lane", seen.on_lane(origin, destination, mode)), ("network", seen.everywhere())]
    if mode:
        pools.insert(1, ("mode", seen.by_mode(mode)))
    for basis, chosen in pools:
        count = int((chosen & seen.done).sum())
        if count < minimum:
            continue
        relative = chosen & (seen.declared > 0)
        if basis != "lane" and declared and declared[0] > 0 and (relative & seen.done).sum() >= minimum:
            days = seen.days[relative] / seen.declared[relative] * declared[0]
            return kaplan_meier_table(days, seen.done[relative], CELLS), basis, int((relative & seen.done).sum())
        return kaplan_meier_table(seen.days[chosen], seen.done[chosen], CELLS), basis, count
    if declared:
        return gamma_table(*declared, CELLS), "declared", 0
    return gamma_table(ASSUMED_DAYS, None, CELLS), "assumed", 0


def arrival_windows(snapshot: Snapshot, model: LeadTimeModel) -> pa.Table:
    """When each open purchase and transfer line arrives (`ARRIVAL_SCHEMA`), given that it has not arrived by `as_of`.

    A line older than 99 % of lead times is `overdue`: its window is what little the distribution has left.
    """
    lines = replenishment_lines(snapshot)
    keys = line_keys(snapshot, model, lines)
    ordered = np.asarray(lines.column("ordered_at").fill_null(snapshot.as_of), np.int64)
    age = np.maximum((snapshot.as_of - ordered) / MICROSECONDS_PER_DAY, 0.0)
    windows = np.zeros((len(lines), 3), np.int64)
    overdue = np.zeros(len(lines), bool)
    for at, key in enumerate(keys):
        days = [conditional_days(model.table[key], age[at], p) for p in (0.1, 0.5, 0.9)]
        windows[at] = np.maximum(ordered[at] + np.rint(np.array(days) * MICROSECONDS_PER_DAY), snapshot.as_of + 1)
        overdue[at] = age[at] > model.quantile(key, OVERDUE)
    item = lines.column("item").to_pylist()
    columns = {name: lines.column(name) for name in ("order_id", "line", "from_id", "to_id", "open_quantity")}
    columns |= {"item_id": pa.array([snapshot.item_codes.ids[code] for code in item], pa.string())}
    columns |= {"ordered_at": pa.array(ordered), "overdue": pa.array(overdue)}
    columns |= {name: pa.array(windows[:, k]) for k, name in enumerate(("q10", "q50", "q90"))}
    columns |= {"basis": pa.array([model.basis[key] for key in keys], pa.string())}
    return pa.table([columns[name] for name in ARRIVAL_SCHEMA.names], schema=ARRIVAL_SCHEMA)


def line_keys(snapshot: Snapshot, model: LeadTimeModel, lines: pa.Table) -> list[int]:
    """Row of the table for each open line: the item's own way where it is sourced so, else its lane."""
    destination = lines.column("to_id").to_pylist()
    row = snapshot.rows(
        np.asarray(lines.column("item").to_numpy(zero_copy_only=False), np.int32),
        snapshot.location_codes.encode(destination),
    )
    own = model.for_rows(snapshot)
    keys = []
    for at, (origin, end) in enumerate(zip(lines.column("from_id").to_pylist(), destination, strict=True)):
        key = int(own[row[at]]) if row[at] >= 0 else -1
        keys.append(key if key >= 0 and model.keys[key][0] == origin else model.index(origin or "", end or ""))
    return keys
