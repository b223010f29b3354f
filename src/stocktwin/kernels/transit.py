"""How long orders take: lead times drawn per lane, replication and day, and held up by closed suppliers and ports.

All lines ordered on a lane on one day share one draw; it does not depend on what else was ordered, so every scenario
sees the lead times of its baseline. An order leaves on the first day its source is open, passes its port `via` days
later (waiting there while it is closed), and arrives when its lead time and its waits are over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stocktwin.kernels.jit import Int32Cube, Int32Matrix, Int64Matrix, Int64Vector, UInt64Vector, kernel
from stocktwin.kernels.streams import LEAD_TIME, OPEN_ORDER, draw, high32, stream_key


class Routes(NamedTuple):
    """Ways an order can come. −1 in `source`, `port`, `slow`, `alternate`: none."""

    lead: Int64Vector
    """Row of the lead-time table."""
    lane: UInt64Vector
    """Stable hash of (origin, destination, mode): its random stream."""
    via: Int64Vector
    """Days from leaving to passing the port."""
    source: Int64Vector
    """Row of `Closures` that says when the source dispatches nothing."""
    port: Int64Vector
    """Row of `Closures` that says when the port is shut."""
    slow: Int64Vector
    """Row of `Closures` with the extra days of the lane."""
    alternate: Int64Vector
    """Route that orders take instead once the source has been closed for too long."""


class Closures(NamedTuple):
    """[closure, day, 1 or replications]; days after the last are normal."""

    wait: Int32Cube
    """Days until it is open again, 0 when open."""
    delay: Int32Cube
    """Extra days of what leaves that day."""
    switched: Int32Cube
    """1 on days on which new orders go to the alternate source."""


class OpenOrders(NamedTuple):
    """Order lines open on day 0."""

    lead: Int64Vector
    """Row of the lead-time table; −1: it arrives on day `fixed`."""
    route: Int64Vector
    lane: UInt64Vector
    ordered: Int64Vector
    """Day it was ordered (≤ −1)."""
    left: Int64Vector
    """Day it left its source (≤ −1), 0 when it has not left."""
    fixed: Int64Vector
    shift: Int64Vector
    """Days by which the arrival is moved (an order that is brought forward or postponed)."""
    clock: Int64Vector
    """Days since 1970-01-01 on which it was ordered: the place in the lane's stream."""


@kernel(inline=True)
def _at(cube, closure, day, r):  # type: ignore[no-untyped-def]
    if closure < 0 or day < 0 or day >= cube.shape[1]:
        return np.int64(0)
    return np.int64(cube[closure, day, r if cube.shape[2] > 1 else 0])


@kernel(inline=True)
def _journey(t, lead, route, r, routes, closures):  # type: ignore[no-untyped-def]
    """Days (leaves, arrives) of an order of day t whose undisturbed lead time is `lead`."""
    leaves = t + _at(closures.wait, routes.source[route], t, r)
    lead += _at(closures.delay, routes.slow[route], leaves, r)
    held = _at(closures.wait, routes.port[route], leaves + min(routes.via[route], lead), r)
    return leaves, leaves + lead + held


@kernel()
def fill_transit(routes: Routes, closures: Closures, lead_times: Int64Matrix, seed: int, leaves: Int32Cube,
                 arrives: Int32Cube) -> None:  # fmt: skip
    """Days from ordering to leaving and to arriving, [route, day of ordering, replication]."""
    for route in range(leaves.shape[0]):
        for t in range(leaves.shape[1]):
            for r in range(leaves.shape[2]):
                chosen = np.int64(route)
                if routes.alternate[route] >= 0 and _at(closures.switched, routes.source[route], t, r) > 0:
                    chosen = routes.alternate[route]
                key = stream_key(np.uint64(seed), routes.lane[chosen], r, LEAD_TIME)
                lead = lead_times[routes.lead[chosen], high32(draw(key, t)) >> 23]
                left, arrived = _journey(np.int64(t), lead, chosen, r, routes, closures)
                leaves[route, t, r] = left - t
                arrives[route, t, r] = arrived - t


@kernel()
def fill_open(orders: OpenOrders, routes: Routes, closures: Closures, lead_times: Int64Matrix, seed: int,
              leaves: Int32Matrix, arrives: Int32Matrix) -> None:  # fmt: skip
    """Days on which open lines leave and arrive, [line, replication], given that they have not arrived before day 0."""
    steps = lead_times.shape[1]
    for line in range(leaves.shape[0]):
        lead, route = orders.lead[line], orders.route[line]
        age = -orders.ordered[line]
        first = 0
        while lead >= 0 and first < steps - 1 and lead_times[lead, first] < age:
            first += 1
        for r in range(leaves.shape[1]):
            due = orders.fixed[line]
            if lead >= 0:
                key = stream_key(np.uint64(seed), orders.lane[line], r, OPEN_ORDER)
                uniform = high32(draw(key, orders.clock[line]))
                due = max(lead_times[lead, first + ((uniform * (steps - first)) >> 32)] - age, 0)
            left = orders.left[line]
            if left >= 0 and route >= 0:
                left = _at(closures.wait, routes.source[route], 0, r)
                due += left + _at(closures.delay, routes.slow[route], left, r)
            if route >= 0:
                due += _at(closures.wait, routes.port[route], min(left + routes.via[route], due), r)
            leaves[line, r] = left
            arrives[line, r] = max(due + orders.shift[line], 0)
