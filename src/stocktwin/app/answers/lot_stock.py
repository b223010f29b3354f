"""Stock by lot, as plain JSON values: what expires when, what has expired, which lots are short."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso, plain_answer
from stocktwin.domain.calendar import local_day
from stocktwin.domain.errors import UsageError

if TYPE_CHECKING:
    from stocktwin.app.settings import Settings
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.ledger.lots.stock import LotStock

ORDERS: Final = ("item", "expiry")
STATES: Final = ("expired", "expiring", "short", "unknown")
EXPIRING_DAYS: Final = 30


class LotList:
    """Answers questions about stock by lot; keeps the rows of the last question, so that its pages cost nothing."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings
        self._kept: tuple[Any, tuple[list[LotStock], int]] | None = None

    def answer(
        self,
        *,
        item: str | None = None,
        location: str | None = None,
        at: str | None = None,
        known_at: str | None = None,
        book: str | None = None,
        state: str | None = None,
        order: str = "item",
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Balances by lot. `state`: only those `expired`, `expiring` within 30 days, `short` (below zero), or of
        `unknown` lot; `order` by `item` or by `expiry`. NotFoundError names what is not known."""
        _known("state", state, (None, *STATES))
        _known("order", order, ORDERS)
        timezone = self._settings.timezone
        at_us, known_us = moment(at, timezone, "at"), moment(known_at, timezone, "known_at")
        stock, now = self._rows(at=at_us, known_at=known_us, item_id=item, location_id=location, book=book)
        today = local_day(now, timezone)
        told = [row for row in stock if state is None or state in states(row, today)]
        shown, following = page(told, _by_expiry if order == "expiry" else _by_item, name=f"lots by {order}",
                                limit=limit, after=after)  # fmt: skip
        return plain_answer(
            {
                "rows": [_row(row, today) for row in shown],
                "total": len(told),
                "next": following,
                "summary": _summary(stock, today),
                "at": iso(at_us),
                "as_of": iso(now),
                "known_at": iso(known_us),
                "book": book or "record",
                "issue_rule": self._ledger.rules(known_us).issue,
            }
        )

    def _rows(self, **asked: Any) -> tuple[list[LotStock], int]:
        from stocktwin.ledger.lots.stock import lot_stock

        key = (self._ledger.head, *asked.items())
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, lot_stock(self._ledger, **asked))
        return self._kept[1]


def _known(parameter: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{parameter}: one of {', '.join(filter(None, allowed))}, not {value!r}")


def states(row: LotStock, today: date) -> set[str]:
    """What is to be said of a balance: some of `STATES`."""
    found = set()
    if row.condition == "expired":
        found.add("expired")
    elif row.expiry is not None and 0 < (row.expiry - today).days <= EXPIRING_DAYS:
        found.add("expiring")
    if row.quantity < 0:
        found.add("short")
    if row.lot is None:
        found.add("unknown")
    return found


def _by_item(row: LotStock) -> tuple[Any, ...]:
    return (
        row.item_id,
        row.location_id,
        row.lot is None,
        row.lot or "",
        row.condition,
        row.posted_condition,
        row.owner or "",
    )


def _by_expiry(row: LotStock) -> tuple[Any, ...]:
    return row.expiry is None, row.expiry.isoformat() if row.expiry else "", *_by_item(row)


def _row(row: LotStock, today: date) -> dict[str, Any]:
    return {
        "item_id": row.item_id,
        "location_id": row.location_id,
        "lot": row.lot,
        "condition": row.condition,
        "owner": row.owner,
        "quantity": exact(row.quantity, row.scale),
        "unit": row.unit,
        "expiry": row.expiry,
        "days_left": None if row.expiry is None else (row.expiry - today).days,
        "contradicted": row.contradicted,
        "inferred": row.inferred,
    }


def _summary(stock: list[LotStock], today: date) -> dict[str, int]:
    """How many balances there are, and of which state; `lots` counts lots that stand somewhere."""
    told = [states(row, today) for row in stock]
    counted = {state: sum(state in one for one in told) for state in STATES}
    standing = {(row.item_id, row.lot) for row in stock if row.lot is not None and row.quantity > 0}
    return {"balances": len(stock), "lots": len(standing), **counted}
