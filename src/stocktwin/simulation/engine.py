"""Runs scenarios on a compiled twin: luck shared by all of them, shards of item-locations on threads, paired results.

Shards have a fixed size and are added up in their order, so results do not depend on the number of threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.kernels.inverse import level_factors
from stocktwin.kernels.network import DAY_COLUMNS, TRACE_COLUMNS, UNIT_COLUMNS, Calendar, Demand, Lines, Transit, sweep
from stocktwin.kernels.network import OpenLines as OpenArrays
from stocktwin.kernels.period import ONE
from stocktwin.kernels.streams import signed
from stocktwin.kernels.transit import Closures, OpenOrders, Routes, fill_open, fill_transit
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.demand import louder_tables
from stocktwin.simulation.disruption import Effects, effects_of, fixed_point, switched, waits
from stocktwin.simulation.result import Outcome, SimulationResult, Tally
from stocktwin.simulation.scenario import Scenario

Ints = npt.NDArray[np.int64]
SHARD = 256
"""Item-locations of one shard."""
DEFAULT_HORIZON = 90
DEFAULT_REPLICATIONS = 200
LATE = 0.95
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
        )
        return lines, opened

    def sweep(
        self, lines: Lines, opened: OpenArrays, trace: bool = False
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Lives the lines: [line, UNIT_COLUMNS, replication], [day, DAY_COLUMNS] and the trace of the last line."""
        units = np.zeros((len(lines.key), len(UNIT_COLUMNS), self.replications), np.int64)
        days = np.zeros((self.calendar.days, len(DAY_COLUMNS)), np.int64)
        size = (len(TRACE_COLUMNS), self.calendar.days, self.replications) if trace else (0, 0, 0)
        traced = np.zeros(size, np.int64)
        sweep(lines, opened, self.demand, self.transit, self.calendar, self.seed, units, days, traced)
        return units, days, traced


def simulate(
    compiled: Compiled,
    scenarios: Sequence[Scenario],
    *,
    replications: int = DEFAULT_REPLICATIONS,
    horizon: int | None = None,
    warmup: int = 0,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> SimulationResult:
    """The baseline and each scenario, every replication on the same luck.

    `horizon` is in days and holds the `warmup` days that are not counted; without one it is what the scenarios need:
    the end of the disruption + 2 × the 95 % lead time + a review, at least 90 days. The same seed gives the same
    numbers, for any number of threads.
    """
    if not len(compiled):
        raise UsageError("nothing to simulate: no item-location has a known stock and a policy, demand or stock")
    days, warnings = _horizon(compiled, scenarios, horizon, warmup)
    if warmup >= days:
        raise UsageError(f"warm-up of {warmup} days leaves nothing of a horizon of {days}")
    began = time.perf_counter()
    effects = [Effects(), *(effects_of(one, compiled, days, replications, seed) for one in scenarios)]
    runs = [prepare(compiled, one, days=days, warmup=warmup, replications=replications, seed=seed) for one in effects]
    tallies = _sweep_all(runs, threads, progress)
    outcomes = [Outcome(compiled, tally, days - warmup) for tally in tallies]
    return SimulationResult(
        baseline=outcomes[0],
        scenarios=tuple(outcomes[1:]),
        names=tuple(one.name for one in scenarios),
        titles=tuple(one.title for one in scenarios),
        parameters=tuple(one.parameters for one in scenarios),
        windows=tuple(one.window for one in effects[1:]),
        first_day=compiled.first_day,
        horizon_days=days,
        warmup_days=warmup,
        replications=replications,
        seed=seed,
        seconds=time.perf_counter() - began,
        assumptions=compiled.assumptions,
        warnings=(*warnings, *(line for one in effects for line in one.warnings)),
    )


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
    transit = Transit(leaves, arrives, _shut(compiled, effects, ways, shape))
    return Run(
        compiled, calendar, transit, opened, demand, table, level, factor, route,
        shift, effects.shift_day, seed, replications,
    )  # fmt: skip


def _shut(compiled: Compiled, effects: Effects, ways: list[int], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """[route, day, replication] 1 while its destination is closed; no routes at all where none ever is."""
    if not effects.shut:
        return np.zeros((0, 1, 1), np.int32)
    shut = np.zeros(shape, np.int32)
    for at, way in enumerate(ways):
        shut[at] = effects.shut.get(compiled.routes[way].destination, 0)
    return shut


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
        second = other if compiled.routes[one].origin in effects.failover else -1
        if (one, second) not in pairs:
            pairs[one, second] = len(ways)
            ways.append(one)
            alternates.append(second)
        route[place] = pairs[one, second]
    shut = {name: at for at, name in enumerate(effects.closed)}
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
    count = len(effects.closed) + len(effects.delay)
    if not count:
        nothing = np.zeros((1, 1, 1), np.int32)
        return Closures(nothing, nothing, nothing)
    wait, delay, change = (np.zeros((count, days, replications), np.int32) for _ in range(3))
    for at, (name, closed) in enumerate(effects.closed.items()):
        wait[at] = waits(closed)
        if name in effects.failover:
            change[at] = switched(closed, effects.failover[name])
    for at, extra in enumerate(effects.delay.values(), len(effects.closed)):
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


def shards(compiled: Compiled) -> list[Ints]:
    """Item-locations in shards of one scale each (daily totals of a shard are in one unit)."""
    found = []
    for unit in np.unique(compiled.unit):
        places = np.flatnonzero(compiled.unit == unit).astype(np.int64)
        found += [places[at : at + SHARD] for at in range(0, len(places), SHARD)]
    return found


def _sweep_all(runs: Sequence[Run], threads: int | None, progress: Progress) -> list[Tally]:
    compiled = runs[0].compiled
    parts = shards(compiled)
    tallies = [Tally.empty(compiled, run.replications, run.calendar.days) for run in runs]
    tasks = [(at, part) for part in parts for at in range(len(runs))]

    def one(task: tuple[int, Ints]) -> Tally:
        at, places = task
        units, days, _ = runs[at].sweep(*runs[at].lines(places))
        return Tally.of(compiled, places, units, days)

    with ThreadPoolExecutor(threads or _cores()) as pool:
        results: Iterator[Tally] = pool.map(one, tasks)
        for done, ((at, _), tally) in enumerate(zip(tasks, results, strict=True), 1):
            tallies[at].add(tally)
            progress(done, len(tasks), "simulating")
    return tallies


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _horizon(
    compiled: Compiled, scenarios: Sequence[Scenario], asked: int | None, warmup: int
) -> tuple[int, list[str]]:
    """Days to simulate, and a warning when they are fewer than the scenarios need."""
    late = int(np.quantile(compiled.lead_times, LATE, axis=1).max(initial=1))
    review = int(compiled.policy.review_days.max(initial=1))
    needed = 0
    for scenario in scenarios:
        for one in scenario.disruptions:
            length = one.days_high if one.days_high is not None else one.days
            if length is not None:
                end = one.first_day(compiled.first_day) + one.start_window + length
                needed = max(needed, end + 2 * late + review)
    declared = [one.horizon_days for one in scenarios if one.horizon_days is not None]
    days = asked or max([*declared, warmup + max(needed, DEFAULT_HORIZON)])
    short = days - warmup < needed
    told = f"the horizon of {days} days ends before the disruption has worked itself out; {warmup + needed} would do"
    return days, [told] if short else []


@dataclass(frozen=True)
class Fan:
    """On hand ahead at one item-location, atomic units: quantiles per day, and the probability of none left."""

    quantiles: dict[str, npt.NDArray[np.float64]]
    stockout_probability: npt.NDArray[np.float64]
    expected_receipts: npt.NDArray[np.float64]


def project(
    compiled: Compiled, row: int, *, scenario: Scenario | None = None, replications: int = 400, horizon: int = 90,
    seed: int = 0,
) -> Fan | None:  # fmt: skip
    """The projection of one snapshot row (at its count each day); None when it is not simulated."""
    place = compiled.place_of(row)
    if place < 0:
        return None
    alone = only(compiled, place)
    effects = Effects() if scenario is None else effects_of(scenario, alone, horizon, replications, seed)
    run = prepare(alone, effects, days=horizon, warmup=0, replications=replications, seed=seed)
    _, _, trace = run.sweep(*run.lines(np.zeros(1, np.int64)), trace=True)
    on_hand = trace[TRACE_COLUMNS.index("on_hand")]
    levels = np.quantile(on_hand, [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
    return Fan(
        dict(zip(("p05", "p25", "p50", "p75", "p95"), levels, strict=True)),
        (on_hand <= 0).mean(axis=1),
        trace[TRACE_COLUMNS.index("received")].mean(axis=1),
    )


def only(compiled: Compiled, *places: int) -> Compiled:
    """The same network with a few of its item-locations; they live exactly as they do among all."""
    from dataclasses import fields, replace

    chosen = np.array(sorted(places), np.int64)
    index = {int(place): at for at, place in enumerate(chosen)}
    lines = tuple(replace(line, place=index[line.place]) for line in compiled.open_lines if line.place in index)

    def cut(value: object) -> object:
        return value[chosen] if isinstance(value, np.ndarray) else [value[at] for at in chosen]  # type: ignore[index]

    def cut_all(group: object) -> object:
        return replace(group, **{one.name: cut(getattr(group, one.name)) for one in fields(group)})  # type: ignore

    names = ("rows", "key", "on_hand", "backlog", "lost", "route", "alternate", "unit")
    arrays = {name: cut(getattr(compiled, name)) for name in names}
    groups = {name: cut_all(getattr(compiled, name)) for name in ("demand", "policy", "costs")}
    return replace(compiled, open_lines=lines, **arrays, **groups)  # type: ignore[arg-type]
