"""A scenario ready to be swept: the luck all item-locations share is drawn, what each has of its own is laid out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.inverse import level_factors
from stocktwin.kernels.network import (
    DAY_COLUMNS,
    TRACE_COLUMNS,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    Losses,
    Transit,
    sweep,
)
from stocktwin.kernels.network import OpenLines as OpenArrays
from stocktwin.kernels.period import ONE
from stocktwin.kernels.streams import signed
from stocktwin.kernels.transit import Closures, OpenOrders, Routes, fill_open, fill_transit
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.demand import louder_tables
from stocktwin.simulation.disruption import Effects, fixed_point, switched, waits
from stocktwin.simulation.layout import fits_narrow, network_of

Ints = npt.NDArray[np.int64]
CV_STEP = 0.005
"""Level uncertainties are rounded to this, so that item-locations share tables."""


@dataclass(frozen=True)
class Run:
    """One scenario ready to be swept: everything but the choice of item-locations."""

    compiled: Compiled
    calendar: Calendar
    transit: Transit
    open_arrays: OpenArrays
    demand: Demand
    table: Ints
    level: Ints
    factor: Ints
    route: Ints
    shift: Ints
    shift_day: int
    losses: Losses
    loss: Ints
    seed: int
    replications: int

    def lines(self, places: Ints, on_hand: Ints | None = None, shift: Ints | None = None) -> tuple[Lines, OpenArrays]:
        """Kernel arrays of some item-locations; `on_hand` [i] and `shift` [i, 2] replace the run's own."""
        c, policy = self.compiled, self.compiled.policy
        moved = (self.shift if shift is None else shift)[places]
        now = np.stack([policy.s[places], policy.S[places], policy.Q[places]], axis=1)
        later = now + np.column_stack([moved, np.zeros(len(moved), np.int64)])
        place_of = np.array([line.place for line in c.open_lines], np.int64)
        first = np.searchsorted(place_of, places)
        count = np.searchsorted(place_of, places, side="right") - first
        chosen = np.concatenate([np.arange(a, a + n) for a, n in zip(first, count, strict=True)] or [place_of[:0]])
        picked, every = chosen.astype(np.int64), self.open_arrays
        opened = OpenArrays(every.quantity[picked], every.leaves[picked], every.arrives[picked])
        lines = Lines(
            c.key[places],
            (c.on_hand if on_hand is None else on_hand)[places],
            c.backlog[places],
            np.ascontiguousarray(np.stack([now, later], axis=1)),
            np.full(len(places), self.shift_day, np.int64),
            policy.review_days[places],
            policy.moq[places],
            policy.multiple[places],
            c.lost[places],
            np.ascontiguousarray(self.table[places]),
            np.ascontiguousarray(self.level[places]),
            self.factor[places],
            self.route[places],
            np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
            self.loss[places],
        )
        return lines, opened

    def sweep(
        self, places: Ints, lines: Lines, opened: OpenArrays, owner: Ints | None = None, trace: bool = False
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Lives the lines of some item-locations: [line, UNIT_COLUMNS, replication], [day, DAY_COLUMNS] and the trace
        of the last line. Lines of different `owner` live apart, each with its own copy of what supplies it."""
        units = np.zeros((len(lines.key), len(UNIT_COLUMNS), self.replications), np.int64)
        days = np.zeros((self.calendar.days, len(DAY_COLUMNS)), np.int64)
        size = (len(TRACE_COLUMNS), self.calendar.days, self.replications) if trace else (0, 0, 0)
        traced = np.zeros(size, np.int64)
        network = network_of(self.compiled, places, owner)
        wide = not fits_narrow(lines, network, opened, self.demand, self.calendar.days)
        sweep(lines, network, opened, self.demand, self.transit, self.losses, self.calendar, self.seed, units, days,
              traced, wide=wide)  # fmt: skip
        return units, days, traced


def prepare(
    compiled: Compiled, effects: Effects, *, days: int, warmup: int, replications: int, seed: int,
    shifts: dict[int, int] | None = None,
) -> Run:  # fmt: skip
    """Draws what item-locations share and lays out what they do not."""
    routes, closures, route, ways = _routes(compiled, effects, days, replications)
    shape = (len(routes.lead), days, replications)
    leaves, arrives = np.zeros(shape, np.int32), np.ones(shape, np.int32)
    fill_transit(routes, closures, compiled.lead_times, seed, leaves, arrives)
    opened = _open_arrays(compiled, routes, closures, seed, replications, shifts or {})
    within = opened.arrives[opened.arrives < days]
    furthest = max(int(arrives.max(initial=1)), int(within.max(initial=1)))
    changed = np.zeros(days, np.int64) if effects.noisy is None else effects.noisy.astype(np.int64)
    calendar = Calendar(compiled.first_day, days, warmup, 1 << (furthest + 1).bit_length(), changed)
    demand, table, level, factor = _demand(compiled, effects)
    shift = np.zeros((len(compiled), 2), np.int64) if effects.shift is None else effects.shift
    transit = Transit(leaves, arrives, *_flags(compiled, effects, routes, closures, ways, shape))
    losses, loss = effects.losses(len(compiled))
    return Run(
        compiled, calendar, transit, opened, demand, table, level, factor, route,
        shift, effects.shift_day, losses, loss, seed, replications,
    )  # fmt: skip


def _flags(
    compiled: Compiled, effects: Effects, routes: Routes, closures: Closures, ways: list[int], shape: tuple[int, ...]
) -> list[npt.NDArray[np.int32]]:
    """[route, day, replication] destination closed; nothing ordered; ordered from the alternate: each without any
    routes where it never happens."""
    shut, quiet, direct = (np.zeros(shape, np.int32) for _ in range(3))
    for at, way in enumerate(ways):
        destination, source = compiled.routes[way].destination, routes.source[at]
        shut[at] = effects.shut.get(destination, 0)
        quiet[at] = effects.quiet.get(destination, 0)
        if routes.alternate[at] >= 0 and source >= 0:
            direct[at] = closures.switched[source]
    return [flags if flags.any() else np.zeros((0, 1, 1), np.int32) for flags in (shut, quiet, direct)]


def _routes(
    compiled: Compiled, effects: Effects, days: int, replications: int
) -> tuple[Routes, Closures, Ints, list[int]]:
    """Routes of the run (one per pair of primary and second route in use), closures, each place's route, and which
    compiled route each of them is."""
    base = list(range(len(compiled.routes)))
    pairs = {(at, -1): at for at in base}
    ways, alternates = list(base), [-1] * len(base)
    route = np.empty(len(compiled), np.int64)
    for place, (one, other) in enumerate(zip(compiled.route.tolist(), compiled.alternate.tolist(), strict=True)):
        second = other if compiled.routes[one].origin in (*effects.failover, *effects.switch) else -1
        if (one, second) not in pairs:
            pairs[one, second] = len(ways)
            ways.append(one)
            alternates.append(second)
        route[place] = pairs[one, second]
    shut = {name: at for at, name in enumerate(dict.fromkeys((*effects.closed, *effects.switch)))}
    slow = {at: len(shut) + k for k, at in enumerate(effects.delay)}
    used = [compiled.routes[way] for way in ways]
    routes = Routes(
        np.array([one.lead for one in used], np.int64),
        np.array([signed(one.hash) for one in used], np.int64).view(np.uint64),
        np.array([one.days_to_via for one in used], np.int64),
        np.array([shut.get(one.origin, -1) for one in used], np.int64),
        np.array([shut.get(one.via, -1) if one.via else -1 for one in used], np.int64),
        np.array([slow.get(way, -1) for way in ways], np.int64),
        np.array(alternates, np.int64),
    )
    return routes, _closures(effects, days, replications), route, ways


def _closures(effects: Effects, days: int, replications: int) -> Closures:
    names = list(dict.fromkeys((*effects.closed, *effects.switch)))
    count = len(names) + len(effects.delay)
    if not count:
        nothing = np.zeros((1, 1, 1), np.int32)
        return Closures(nothing, nothing, nothing)
    wait, delay, change = (np.zeros((count, days, replications), np.int32) for _ in range(3))
    for at, name in enumerate(names):
        if name in effects.closed:
            wait[at] = waits(effects.closed[name])
        if name in effects.closed and name in effects.failover:
            change[at] = switched(effects.closed[name], effects.failover[name])
        if name in effects.switch:
            change[at] |= effects.switch[name]
    for at, extra in enumerate(effects.delay.values(), len(names)):
        delay[at] = extra
    return Closures(wait, delay, change)


def _open_arrays(
    compiled: Compiled, routes: Routes, closures: Closures, seed: int, replications: int, shifts: dict[int, int]
) -> OpenArrays:
    """Day of leaving and of arrival of each open line in each replication."""
    lines = compiled.open_lines
    ordered = np.array([line.ordered for line in lines], np.int64)
    route = np.array([line.route for line in lines], np.int64)
    orders = OpenOrders(
        lead=routes.lead[route],
        route=route,
        lane=routes.lane[route],
        ordered=ordered,
        left=np.array([line.left for line in lines], np.int64),
        fixed=np.zeros(len(lines), np.int64),
        shift=np.array([shifts.get(line.line, 0) for line in lines], np.int64),
        clock=compiled.first_day + ordered,
    )
    leaves, arrives = (np.zeros((len(lines), replications), np.int32) for _ in range(2))
    if lines:
        fill_open(orders, routes, closures, compiled.lead_times, seed, leaves, arrives)
    return OpenArrays(np.array([line.quantity for line in lines], np.int64), leaves, arrives)


def _demand(compiled: Compiled, effects: Effects) -> tuple[Demand, Ints, Ints, Ints]:
    """Demand tables, and which of them each item-location uses: [i, 2, 7], level rows [i, 2], factor rows [i]."""
    demand, n = compiled.demand, len(compiled)
    noisy = np.zeros(n, bool) if effects.noisy_rows is None else effects.noisy_rows
    tables = compiled.demand_tables if not noisy.any() else louder_tables(demand, noisy, effects.noise)
    own = np.arange(n * 7, dtype=np.int64).reshape(n, 7)
    other = own.copy()
    other[noisy] = n * 7 + np.arange(int(noisy.sum()) * 7, dtype=np.int64).reshape(-1, 7)
    cv = np.stack([demand.level_cv, np.where(noisy, demand.level_cv * effects.noise, demand.level_cv)], axis=1)
    steps, level = np.unique(np.round(cv / CV_STEP).astype(np.int64), return_inverse=True)
    certain = np.concatenate([[0], steps])  # row 0 of the levels is the certain one
    level = np.where(steps[level.reshape(cv.shape)] == 0, 0, level.reshape(cv.shape) + 1).astype(np.int64)
    factors = np.full((1, 1, 1), ONE, np.int64)
    factor = np.full(n, -1, np.int64)
    if effects.factor is not None and effects.factor_row is not None:
        factors, factor = fixed_point(effects.factor), effects.factor_row
    made = Demand(*tables, level_factors(certain * CV_STEP, ONE), np.ascontiguousarray(factors))
    return made, np.stack([own, other], axis=1), level, factor
