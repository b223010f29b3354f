"""Journals by their address: `postgresql://…`, else the path of an SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stocktwin.domain.errors import UsageError

if TYPE_CHECKING:
    from stocktwin.ledger.journal.protocol import Journal


def is_shared(address: str) -> bool:
    """Whether several machines may reach the journal at an address.

    >>> is_shared("postgresql://db/shop"), is_shared("journal.sqlite")
    (True, False)
    """
    return address.startswith(("postgresql://", "postgres://"))


def check_address(address: str) -> None:
    """UsageError says what is wrong about an address."""
    if is_shared(address):
        from stocktwin.ledger.journal.pgconnect import Place

        Place.parse(address)
    elif "://" in address or not address.strip():
        raise UsageError(f"a journal is postgresql://… or a file, not {address!r}")


def open_journal(address: str, root: Path, holder: str = "") -> Journal:
    """Opens the journal at an address, relative paths from `root`; made when absent.

    `holder` is what others are told who wait for a shared journal.
    """
    check_address(address)
    if is_shared(address):
        from stocktwin.ledger.journal.postgres import PostgresJournal

        return PostgresJournal(address, holder)
    from stocktwin.ledger.journal.restoring import finish
    from stocktwin.ledger.journal.sqlite import SqliteJournal

    finish(root / address)
    return SqliteJournal(root / address)
