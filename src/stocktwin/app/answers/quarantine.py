"""Rows that could not be taken: which, where they came from and why, and who put them aside for good.

A row that is discarded stays what it is, delivered and quarantined, so that the counts go on adding up; the decision is
a fact in the journal. It is no longer listed among those to be mended, nor replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import iso, plain
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stocktwin.ledger.ledger import Ledger

DISCARD = "discard"
REFUSED = ("rejected", "conflict")
"""States of rows that nothing which may still come will make good."""
PLACE = ("source", "table", "file", "row", "line", "column", "value", "reason")


def quarantine(
    ledger: Ledger,
    settings: Settings,
    *,
    source: str | None,
    discarded: bool,
    limit: int | None,
    after: str | None,
) -> dict[str, Any]:
    """Quarantined rows, oldest first, each with its place and reason; with `discarded` those that were put aside, else
    the others. `source` is a source or the system it speaks for; NotFoundError names one that is neither.
    """
    gone = decided(ledger)
    rows = [{**row, "discarded": gone.get(row["quarantine_id"])} for row in ledger.quarantine().to_pylist()]
    if source is not None:
        check_source(ledger, settings, source)
        rows = [row for row in rows if source in (row["source"], row["system"])]
    count = sum(row["discarded"] is not None for row in rows)
    rows = [row for row in rows if (row["discarded"] is not None) == discarded]
    shown, following = page(rows, lambda row: (row["quarantine_id"],), name="quarantine", limit=limit, after=after)
    found = [{**row, "recorded_at": iso(row["recorded_at"])} for row in shown]
    return {"rows": plain(found), "total": len(rows), "next": following, "discarded": count}


def discard(ledger: Ledger, ids: Sequence[int], *, by: str, reason: str) -> dict[str, Any]:
    """Puts quarantined rows aside for good, all of them or none. Only those that were refused: a row that waits is
    taken once what it waits for is known. UsageError or NotFoundError names the first that cannot be."""
    if not by.strip() or not reason.strip():
        raise UsageError(f"who discards, and why? by {by!r}, reason {reason!r}")
    gone = decided(ledger)
    held = {row["quarantine_id"]: row for row in ledger.quarantine().to_pylist()}
    wanted = list(dict.fromkeys(ids))
    for number in wanted:
        if number not in held:
            raise NotFoundError("quarantined row", str(number))
        if number in gone:
            raise UsageError(f"row {number} was discarded by {gone[number]['by']} at {gone[number]['at']} already")
        if held[number]["state"] not in REFUSED:
            raise UsageError(f"row {number} waits ({held[number]['reason']}) and is taken once it can be")
    told = [{name: held[number][name] for name in ("quarantine_id", *PLACE)} for number in wanted]
    seq = ledger.decide({"decision": DISCARD, "by": by, "reason": reason, "quarantine_ids": wanted, "rows": told})
    return {"discarded": wanted, "by": by, "reason": reason, "seq": seq}


def decided(ledger: Ledger) -> dict[int, dict[str, Any]]:
    """Quarantine id → who discarded it, when and why."""
    return {
        number: {"by": entry["by"], "at": iso(entry["recorded_at"]), "reason": entry["reason"]}
        for entry in ledger.decisions()
        if entry["decision"] == DISCARD
        for number in entry["quarantine_ids"]
    }


def check_source(ledger: Ledger, settings: Settings, name: str) -> None:
    """NotFoundError naming the sources there are, when `name` is none of them."""
    systems = (one["system"] for one in ledger.status()["sources"])
    known = sorted({DEFAULT_SOURCE, *settings.sources, *systems})
    if name not in known:
        error = NotFoundError("source", name)
        error.args = (f"{error}; there are: {', '.join(known)}",)
        raise error
