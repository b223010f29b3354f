"""Copies of a journal: batch by batch, each checked on its way, while others read and write the journal.

A journal only grows, so everything up to the head at the start is a consistent copy, and a copy can be continued.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stocktwin.domain.errors import EnvironmentFault, JournalDamaged, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.ledger.journal.head import Head, head_of
from stocktwin.ledger.journal.protocol import GENESIS, Batch, check_follows, digest
from stocktwin.ledger.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    from stocktwin.ledger.journal.protocol import Journal

GROUP_BATCHES: Final = 256
GROUP_BYTES: Final = 32 << 20
"""What shares one commit of a copy, and is held in memory, at most."""
PART: Final = ".part"

Sealed = tuple[Batch, "bytes | None"]


@dataclass(frozen=True)
class Survey:
    """What a journal holds, every header and blob looked at."""

    head: Head
    """Its last batch, as far as it can be read."""
    sound: Head
    """The last batch up to which all of it holds together."""
    problem: str = ""
    """What is wrong with the next one; empty: nothing."""


def survey(journal: Journal, progress: Progress = silent) -> Survey:
    """Checks the whole chain and every blob."""
    sound, last = Head(0, GENESIS), _readable_head(journal)
    try:
        for batch, _ in checked(journal, None, last.seq if last else sys.maxsize):
            sound = head_of(batch)
            progress(batch.seq, last.seq if last else 0, "checking the journal")
    except JournalDamaged as error:
        return Survey(last or sound, sound, str(error.args[0]))
    return Survey(sound, sound)


def _readable_head(journal: Journal) -> Head | None:
    try:
        return head_of(journal.head())
    except JournalDamaged:
        return None


def checked(journal: Journal, previous: Batch | None, until: int) -> Iterator[Sealed]:
    """Batches after `previous` with their blobs; `JournalDamaged` names the first that does not hold together.

    Asked for one by one, so that a damaged one does not hide the sound ones before it.
    """
    for seq in range(previous.seq + 1 if previous else 1, until + 1):
        batch = journal.batch(seq)
        if batch is None:
            raise JournalDamaged(f"batch {seq} is missing")
        check_follows(previous, batch)
        yield batch, sound_blob(journal, batch)
        previous = batch


def sound_blob(journal: Journal, batch: Batch) -> bytes | None:
    """The blob that a batch was sealed with; None where it has none of its own."""
    data = journal.blob(batch.seq)
    if batch.header.same_as:
        return None
    if data is None or digest(data) != batch.header.blob:
        told = "missing" if data is None else "not the one it was sealed with"
        raise JournalDamaged(f"batch {batch.seq}: its blob is {told}")
    return data


def copy(source: Journal, target: Journal, progress: Progress = silent, until: int | None = None) -> int:
    """Gives `target` the batches of `source` that it lacks, up to the head of this moment or `until`; how many.

    UsageError when the target holds something else; JournalDamaged names a batch that does not hold together: what lay
    before it has been copied then.
    """
    previous = target.head()
    check_same_history(source, head_of(previous))
    head = head_of(source.head()).seq if until is None else until
    first, group, size = (previous.seq if previous else 0), list[Sealed](), 0
    try:
        for batch, data in checked(source, previous, max(head, first)):
            group.append((batch, data))
            size += len(data or b"")
            if len(group) == GROUP_BATCHES or size > GROUP_BYTES:
                target.adopt(group)
                group, size = [], 0
                progress(batch.seq - first, head - first, "copying the journal")
    finally:
        if group:
            target.adopt(group)
    return max(head - first, 0)


def check_same_history(source: Journal, head: Head) -> None:
    """UsageError when a journal does not hold the batch that another one ends with."""
    if head.seq:
        there = source.batch(head.seq)
        if there is None or there.hash != head.hash:
            raise UsageError(f"the copy holds another journal, or more than this one: it ends with batch {head}")


def back_up(journal: Journal, file: Path, progress: Progress = silent) -> Head:
    """Makes `file` a copy of the journal as it is now, one SQLite file that stands alone; an earlier one is continued.

    A new file appears when it is complete.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder; name a file")
    whole = file if file.exists() else file.with_name(file.name + PART)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if whole != file:
            discard(whole)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {file}: {error.strerror}") from None
    target = SqliteJournal(whole)
    try:
        copy(journal, target, progress)
        head = head_of(target.head())
    except BaseException:
        target.close_as_one_file()
        if whole != file:
            discard(whole)
        raise
    target.close_as_one_file()
    whole.replace(file)
    sync_folder(file.parent)
    return head


def discard(file: Path) -> None:
    """Removes an SQLite file and what lies beside it."""
    for suffix in ("", "-wal", "-shm", "-head"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
