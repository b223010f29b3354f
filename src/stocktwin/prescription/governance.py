"""Who decided what, when and why. Pure: `app` keeps the log (decisions are facts in the journal) and passes it in.

One entry of the log is a mapping as the journal keeps it: `id` (of the recommendation), `decision` (`approve` or
`reject`), `by`, `reason`, `recommendation` (the whole of it as it was shown: the predicted effect that the realised one
is measured against), and the journal's own `seq` and `recorded_at` (UTC microseconds).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from stocktwin.domain.calendar import format_instant
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.prescription.recommendation import Subject

APPROVE: Final = "approve"
REJECT: Final = "reject"
VERDICTS: Final = (APPROVE, REJECT)

OPEN: Final = "open"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
GONE: Final = "gone"

QUIET_DAYS: Final = 14
"""A decided subject is not recommended again for this long; what was approved counts as promised."""

Entry: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Commitment:
    """What a recent decision means for the next recommendations."""

    subject: Subject
    approved: bool
    quantity: int
    """Atomic units of the approved action, 0 for none."""
    day: int


def decision_on(recommendation_id: str, log: Iterable[Entry]) -> Entry | None:
    """The decision taken on a recommendation, if one was (the first stands)."""
    return next((entry for entry in log if entry.get("id") == recommendation_id), None)


def status_of(recommendation_id: str, log: Iterable[Entry], current: Collection[str] | None = None) -> str:
    """`open`, `approved` or `rejected`; `gone` when it is undecided and not among the ids in `current` (if given).

    >>> log = [{"id": "a1", "decision": "approve", "by": "Ana"}]
    >>> status_of("a1", log), status_of("b2", log), status_of("b2", log, current=[])
    ('approved', 'open', 'gone')
    """
    entry = decision_on(recommendation_id, log)
    if entry is not None:
        return _word(entry["decision"])
    return OPEN if current is None or recommendation_id in current else GONE


def check_decision(record: Entry, log: Iterable[Entry], current: Collection[str] | None = None) -> None:
    """Whether `record` (`id`, `decision`, `by`, `reason`) may be written into the log.

    Raises UsageError when the verdict is unknown, nobody signs, or the recommendation has been decided already, and
    NotFoundError when it is not among the ids in `current` (if given): reality moved on.
    """
    name, verdict, by = record["id"], record["decision"], record.get("by")
    if verdict not in VERDICTS:
        raise UsageError(f"a recommendation is approved or rejected, not {verdict!r}")
    if not isinstance(by, str) or not by.strip():
        raise UsageError(f"who decides? to {verdict} {name} needs a name, got {by!r}")
    before = decision_on(name, log)
    if before is not None:
        when = before.get("recorded_at")
        at = f" at {format_instant(when)}" if isinstance(when, int) else ""
        raise UsageError(f"recommendation {name} was {_word(before['decision'])} by {before['by']}{at} already")
    if current is not None and name not in current:
        raise NotFoundError("open recommendation (it is gone since the stock has changed)", name)


def recent(log: Iterable[Entry], today: int, days: int = QUIET_DAYS) -> tuple[Commitment, ...]:
    """The decisions on recommendations made for the last `days` days of the twin (`today`: days since 1970)."""
    found = (_commitment(entry) for entry in log if entry.get("recommendation"))
    return tuple(one for one in found if 0 <= today - one.day <= days)


def _commitment(entry: Entry) -> Commitment:
    shown = entry["recommendation"]
    exact = Decimal(str(shown.get("quantity") or 0)).scaleb(int(shown.get("scale") or 0))
    approved = entry["decision"] == APPROVE
    return Commitment(Subject.from_dict(shown), approved, int(exact) if approved else 0, int(shown["day"]))


def _word(verdict: str) -> str:
    return APPROVED if verdict == APPROVE else REJECTED
