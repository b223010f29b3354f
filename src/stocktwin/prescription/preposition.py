"""Stocking up before a likely closure of a port or supplier: how much, until when, or why it is too late.

For each item-location whose first way passes what may close: extra goods ordered today from its own source, enough for
some days of demand. They must be past the port (or have left the supplier) before the closure can begin, and are wanted
on the shelf before the flow that the closure holds up would have ended. Levels are compared over replications with and
without the event; the answer is the cheapest that meets the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stocktwin.domain.errors import UsageError
from stocktwin.kernels.network import OpenLines
from stocktwin.prescription.board import situation
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.copies import Lived, Worlds, batches, live_worlds
from stocktwin.prescription.outlook import Bools, Ints
from stocktwin.prescription.trials import CHOICE, PROOF, stream_seed
from stocktwin.simulation.risk import cvar

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.kernels.network import Lines
    from stocktwin.simulation.compile import Compiled
    from stocktwin.simulation.disruption import Effects
    from stocktwin.simulation.run import Run
    from stocktwin.simulation.scenario import Scenario
    from stocktwin.tables.snapshot import Snapshot

COVERS: Final = (0, 3, 7, 10, 14, 21, 28)
"""Days of mean demand that are tried."""
SURE: Final = 0.9
"""Probability with which extra goods must be there by the day they are needed."""
DEFAULT_TARGET: Final = 0.95
REPLICATIONS: Final = 200


@dataclass(frozen=True)
class Timing:
    """Days from day 0, per item-location."""

    closes: Ints
    """First day on which what it passes can be closed."""
    passes: Ints
    """Day on which goods ordered today are past it."""
    arrives: Ints
    """Day by which they are on the shelf in 90 % of cases."""
    needed: Ints
    """Day on which the flow that the closure holds up would have arrived: ready by."""

    @property
    def possible(self) -> Bools:
        """Whether what is ordered today escapes the closure and is there in time."""
        return np.asarray((self.passes < self.closes) & (self.arrives <= self.needed))


@dataclass(frozen=True)
class Preposition:
    """What to order today beyond the policy, per item-location that may be cut off."""

    snapshot: Snapshot
    compiled: Compiled
    scenario: Scenario
    rows: Ints
    timing: Timing
    units: Ints
    """[i] chosen extra units, atomic."""
    cover: Ints
    """[i] days of demand they cover."""
    meets: Bools
    target: Floats
    without: Lived
    chosen: Lived
    cut_off: float
    """Share of the replications in which the closure happens."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON: quantities in base units, money over the horizon."""
        rows = [self._row(at) for at in range(len(self.rows))]
        return {
            "scenario": self.scenario.name,
            "probability": self.cut_off,
            "rows": sorted(rows, key=lambda row: (row["possible"] is False, -row["units"], row["item_id"])),
            "impossible": int((~self.timing.possible).sum()),
            "classes": self._classes(),
        }

    def _row(self, at: int) -> dict[str, Any]:
        snapshot, row, timing = self.snapshot, int(self.rows[at]), self.timing
        unit = float(self.compiled.unit[self.compiled.place_of(row)])
        costs = [one.cost[at] for one in (self.without, self.chosen)]
        priced = not any(np.isnan(one).any() for one in costs)
        return {
            "item_id": snapshot.item_codes.ids[int(snapshot.item[row])],
            "location_id": snapshot.location_codes.ids[int(snapshot.location[row])],
            "possible": bool(timing.possible[at]),
            "statement": self._statement(at),
            "ready_by": _date(self.compiled, int(timing.needed[at])),
            "units": float(self.units[at]) / unit,
            "days_of_demand": int(self.cover[at]),
            "target": float(self.target[at]),
            "meets_target": bool(self.meets[at]),
            "fill_rate_without": _number(self.without.fill_rate[at]),
            "fill_rate": _number(self.chosen.fill_rate[at]),
            "cost_without": float(costs[0].mean()) if priced else None,
            "cost": float(costs[1].mean()) if priced else None,
            "cvar_95_without": cvar(costs[0]) if priced else None,
            "cvar_95": cvar(costs[1]) if priced else None,
        }

    def _statement(self, at: int) -> str:
        timing = self.timing
        passes, closes, arrives, needed = (
            _date(self.compiled, int(days[at]))
            for days in (timing.passes, timing.closes, timing.arrives, timing.needed)
        )
        if timing.passes[at] >= timing.closes[at]:
            return f"too late: ordered today it passes on {passes}; the closure may begin on {closes}"
        if timing.arrives[at] > timing.needed[at]:
            return f"too late: ordered today it is there by {arrives} (90 %), needed by {needed}"
        if not self.units[at]:
            return "nothing more is worth it" if self.meets[at] else "no level tried helps"
        end = "" if self.meets[at] else "; the target is not reached at any level tried"
        return f"order today, ready by {needed}{end}"

    def _classes(self) -> list[dict[str, Any]]:
        """Expected cost and tail per criticality class, with and without."""
        table = self.snapshot.items.column("criticality").to_pylist()
        kind = np.array([table[int(item)] or "" for item in self.snapshot.item[self.rows]])
        found = []
        for name in sorted(set(kind.tolist())):
            mine = kind == name
            sums = [one.cost[mine].sum(axis=0) for one in (self.without, self.chosen)]
            if np.isnan(sums[0]).any() or np.isnan(sums[1]).any():
                continue
            found.append({"criticality": name or None, "item_locations": int(mine.sum()),
                          "cost_without": float(sums[0].mean()), "cost": float(sums[1].mean()),
                          "cvar_95_without": cvar(sums[0]), "cvar_95": cvar(sums[1])})  # fmt: skip
        return found


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _date(compiled: Compiled, day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=compiled.first_day + day)).isoformat()


def preposition(
    snapshot: Snapshot, forecast: DemandForecast, compiled: Compiled, scenario: Scenario, *, seed: int = 0
) -> Preposition:
    """Extra units to order today, of every item-location that the closures of a scenario can cut off.

    Levels are chosen on one draw of luck and reported on another. Raises UsageError where nothing is cut off.
    """
    from stocktwin.simulation.engine import needed_days

    days = needed_days(compiled, [scenario])
    board = situation(snapshot, forecast, compiled)
    runs = {purpose: _run(compiled, scenario, days, stream_seed(seed, purpose)) for purpose in (CHOICE, PROOF)}
    places, timing = _timing(compiled, runs[CHOICE][0])
    keep = np.flatnonzero(board.daily_mean[compiled.rows[places]] > 0)
    if not len(keep):
        raise UsageError(f"scenario {scenario.name!r} closes no supplier or port that an item with demand passes")
    places = places[keep]
    timing = Timing(*(getattr(timing, name)[keep] for name in ("closes", "passes", "arrives", "needed")))
    rows = compiled.rows[places]
    pack = np.maximum(board.pack[rows], 1)
    per_day = board.daily_mean[rows]
    levels = np.stack([np.ceil(per_day * days_ / pack).astype(np.int64) * pack for days_ in COVERS])
    levels[:, ~timing.possible] = 0
    stated = board.service_target[rows]
    target = np.where(np.isnan(stated), DEFAULT_TARGET, stated)
    chosen, meets, lived = _choose(compiled, runs, places, timing, levels, target)
    happens = _happens(runs[PROOF][0])
    cover = np.where(timing.possible, np.array(COVERS)[chosen], 0)
    units = levels[chosen, np.arange(len(rows))]
    return Preposition(snapshot, compiled, scenario, rows, timing, units, cover, meets, target, *lived, happens)


def _run(compiled: Compiled, scenario: Scenario, days: int, seed: int) -> tuple[Effects, Run]:
    from stocktwin.simulation.disruption import effects_of
    from stocktwin.simulation.run import prepare

    effects = effects_of(scenario, compiled, days, REPLICATIONS, seed)
    return effects, prepare(compiled, effects, days=days, warmup=0, replications=REPLICATIONS, seed=seed)


def _happens(effects: Effects) -> float:
    """Share of replications in which anything closes."""
    return float(np.stack([closed.any(axis=0) for closed in effects.closed.values()]).any(axis=0).mean())


def _timing(compiled: Compiled, effects: Effects) -> tuple[Ints, Timing]:
    """Item-locations whose first way passes what may close, and when."""
    found: list[tuple[int, int, int, int, int]] = []
    for place, at in enumerate(compiled.route.tolist()):
        route = compiled.routes[at]
        table = compiled.lead_times[route.lead]
        ways = [(effects.closed[name], via) for name, via in ((route.origin, 0), (route.via, route.days_to_via))
                if name and name in effects.closed and effects.closed[name].any()]  # fmt: skip
        if not ways:
            continue
        closes = [int(closed.any(axis=1).argmax()) for closed, _ in ways]
        first = int(np.argmin(closes))
        via = min(ways[first][1], int(table[0]))
        arrives = int(table[int(SURE * len(table))])
        found.append((place, closes[first], via, arrives, closes[first] + int(np.ceil(table.mean())) - via))
    columns = np.array(found, np.int64).reshape(-1, 5).T
    return columns[0], Timing(*columns[1:])


def _choose(
    compiled: Compiled, runs: dict[str, tuple[Effects, Run]], places: Ints, timing: Timing, levels: Ints,
    target: Floats,
) -> tuple[Ints, Bools, tuple[Lived, Lived]]:  # fmt: skip
    """Level of each place, whether it meets the target, and without and with it on fresh luck."""
    chosen, meets = np.zeros(len(places), np.int64), np.zeros(len(places), bool)
    without, lived = [], []
    for part in batches(np.arange(len(places))):
        worlds = Worlds.of(compiled, places[part])
        tried = [_lived(runs[CHOICE][1], worlds, level[part], timing.arrives[part]) for level in levels]
        fill = np.nan_to_num(np.stack([one.fill_rate for one in tried]), nan=1.0)
        cost = np.stack([one.cost.mean(axis=1) for one in tried])
        good = fill >= target[part]
        measure = np.where(np.isnan(cost), levels[:, part], cost)
        best = np.where(good, measure, np.inf).argmin(axis=0)
        chosen[part] = np.where(good.any(axis=0), best, fill.argmax(axis=0))
        picked = levels[chosen[part], part]
        without.append(_lived(runs[PROOF][1], worlds, np.zeros_like(picked), timing.arrives[part]))
        lived.append(_lived(runs[PROOF][1], worlds, picked, timing.arrives[part]))
        meets[part] = np.nan_to_num(lived[-1].fill_rate, nan=1.0) >= target[part]
    return chosen, meets, (_joined(without), _joined(lived))


def _lived(run: Run, worlds: Worlds, extra: Ints, arrives: Ints) -> Lived:
    """The worlds once `extra` units have been ordered today for each one's own place."""
    lines, opened = run.lines(worlds.places)
    return live_worlds(run, worlds, *_with_extra(lines, opened, worlds.own, extra, arrives))


def _with_extra(lines: Lines, opened: OpenLines, own: Ints, extra: Ints, arrives: Ints) -> tuple[Lines, OpenLines]:
    """One more open line for some lines: it leaves today and arrives as late as 90 % of orders at most do."""
    where, n = lines.first_open[own + 1], opened.arrives.shape[1]
    made = OpenLines(
        np.insert(opened.quantity, where, extra),
        np.insert(opened.leaves, where, np.zeros((len(own), n), np.int32), axis=0),
        np.insert(opened.arrives, where, np.repeat(arrives[:, None], n, axis=1).astype(np.int32), axis=0),
    )
    more = np.zeros(len(lines.first_open), np.int64)
    np.add.at(more, own + 1, 1)
    return lines._replace(first_open=lines.first_open + np.cumsum(more)), made


def _joined(parts: Sequence[Lived]) -> Lived:
    return Lived(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("cost", "demand", "served")))
