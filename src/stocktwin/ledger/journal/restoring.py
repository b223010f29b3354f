"""Putting a backup in the place of a journal: checked first, built beside, then renamed. Never a half state.

What the present journal holds beyond the backup is kept as far as it continues it soundly, so a backup of last night
mends a batch that went bad last month and loses nothing of today.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stocktwin.domain.errors import JournalDamaged, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.ledger.journal.copying import PART, Survey, copy, discard, sound_blob, survey, sync_folder
from stocktwin.ledger.journal.head import Head, HeadMark, head_of
from stocktwin.ledger.journal.protocol import GENESIS
from stocktwin.ledger.journal.sqlite import SqliteJournal

if TYPE_CHECKING:
    from stocktwin.ledger.journal.protocol import Batch, Journal

RESTORED: Final = ".restored"
"""A journal that is complete and only waits to be renamed: from its appearing on the old one is history."""
REPLACED: Final = ".replaced-"
BESIDE: Final = ("-wal", "-shm", "-head", "")
"""What belongs to an SQLite journal; the file itself last."""


@dataclass(frozen=True)
class Plan:
    """What a restore finds in a backup and in the present journal."""

    backup: Survey
    present: Survey
    noted: int
    """Number of the last batch that the present journal is known to have acknowledged."""
    agree: bool
    """Whether as much of both as is sound is the same."""


def plan(backup: Journal, present: Journal | None, noted: int, progress: Progress = silent) -> Plan:
    """Looks at both journals, at every header and blob."""
    ours = survey(backup, progress)
    theirs = survey(present, progress) if present is not None else Survey(Head(0, GENESIS), Head(0, GENESIS))
    common, agree = min(ours.sound.seq, theirs.sound.seq), True
    if present is not None and common:
        agree = head_of(backup.batch(common)) == head_of(present.batch(common))
    return Plan(ours, theirs, max(noted, theirs.head.seq), agree)


def check_backup(found: Plan) -> None:
    """Refuses a backup that is damaged, or of another journal than the present one."""
    if found.backup.problem:
        sound = found.backup.sound.seq
        rest = f"--force takes the {sound} batches before it" if sound else "nothing before it can be taken"
        raise UsageError(f"the backup is damaged: {found.backup.problem} ({rest})")
    if not found.agree:
        raise UsageError(
            "the backup is of another journal than the one that is here (--force replaces it all the same)"
        )


def check_kept(found: Plan, kept: int) -> None:
    """Refuses a result that ends before the present journal does."""
    if kept < found.noted:
        raise UsageError(
            f"the backup and what soundly continues it end at batch {kept}, the journal that is here at batch "
            f"{found.noted} (--force gives up what follows)"
        )


def rebuild(
    backup: Journal, present: Journal | None, target: Journal, found: Plan, progress: Progress = silent
) -> Head:
    """Fills an empty journal with the backup, then with what the present journal holds beyond it; its head."""
    copy(backup, target, progress, until=found.backup.sound.seq)
    if present is not None and found.agree:
        _continue(present, target)
    return head_of(target.head())


def _continue(present: Journal, target: Journal) -> None:
    """Takes over batches one by one as long as they are sound."""
    try:
        while (batch := _next(present, target.head())) is not None:
            target.adopt([(batch, sound_blob(present, batch))])
    except JournalDamaged:
        return


def _next(present: Journal, head: Batch | None) -> Batch | None:
    return present.batch(head.seq + 1 if head else 1)


# ---- one SQLite file in the place of another


def noted_head(path: Path) -> int:
    """The last batch that the journal in a file acknowledged, by the note beside it; 0: none is known."""
    noted = HeadMark(path).read()
    return noted.seq if noted else 0


def building(path: Path) -> SqliteJournal:
    """An empty journal beside the one at `path`."""
    part = path.with_name(path.name + RESTORED + PART)
    discard(part)
    return SqliteJournal(part)


def commit(built: SqliteJournal, path: Path) -> None:
    """Declares what was built the journal at `path`. From here on `finish` completes it, whatever happens."""
    built.close_as_one_file()
    built.path.replace(path.with_name(path.name + RESTORED))
    sync_folder(path.parent)


def finish(path: Path) -> Path | None:
    """Puts a restored journal in its place and the old one aside; where the old one lies now. Interrupted, it is
    completed when the twin is opened next."""
    new = path.with_name(path.name + RESTORED)
    if not new.exists():
        return None
    aside = path.with_name(f"{path.name}{REPLACED}{new.stat().st_mtime_ns}")
    for suffix in BESIDE:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(aside.with_name(aside.name + suffix))
    new.replace(path)
    sync_folder(path.parent)
    return aside if aside.exists() else None
