"""Safety stock under a scenario: what is held, what would be best as things are, and what under the scenario.

Each item-location is answered by itself, everything else staying as it is. The closed form gives the first answer, with
the mean and the spread of demand and the lead time that the scenario makes; simulation then tries levels around it on
one draw of luck and reports those it chose on another. Where every disruption lasts to the end the question is what to
hold for good: it starts from full shelves and the warm-up is not counted. Else it starts from the live twin, and a
level is only worth what it can still do: more safety stock reaches the shelf through orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.prescription.board import situation
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.copies import Lived, Worlds, batches, live_worlds
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.safetystock import proposed_safety_stock
from stocktwin.prescription.situation import Situation
from stocktwin.prescription.trials import CHOICE, PROOF, stream_seed

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.simulation.compile import Compiled
    from stocktwin.simulation.disruption import Effects
    from stocktwin.simulation.run import Run
    from stocktwin.simulation.scenario import Scenario
    from stocktwin.tables.snapshot import Snapshot

STEPS: Final = (-1.0, -0.5, 0.5, 1.0, 2.0)
"""Standard deviations of protection-interval demand around the closed form that simulation tries."""
COUNTED_DAYS: Final = 120
"""Days counted after the warm-up where the scenario lasts."""
DEFAULT_TARGET: Final = 0.95
"""Fill rate asked for where neither a target nor prices are declared."""
REPLICATIONS: Final = 60


@dataclass(frozen=True)
class Best:
    """The level chosen in one world (baseline or scenario), and how it and today's do there on fresh luck."""

    level: Ints
    """[i] safety stock, atomic units."""
    closed_form: Ints
    """[i] −1 where there is none."""
    lived: Lived
    now: Lived


@dataclass(frozen=True)
class StressAdvice:
    """Per item-location: safety stock now, best at baseline, best under the scenario."""

    snapshot: Snapshot
    compiled: Compiled
    scenario: Scenario
    rows: Ints
    now: Ints
    baseline: Best
    stressed: Best
    lasting: bool
    horizon_days: int
    warmup_days: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer of `recommend --scenario --json`: quantities in base units, money over the horizon."""
        found = [self._row(at) for at in range(len(self.rows))]
        gain = [
            row["scenario"]["cost_now"] - row["scenario"]["cost"]
            for row in found
            if row["scenario"]["cost"] is not None
        ]
        order = sorted(found, key=lambda row: (-abs(row["change"]), row["item_id"], row["location_id"]))
        return {
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "starts_from": "full shelves" if self.lasting else "the live twin",
            "horizon_days": self.horizon_days,
            "warmup_days": self.warmup_days,
            "replications": REPLICATIONS,
            "currency": self.snapshot.currency,
            "state_hash": self.snapshot.state_hash,
            "rows": order,
            "raised": sum(row["change"] > 0 for row in found),
            "lowered": sum(row["change"] < 0 for row in found),
            "saves": sum(gain) if gain else None,
            "assumptions": list(self.compiled.assumptions),
            "warnings": list(self.warnings),
        }

    def _row(self, at: int) -> dict[str, Any]:
        snapshot, row = self.snapshot, int(self.rows[at])
        unit = float(self.compiled.unit[self.compiled.place_of(row)])
        return {
            "item_id": snapshot.item_codes.ids[int(snapshot.item[row])],
            "location_id": snapshot.location_codes.ids[int(snapshot.location[row])],
            "safety_stock_now": float(self.now[at]) / unit,
            "baseline": _told(self.baseline, at, unit),
            "scenario": _told(self.stressed, at, unit),
            "change": float(self.stressed.level[at] - self.now[at]) / unit,
        }


def _told(best: Best, at: int, unit: float) -> dict[str, float | None]:
    def known(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return {
        "safety_stock": float(best.level[at]) / unit,
        "closed_form": None if best.closed_form[at] < 0 else float(best.closed_form[at]) / unit,
        "cost": known(best.lived.cost[at].mean()),
        "fill_rate": known(best.lived.fill_rate[at]),
        "cost_now": known(best.now.cost[at].mean()),
        "fill_rate_now": known(best.now.fill_rate[at]),
    }


def safety_stock_under(
    snapshot: Snapshot, forecast: DemandForecast, compiled: Compiled, scenario: Scenario, *, item: str | None = None,
    location: str | None = None, seed: int = 0, progress: Progress = silent,
) -> StressAdvice:  # fmt: skip
    """Safety stock now, the best at baseline and the best under a scenario, of every item-location with demand.

    The best is the lowest level tried that meets the declared service target (fill rate), else the cheapest, else the
    lowest with 95 % fill. The same twin and seed give the same answer. Raises UsageError for a scenario that does
    nothing or where no item-location is asked for.
    """
    if not scenario.disruptions:
        raise UsageError(f"scenario {scenario.name!r} has no disruption to prepare for")
    board = situation(snapshot, forecast, compiled)
    rows = _asked_for(snapshot, board, item, location)
    lasting = all(one.days is None and one.days_high is None for one in scenario.disruptions)
    days, warmup = _days(compiled, scenario, lasting)
    runs, warnings = _runs(compiled, scenario, days, warmup, seed)
    worlds = (board, stressed_situation(board, compiled, runs[CHOICE][1][0]))
    best = []
    for at, plan in enumerate(worlds):
        progress(at, 2, "trying levels of safety stock")
        best.append(_best(compiled, plan, rows, [runs[one][at][1] for one in (CHOICE, PROOF)], lasting))
    progress(2, 2, "done")
    return StressAdvice(snapshot, compiled, scenario, rows, board.safety_stock[rows], best[0], best[1], lasting, days,
                        warmup, warnings)  # fmt: skip


def _asked_for(snapshot: Snapshot, board: Situation, item: str | None, location: str | None) -> Ints:
    chosen = board.eligible & (board.daily_mean > 0) & (board.protection_sd > 0)
    if item is not None:
        chosen &= board.item == snapshot.item_codes.code(item)
    if location is not None:
        chosen &= board.location == snapshot.location_codes.code(location)
    rows = np.flatnonzero(chosen).astype(np.int64)
    if not len(rows):
        raise UsageError(f"no simulated item-location with demand: item {item or 'any'}, location {location or 'any'}")
    return rows


def _days(compiled: Compiled, scenario: Scenario, lasting: bool) -> tuple[int, int]:
    """Length of the runs, and how much of it is warm-up."""
    from stocktwin.simulation.engine import needed_days

    if not lasting:
        return needed_days(compiled, [scenario]), 0
    late = int(np.quantile(compiled.lead_times, 0.95, axis=1).max(initial=1))
    warmup = 2 * late + int(compiled.policy.review_days.max(initial=1))
    return warmup + COUNTED_DAYS, warmup


def _runs(
    compiled: Compiled, scenario: Scenario, days: int, warmup: int, seed: int
) -> tuple[dict[str, list[tuple[Effects, Run]]], tuple[str, ...]]:
    """By purpose: the baseline and the scenario, ready to run."""
    from stocktwin.simulation.disruption import Effects, effects_of
    from stocktwin.simulation.run import prepare

    made: dict[str, list[tuple[Effects, Run]]] = {}
    warnings: list[str] = []
    for purpose in (CHOICE, PROOF):
        own = stream_seed(seed, purpose)
        both = [effects_of(scenario, compiled, days, REPLICATIONS, own), Effects()]
        warnings = both[0].warnings
        made[purpose] = [
            (both[0], prepare(compiled, one, days=days, warmup=warmup, replications=REPLICATIONS, seed=own))
            for one in reversed(both)
        ]
    return made, tuple(warnings)


def stressed_situation(board: Situation, compiled: Compiled, effects: Effects) -> Situation:
    """The mean and spread of demand over the protection interval while the scenario acts.

    The sd of demand is multiplied by its factor, the mean by the average factor, lead times are longer by the average
    delay. What closes has no closed form.
    """
    at, demand = compiled.rows, compiled.flow
    noise = np.ones(len(compiled))
    if effects.noisy_rows is not None:
        noise[effects.noisy_rows] = effects.noise
    scale = np.ones(len(compiled))
    if effects.factor is not None and effects.factor_row is not None:
        means = np.append([one[one != 1.0].mean() if (one != 1.0).any() else 1.0 for one in effects.factor], 1.0)
        scale = means[effects.factor_row]
    extra = np.zeros(len(compiled))
    for route, days in effects.delay.items():
        acting = days[days > 0]
        extra[compiled.route == route] = float(acting.mean()) if len(acting) else 0.0
    factor = noise * scale
    stressed = replace(demand, mean=demand.mean * scale[:, None], variance=demand.variance * factor[:, None] ** 2,
                       level_cv=demand.level_cv * noise)  # fmt: skip
    mean, sd = stressed.over(compiled.lead_mean + extra - 1 + compiled.policy.review_days, compiled.lead_sd)
    changed = {"protection_mean": mean, "protection_sd": sd, "daily_mean": board.daily_mean[at] * scale}
    made = {name: getattr(board, name).copy() for name in changed}
    for name, values in changed.items():
        made[name][at] = values
    return replace(board, **made)


def _best(compiled: Compiled, plan: Situation, rows: Ints, runs: Sequence[Run], lasting: bool) -> Best:
    """The best level of each row, chosen on the first run and lived again on the second."""
    closed = proposed_safety_stock(plan, rows)
    shift = np.rint(plan.protection_mean[rows]).astype(np.int64)  # a closed form is about this scenario's own mean
    own_mean = compiled.flow.over(compiled.lead_mean - 1 + compiled.policy.review_days, compiled.lead_sd)[0]
    places = np.array([compiled.place_of(int(row)) for row in rows], np.int64)
    more = shift - np.rint(own_mean[places]).astype(np.int64)
    closed = np.where(closed < 0, -1, np.maximum(closed + more, 0))
    now = plan.safety_stock[rows]
    levels = _levels(now, closed, plan.protection_sd[rows])
    chosen, lived, before = np.zeros(len(rows), np.int64), [], []
    for part in batches(np.arange(len(rows))):
        worlds = Worlds.of(compiled, places[part])
        tried = [_lived(runs[0], worlds, level[part] - now[part], lasting) for level in levels]
        pick = _pick(plan, rows[part], levels[:, part], tried)
        chosen[part] = levels[pick, part]
        lived.append(_lived(runs[1], worlds, chosen[part] - now[part], lasting))
        before.append(_lived(runs[1], worlds, np.zeros(len(part), np.int64), lasting))
    return Best(chosen, closed, _joined(lived), _joined(before))


def _levels(now: Ints, closed: Ints, sd: Floats) -> Ints:
    """[level, row] what simulation tries, from low to high: today's, the closed form and steps around it."""
    centre = np.where(closed < 0, now, closed)
    steps = [np.maximum(centre + np.rint(step * sd).astype(np.int64), 0) for step in STEPS]
    return np.sort(np.stack([now, centre, *steps]), axis=0)


def _lived(run: Run, worlds: Worlds, delta: Ints, lasting: bool) -> Lived:
    """The worlds with the safety stock of each one's own place raised by `delta` (atomic units)."""
    lines, opened = run.lines(worlds.places)
    policy = lines.policy.copy()
    policy[worlds.own, :, :2] += delta[:, None, None]
    lines = lines._replace(policy=policy)
    if lasting:
        full = np.maximum(policy[:, 0, 1], policy[:, 0, 0] + policy[:, 0, 2])
        lines = lines._replace(on_hand=np.maximum(full, 0), backlog=np.zeros_like(lines.backlog),
                               first_open=np.zeros_like(lines.first_open))  # fmt: skip
    return live_worlds(run, worlds, lines, opened)


def _pick(plan: Situation, rows: Ints, levels: Ints, tried: Sequence[Lived]) -> Ints:
    """Which level is best for each row."""
    cost = np.stack([one.cost.mean(axis=1) for one in tried])
    fill = np.nan_to_num(np.stack([one.fill_rate for one in tried]), nan=1.0)
    stated = plan.service_target[rows]
    priced = ~np.isnan(cost).any(axis=0)
    target = np.where(np.isnan(stated), DEFAULT_TARGET, stated)
    meets = fill >= target
    lowest = np.where(meets.any(axis=0), meets.argmax(axis=0), len(levels) - 1)
    cheapest = np.where(np.isnan(cost), np.inf, cost).argmin(axis=0)
    return np.where(np.isnan(stated) & priced, cheapest, lowest)


def _joined(parts: Sequence[Lived]) -> Lived:
    return Lived(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("cost", "demand", "served")))
