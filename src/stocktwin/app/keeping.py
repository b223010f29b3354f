"""What keeps the journal: backups, and the turn to write where several machines share it. Part of `TwinService`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.app.settings import Settings

if TYPE_CHECKING:
    from stocktwin.app.live import Changes
    from stocktwin.ledger.ledger import Ledger


class JournalKeeping:
    """The part of `TwinService` that is about the journal itself."""

    settings: Settings
    ledger: Ledger
    _changes: Changes

    @property
    def shared(self) -> bool:
        """Whether other machines may write the journal too."""
        from stocktwin.ledger.journal.stores import is_shared

        return is_shared(self.settings.journal)

    def follow(self) -> None:
        """Folds in what another machine has journalled."""
        from stocktwin.ledger.following import follow

        if follow(self.ledger):
            self._changes.announce()

    def take_over(self) -> None:
        """Makes this process the writer of a shared journal; BusyError names the one that writes it now."""
        from stocktwin.app.bootstrap import rules_of
        from stocktwin.ledger.following import settle_rules, writing

        with writing(self.ledger):
            settle_rules(self.ledger, rules_of(self.settings))
        self._changes.announce()
