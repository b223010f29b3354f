"""What the two clocks answer: the history of an account, late facts, stock as of T and as known at D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.settings import Settings

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger


class PastQuestions:
    """Questions about the past; a part of `LedgerQuestions`. Moments are ISO 8601 texts, as a user types them."""

    settings: Settings
    ledger: Ledger

    def history(
        self,
        item: str,
        location: str | None = None,
        lot: str | None = None,
        condition: str | None = None,
        owner: str | None = None,
        book: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        **times: str | None,
    ) -> dict[str, Any]:
        """Every fact of an account with its source and the balance after it, newest first; `since`, `at`, and
        `known_at` or `learned_by`."""
        from stocktwin.app.answers.past import history
        from stocktwin.ledger.account_query import Account

        account = Account(item, location, lot, condition, owner, book)
        return history(self.ledger, self.settings.timezone, account, times, limit=limit, after=after)

    def late(
        self,
        since: str | None = None,
        hours: float | None = None,
        item: str | None = None,
        location: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Facts that came late, what each changed, and the decisions taken meanwhile."""
        from stocktwin.app.answers.late import late

        return late(self.ledger, self.settings.timezone, since=since, hours=hours, item=item, location=location,
                    limit=limit, after=after)  # fmt: skip

    def then(
        self,
        search: str | None = None,
        changed: bool = False,
        limit: int | None = None,
        after: str | None = None,
        **asked: str | None,
    ) -> dict[str, Any]:
        """Stock as of `at`, as known at `known_at` or `learned_by`, beside what is known now; `item`, `location`."""
        from stocktwin.app.answers.past import then

        return then(self.ledger, self.settings.timezone, asked, search=search, changed=changed, limit=limit,
                    after=after)  # fmt: skip

    def curve(self, item: str, location: str | None = None, **times: str | None) -> dict[str, Any]:
        """On hand of an item over time: as it was known then, and as it is known now."""
        from stocktwin.app.answers.past import curve

        return curve(self.ledger, self.settings.timezone, {"item": item, "location": location, **times})

    def reservations(
        self,
        item: str | None = None,
        location: str | None = None,
        at: str | None = None,
        known_at: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Order lines that reserve stock, in the order in which they are served."""
        from stocktwin.app.answers.reserved import reservations

        return reservations(self.ledger, self.settings.timezone, item=item, location=location, at=at,
                            known_at=known_at, state=state, limit=limit, after=after)  # fmt: skip

    def available(
        self,
        item: str | None = None,
        location: str | None = None,
        at: str | None = None,
        known_at: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """On hand, reserved and available per item-location."""
        from stocktwin.app.answers.reserved import available

        return available(self.ledger, self.settings.timezone, item=item, location=location, at=at, known_at=known_at,
                         limit=limit, after=after)  # fmt: skip

    def span(self) -> dict[str, Any]:
        """From when to when anything happened, and was learned."""
        from stocktwin.app.answers.past import span

        return span(self.ledger)
