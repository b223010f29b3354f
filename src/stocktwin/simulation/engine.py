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
from stocktwin.kernels.network import TRACE_COLUMNS
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.disruption import Effects, effects_of
from stocktwin.simulation.layout import shards, whole_trees
from stocktwin.simulation.result import Outcome, SimulationResult, Tally
from stocktwin.simulation.run import Run, prepare
from stocktwin.simulation.scenario import Scenario

Ints = npt.NDArray[np.int64]
DEFAULT_HORIZON = 90
DEFAULT_REPLICATIONS = 200
LATE = 0.95


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


def _sweep_all(runs: Sequence[Run], threads: int | None, progress: Progress) -> list[Tally]:
    compiled = runs[0].compiled
    parts = shards(compiled)
    tallies = [Tally.empty(compiled, run.replications, run.calendar.days) for run in runs]
    tasks = [(at, part) for part in parts for at in range(len(runs))]

    def one(task: tuple[int, Ints]) -> Tally:
        at, places = task
        units, days, _ = runs[at].sweep(places, *runs[at].lines(places))
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


def needed_days(compiled: Compiled, scenarios: Sequence[Scenario], least: int = DEFAULT_HORIZON) -> int:
    """Days until the last disruption has worked itself out: its end + 2 × the 95 % lead time + a review."""
    late = int(np.quantile(compiled.lead_times, LATE, axis=1).max(initial=1))
    review = int(compiled.policy.review_days.max(initial=1))
    needed = least
    for scenario in scenarios:
        for one, last in zip(scenario.disruptions, scenario.last_days(compiled.first_day), strict=True):
            if one.days is not None or one.days_high is not None:
                needed = max(needed, last + 1 + 2 * late + review)
    return needed


def _horizon(
    compiled: Compiled, scenarios: Sequence[Scenario], asked: int | None, warmup: int
) -> tuple[int, list[str]]:
    """Days to simulate, and a warning when they are fewer than the scenarios need."""
    needed = needed_days(compiled, scenarios, least=0)
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
    rows = np.flatnonzero(alone.rows != row)
    order = np.append(rows, np.flatnonzero(alone.rows == row)).astype(np.int64)  # the last line is the traced one
    effects = Effects() if scenario is None else effects_of(scenario, alone, horizon, replications, seed)
    run = prepare(alone, effects, days=horizon, warmup=0, replications=replications, seed=seed)
    _, _, trace = run.sweep(order, *run.lines(order), trace=True)
    on_hand = trace[TRACE_COLUMNS.index("on_hand")]
    levels = np.quantile(on_hand, [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
    return Fan(
        dict(zip(("p05", "p25", "p50", "p75", "p95"), levels, strict=True)),
        (on_hand <= 0).mean(axis=1),
        trace[TRACE_COLUMNS.index("received")].mean(axis=1),
    )


def only(compiled: Compiled, *places: int) -> Compiled:
    """The same network with a few of its item-locations and what supplies or is supplied by them; they live exactly as
    they do among all."""
    from dataclasses import fields, replace

    chosen = whole_trees(compiled, np.array(sorted(places), np.int64))
    index = {int(place): at for at, place in enumerate(chosen)}
    lines = tuple(replace(line, place=index[line.place]) for line in compiled.open_lines if line.place in index)

    def cut(value: object) -> object:
        return value[chosen] if isinstance(value, np.ndarray) else [value[at] for at in chosen]  # type: ignore[index]

    def cut_all(group: object) -> object:
        return replace(group, **{one.name: cut(getattr(group, one.name)) for one in fields(group)})  # type: ignore[arg-type, type-var]

    names = ("rows", "key", "on_hand", "backlog", "lost", "route", "alternate", "unit", "allocation")
    arrays = {name: cut(getattr(compiled, name)) for name in names}
    groups = {name: cut_all(getattr(compiled, name)) for name in ("demand", "flow", "policy", "costs")}
    source = np.array([index.get(int(one), -1) for one in compiled.source[chosen]], np.int64)
    return replace(compiled, open_lines=lines, source=source, **arrays, **groups)  # type: ignore[arg-type]
