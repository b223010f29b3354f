"""Places that supply each other: who does, and what passes through them."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.replenishment import primary_sources
from stocktwin.domain.identity import STOCKING_KINDS
from stocktwin.kernels.network import FIRST_COME, PRIORITY, PROPORTIONAL
from stocktwin.simulation.demand import DemandMoments
from stocktwin.simulation.layout import roots
from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]
ALLOCATIONS: Final = {"proportional": PROPORTIONAL, "priority": PRIORITY, "first_come": FIRST_COME}


def with_sources(snapshot: Snapshot, rows: Ints) -> Ints:
    """Some rows of a snapshot and the rows of their item that supply them, as far as their stock is known."""
    table = primary_sources(snapshot)
    row = np.asarray(table.column("row").to_numpy(zero_copy_only=False), np.int64)
    place = snapshot.location_codes.encode(table.column("source_id").to_pylist())
    above = np.full(len(snapshot), -1, np.int64)
    above[row] = snapshot.rows(snapshot.item[row], place)
    known = np.zeros(len(snapshot), bool)
    known[rows] = True
    while True:
        supply = above[known]
        supply = supply[(supply >= 0)]
        supply = supply[snapshot.anchored[supply] & ~known[supply]]
        if not len(supply):
            return np.flatnonzero(known).astype(np.int64)
        known[supply] = True


def own_sources(snapshot: Snapshot, rows: Ints, origins: list[str], notes: Counter[str]) -> Ints:
    """[i] the simulated item-location that supplies row i, −1 where its source is a supplier or not simulated."""
    kinds = snapshot.locations.column("kind").to_pylist()
    ours = np.array([kind in STOCKING_KINDS for kind in kinds], bool)
    place = snapshot.location_codes.encode(origins)
    stocked = (place >= 0) & ours[np.maximum(place, 0)]
    above = np.where(stocked, snapshot.rows(snapshot.item[rows], place), -1)
    at = np.searchsorted(rows, above)
    simulated = (above >= 0) & (rows[np.minimum(at, len(rows) - 1)] == above) if len(rows) else stocked
    unknown = int((stocked & ~simulated).sum())
    if unknown:
        notes["item-locations supplied by a place of ours that is not simulated: it is taken as unlimited"] += unknown
    source = np.where(simulated, at, -1).astype(np.int64)
    return _without_circles(source, notes)


def _without_circles(source: Ints, notes: Counter[str]) -> Ints:
    """Cuts whoever closes a circle of supply: the first place of it is supplied without limit."""
    source = source.copy()
    for start in range(len(source)):
        path = [start]
        while source[path[-1]] >= 0 and len(path) <= len(source):
            path.append(int(source[path[-1]]))
            if path[-1] == start:
                source[start] = -1
                notes["item-locations supplied in a circle: the first of it is supplied without limit"] += 1
                break
            if path[-1] in path[:-1]:
                break
    return source


def through(demand: DemandMoments, source: Ints) -> DemandMoments:
    """Demand of each place with that of all places it supplies, taken as independent.

    Means and variances add up; so do the squares of what their levels are uncertain by.
    """
    if (source < 0).all():
        return demand
    _, depth = roots(source)
    mean, variance = demand.mean.copy(), demand.variance.copy()
    unsure = np.square(demand.level_cv * demand.per_day)
    for level in range(int(depth.max()), 0, -1):
        at = np.flatnonzero(depth == level)
        for total in (mean, variance, unsure):
            np.add.at(total, source[at], total[at])
    per_day = mean.mean(axis=1)
    cv = np.sqrt(unsure) / np.where(per_day > 0, per_day, 1.0)
    return DemandMoments(demand.shape, mean, variance, cv)
