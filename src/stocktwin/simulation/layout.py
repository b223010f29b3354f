"""Which item-locations are lived together: those of one item that supply each other, in shards that cut none apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.inverse import OCTAVE
from stocktwin.kernels.network import NARROW, Demand, Lines, Network, OpenLines, alone
from stocktwin.kernels.period import ONE

if TYPE_CHECKING:
    from stocktwin.simulation.compile import Compiled

Ints = npt.NDArray[np.int64]
SHARD: Final = 256
"""Item-locations of one shard, more where those of one item belong together."""


def roots(source: Ints) -> tuple[Ints, Ints]:
    """[i] the place at the top of what supplies place i (itself where its source is unlimited), and how many steps away
    it is. `source` is −1 at the top and has no circles.

    >>> [part.tolist() for part in roots(np.array([2, -1, 3, -1]))]
    [[3, 1, 3, 3], [2, 0, 1, 0]]
    """
    top, depth = np.arange(len(source), dtype=np.int64), np.zeros(len(source), np.int64)
    above = source.copy()
    while (above >= 0).any():
        climbs = above >= 0
        top[climbs] = above[climbs]
        depth += climbs
        above = np.where(climbs, source[np.maximum(above, 0)], -1)
    return top, depth


def whole_trees(compiled: Compiled, places: Ints) -> Ints:
    """Some places and all that supply them or are supplied with them, in order."""
    if (compiled.source < 0).all():
        return np.unique(places)
    top, _ = roots(compiled.source)
    return np.flatnonzero(np.isin(top, top[places])).astype(np.int64)


def shards(compiled: Compiled) -> list[Ints]:
    """All places in shards of one scale each (daily totals of a shard are in one unit), no tree cut apart."""
    top, _ = roots(compiled.source)
    order = np.lexsort((np.arange(len(top)), top, compiled.unit))
    cut = np.flatnonzero((np.diff(top[order]) != 0) | (np.diff(compiled.unit[order]) != 0)) + 1
    found, start = [], 0
    for begin, end in zip([0, *cut.tolist()], [*cut.tolist(), len(order)], strict=True):
        other = compiled.unit[order[begin]] != compiled.unit[order[start]]
        if begin > start and (end - start > SHARD or other):
            found.append(np.sort(order[start:begin]).astype(np.int64))
            start = begin
    return [*found, np.sort(order[start:]).astype(np.int64)]


def network_of(compiled: Compiled, places: Ints, owner: Ints | None = None) -> Network:
    """The kernel's network of some places, whole trees; lines of different `owner` are apart."""
    if (compiled.source[places] < 0).all():
        return alone(len(places))
    top, depth = roots(compiled.source)
    whose = np.zeros(len(places), np.int64) if owner is None else owner
    order = np.lexsort((places, -depth[places], top[places], whose))
    group = np.stack([whose[order], top[places[order]]])
    starts = np.flatnonzero(np.append(True, (np.diff(group) != 0).any(axis=0)))
    first = np.append(starts, len(order)).astype(np.int64)
    begin = np.repeat(first[:-1], np.diff(first))
    position = {(int(whose[line]), int(places[line])): at for at, line in enumerate(order)}
    parent, allocation = np.full(len(order), -1, np.int64), np.full(len(order), -1, np.int64)
    for at, line in enumerate(order):
        source = int(compiled.source[places[line]])
        if source >= 0:
            above = position[int(whose[line]), source]
            parent[at] = above - begin[at]
            allocation[above] = compiled.allocation[source]
    return Network(first, order.astype(np.int64), parent, allocation)


def fits_narrow(lines: Lines, network: Network, opened: OpenLines, demand: Demand, days: int) -> bool:
    """Whether no figure of a run can exceed 32 bits: whatever is or can be asked for, held and ordered in a group, each
    day of the horizon, twice over."""
    most = _largest_demand(lines, demand) * days
    waiting = np.concatenate([[0], np.cumsum(opened.quantity)])
    coming = waiting[lines.first_open[1:]] - waiting[lines.first_open[:-1]]
    policy = np.abs(lines.policy).max(axis=(1, 2)) + lines.moq + lines.multiple
    of_line = most + lines.on_hand + lines.backlog + coming + 2.0 * policy
    of_group = np.add.reduceat(of_line[network.member], network.first[:-1])
    return bool(of_group.max(initial=0.0) * 2.0 * days < NARROW)


def _largest_demand(lines: Lines, demand: Demand) -> npt.NDArray[np.float64]:
    """[line] the most that can be asked for on a day."""
    count = np.diff(np.append(demand.header[:, 2], len(demand.limits)))
    doublings = np.maximum((count >> OCTAVE) - 1, 0)
    span = np.where(demand.header[:, 1] == 1, count, (count - (doublings << OCTAVE)) << doublings)
    top = (demand.header[:, 0] + span)[lines.table].max(axis=(1, 2)).astype(np.float64)
    level = np.maximum(demand.levels.max(axis=1), ONE)[lines.level].max(axis=1) / ONE
    factor = np.append(demand.factors.max(axis=(1, 2), initial=0), ONE) / ONE  # the last is for lines without one
    return np.asarray(top * level * np.maximum(factor[lines.factor], 1.0) + 1.0)
