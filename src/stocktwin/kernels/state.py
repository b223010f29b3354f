"""The memory in which the sweep lives: per item-location of a group, `FIELDS` figures for `LANES` replications.

It is one flat array with offsets that are known when the kernels are compiled, indexed by unsigned integers: so the
loops over replications vectorise (no negative index to wrap, no two arrays that might overlap).
"""

from __future__ import annotations

from typing import Final

import numpy as np

LANES: Final = 64
"""Replications that are lived side by side."""
NEVER: Final = 9223372036854775807
_NAMES: Final = (
    "demand", "served", "lost", "backlog_days", "on_hand_days", "in_transit_days", "orders", "ordered", "received",
    "cycles", "cycles_short", "ready_days", "on_hand_end", "backlog_end", "on_order_end", "lowest", "destroyed",
    "requested", "shipped", "shipped_at_once", "owed_days", "owed_end",
)  # fmt: skip
UNIT_COLUMNS: Final = _NAMES
"""What is counted per item-location and replication, over the days from warm-up on; `*_days` are sums over counts,
`*_end` the state after the last day, `lowest` the least on hand at a count. The last five are of a source that serves
our own places: what they requested, what was shipped, on the day of the request, and what it owes them."""
_FIELDS: Final = (*_NAMES, "short", "level", "owed", "today", "head", "give", "kept", "floor")
FIELDS: Final = len(_FIELDS)
SIZE: Final = FIELDS * LANES


def _at(name: str) -> np.uint64:
    return np.uint64(_FIELDS.index(name) * LANES)


COUNTED: Final = tuple(_at(name) for name in _NAMES)
ASKED, SUPPLIED, MISSED, BACKLOG_DAYS, ON_HAND_DAYS, IN_TRANSIT = (_at(name) for name in _NAMES[:6])
ORDERS, ORDERED, RECEIVED, CYCLES, CYCLES_SHORT, READY = (_at(name) for name in _NAMES[6:12])
ON_HAND, BACKLOG, ON_ORDER, LOWEST, DESTROYED = (_at(name) for name in _NAMES[12:17])
REQUESTED, SHIPPED, AT_ONCE, OWES_DAYS, OWES = (_at(name) for name in _NAMES[17:])
"""OWES: what a source owes its own places in all."""
SHORT, LEVEL, OWED, TODAY, HEAD, GIVE, KEPT, FLOOR = (_at(name) for name in _FIELDS[len(_NAMES) :])
"""OWED: what a place has ordered and its source has not shipped. TODAY: what a source was asked for today. HEAD: the
oldest day of which it owes anything. GIVE: what a place gets today. KEPT: on hand behind closed doors; FLOOR: the least
on hand at the counts before."""

POSITION: Final = np.uint64(LANES)
HAD: Final = np.uint64(2 * LANES)
HARD: Final = np.uint64(3 * LANES)
SCRATCH: Final = 4
"""Parts of the scratch memory: today's demand, inventory positions, what a source has before it ships, and whether that
needs sharing out."""
