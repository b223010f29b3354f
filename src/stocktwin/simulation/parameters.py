"""Policy parameters in whole atomic units: as declared, completed where incomplete, inferred where there are none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.simulation.demand import DemandMoments

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SERVICE_Z: Final = 1.6448536269514722
"""Standard normal quantile of 95 %: the service that inferred policies aim at."""
DEFAULT_CYCLE_DAYS: Final = 7.0
"""Days of demand that an inferred order covers where no order history and no order cost say otherwise."""
UP_TO_LEVEL: Final = ("base_stock", "periodic", "echelon_base_stock")


@dataclass(frozen=True)
class Around:
    """What is known around a policy, per item-location: the demand and supply it works against."""

    moments: DemandMoments
    lead_mean: Floats
    lead_sd: Floats
    cycle_days: Floats
    """Mean days between past orders, nan where there are too few."""
    scale: Floats
    """Atomic units in one base unit."""
    holding_cost: Floats
    order_cost: Floats


@dataclass
class Parameters:
    """Policies of m item-locations; quantities in atomic units."""

    kind: list[str]
    s: Ints
    S: Ints
    Q: Ints
    review_days: Ints
    moq: Ints
    multiple: Ints
    safety_stock: Ints
    inferred: npt.NDArray[np.bool_]


def parameters(
    policies: list[dict[str, Any] | None], sources: list[dict[str, Any] | None], around: Around
) -> tuple[Parameters, list[str]]:
    """The policy of each item-location from its row of `policies` (None: none) and of its first source.

    Returns them with the assumptions made, each with its count and reason.
    """
    n = len(policies)
    zero = np.zeros(n, np.int64)
    made = Parameters(
        [""] * n, zero.copy(), zero.copy(), zero.copy(), np.ones(n, np.int64), zero.copy(), np.ones(n, np.int64),
        zero.copy(), np.zeros(n, bool))  # fmt: skip
    notes: Counter[str] = Counter()
    for i in range(n):
        _supply(made, i, policies[i] or {}, sources[i] or {}, around.scale[i])
    mean, deviation = around.moments.over(around.lead_mean - 1 + made.review_days, around.lead_sd)
    per_day = around.moments.per_day
    lot = _economic_lot(per_day, made, around, notes)
    for i in range(n):
        reason = _one(made, i, policies[i], around.scale[i], float(per_day[i]), mean[i], deviation[i], lot[i])
        if reason:
            notes[reason] += 1
    _mend(made, notes)
    given = np.array([(policy or {}).get("safety_stock") is not None for policy in policies], bool)
    level = np.where([kind in UP_TO_LEVEL for kind in made.kind], made.S, made.s)
    implied = np.maximum(np.floor(level - mean + 0.5), 0).astype(np.int64)
    made.safety_stock = np.where(given, made.safety_stock, implied)
    return made, [f"{count} item-locations: {reason}" for reason, count in sorted(notes.items())]


def _supply(made: Parameters, i: int, policy: dict[str, Any], source: dict[str, Any], scale: float) -> None:
    made.review_days[i] = policy.get("review_days") or source.get("review_days") or 1
    made.moq[i] = round((source.get("moq") or 0) * scale)
    made.multiple[i] = max(round((source.get("order_multiple") or 0) * scale), 1)


def _economic_lot(per_day: Floats, made: Parameters, around: Around, notes: Counter[str]) -> Floats:
    """Order size for policies that lack one: what past orders covered, else √(2Kλ/h), else a week or one review."""
    with np.errstate(divide="ignore", invalid="ignore"):
        economic = np.sqrt(2 * around.order_cost * per_day / around.holding_cost)
    economic = np.where(np.isfinite(economic), economic, 0.0)
    review = per_day * np.maximum(made.review_days, DEFAULT_CYCLE_DAYS)
    seen = np.isfinite(around.cycle_days)
    return np.maximum(np.where(seen, per_day * np.nan_to_num(around.cycle_days), np.maximum(economic, review)), 1.0)


def _one(
    made: Parameters, i: int, policy: dict[str, Any] | None, scale: float, per_day: float, mean: float,
    deviation: float, lot: float,
) -> str:  # fmt: skip
    """Fills one policy; what had to be assumed, or an empty string."""
    unit = per_day if policy and policy.get("parameter_unit") == "days" else scale
    value = {name: policy.get(name) for name in ("reorder_point", "order_up_to", "order_quantity", "safety_stock")} if (
        policy) else {}  # fmt: skip
    s, S, Q, safety = (None if value.get(name) is None else float(value[name] or 0) * unit
                       for name in ("reorder_point", "order_up_to", "order_quantity", "safety_stock"))  # fmt: skip
    kind = (policy or {}).get("policy") or "min_max"
    made.kind[i] = kind
    made.inferred[i] = policy is None
    made.safety_stock[i] = round(safety or 0)
    guess = mean + (SERVICE_Z * deviation if safety is None else safety)
    reason = "" if policy else "no policy is declared: (s, S) from forecast, lead time and 95 % cycle service"
    if kind in UP_TO_LEVEL:
        level = S if S is not None else s
        reason = reason or ("" if level is not None else f"{kind} without a level: 95 % cycle service")
        made.S[i] = round(guess if level is None else level)
        made.s[i] = made.S[i] - 1
        return reason
    reason = reason or ("" if s is not None else f"{kind} without a reorder point: from safety stock or 95 % service")
    made.s[i] = int(np.floor((guess if s is None else s) + 1e-9))
    if kind == "reorder_quantity":
        reason = reason or ("" if Q else "reorder_quantity without a quantity: from past orders, order cost or a week")
        made.Q[i] = max(round(Q or lot), 1)
        made.S[i] = made.s[i] + made.Q[i]
        return reason
    reason = reason or ("" if S is not None else f"{kind} without an order-up-to: from past orders, order cost, a week")
    made.S[i] = round(made.s[i] + lot if S is None else S)
    return reason


def _mend(made: Parameters, notes: Counter[str]) -> None:
    """An order-up-to at or below the reorder point would never order: it is taken as base stock."""
    wrong = (made.s >= made.S) & (made.Q == 0)
    if wrong.any():
        notes["order-up-to not above the reorder point: taken as base stock at the reorder point plus one"] += int(
            wrong.sum()
        )
    made.S = np.where(wrong, made.s + 1, made.S)


def order_cycles(rows: Ints, ordered_at: Ints, n: int, minimum: int = 4) -> Floats:
    """[n] mean days between the orders of each row; nan with fewer than `minimum` orders.

    >>> day = 86_400_000_000
    >>> order_cycles(np.array([0, 0, 0, 0, 1]), np.array([0, 2, 4, 6, 9]) * day, 2).tolist()
    [2.0, nan]
    """
    count = np.bincount(rows, minlength=n)[:n]
    first = np.full(n, np.iinfo(np.int64).max)
    last = np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(first, rows, ordered_at)
    np.maximum.at(last, rows, ordered_at)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        days = (last - first) / 86_400_000_000 / (count - 1)
    return np.where((count >= minimum) & (days > 0), days, np.nan)
