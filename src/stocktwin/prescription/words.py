"""Recommendations in plain words: one sentence what to do, one why. Quantities in base units, days of the twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from stocktwin.domain.quantity import from_atomic
from stocktwin.prescription.recommendation import ADVANCE_ORDER, TRANSFER
from stocktwin.prescription.situation import Candidate, Situation

if TYPE_CHECKING:
    from stocktwin.tables.snapshot import Snapshot

REVERSALS: Mapping[str, tuple[str, str]] = {
    "transfer": ("costly", "send it back along the same lane, at the same cost again"),
    "safety_stock": ("easy", "set the old value again; orders already placed stay"),
    "advance_order": ("easy", "until the supplier ships: ask for the old date again"),
}
"""Kind → how reversible, and how."""


@dataclass(frozen=True)
class Outlook:
    """What the texts need to know about the item-location concerned."""

    runs_out_day: int
    """Days from today until what is on hand is expected to be gone; −1 if it outlasts the look ahead."""
    next_day: int
    """Days from today until the next replenishment can be expected."""
    ordered: bool
    """Whether that is an open order line (else one still to be placed)."""


def day_name(today: int, days: int) -> str:
    """ISO date of `days` after the twin's day `today` (days since 1970).

    >>> day_name(20000, 1)
    '2024-10-05'
    """
    return (date(1970, 1, 1) + timedelta(days=today + days)).isoformat()


def amount(quantity: float, scale: int, unit: str) -> str:
    """A quantity for reading.

    >>> amount(12500, 3, "kilogram"), amount(1, 0, "each"), amount(2400, 0, "tablet")
    ('12.5 kilogram', '1 unit', '2,400 tablet')
    """
    exact = from_atomic(round(quantity), scale)
    text = f"{exact:,}" if isinstance(exact, int) else f"{float(exact):,.{scale}f}".rstrip("0").rstrip(".")
    if unit == "each":
        return f"{text} unit" if text == "1" else f"{text} units"
    return f"{text} {unit}"


class Writer:
    """Writes the sentences of one snapshot's recommendations."""

    def __init__(self, snapshot: Snapshot, situation: Situation) -> None:
        self._snapshot, self._situation = snapshot, situation
        self._scale = snapshot.scale()
        self._units = [unit or "each" for unit in snapshot.items.column("unit").to_pylist()]

    def unit(self, row: int) -> tuple[str, int]:
        """Base unit and its decimal places."""
        item = int(self._situation.item[row])
        return self._units[item], int(self._scale[item])

    def say(self, row: int, quantity: float) -> str:
        """A quantity of the row's item."""
        unit, scale = self.unit(row)
        return amount(quantity, scale, unit)

    def description(self, one: Candidate, others: int = 0) -> str:
        """What to do; `others` are the transfers that share its shipment."""
        subject, what = one.subject, self.say(one.row, abs(one.quantity))
        if subject.kind == TRANSFER:
            shared = f", in one shipment with {others} other{'s' if others > 1 else ''}" if others else ""
            return f"Move {what} of {subject.item_id} from {subject.from_id} to {subject.to_id}{shared}."
        if subject.kind == ADVANCE_ORDER:
            to_day = day_name(self._snapshot.today, one.arrival_day)
            return (
                f"Ask {subject.from_id} to deliver order {subject.order_id} line {subject.line} "
                f"({what} of {subject.item_id} for {subject.location_id}) on {to_day}, "
                f"{one.shift_days} days earlier than expected."
            )
        verb = "Raise" if one.quantity > 0 else "Lower"
        before = int(self._situation.safety_stock[one.row])
        change = f"from {self.say(one.row, before)} to {self.say(one.row, before + one.quantity)}"
        return (
            f"{verb} the safety stock of {subject.item_id} at {subject.location_id} {change}; "
            f"the reorder and order-up-to levels move by the same amount."
        )

    def reason(self, one: Candidate, outlook: Outlook) -> str:
        """Why."""
        if one.subject.kind == TRANSFER:
            return self._transfer_reason(one, outlook)
        if one.subject.kind == ADVANCE_ORDER:
            expected = day_name(self._snapshot.today, one.arrival_day + one.shift_days)
            return f"{self._running_out(one, outlook)}, and this order is not expected before {expected}."
        return self._safety_reason(one)

    def _running_out(self, one: Candidate, outlook: Outlook) -> str:
        stock, subject = int(self._situation.on_hand[one.row]), one.subject
        if stock <= 0:
            return f"{subject.location_id} has no {subject.item_id} left"
        place = f"{subject.location_id} has {self.say(one.row, stock)} of {subject.item_id}"
        if outlook.runs_out_day < 0:
            return place
        return f"{place}, which should last until about {day_name(self._snapshot.today, outlook.runs_out_day)}"

    def _transfer_reason(self, one: Candidate, outlook: Outlook) -> str:
        spare = float(self._situation.surplus[one.donor])
        arrival = day_name(self._snapshot.today, one.arrival_day)
        what = "the next delivery is expected" if outlook.ordered else "a new order would come"
        help_day = day_name(self._snapshot.today, min(outlook.next_day, 3650))
        return (
            f"{self._running_out(one, outlook)}; {what} about {help_day}. {one.subject.from_id} has "
            f"{self.say(one.donor, spare)} more than it needs, and the goods can be there on {arrival}."
        )

    def _safety_reason(self, one: Candidate) -> str:
        situation, row = self._situation, one.row
        if one.notes.get("service_target") is not None:
            target = f"a {str(one.notes['basis']).replace('_', ' ')} of {one.notes['service_target']:.1%}"
        else:
            target = "the balance of holding cost and cost of running out"
        spread = self.say(row, float(situation.protection_sd[row]))
        word = "too little" if one.quantity > 0 else "more than is needed"
        return (
            f"Demand until a new order arrives varies by about {spread} (one standard deviation), so for {target} "
            f"the safety stock of {self.say(row, float(situation.safety_stock[row]))} is {word}."
        )
