"""What a source of our own ships to the places it supplies, after its own customers have been served.

It owes each place what that has ordered and not been sent yet. Where it has less than it owes, it shares out what it
has: in proportion, by priority, or first come first served.
"""

from __future__ import annotations

import numpy as np

from stocktwin.kernels.jit import kernel
from stocktwin.kernels.period import counts_in_transit
from stocktwin.kernels.state import (
    AT_ONCE,
    GIVE,
    HAD,
    HARD,
    HEAD,
    IN_TRANSIT,
    LANES,
    LOWEST,
    ON_HAND,
    ON_HAND_DAYS,
    OWED,
    OWES,
    OWES_DAYS,
    READY,
    SHIPPED,
    SHORT,
    SIZE,
    TODAY,
)


@kernel(inline=True)
def share(had, wanted, before, owed):  # type: ignore[no-untyped-def]
    """A place's part of `had` when more is `wanted`: in proportion to what it is owed, after places owed `before` in
    all; whole units that add up exactly and never exceed what is owed.

    >>> [share.py_func(10, 15, before, 5) for before in (0, 5, 10)]
    [3, 3, 4]
    """
    return had * (before + owed) // wanted - had * before // wanted


@kernel(inline=True)
def serve_places(state, due, queue, scratch, listed, k, n, r, t, first, lines, network, transit, calendar, days):  # type: ignore[no-untyped-def]
    """Ships what today's stock allows and corrects today's count for it.

    Where nothing older is owed and there is enough, today's orders (`listed`) just leave; the other replications are
    shared out one by one.
    """
    of, b = state.dtype.type, np.uint64(k * SIZE)
    mode = network.allocation[first + k]
    zero = of(0)
    any_hard = zero
    for u in range(np.uint64(n)):
        had, owes = state[b + ON_HAND + u], state[b + OWES + u]
        hard = of(of(of(owes > had) | of(owes > state[b + TODAY + u])) | of(mode == 2)) & of(owes > zero)
        scratch[HAD + u], scratch[HARD + u] = had, of(hard)
        any_hard = of(any_hard | hard)
    for entry in range(1, listed[0, 0] + 1):
        j, at = listed[0, entry], np.uint64(listed[1, entry])
        if network.parent[first + j] == k and scratch[HARD + at] == zero:
            route = lines.route[network.member[first + j]]
            if _opens(transit, route, t, r + np.int64(at)):
                _send(state, due, j, k, at, np.int64(state[np.uint64(j * SIZE) + OWED + at]), route, r, t, transit,
                      calendar)  # fmt: skip
    if any_hard > zero:
        for u in range(np.uint64(n)):
            if scratch[HARD + u] > zero:
                _share_out(state, due, queue, k, u, r, t, first, mode, lines, network, transit, calendar)
    _recount(state, scratch, b, n, t, calendar, days)


@kernel(inline=True)
def _opens(transit, route, t, r):  # type: ignore[no-untyped-def]
    """Whether the source of a route ships today."""
    return transit.leaves[route, t, r] == 0 and not (transit.direct.shape[0] > 0 and transit.direct[route, t, r] > 0)


@kernel(inline=True)
def _send(state, due, j, k, u, quantity, route, r, t, transit, calendar):  # type: ignore[no-untyped-def]
    """Puts units on their way from source k to place j."""
    of, b, place = state.dtype.type, np.uint64(k * SIZE), np.uint64(j * SIZE)
    state[place + OWED + u] -= of(quantity)
    state[b + OWES + u] -= of(quantity)
    state[b + ON_HAND + u] -= of(quantity)
    state[b + SHIPPED + u] += of(quantity * np.int64(t >= calendar.warmup))
    arrives = t + np.int64(transit.arrives[route, t, r + np.int64(u)])
    due[(j * calendar.slots + (arrives & (calendar.slots - 1))) * LANES + np.int64(u)] += of(quantity)
    counts = counts_in_transit(t - 1, arrives, calendar.warmup, calendar.days)  # they leave before today's count
    state[place + IN_TRANSIT + u] += of(quantity * counts)


@kernel(inline=True)
def _share_out(state, due, queue, k, u, r, t, first, mode, lines, network, transit, calendar):  # type: ignore[no-untyped-def]
    """One replication in which not everything owed can just leave."""
    of = state.dtype.type
    had = np.int64(state[np.uint64(k * SIZE) + ON_HAND + u])
    wanted = np.int64(0)
    for j in range(k):
        if network.parent[first + j] == k:
            opens = _opens(transit, lines.route[network.member[first + j]], t, r + np.int64(u))
            state[np.uint64(j * SIZE) + GIVE + u] = state[np.uint64(j * SIZE) + OWED + u] if opens else of(0)
            wanted += np.int64(state[np.uint64(j * SIZE) + GIVE + u])
    if mode == 2:
        _first_come(state, queue, k, u, t, first, had, network, calendar)
    before, left = np.int64(0), had
    for j in range(k):
        if network.parent[first + j] != k:
            continue
        give = np.int64(state[np.uint64(j * SIZE) + GIVE + u])
        if mode == 0 and wanted > had:
            before, give = before + give, share(had, wanted, before, give)
        give = min(give, left)
        left -= give
        if give > 0:
            _send(state, due, j, k, u, give, lines.route[network.member[first + j]], r, t, transit, calendar)


@kernel(inline=True)
def _first_come(state, queue, k, u, t, first, had, network, calendar):  # type: ignore[no-untyped-def]
    """Turns what each place could be sent (GIVE) into what it gets when the oldest orders come first."""
    of = state.dtype.type
    left = had
    for j in range(k):
        if network.parent[first + j] == k and state[np.uint64(j * SIZE) + GIVE + u] > 0:
            state[np.uint64(j * SIZE) + GIVE + u] = of(-1)
    done = True
    for day in range(np.int64(state[np.uint64(k * SIZE) + HEAD + u]), t + 1):
        for j in range(k):
            cell = (j * calendar.days + day) * LANES + np.int64(u)
            if network.parent[first + j] != k or queue[cell] == 0:
                continue
            if state[np.uint64(j * SIZE) + GIVE + u] != 0:
                take = min(np.int64(queue[cell]), left)
                left -= take
                queue[cell] -= of(take)
                state[np.uint64(j * SIZE) + GIVE + u] -= of(take)
            done = done and queue[cell] == 0
        if done:
            state[np.uint64(k * SIZE) + HEAD + u] = of(day + 1)
    for j in range(k):
        if network.parent[first + j] == k and state[np.uint64(j * SIZE) + GIVE + u] < 0:
            state[np.uint64(j * SIZE) + GIVE + u] = of(-1 - state[np.uint64(j * SIZE) + GIVE + u])


@kernel(inline=True)
def _recount(state, scratch, b, n, t, calendar, days):  # type: ignore[no-untyped-def]
    """Today's count without what was shipped."""
    of = state.dtype.type
    counted, zero = of(t >= calendar.warmup), of(0)
    stock = np.int64(0)
    for u in range(np.uint64(n)):
        i = b + u
        on_hand, owes = state[i + ON_HAND], state[i + OWES]
        shipped = of(scratch[HAD + u] - on_hand)
        late = of(of(owes + shipped) - state[i + TODAY])
        state[i + AT_ONCE] = of(state[i + AT_ONCE] + of(max(of(shipped - late), zero) * counted))
        state[i + TODAY] = zero
        state[i + OWES_DAYS] = of(state[i + OWES_DAYS] + of(owes * counted))
        state[i + ON_HAND_DAYS] = of(state[i + ON_HAND_DAYS] - of(shipped * counted))
        emptied = of(of(shipped > zero) & of(on_hand == zero))
        state[i + READY] = of(state[i + READY] - of(emptied & counted))
        state[i + LOWEST] = min(state[i + LOWEST], on_hand)
        state[i + SHORT] = of(state[i + SHORT] | of(owes > zero))
        stock += np.int64(shipped)
    days[t, 3] -= stock
