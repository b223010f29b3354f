"""The steps of one item-location's day, each over replications side by side (see `state.py` for the memory).

`k` is the place in its group, `n` how many replications are lived from `r` on, `t` the day.
"""

from __future__ import annotations

import numpy as np

from stocktwin.kernels.inverse import cell_start, find, inside, octave
from stocktwin.kernels.jit import kernel
from stocktwin.kernels.period import counts_in_transit, scale_demand, served
from stocktwin.kernels.policies import order_quantity
from stocktwin.kernels.state import (
    ASKED,
    BACKLOG,
    BACKLOG_DAYS,
    CYCLES,
    CYCLES_SHORT,
    DESTROYED,
    FLOOR,
    IN_TRANSIT,
    KEPT,
    LANES,
    LEVEL,
    LOWEST,
    MISSED,
    ON_HAND,
    ON_HAND_DAYS,
    ON_ORDER,
    ORDERED,
    ORDERS,
    OWED,
    OWES,
    POSITION,
    READY,
    RECEIVED,
    REQUESTED,
    SHORT,
    SIZE,
    SUPPLIED,
    TODAY,
)
from stocktwin.kernels.streams import draw, high32, low16


@kernel(inline=True)
def draw_demand(state, scratch, keys, uniform, k, n, row, r, t, lines, demand, calendar):  # type: ignore[no-untyped-def]
    """Today's demand into the first part of `scratch`: hash, look up, scale."""
    inside_days = calendar.changed[t]
    table = lines.table[row, inside_days, (calendar.first_day + t + 3) % 7]
    level, factor = lines.level[row, inside_days], lines.factor[row]
    base = np.uint64(k * LANES)
    for u in range(np.uint64(n)):
        uniform[u] = np.uint64(draw(keys[base + u], t))
    look_up(uniform, n, table, demand.header, demand.limits, demand.guide, scratch)
    if level > 0 or factor >= 0:
        of = state.dtype.type
        b = np.uint64(k * SIZE)
        shared = demand.factors.shape[2] == 1
        for u in range(np.uint64(n)):
            scale = demand.levels[level, np.uint64(state[b + LEVEL + u])]
            if factor >= 0:
                scale = (scale * demand.factors[factor, t, 0 if shared else r + np.int64(u)]) >> 16
            plain = np.int64(scratch[u])
            scratch[u] = of(scale_demand(plain, scale, low16(uniform[u])))  # type: ignore[arg-type]


@kernel(inline=True)
def look_up(bits, n, table, header, limits, guide, out):  # type: ignore[no-untyped-def]
    """out[u] = value of a demand table at the upper half of bits[u], as `inverse` gives it."""
    of = out.dtype.type
    lowest, width, shift = header[table, 0], header[table, 1], np.uint64(header[table, 4])
    first, start = np.uint64(header[table, 2]), np.uint64(header[table, 3])
    half = np.uint64(32)
    if width == 1:
        for u in range(np.uint64(n)):
            x = bits[u] >> half
            at = first + np.uint64(guide[start + (x >> shift)])
            at += np.uint64(x > np.uint64(limits[at]))  # mostly enough, and without a branch
            while x > np.uint64(limits[at]):
                at += np.uint64(1)
            out[u] = of(lowest + np.int64(at - first))
    else:
        for u in range(np.uint64(n)):
            uniform, begin = high32(bits[u]), header[table, 2]
            place = find(uniform, begin, header[table, 3], header[table, 4], limits, guide)
            cell = place - begin
            out[u] = of(lowest + cell_start(cell) + inside(uniform, place, begin, octave(cell), limits))


@kernel(inline=True)
def lose_stock(state, k, n, r, t, loss, losses, calendar):  # type: ignore[no-untyped-def]
    """Destroys a share of what is on hand."""
    of, b, counted = state.dtype.type, np.uint64(k * SIZE), np.int64(t >= calendar.warmup)
    for u in range(np.uint64(n)):
        gone = (np.int64(state[b + ON_HAND + u]) * losses.stock[loss, t, r + np.int64(u)]) >> 16
        state[b + ON_HAND + u] = of(state[b + ON_HAND + u] - gone)
        state[b + DESTROYED + u] = of(state[b + DESTROYED + u] + gone * counted)


@kernel(inline=True)
def lose_arrivals(state, due, k, n, r, t, loss, losses, calendar):  # type: ignore[no-untyped-def]
    """Destroys a share of what arrives."""
    of, b, counted = state.dtype.type, np.uint64(k * SIZE), np.int64(t >= calendar.warmup)
    d = np.uint64((k * calendar.slots + (t & (calendar.slots - 1))) * LANES)
    for u in range(np.uint64(n)):
        gone = (np.int64(due[d + u]) * losses.arrivals[loss, t, r + np.int64(u)]) >> 16
        due[d + u] = of(due[d + u] - gone)
        state[b + ON_ORDER + u] = of(state[b + ON_ORDER + u] - gone)
        state[b + DESTROYED + u] = of(state[b + DESTROYED + u] + gone * counted)


@kernel(inline=True)
def shut_doors(state, due, scratch, k, n, r, t, route, shut, calendar):  # type: ignore[no-untyped-def]
    """Closed: what arrives waits until tomorrow, what is on hand is out of reach today."""
    of, b, counted = state.dtype.type, np.uint64(k * SIZE), np.int64(t >= calendar.warmup)
    mask = calendar.slots - 1
    today = np.uint64((k * calendar.slots + (t & mask)) * LANES)
    tomorrow = np.uint64((k * calendar.slots + ((t + 1) & mask)) * LANES)
    for u in range(np.uint64(n)):
        closed = np.int64(shut[route, t, r + np.int64(u)])
        waits = due[today + u] * closed
        due[tomorrow + u] = of(due[tomorrow + u] + waits)
        due[today + u] = of(due[today + u] - waits)
        state[b + IN_TRANSIT + u] = of(state[b + IN_TRANSIT + u] + waits * counted)
        kept = of(state[b + ON_HAND + u] * closed)
        state[b + KEPT + u], state[b + FLOOR + u] = kept, state[b + LOWEST + u]
        state[b + ON_HAND + u] = of(state[b + ON_HAND + u] - kept)


@kernel(inline=True)
def reopen(state, scratch, k, n, t, calendar, days):  # type: ignore[no-untyped-def]
    """Puts back what was out of reach, and counts it: it was on hand."""
    of, b, counted = state.dtype.type, np.uint64(k * SIZE), np.int64(t >= calendar.warmup)
    stock = np.int64(0)
    for u in range(np.uint64(n)):
        kept = state[b + KEPT + u]
        state[b + ON_HAND_DAYS + u] = of(state[b + ON_HAND_DAYS + u] + kept * counted)
        state[b + READY + u] = of(state[b + READY + u] + np.int64(kept > 0) * counted)
        state[b + ON_HAND + u] = of(state[b + ON_HAND + u] + kept)
        if kept > 0:
            low = state[b + ON_HAND + u]
            state[b + LOWEST + u] = low if t <= calendar.warmup else min(state[b + FLOOR + u], low)
        stock += np.int64(kept)
    days[t, 3] += stock


@kernel(inline=True)
def live(state, due, scratch, k, n, t, lost, calendar, days):  # type: ignore[no-untyped-def]
    """Receive, serve backlog, serve demand, count. One pass without branches over the replications."""
    of, b = state.dtype.type, np.uint64(k * SIZE)
    counted, kept, gone = of(t >= calendar.warmup), of(1 - lost), of(lost)
    zero, one = of(0), of(1)
    fresh = t <= calendar.warmup
    d = np.uint64((k * calendar.slots + (t & (calendar.slots - 1))) * LANES)
    asked = supplied = missed = stock = owed = got = np.int64(0)
    for u in range(np.uint64(n)):
        i = b + u
        arrived, wanted = due[d + u], scratch[u]
        on_hand = of(state[i + ON_HAND] + arrived)
        caught_up = served(state[i + BACKLOG], on_hand)
        given = served(wanted, of(on_hand - caught_up))
        unserved = of(wanted - given)
        on_hand = of(on_hand - of(caught_up + given))
        backlog = of(of(state[i + BACKLOG] - caught_up) + of(unserved * kept))
        state[i + ON_HAND], state[i + BACKLOG] = on_hand, backlog
        state[i + ON_ORDER] = of(state[i + ON_ORDER] - arrived)
        ends, short = of(arrived > zero), state[i + SHORT]
        state[i + CYCLES] = of(state[i + CYCLES] + of(ends & counted))
        state[i + CYCLES_SHORT] = of(state[i + CYCLES_SHORT] + of(of(ends & short) & counted))
        state[i + SHORT] = of(of(short & of(one - ends)) | of(of(unserved > zero) | of(backlog > zero)))
        state[i + ASKED] = of(state[i + ASKED] + of(wanted * counted))
        state[i + SUPPLIED] = of(state[i + SUPPLIED] + of(given * counted))
        state[i + MISSED] = of(state[i + MISSED] + of(of(unserved * gone) * counted))
        state[i + BACKLOG_DAYS] = of(state[i + BACKLOG_DAYS] + of(backlog * counted))
        state[i + ON_HAND_DAYS] = of(state[i + ON_HAND_DAYS] + of(on_hand * counted))
        state[i + RECEIVED] = of(state[i + RECEIVED] + of(arrived * counted))
        state[i + READY] = of(state[i + READY] + of(of(on_hand > zero) & counted))
        state[i + LOWEST] = on_hand if fresh else min(state[i + LOWEST], on_hand)
        asked += np.int64(wanted)
        supplied += np.int64(given)
        missed += np.int64(of(unserved * gone))
        stock += np.int64(on_hand)
        owed += np.int64(backlog)
        got += np.int64(arrived)
    days[t, 0] += asked
    days[t, 1] += supplied
    days[t, 2] += missed
    days[t, 3] += stock
    days[t, 4] += owed
    days[t, 5] += got


@kernel(inline=True)
def note(state, due, scratch, k, n, r, t, calendar, trace):  # type: ignore[no-untyped-def]
    """Writes down one day of every replication."""
    d = (k * calendar.slots + (t & (calendar.slots - 1))) * LANES
    for at in range(n):
        u = np.uint64(k * SIZE) + np.uint64(at)
        trace[0, t, r + at], trace[1, t, r + at] = state[u + ON_HAND], state[u + BACKLOG]
        trace[2, t, r + at], trace[3, t, r + at] = due[d + at], scratch[at]
        trace[4, t, r + at] = 0


@kernel(inline=True)
def place_orders(  # type: ignore[no-untyped-def]
    state, due, queue, scratch, chosen, listed, k, n, row, r, t, parent, lines, transit, calendar, trace, traced
):
    """Reviews every replication and places the orders; those due to order are gathered first, without a branch."""
    of, b, route, counted = state.dtype.type, np.uint64(k * SIZE), lines.route[row], np.int64(t >= calendar.warmup)
    later = np.int64(lines.change_day[row] >= 0 and t >= lines.change_day[row])
    s, S, Q = lines.policy[row, later, 0], lines.policy[row, later, 1], lines.policy[row, later, 2]
    for u in range(np.uint64(n)):
        i = b + u
        promised = of(state[i + BACKLOG] + state[i + OWES])
        scratch[POSITION + u] = of(of(state[i + ON_HAND] + state[i + ON_ORDER]) - promised)
    waiting = np.uint64(0)
    for u in range(np.uint64(n)):
        chosen[waiting] = u
        waiting += np.uint64(np.int64(scratch[POSITION + u]) <= s)
    silent, direct = transit.quiet.shape[0] > 0, transit.direct.shape[0] > 0
    source = np.uint64(max(parent, 0) * SIZE)
    for one in range(waiting):
        u = chosen[one]
        at = r + np.int64(u)
        position = np.int64(scratch[POSITION + u])
        quantity = order_quantity(position, s, S, Q, lines.moq[row], lines.multiple[row])  # type: ignore[arg-type]
        if quantity <= 0 or (silent and transit.quiet[route, t, at] > 0):
            continue
        state[b + ON_ORDER + u] += of(quantity)
        state[b + ORDERS + u] += of(counted)
        state[b + ORDERED + u] += of(quantity * counted)
        if traced:
            trace[4, t, at] = quantity
        if parent >= 0 and not (direct and transit.direct[route, t, at] > 0):
            state[b + OWED + u] += of(quantity)
            state[source + OWES + u] += of(quantity)
            state[source + TODAY + u] += of(quantity)
            state[source + REQUESTED + u] += of(quantity * counted)
            listed[0, 0] += 1
            listed[0, listed[0, 0]], listed[1, listed[0, 0]] = k, np.int64(u)
            if queue.shape[0] > 0:
                queue[(k * calendar.days + t) * LANES + np.int64(u)] += of(quantity)
            continue
        leaves = t + np.int64(transit.leaves[route, t, at])
        arrives = t + np.int64(transit.arrives[route, t, at])
        due[(k * calendar.slots + (arrives & (calendar.slots - 1))) * LANES + np.int64(u)] += of(quantity)
        counts = counts_in_transit(leaves, arrives, calendar.warmup, calendar.days)
        state[b + IN_TRANSIT + u] += of(quantity * counts)
