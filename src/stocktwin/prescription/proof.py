"""The paired simulation behind a recommendation, and behind a set of them carried out together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.recommendation import ADVANCE_ORDER, SAFETY_STOCK, TRANSFER, Proof
from stocktwin.prescription.situation import Candidate
from stocktwin.simulation.statistics import Estimate, estimate

if TYPE_CHECKING:
    from stocktwin.simulation.change import Action, Bench, Comparison

KPIS: Final = (
    "total_cost", "fill_rate", "cycle_service_level", "ready_rate", "lost_sales_units", "backlog_units",
    "on_hand_units", "on_hand_value", "orders",
)  # fmt: skip
"""Shown in a proof, of the item-locations concerned."""
WORST_SHARE: Final = 0.05


@dataclass(frozen=True)
class Finding:
    """What a proof says about an action, per replication."""

    proof: Proof
    value: Floats | None
    """[replications] money, net of the action's cost; None where a cost or price is missing."""
    units: Floats
    """[replications] lost sales avoided, and mean backlog avoided, base units."""
    missing: tuple[str, ...]

    @property
    def measure(self) -> Floats:
        """What it is judged by: value, or units without one."""
        return self.units if self.value is None else self.value

    @property
    def estimate(self) -> Estimate:
        """Mean of the measure with its 95 % interval."""
        return estimate(self.measure)

    @property
    def holds(self) -> bool:
        """Whether it is worth something and the interval excludes nothing."""
        found = self.estimate
        return found.mean is not None and found.mean > 0 and (found.lo is None or found.lo > 0)

    @property
    def worst_5(self) -> float:
        """Mean of the measure over the worst 5 % of the replications."""
        return worst_mean(self.measure)

    def charged(self, cost: float) -> Finding:
        """The same with a further cost of the action."""
        with_action, difference = dict(self.proof.with_action), dict(self.proof.difference)
        for table in (with_action, difference):
            table["total_cost"] = _plus(table["total_cost"], cost)
        proof = replace(self.proof, with_action=with_action, difference=difference)
        return replace(self, proof=proof, value=None if self.value is None else self.value - cost)


def worst_mean(values: Floats, share: float = WORST_SHARE) -> float:
    """Mean over the worst share of the replications, at least one (expected shortfall).

    >>> worst_mean(np.arange(40.0))
    0.5
    """
    count = max(int(np.ceil(share * len(values))), 1)
    return float(np.sort(values)[:count].mean())


def action_of(candidates: Sequence[Candidate]) -> Action:
    """The candidates as one action for the simulation."""
    from stocktwin.simulation.change import Action, Transfer

    by_kind = {
        kind: [one for one in candidates if one.subject.kind == kind]
        for kind in (TRANSFER, SAFETY_STOCK, ADVANCE_ORDER)
    }
    return Action(
        transfers=tuple(Transfer(one.donor, one.row, one.quantity, one.arrival_day - 1) for one in by_kind[TRANSFER]),
        safety_stock={one.row: one.quantity for one in by_kind[SAFETY_STOCK]},
        order_shifts={one.line: -one.shift_days for one in by_kind[ADVANCE_ORDER]},
        order_earliest={one.line: one.arrival_day - 1 for one in by_kind[ADVANCE_ORDER]},
    )


def prove(bench: Bench, candidates: Sequence[Candidate], state_hash: str) -> Finding:
    """Simulates the candidates, carried out together, against doing nothing."""
    cost = sum(one.action_cost for one in candidates)
    compared = bench.compare(action_of(candidates))
    without, with_action = compared.without.series, compared.with_action.series
    before, after = without["total_cost"], with_action["total_cost"]
    value = None if before is None or after is None else before - after - cost
    units = np.zeros(bench.replications)
    for name in ("lost_sales_units", "backlog_units"):
        mine, base = with_action[name], without[name]
        if mine is not None and base is not None:
            units = units + base - mine
    missing = tuple(compared.without.missing()) if value is None else ()
    return Finding(_proof(bench, compared, cost, state_hash), value, units, missing)


def _proof(bench: Bench, compared: Comparison, cost: float, state_hash: str) -> Proof:
    """The KPIs; the action's own cost is part of the total cost with it."""
    without, with_action = compared.without.kpis(), compared.with_action.kpis()
    difference = compared.with_action.difference(compared.without)
    for table in (with_action, difference):
        table["total_cost"] = _plus(table["total_cost"], cost)
    return Proof(
        seed=bench.seed,
        replications=bench.replications,
        horizon_days=bench.horizon,
        state_hash=state_hash,
        without={name: without[name] for name in KPIS},
        with_action={name: with_action[name] for name in KPIS},
        difference={name: difference[name] for name in KPIS},
    )


def _plus(one: Estimate, cost: float) -> Estimate:
    moved = {name: value + cost for name in ("mean", "lo", "hi") if (value := getattr(one, name)) is not None}
    return replace(one, **moved)
