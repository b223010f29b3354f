"""A server on a journal that other machines write too: it follows the writer, and takes over once that one is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from stocktwin.domain.errors import BusyError, StocktwinError

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService
    from stocktwin.ledger.journal.postgres import PostgresJournal

POLL_SECONDS = 0.5
"""How often it looks for new batches, and whether it is its turn to write."""


class Standby:
    """Follows a shared journal, answering questions all the while; `taken_over` is called once this process writes.

    A writer that loses its lease (a network that was cut) is a follower again until it gets it back.
    """

    def __init__(self, twin: TwinService, taken_over: Callable[[], None], report: Callable[[str], None]) -> None:
        self._twin, self._taken_over, self._report = twin, taken_over, report
        self._writes: bool | str | None = ""
        self._begun = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stocktwin-standby", daemon=True)

    def start(self) -> None:
        """Takes the lease if it is free, and begins to follow."""
        self.step()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.step()

    def step(self) -> None:
        """Looks once. A server that cannot be reached is reported once, and tried again."""
        journal = cast("PostgresJournal", self._twin.ledger.journal)  # after a restore it is another one
        journal.patience = 0.0  # a caller is told at once who writes, instead of waiting for it to die
        try:
            self._twin.follow()
            if not journal.holds_lease():
                self._twin.take_over()
            self._say(True, "this process writes the journal")
            if not self._begun:
                self._begun = True
                self._taken_over()
        except BusyError as error:
            self._say(False, f"standing by: {error}")
        except StocktwinError as error:
            self._say(None, f"standing by: {error}")

    def _say(self, writes: bool | None, text: str) -> None:
        """Reports a change of state: writer, follower, or (None) out of reach."""
        if writes is not self._writes:
            self._report(text)
            self._writes = writes
