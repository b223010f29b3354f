"""A recommendation: an action, the claim about what it is worth, and the simulation that tested the claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stocktwin.domain.identity import stable_hash64
from stocktwin.domain.quantity import from_atomic
from stocktwin.simulation.statistics import Estimate

TRANSFER: Final = "transfer"
SAFETY_STOCK: Final = "safety_stock"
ADVANCE_ORDER: Final = "advance_order"
KINDS: Final = (TRANSFER, SAFETY_STOCK, ADVANCE_ORDER)

CURRENCY_VALUE: Final = "currency"
UNITS_VALUE: Final = "units"
"""What `expected_value` counts: money, or lost sales avoided in base units where a cost or price is missing."""


@dataclass(frozen=True)
class Proof:
    """The paired simulation behind a recommendation, on random streams that were not used to choose it."""

    seed: int
    replications: int
    horizon_days: int
    state_hash: str
    """Of the twin that was simulated: the proof holds for that state."""
    without: Mapping[str, Estimate]
    """KPI by name, the item-locations concerned, nothing done."""
    with_action: Mapping[str, Estimate]
    """The same with the action carried out."""
    difference: Mapping[str, Estimate]
    """With − without, paired by replication."""

    def to_dict(self) -> dict[str, Any]:
        """`kpis` holds without, with and difference for each KPI."""
        kpis = {
            name: {
                "without": self.without[name].to_dict(),
                "with": self.with_action[name].to_dict(),
                "difference": self.difference[name].to_dict(),
            }
            for name in self.difference
        }
        return {
            "seed": self.seed,
            "replications": self.replications,
            "horizon_days": self.horizon_days,
            "state_hash": self.state_hash,
            "kpis": kpis,
        }


@dataclass(frozen=True)
class Subject:
    """What a recommendation is about; two with the same subject propose the same action on different days."""

    kind: str
    item_id: str
    location_id: str
    """Where it takes effect: the receiver of a transfer, the location of a policy or of an arriving order."""
    from_id: str | None = None
    to_id: str | None = None
    order_id: str | None = None
    line: str | None = None

    def id_on(self, day: int) -> str:
        """The recommendation's id when made on `day` (days since 1970): 16 hexadecimal digits, always the same.

        >>> one = Subject("safety_stock", "ITEM-1", "DC-1")
        >>> one.id_on(20000) == one.id_on(20000), one.id_on(20000) == one.id_on(20001), len(one.id_on(0))
        (True, False, 16)
        """
        parts = (self.kind, self.item_id, self.location_id, self.from_id, self.to_id, self.order_id, self.line)
        return f"{stable_hash64(*(part or '' for part in parts), str(day)):016x}"

    def to_dict(self) -> dict[str, str | None]:
        """JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Subject:
        """The subject of `to_dict`; other keys are ignored."""
        return cls(**{name: values.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Recommendation:
    """One action with its expected effect. Quantities are atomic units of the item, `scale` its decimal places.

    `expected_value` is what the action is worth over `horizon_days` compared with doing nothing, net of its own cost:
    minus the mean difference of total cost (twin currency). Where a cost or price is missing it is None, `lo` and `hi`
    too, and `units_value` (lost sales avoided, base units) ranks the recommendation instead.
    """

    subject: Subject
    day: int
    """The twin's day (days since 1970) for which it was made."""
    unit: str
    scale: int
    quantity: int | None
    """Atomic units to move or to bring forward; the change of safety stock for `safety_stock`."""
    current: int | None
    proposed: int | None
    """`safety_stock`: from and to. Otherwise the receiver's on hand now, and once the goods are there."""
    from_date: str | None
    to_date: str | None
    """`advance_order`: expected arrival and the asked-for one. `transfer`: dispatch and expected arrival."""
    currency: str
    expected_value: float | None
    lo: float | None
    hi: float | None
    units_value: float
    """Lost sales avoided, base units (backlog avoided, unit-days ÷ horizon, where demand waits)."""
    worst_5: float | None
    """Mean value over the worst 5 % of the replications, in the measure of `value_in`."""
    action_cost: float | None
    """What carrying it out costs (transport); already in `expected_value`."""
    reversibility: str
    """`easy`, `costly` or `final`."""
    reversal: str
    """How it is undone, in words."""
    cost_of_delay: float | None
    """Value lost if it is carried out `delay_days` later, in the measure of `value_in`."""
    delay_days: int
    horizon_days: int
    reason: str
    """One plain sentence: why."""
    description: str
    """One plain sentence: what to do."""
    proof: Proof
    missing: tuple[str, ...] = ()
    """Fields whose absence made the value null, e.g. `unit_cost`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Evidence of the kind's own, JSON values: a donor's surplus and target, the ratio behind a safety stock …"""

    @property
    def id(self) -> str:
        """Stable for a subject and a day."""
        return self.subject.id_on(self.day)

    @property
    def kind(self) -> str:
        """`transfer`, `safety_stock` or `advance_order`."""
        return self.subject.kind

    @property
    def value_in(self) -> str:
        """`currency`, or `units` where a cost or price is missing."""
        return UNITS_VALUE if self.expected_value is None else CURRENCY_VALUE

    @property
    def rank(self) -> tuple[int, float]:
        """Sort key, best first: valued ones by money, then the others by lost sales avoided."""
        if self.expected_value is None:
            return (1, -self.units_value)
        return (0, -self.expected_value)

    def to_dict(self) -> dict[str, Any]:
        """The issue's contract and more, JSON values only; quantities exact (an integer, or a decimal string)."""
        return {
            "id": self.id,
            **self.subject.to_dict(),
            "day": self.day,
            "quantity": self._exact(self.quantity),
            "unit": self.unit,
            "scale": self.scale,
            "current": self._exact(self.current),
            "proposed": self._exact(self.proposed),
            "from_date": self.from_date,
            "to_date": self.to_date,
            "currency": self.currency,
            "expected_value": _finite(self.expected_value),
            "lo": _finite(self.lo),
            "hi": _finite(self.hi),
            "value_in": self.value_in,
            "units_value": _finite(self.units_value),
            "worst_5": _finite(self.worst_5),
            "downside": _finite(self.worst_5),
            "action_cost": _finite(self.action_cost),
            "reversibility": self.reversibility,
            "reversal": self.reversal,
            "cost_of_delay": _finite(self.cost_of_delay),
            "delay_days": self.delay_days,
            "horizon_days": self.horizon_days,
            "reason": self.reason,
            "description": self.description,
            "missing": list(self.missing),
            "details": dict(self.details),
            "proof": self.proof.to_dict(),
            "effect": {name: estimate.to_dict() for name, estimate in self.proof.difference.items()},
        }

    def _exact(self, quantity: int | None) -> int | str | None:
        return None if quantity is None else from_atomic(quantity, self.scale)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
