"""What the ledger says: status, stock, quarantine, laws, decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso, plain, plain_answer
from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.ledger.learned import balances_learned

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.app.settings import Settings
    from stocktwin.ledger.ledger import Ledger


def status(ledger: Ledger, settings: Settings) -> dict[str, Any]:
    """Delivered = accepted + duplicates + quarantined, in all and per source; the twin's clock and state hash."""
    raw = dict(ledger.status())
    sources = [
        {
            **{key: source[key] for key in ("system", "delivered", "accepted", "duplicates", "quarantined")},
            "last_event_time": iso(source["last_event_time"]),
            "lag_seconds": None if source["lag_us"] is None else source["lag_us"] / 1e6,
        }
        for source in raw.pop("sources")
    ]
    as_of = iso(raw.pop("as_of"))
    return plain_answer(
        {
            "name": settings.name,
            "currency": settings.currency,
            "timezone": settings.timezone,
            **raw,
            "as_of": as_of,
            "record": whose_record(settings, [source["system"] for source in sources if source["last_event_time"]]),
            "sources": sources,
        }
    )


def whose_record(settings: Settings, systems: list[str]) -> str | None:
    """Whose word the record is, in words; None where nobody has said anything yet."""
    default = settings.authority.get("default") or (systems[0] if systems else None)
    kinds: dict[str, list[str]] = {}
    for kind, system in settings.authority.items():
        if kind != "default" and system != default:
            kinds.setdefault(system, []).append(kind.replace("_", " "))
    others = [f"{system} for {', '.join(sorted(named))}" for system, named in sorted(kinds.items())]
    return "; ".join([f"record of {default}", *others]) if default else None


def stock(
    ledger: Ledger,
    timezone: str,
    *,
    item: str | None,
    location: str | None,
    at: str | None,
    known_at: str | None,
    book: str | None,
    limit: int | None,
    after: str | None,
    learned_by: str | None = None,
) -> dict[str, Any]:
    """On hand (unrestricted, unexpired) per item, location and lot; null with a `net_change` where the opening is
    unknown."""
    from stocktwin.ledger.lots.expiry import expire

    at_us = moment(at, timezone, "at")
    known_us = moment(known_at, timezone, "known_at")
    learned_us = moment(learned_by, timezone, "learned_by")
    asked: dict[str, Any] = {"item_id": item, "location_id": location, "book": book, "stocking_only": location is None}
    if learned_us is None:
        table = ledger.balances(at=at_us, known_at=known_us, **asked)
    elif known_us is None:
        table = balances_learned(ledger, learned_us, at=at_us, **asked)
    else:
        raise UsageError("known_at and learned_by: give one of them")
    table = expire(ledger, table, at_us, known_us)
    rows = [row for row in _unrestricted(table) if row["quantity"] or row["lot"] is None]
    shown, following = page(rows, _account, name="stock", limit=limit, after=after)
    return {
        "rows": [_stock_row(row) for row in shown],
        "total": len(rows),
        "next": following,
        "at": iso(at_us),
        "known_at": iso(known_us),
        "learned_by": iso(learned_us),
        "book": book or "record",
    }


def moment(text: str | None, timezone: str, parameter: str, end_of_day: bool = True) -> int | None:
    """An instant a user typed; a bare date means the end of that day, or its beginning. UsageError names parameter and
    value."""
    if text is None:
        return None
    try:
        return parse_instant(text, timezone, end_of_day=end_of_day)
    except ValueError as error:
        raise UsageError(f"{parameter}: {error}") from None


def _unrestricted(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of unrestricted stock, owners added up, in order of item, location and lot."""
    summed: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in table.to_pylist():
        if (row["condition"] or "unrestricted") != "unrestricted":
            continue
        key = _account(row)
        if key in summed:
            summed[key]["quantity"] += row["quantity"]
        else:
            summed[key] = row
    return [summed[key] for key in sorted(summed)]


def _account(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["item_id"], row["location_id"], row["lot"] or ""


def _stock_row(row: dict[str, Any]) -> dict[str, Any]:
    quantity = exact(row["quantity"], row["scale"] or 0)
    answer = {
        "item_id": row["item_id"],
        "location_id": row["location_id"],
        "lot": row["lot"],
        "on_hand": quantity,
        "unit": row["unit"] or "each",
    }
    if not row.get("anchored", True):
        answer |= {"on_hand": None, "net_change": quantity, "anchored": False}
    return answer


def journal_head(ledger: Ledger) -> dict[str, Any]:
    """The head of the journal's chain, to be written down elsewhere: `verify` tells later whether it still holds."""
    from stocktwin.ledger.journal.head import head_of

    batch = ledger.journal.head()
    head = head_of(batch)
    recorded = iso(batch.header.record_time) if batch else None
    return {"head": str(head), "seq": head.seq, "hash": head.hash, "recorded_at": recorded}


def verify(ledger: Ledger, head: str | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Every law with its verdict, and whether the journal still holds a published `head`."""
    from stocktwin.ledger.health_query import prove
    from stocktwin.ledger.journal.head import head_of, holds, parse_head

    published = None if head is None else parse_head(head)
    laws = [{"law": law.law, "ok": law.ok, "detail": law.detail} for law in prove(ledger, progress)]
    if published is not None:
        held, detail = holds(ledger.journal, published)
        laws.append({"law": "published_head", "ok": held, "detail": detail})
    return {
        "ok": all(law["ok"] for law in laws),
        "laws": laws,
        "journal_head": str(head_of(ledger.journal.head())),
        "state_hash": ledger.state_hash,
        "conservation_residual": plain(ledger.conservation_residual),
    }


def decisions(ledger: Ledger, *, limit: int | None, after: str | None) -> dict[str, Any]:
    """The decision log, newest first."""
    log = ledger.decisions()
    shown, following = page(log, lambda entry: (-entry["seq"],), name="decisions", limit=limit, after=after)
    rows = [{**entry, "recorded_at": iso(entry["recorded_at"])} for entry in shown]
    return {"decisions": plain(rows), "total": len(log), "next": following}
