"""What the ledger alone answers: the part of `TwinService` that needs no forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stocktwin.app.lot_questions import LotQuestions
from stocktwin.app.past import PastQuestions
from stocktwin.app.settings import Settings

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger


class LedgerQuestions(PastQuestions, LotQuestions):
    """Questions to the ledger. Lists are whole without `limit`; `next` of an answer is the `after` of the next page."""

    settings: Settings
    ledger: Ledger

    def status(self) -> dict[str, Any]:
        """What was delivered and what became of it, per source; the twin's clock and state hash."""
        from stocktwin.app.answers.ledger import status

        return status(self.ledger, self.settings)

    def stock(
        self,
        item: str | None = None,
        location: str | None = None,
        at: str | None = None,
        known_at: str | None = None,
        book: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        learned_by: str | None = None,
    ) -> dict[str, Any]:
        """On hand, at time `at`, as known at `known_at` (or as `learned_by`), on the record or in one system's book."""
        from stocktwin.app.answers.ledger import stock

        return stock(
            self.ledger,
            self.settings.timezone,
            item=item,
            location=location,
            at=at,
            known_at=known_at,
            book=book,
            limit=limit,
            after=after,
            learned_by=learned_by,
        )

    def journal_head(self) -> dict[str, Any]:
        """The head of the journal's chain, to be written down elsewhere."""
        from stocktwin.app.answers.ledger import journal_head

        return journal_head(self.ledger)

    def quarantine(
        self,
        source: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        discarded: bool = False,
    ) -> dict[str, Any]:
        """Rows that could not be taken, with place and reason; or those that were put aside for good."""
        from stocktwin.app.answers.quarantine import quarantine

        return quarantine(self.ledger, self.settings, source=source, discarded=discarded, limit=limit, after=after)

    def decisions(self, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        """The decision log."""
        from stocktwin.app.answers.ledger import decisions

        return decisions(self.ledger, limit=limit, after=after)

    def movements(self, item: str, location: str, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        """What happened to an item at a location, newest first, with the balance after each."""
        from stocktwin.app.answers.history import movements

        return movements(self.ledger, item, location, limit=limit, after=after)

    def observations(
        self, item: str, location: str, limit: int | None = None, after: str | None = None
    ) -> dict[str, Any]:
        """Counts and book claims of an item at a location, newest first, each beside the record then."""
        from stocktwin.app.answers.history import observations

        return observations(self.ledger, item, location, limit=limit, after=after)
