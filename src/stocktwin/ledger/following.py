"""A ledger on a journal that other processes may write too: whose turn it is, and folding in what they wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stocktwin.domain.errors import BusyError
from stocktwin.ledger.healing import healing

if TYPE_CHECKING:
    from stocktwin.domain.rules import Rules
    from stocktwin.ledger.journal.protocol import Journal
    from stocktwin.ledger.ledger import Ledger


@contextmanager
def writing(ledger: Ledger) -> Iterator[None]:
    """The time in which this process alone writes, with everything folded in that others wrote before.

    BusyError names the process that writes the journal and does not let go.
    """
    with ledger._writing:
        if ledger.journal.claim():
            follow(ledger)
        yield


@healing
def follow(ledger: Ledger) -> bool:
    """Folds in what another process has journalled, or all of a journal that was put in the place of this one; whether
    there was anything."""
    with ledger._writing:
        head, (_, own_hash, _, _) = ledger.journal.head(), ledger._projection.watermark()
        if head is None or head.hash == own_hash:
            return False
        if ledger._projection.fits(ledger.journal):
            ledger._catch_up()
        else:
            ledger._heal(ledger._projection)
        return True


def replace_journal(ledger: Ledger, swap: Callable[[], Journal]) -> None:
    """Goes on with the journal that `swap` opens in the place of the ledger's, which it closes, and brings the
    projection up to it: by what it holds beyond, or all of it where it is another."""
    with ledger._writing:
        ledger.journal = swap()
        if ledger._projection.fits(ledger.journal):
            ledger._begin()
        else:
            ledger._heal(ledger._projection)


def settle_rules(ledger: Ledger, rules: Rules) -> bool:
    """Journals the rules when they differ from those in force; whether they stand now. While another process writes
    the journal, those stand under which it does."""
    if ledger._has_rules() and ledger.rules() == rules:
        return True
    try:
        if ledger.journal.claim(0.0):
            follow(ledger)
        ledger.configure(rules)
    except BusyError:
        return False
    return True
