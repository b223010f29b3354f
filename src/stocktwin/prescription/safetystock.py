"""Safety stock: what the service target or the balance of costs asks for, against what the policy holds.

The closed form takes demand over the protection interval L − 1 + R as normal, with the spread of lead time and the
uncertainty of the level in its variance; simulation then tries steps around it (`STEPS`). Changing safety stock shifts
s (or the base stock) and S by the same amount; nothing appears on the shelf by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.prescription.closedform import (
    Floats,
    critical_ratio,
    expected_shortage,
    lost_sales_ratio,
    normal_cdf,
    safety_factor_cycle,
    safety_factor_fill,
    safety_factor_ready,
)
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.recommendation import SAFETY_STOCK, Subject
from stocktwin.prescription.situation import Candidate, Situation

if TYPE_CHECKING:
    from stocktwin.tables.snapshot import Snapshot

STEPS: Final = (0.5, 1.0, 1.5)
"""Multiples of the closed form's change that simulation compares."""
SEEN: Final = 0.5
"""Share of the horizon that must be lived under a lower reorder point before simulation may go beyond the closed form:
while stock still falls towards it no shortage can show, and the deepest cut would always look best."""
SMALLEST_CHANGE: Final = 0.1
"""A change below this share of the standard deviation of protection-interval demand is not worth a planner's time."""
HIGHEST_TARGET: Final = 0.9999
"""A service target of 100 % has no finite safety stock under normal demand."""
_NODES: Final = (np.arange(8) + 0.5) / 8
"""Where between s and s + Q the backlog of an ordering cycle is sampled."""


def safety_factor(situation: Situation, rows: Ints) -> Floats:
    """Safety factor z of each row: from its service target by the target's type, else from its costs (nan without)."""
    target = situation.service_target[rows]
    kind = np.array([situation.service_type[row] for row in rows], "U32")
    costed = ~np.isnan(situation.holding_cost[rows]) & ~np.isnan(situation.shortage_cost[rows])
    basis = np.where(situation.lost[rows], "lost", "backlog")
    basis = np.where(np.isnan(target), np.where(costed, basis, ""), np.where(kind == "", "fill_rate", kind))
    z = np.full(len(rows), np.nan)
    for name in ("lost", "backlog", "fill_rate", "ready_rate", "cycle_service_level"):
        at = np.flatnonzero(basis == name)
        z[at] = _factor(name, situation, rows[at])
    return z


def _factor(basis: str, situation: Situation, rows: Ints) -> Floats:
    sd, quantity = situation.protection_sd[rows], situation.order_quantity[rows]
    holding, short = situation.holding_cost[rows], situation.shortage_cost[rows]
    target = np.minimum(situation.service_target[rows], HIGHEST_TARGET)
    if basis == "lost":
        with np.errstate(invalid="ignore"):
            ratio = lost_sales_ratio(holding, short, quantity, situation.daily_mean[rows])
        return safety_factor_cycle(np.nan_to_num(ratio, nan=0.5))
    if basis == "backlog":
        with np.errstate(invalid="ignore"):
            ratio = critical_ratio(holding, short)
        return safety_factor_ready(np.nan_to_num(ratio, nan=0.5), quantity, sd)
    if basis == "ready_rate":
        return safety_factor_ready(target, quantity, sd)
    return safety_factor_cycle(target) if basis == "cycle_service_level" else safety_factor_fill(target, quantity, sd)


def proposed_safety_stock(situation: Situation, rows: Ints) -> Ints:
    """Safety stock z·σ of protection-interval demand, atomic units ≥ 0; −1 where neither target nor costs are known."""
    z = safety_factor(situation, rows)
    stock = np.ceil(np.maximum(z, 0.0) * situation.protection_sd[rows])
    return np.where(np.isnan(z), -1, np.nan_to_num(stock)).astype(np.int64)


def cost_per_day(situation: Situation, rows: Ints, reorder_point: Floats) -> Floats:
    """Closed-form holding and shortage cost of a reorder point, money per day (nan where a cost is unknown).

    Lost sales: h·(s − μ_P + Q/2 + n) + p·(μ/Q)·n with n = E[(D_P − s)⁺] short per cycle. Backlog: h on the same stock
    plus its backlog, b on the mean backlog over the inventory positions s … s + Q (Snyder & Shen, section 5.3).
    """
    mean, sd, quantity = (part[rows] for part in
                          (situation.protection_mean, situation.protection_sd, situation.order_quantity))  # fmt: skip
    holding, short, waits = situation.holding_cost[rows], situation.shortage_cost[rows], ~situation.lost[rows]
    level = reorder_point - mean + quantity / 2
    per_cycle = expected_shortage(reorder_point, mean, sd)
    cost = holding * np.maximum(level + per_cycle, 0) + short * situation.daily_mean[rows] / quantity * per_cycle
    levels = reorder_point[waits, None] + _NODES * quantity[waits, None]
    waiting = expected_shortage(levels, mean[waits, None], sd[waits, None]).mean(axis=1)
    cost[waits] = holding[waits] * (level[waits] + waiting) + short[waits] * waiting
    return np.asarray(cost)


def propose_safety_stocks(snapshot: Snapshot, situation: Situation, horizon: int, limit: int) -> list[Candidate]:
    """The `limit` changes of safety stock worth most by closed form, each in the steps that simulation compares."""
    rows = np.flatnonzero(
        situation.eligible & situation.declared & (situation.daily_mean > 0) & (situation.protection_sd > 0)
    )
    current = situation.safety_stock[rows]
    change = proposed_safety_stock(situation, rows) - current
    worthwhile = np.abs(change) >= np.maximum(SMALLEST_CHANGE * situation.protection_sd[rows], 1.0)
    worthwhile &= change >= -current
    rows, change = rows[worthwhile], change[worthwhile]
    point = situation.reorder_point[rows].astype(np.float64)
    gain = cost_per_day(situation, rows, point) - cost_per_day(situation, rows, point + change)
    value = gain * np.maximum(horizon - situation.lead_mean[rows], 0)
    priced = ~np.isnan(value)
    saved = expected_shortage(point, situation.protection_mean[rows], situation.protection_sd[rows])
    value = np.where(priced, value, np.where(change > 0, saved, -1.0))
    best = np.lexsort((rows, -value, ~priced))[:limit]
    return [
        candidate
        for at in best
        if value[at] > 0
        for candidate in _steps(snapshot, situation, int(rows[at]), int(change[at]), float(value[at]), bool(priced[at]),
                                horizon)
    ]  # fmt: skip


def _steps(
    snapshot: Snapshot, situation: Situation, row: int, change: int, value: float, priced: bool, horizon: int
) -> list[Candidate]:
    """The closed form's change and the steps around it; never below no safety stock at all, nor below the closed form
    where the horizon ends before the lower reorder point would have been tried."""
    subject = Subject(
        SAFETY_STOCK,
        snapshot.item_codes.ids[int(situation.item[row])],
        snapshot.location_codes.ids[int(situation.location[row])],
    )
    least = -int(situation.safety_stock[row])
    steps = [step for step in STEPS if step <= 1 or change > 0 or _is_tried(situation, row, change * step, horizon)]
    sizes = {max(round(change * step), least) for step in steps} - {0}
    target = situation.service_target[row]
    notes = {"basis": "costs" if np.isnan(target) else situation.service_type[row],
             "service_target": None if np.isnan(target) else float(target)}  # fmt: skip
    return [Candidate(subject, row, size, value, priced, notes=notes) for size in sorted(sizes)]


def _is_tried(situation: Situation, row: int, change: float, horizon: int) -> bool:
    """Whether the reorder point lowered by a change is ordered at, and waited upon, for long enough in the horizon."""
    falls = float(situation.inventory_position[row] - situation.reorder_point[row]) - change
    first = max(falls, 0.0) / float(situation.daily_mean[row]) + float(situation.lead_mean[row])
    return first <= (1 - SEEN) * horizon


def cycle_service(situation: Situation, row: int, reorder_point: float) -> float:
    """Probability that demand over the protection interval stays within a reorder point (normal approximation)."""
    sd = max(float(situation.protection_sd[row]), 1e-9)
    return float(normal_cdf((reorder_point - float(situation.protection_mean[row])) / sd))
