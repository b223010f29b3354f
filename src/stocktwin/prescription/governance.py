"""Who decided what, when and why. Pure: `app` keeps the log (decisions are facts in the journal) and passes it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, format_instant
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.prescription.recommendation import Recommendation, Subject

APPROVE: Final = "approve"
REJECT: Final = "reject"
VERDICTS: Final = (APPROVE, REJECT)

OPEN: Final = "open"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
GONE: Final = "gone"

QUIET_DAYS: Final = 14
"""A decided subject is not recommended again for this long."""


@dataclass(frozen=True)
class Decision:
    """One line of the decision log; never changed once written."""

    recommendation_id: str
    verdict: str
    """`approve` or `reject`."""
    by: str
    reason: str
    at: int
    """UTC microseconds."""
    subject: Subject
    quantity: int | None = None
    """Atomic units, as approved."""
    recommendation: Mapping[str, Any] = field(default_factory=dict)
    """The whole recommendation as it was shown: the predicted effect that the realised one is measured against."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as the journal keeps them."""
        return {
            "recommendation_id": self.recommendation_id,
            "decision": self.verdict,
            "status": status_word(self.verdict),
            "by": self.by,
            "reason": self.reason,
            "at": self.at,
            "time": format_instant(self.at),
            "subject": self.subject.to_dict(),
            "quantity_atomic": self.quantity,
            "recommendation": dict(self.recommendation),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Decision:
        """The decision of `to_dict`; further keys (sequence number, record time) are ignored."""
        return cls(
            values["recommendation_id"],
            values["decision"],
            values["by"],
            values.get("reason") or "",
            values["at"],
            Subject.from_dict(values["subject"]),
            values.get("quantity_atomic"),
            values.get("recommendation") or {},
        )


def status_word(verdict: str) -> str:
    """What a recommendation is called after a verdict.

    >>> status_word("approve")
    'approved'
    """
    return APPROVED if verdict == APPROVE else REJECTED


def decision_on(recommendation_id: str, log: Iterable[Decision]) -> Decision | None:
    """The decision taken on a recommendation, if one was."""
    return next((decision for decision in log if decision.recommendation_id == recommendation_id), None)


def status(recommendation_id: str, log: Iterable[Decision], current: Iterable[Recommendation]) -> str:
    """`open`, `approved`, `rejected`, or `gone` (not decided, and no longer recommended)."""
    decided = decision_on(recommendation_id, log)
    if decided is not None:
        return status_word(decided.verdict)
    return OPEN if any(one.id == recommendation_id for one in current) else GONE


def decide(
    recommendation_id: str,
    verdict: str,
    *,
    by: str,
    reason: str,
    at: int,
    current: Iterable[Recommendation],
    log: Sequence[Decision],
) -> Decision:
    """The decision to write into the log.

    Raises UsageError when the verdict is unknown, nobody signs or the recommendation has been decided already, and
    NotFoundError when it is not (or no longer) recommended.
    """
    if verdict not in VERDICTS:
        raise UsageError(f"a recommendation is approved or rejected, not {verdict!r}")
    if not by.strip():
        raise UsageError(f"who decides? {verdict} {recommendation_id} needs a name, got {by!r}")
    before = decision_on(recommendation_id, log)
    if before is not None:
        word, when = status_word(before.verdict), format_instant(before.at)
        raise UsageError(f"recommendation {recommendation_id} was {word} by {before.by} at {when} already")
    found = next((one for one in current if one.id == recommendation_id), None)
    if found is None:
        raise NotFoundError("open recommendation (it may be gone since the stock has changed)", recommendation_id)
    return Decision(
        recommendation_id, verdict, by.strip(), reason.strip(), at, found.subject, found.quantity, found.to_dict()
    )


def recent(log: Iterable[Decision], as_of: int, days: int = QUIET_DAYS) -> tuple[Decision, ...]:
    """The decisions of the last `days` days: what `recommend` does not propose again, and what it counts as promised."""
    since = as_of - days * MICROSECONDS_PER_DAY
    return tuple(decision for decision in log if decision.at >= since)
