"""The head of the journal: the number and hash of its last batch, which stands for everything before it.

A head that was written down elsewhere shows later whether the journal was cut short or made anew: editing breaks the
chain, but only somebody who remembers where it ended can tell that its end is missing. The journal keeps one such note
itself, beside its file (`HeadMark`).
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stocktwin.domain.errors import JournalDamaged, UsageError
from stocktwin.ledger.journal.protocol import GENESIS

if TYPE_CHECKING:
    from stocktwin.ledger.journal.protocol import Batch, Journal

SUFFIX: Final = "-head"
"""What the note beside a journal's file adds to its name."""
PATTERN: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class Head(NamedTuple):
    """Number and hash of a batch, written `SEQ:HASH`."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def head_of(batch: Batch | None) -> Head:
    """The head that a batch is, `0:000…` before the first."""
    return Head(0, GENESIS) if batch is None else Head(batch.seq, batch.hash)


def parse_head(text: str) -> Head:
    """A head as `SEQ:HASH`; UsageError names what is none.

    >>> parse_head("3:" + "ab" * 32).seq
    3
    """
    found = PATTERN.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"head: expected SEQ:HASH (a number and 64 hex digits), not {text!r}")
    return Head(int(found[1]), found[2])


def holds(journal: Journal, head: Head) -> tuple[bool, str]:
    """Whether a journal whose chain is sound still holds a published head, and how one can tell."""
    last = head_of(journal.head())
    if head.seq == 0:
        return head.hash == GENESIS, "the head of an empty journal"
    if head.seq > last.seq:
        return False, f"batch {head.seq} was published; the journal ends at batch {last.seq}"
    batch = journal.batch(head.seq)
    if batch is None or batch.hash != head.hash:
        return False, f"batch {head.seq} is not the one that was published as {head.hash[:16]}"
    return True, f"batch {head.seq} is the published one; {last.seq - head.seq} followed"


class HeadMark:
    """The note beside a journal's file of the last batch that it acknowledged.

    Written after each commit, not synced: it may be older than the journal, never newer. So a journal that ends before
    it has lost batches: SQLite ends a damaged write-ahead log without a word at the first frame it cannot read.
    """

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_name(journal.name + SUFFIX)
        self._descriptor = -1

    def read(self) -> Head | None:
        """The noted head; None where there is none or it cannot be read."""
        try:
            text, _, check = self.path.read_text(encoding="ascii").strip().partition(" ")
            return parse_head(text) if int(check, 16) == zlib.crc32(text.encode()) else None
        except (OSError, ValueError, UsageError):
            return None

    def write(self, head: Head) -> None:
        """Notes a head; a disk that does not take it is the journal's trouble, not the note's."""
        text = f"{head.seq:018d}:{head.hash}"
        with suppress(OSError):
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.pwrite(self._descriptor, f"{text} {zlib.crc32(text.encode()):08x}\n".encode(), 0)

    def check(self, journal: Journal) -> None:
        """Raises `JournalDamaged` when the journal no longer holds what was noted."""
        noted = self.read()
        if noted is None:
            return
        sound, detail = holds(journal, noted)
        if not sound:
            detail = detail.replace("published", "acknowledged")
            raise JournalDamaged(f"{detail} (noted in {self.path}, to be deleted where an older journal was put back)")

    def close(self) -> None:
        """Gives the file back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
