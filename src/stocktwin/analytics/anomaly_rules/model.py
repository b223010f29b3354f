"""What a rule finds, and the thresholds under which it keeps quiet."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from stocktwin.domain.quantity import from_atomic

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Thresholds:
    """When a rule speaks. `docs/analytics.md` says why each is where it is."""

    duplicate_minutes: float = 15.0
    """Two postings further apart are two events, unless they are linked and another system tells of one."""
    duplicate_linked_hours: float = 24.0
    """Then they may be this far apart."""
    duplicate_coincidences: float = 0.5
    """Unlinked twins are reported while at most this many would be expected by chance in the whole window."""
    duplicate_habit: float = 0.005
    """A system that repeats more than this share of its lines does so by habit: repeats then say nothing."""
    pack_factors: tuple[int, ...] = (6, 10, 12)
    """Tried beside the factors of the item's own units."""
    posting_share: float = 0.8
    """A system is expected to post what another reports only if it posted at least this share of it."""
    posting_sample: int = 5
    """Pairs that this share must rest on."""
    default_lag_days: float = 1.0
    """Posting delay where it cannot be measured."""
    longest_lag_days: float = 7.0
    cutoff_minutes: float = 60.0
    """A movement this close to a count may lie on either side of it."""
    mend_days: float = 14.0
    """Days within which a count's difference is posted away."""
    sensed_tolerance: float = 0.03
    """Relative difference of an RFID or weight reading that is its own: drift, which its history does not show."""
    sensed_deviations: float = 4.0
    """Standard deviations of a scale's or bin sensor's own noise that a reading may be off, where that is more."""
    sensed_sample: int = 20
    """Readings from which the noise of an instrument is learned."""
    material_share: float = 0.01
    """Unexplained adjustments smaller than this share of what moved are not reported."""


@dataclass(frozen=True)
class Anomaly:
    """Something that should not be so, with the evidence that says so."""

    id: str
    """Stable: the same facts give the same id."""
    kind: str
    item_id: str
    location_id: str
    event_time: int
    """When the faulty event happened, or the claim was made (µs)."""
    quantity: int
    """The correction that would put the record (or the named system's book) right, atomic units: negative, too much is
    booked or stock is missing."""
    scale: int
    """Decimal places of the item's unit."""
    value: float | None
    """|quantity| × unit cost; None without a cost."""
    severity: float
    """0–1: the share of the largest value at risk, on a log scale, lower where only a side book is wrong."""
    confidence: float
    """0–1: how sure the rule is of the cause."""
    systems: tuple[str, ...]
    evidence: tuple[dict[str, Any], ...]
    """The facts themselves: movements, claims and order lines, each with system, ids, quantity and time."""
    explanation: str
    cheapest_check: str
    """What would settle it at least cost."""
    on_record: bool
    """Whether the record is wrong, or only another system's book."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; quantities as they are written in the item's unit."""
        plain = asdict(self) | {"quantity": from_atomic(self.quantity, self.scale)}
        plain["evidence"] = [
            {name: from_atomic(part, self.scale) if name in QUANTITIES and part is not None else part
             for name, part in fact.items()} for fact in self.evidence
        ]  # fmt: skip
        return plain


QUANTITIES = ("quantity", "record_balance", "book_balance", "quantity_received", "quantity_ordered")


@dataclass(frozen=True)
class Finding:
    """What a rule says before it is valued and ranked. `item` and `place` are codes of the snapshot."""

    kind: str
    item: int
    place: int
    event_time: int
    quantity: int
    confidence: float
    systems: tuple[str, ...]
    evidence: tuple[dict[str, Any], ...]
    explanation: str
    cheapest_check: str
    on_record: bool = True

    def identity(self, item_id: str, location_id: str) -> str:
        """A stable id from what was found and the facts behind it."""
        facts = sorted(str(fact.get("event_id") or (fact.get("order_id"), fact.get("line"))) for fact in self.evidence)
        text = "\x1f".join([self.kind, item_id, location_id, str(self.event_time), *facts])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
