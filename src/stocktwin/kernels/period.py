"""One day at one item-location, step by step, as pure functions of scalars (units are the item's atomic units).

The order of a day: receive → serve backlog → serve today's demand → count → review → order.
"""

from __future__ import annotations

from stocktwin.kernels.jit import kernel

ONE = 65536
"""A factor of 1 in the 16-bit fixed point in which demand is scaled."""


@kernel(inline=True)
def scale_demand(demand: int, factor: int, random16: int) -> int:
    """demand × factor rounded up or down at random so that the mean is exact; a factor of `ONE` changes nothing.

    >>> scale_demand.py_func(7, ONE, 65535), [scale_demand.py_func(1, ONE // 2, random) for random in (0, 65535)]
    (7, [0, 1])
    """
    return (demand * factor + random16) >> 16


@kernel(inline=True)
def served(wanted: int, on_hand: int) -> int:
    """Units that can be handed out of what is on hand."""
    return min(wanted, on_hand)


@kernel(inline=True)
def counts_in_transit(dispatched: int, arrives: int, warmup: int, days: int) -> int:
    """Number of counted days on which goods are on the way: dispatched after the count of one day, received before the
    count of another; only days warmup … days − 1 count.

    >>> counts_in_transit.py_func(2, 3, 0, 10), counts_in_transit.py_func(2, 6, 0, 10)
    (0, 3)
    >>> counts_in_transit.py_func(-1, 99, 2, 10)
    8
    """
    return max(min(arrives, days) - max(dispatched + 1, warmup), 0)
