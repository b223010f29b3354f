"""What keeps the journal: backups, and the turn to write where several machines share it. Part of `TwinService`."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.settings import Settings
from stocktwin.domain.ports import Clock, Progress, silent

if TYPE_CHECKING:
    from stocktwin.app.live import Changes
    from stocktwin.app.model import ModelCache
    from stocktwin.ledger.ledger import Ledger


class JournalKeeping:
    """The part of `TwinService` that is about the journal itself."""

    settings: Settings
    ledger: Ledger
    _changes: Changes
    _models: ModelCache
    _writing: threading.RLock
    _clock: Clock

    def backups(self) -> dict[str, Any]:
        """The backups in the twin's folder `backups`, newest first."""
        from stocktwin.app.journals import FOLDER, backups

        return backups(self.settings.root.resolve() / FOLDER)

    def backup(self, file: Path | None = None, progress: Progress = silent) -> dict[str, Any]:
        """Copies the journal into one file, by default a new one in `backups`, while facts may go on coming in. A file
        that holds an earlier backup of this journal is continued."""
        from stocktwin.app.journals import FOLDER, backup, backup_name

        return backup(
            self.ledger.journal,
            file or self.settings.root.resolve() / FOLDER / backup_name(self._clock.now()),
            progress,
        )

    def restore(self, file: Path, *, force: bool = False, progress: Progress = silent) -> dict[str, Any]:
        """Puts a backup in the place of the journal; nobody writes meanwhile, questions are answered."""
        from stocktwin.app.journals import restore
        from stocktwin.ledger.following import writing

        with self._writing, writing(self.ledger):
            answer = restore(self.settings, file, force=force, ledger=self.ledger, progress=progress)
        self._models.forget()
        self._changes.announce()
        return {**answer, "state_hash": self.ledger.state_hash}

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
