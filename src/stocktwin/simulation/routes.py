"""Where orders come from: sources, lanes, lead-time rows, ports; one route per way of being replenished."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.leadtime import ASSUMED_DAYS, CELLS, LeadTimeModel
from stocktwin.analytics.replenishment import Way, codes_of, distinct_ways, own_mode, primary_sources
from stocktwin.analytics.survival import gamma_table
from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.identity import stable_hash64
from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Route:
    """One way an order can come."""

    origin: str
    destination: str
    mode: str
    lead: int
    """Row of the lead-time table."""
    via: str
    """Port it passes, empty when none."""
    days_to_via: int
    cost_per_unit: float
    """Per base unit, 0 where none is declared."""
    role: str
    """`primary`, `alternate` (used on failover), `open` (of an open order only) or `assumed` (no source is known)."""

    @property
    def hash(self) -> int:
        """Key of the lane's random streams."""
        return stable_hash64("lane", self.origin, self.destination, self.mode)


@dataclass
class RouteBook:
    """Collects routes and lead-time rows while a network is compiled."""

    snapshot: Snapshot
    model: LeadTimeModel
    routes: list[Route] = field(default_factory=list)
    extra_leads: list[npt.NDArray[np.int32]] = field(default_factory=list)
    half_way: int = 0
    """Routes whose distance to their port had to be assumed."""
    per_shipment: int = 0
    """Routes whose lane declares a cost per shipment."""
    limited: int = 0
    """Routes whose lane declares a capacity per day."""

    def __post_init__(self) -> None:
        self._index: dict[tuple[str, str, str, int, str], int] = {}
        self._keys = {key: row for row, key in enumerate(self.model.keys)}
        self._lanes: dict[tuple[str, str, str], dict[str, Any]] = {}
        for lane in self.snapshot.lanes.to_pylist():
            ends = (lane["origin_id"], lane["destination_id"])
            self._lanes[(*ends, lane["mode"] or "")] = lane
            self._lanes.setdefault((*ends, ""), lane)

    def add(self, way: Way, role: str) -> int:
        """Index of the route of a way in a role, made when it is new."""
        lead, mode = self._lead(way)
        key = (way.origin, way.destination, mode, lead, role)
        if key not in self._index:
            self._index[key] = len(self.routes)
            self.routes.append(self._route(way, mode, lead, role))
        return self._index[key]

    def add_assumed(self, destination: str) -> int:
        """A route for item-locations whose source nobody declared."""
        return self.add(Way("", destination, "", None, None), "assumed")

    def lead_times(self) -> Ints:
        """[rows, 512] whole days."""
        table = [self.model.table.astype(np.int64), *(row[None].astype(np.int64) for row in self.extra_leads)]
        return np.ascontiguousarray(np.vstack(table)) if len(table) > 1 or len(table[0]) else np.ones((1, CELLS), int)

    def _lead(self, way: Way) -> tuple[int, str]:
        """Row of the lead-time table and mode of a way: the item's own declared days, its lane's, else assumed ones."""
        if way.days is not None and (way.origin, way.destination, own_mode(way)) in self._keys:
            return self._keys[way.origin, way.destination, own_mode(way)], way.mode
        for mode in (way.mode, None):
            try:
                row = self.model.index(way.origin, way.destination, mode or None)
            except NotFoundError:
                continue
            return row, self.model.keys[row][2].split("@")[0]
        self.extra_leads.append(gamma_table(way.days or ASSUMED_DAYS, way.sd, CELLS))
        key = (way.origin, way.destination, own_mode(way))
        self._keys[key] = len(self.model.table) + len(self.extra_leads) - 1
        return self._keys[key], way.mode

    def _route(self, way: Way, mode: str, lead: int, role: str) -> Route:
        ends = (way.origin, way.destination)
        lane = self._lanes.get((*ends, mode)) or self._lanes.get((*ends, "")) or {}
        via, days = lane.get("via") or "", lane.get("days_to_via")
        if via and days is None:
            self.half_way += 1
            days = float(self.lead_times()[lead].mean()) / 2
        self.per_shipment += bool(lane.get("cost_per_shipment"))
        self.limited += bool(lane.get("capacity_per_day"))
        return Route(*ends, mode, lead, via, round(days or 0), lane.get("cost_per_unit") or 0.0, role)


def source_ways(snapshot: Snapshot) -> tuple[dict[int, Way], dict[int, Way], pa.Table]:
    """Row → way of its first source; row → way of its second; and the sourcing lines of first sources."""
    first = primary_sources(snapshot)
    ways, at = distinct_ways(first)
    rows = first.column("row").to_numpy(zero_copy_only=False)
    primary = {int(row): ways[code] for row, code in zip(rows, at, strict=True)}
    return primary, _second_sources(snapshot, primary), first


def _second_sources(snapshot: Snapshot, primary: dict[int, Way]) -> dict[int, Way]:
    """The source of next priority of each row that has one."""
    table = snapshot.sourcing
    if not len(table):
        return {}
    row = np.asarray(table.column("row").to_numpy(zero_copy_only=False), np.int64)
    priority = np.asarray(table.column("priority").fill_null(1).to_numpy(zero_copy_only=False), np.int64)
    ways, at = distinct_ways(table)
    found: dict[int, Way] = {}
    for line in np.lexsort((codes_of(table, ["source_id"]), priority, row)):
        way, place = ways[at[line]], int(row[line])
        if place in primary and place not in found and way.origin != primary[place].origin:
            found[place] = way
    return found
