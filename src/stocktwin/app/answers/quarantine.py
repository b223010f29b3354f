"""Rows that could not be taken: which, where they came from and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import iso, plain
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.errors import NotFoundError

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger


def quarantine(
    ledger: Ledger, settings: Settings, *, source: str | None, limit: int | None, after: str | None
) -> dict[str, Any]:
    """Quarantined rows, oldest first, each with its place and reason; `source` is a source or the system it speaks for.
    NotFoundError names an unknown one and those there are."""
    rows = ledger.quarantine().to_pylist()
    if source is not None:
        check_source(ledger, settings, source)
        rows = [row for row in rows if source in (row["source"], row["system"])]
    shown, following = page(rows, lambda row: (row["quarantine_id"],), name="quarantine", limit=limit, after=after)
    found = [{**row, "recorded_at": iso(row["recorded_at"])} for row in shown]
    return {"rows": plain(found), "total": len(rows), "next": following}


def check_source(ledger: Ledger, settings: Settings, name: str) -> None:
    """NotFoundError naming the sources there are, when `name` is none of them."""
    systems = (one["system"] for one in ledger.status()["sources"])
    known = sorted({DEFAULT_SOURCE, *settings.sources, *systems})
    if name not in known:
        error = NotFoundError("source", name)
        error.args = (f"{error}; there are: {', '.join(known)}",)
        raise error
