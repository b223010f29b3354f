"""Copies, backups and restores of a twin's journal. A backup is one SQLite file, whatever the journal lies in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stocktwin.app.answers.values import iso
from stocktwin.app.bootstrap import own
from stocktwin.app.owner import LOCK_FILE, Ownership
from stocktwin.app.settings import FILE, Settings, read_settings
from stocktwin.domain.calendar import format_instant
from stocktwin.domain.errors import StocktwinError, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.ledger.journal.copying import back_up, copy, discard, survey
from stocktwin.ledger.journal.head import head_of
from stocktwin.ledger.journal.restoring import Plan, check_backup, check_kept, plan, rebuild
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.journal.stores import is_shared, open_journal

if TYPE_CHECKING:
    from stocktwin.ledger.journal.postgres import PostgresJournal
    from stocktwin.ledger.journal.protocol import Journal
    from stocktwin.ledger.ledger import Ledger

FOLDER = "backups"
SUFFIX = ".sqlite"


def backup_name(now: int) -> str:
    """The name of a backup made at an instant (µs).

    >>> backup_name(0)
    'journal-19700101T000000Z.sqlite'
    """
    told = format_instant(now // 1_000_000 * 1_000_000).replace("-", "").replace(":", "")
    return f"journal-{told}{SUFFIX}"


def backup(journal: Journal, file: Path, progress: Progress = silent) -> dict[str, Any]:
    """Makes or continues a backup; what it holds."""
    back_up(journal, file, progress)
    return described(file)


def backups(folder: Path) -> dict[str, Any]:
    """The backups in a folder, newest first."""
    files = sorted(folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return {"folder": str(folder), "backups": [described(file) for file in files], "total": len(files)}


def described(file: Path) -> dict[str, Any]:
    """Size, time and head of a backup; `problem` where it cannot be read."""
    state = file.stat()
    made = format_instant(state.st_mtime_ns // 1_000_000 * 1_000)
    answer = {"file": str(file), "bytes": state.st_size, "made_at": made}
    try:
        with closing(SqliteJournal(file, reading=True)) as journal:
            last = journal.head()
    except StocktwinError as error:
        return {**answer, "batches": None, "head": None, "recorded_at": None, "problem": str(error)}
    recorded = iso(last.header.record_time) if last else None
    head = head_of(last)
    return {**answer, "batches": head.seq, "head": str(head), "recorded_at": recorded, "problem": None}


# ---- copies from anywhere to anywhere


def copy_journal(source: str, target: str, cwd: Path, progress: Progress = silent) -> dict[str, Any]:
    """Copies a journal to a place that holds nothing, or a beginning of it. Places are files, twins' folders or
    `postgresql://…`, relative to `cwd`."""
    source, target = _address(source, cwd), _address(target, cwd)
    if source == target:
        raise UsageError(f"{source}: the journal and its copy are the same")
    with _reading(source) as origin, _unowned(target):
        if is_shared(target):
            with closing(open_journal(target, cwd, "stocktwin journal copy")) as there:
                copied = copy(origin, there, progress)
                head = head_of(there.head())
        else:
            before = _head_in(Path(target))
            head = back_up(origin, Path(target), progress)
            copied = head.seq - before
    return {"source": source, "target": target, "copied": copied, "batches": head.seq, "head": str(head)}


def _address(given: str, cwd: Path) -> str:
    """A URL as it is; a path whole, of a twin's folder that of its journal."""
    if is_shared(given):
        return given
    path = (cwd / given).resolve()
    return read_settings(path).journal_address if (path / FILE).exists() else str(path)


@contextmanager
def _reading(address: str) -> Iterator[Journal]:
    """A journal to be read, while others may write it."""
    if not is_shared(address) and not Path(address).is_file():
        raise UsageError(f"no journal in {address}")
    journal = open_journal(address, Path()) if is_shared(address) else SqliteJournal(Path(address), reading=True)
    with closing(journal):
        yield journal


@contextmanager
def _unowned(address: str) -> Iterator[None]:
    """Keeps the twin whose journal a file is, if it is one, from being used meanwhile; BusyError when it is in use."""
    folder = Path(address).parent
    if is_shared(address) or not (folder / LOCK_FILE).exists():
        yield
        return
    with Ownership.acquire(folder, "journal copy", patience=0):
        yield


def _head_in(file: Path) -> int:
    if not file.exists():
        return 0
    with closing(SqliteJournal(file, reading=True)) as journal:
        return head_of(journal.head()).seq


# ---- restore


def restore(
    settings: Settings, file: Path, *, force: bool = False, ledger: Ledger | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Puts a backup in the place of a twin's journal, and of that of its open `ledger`, if there is one.

    Nothing is changed until all of it has been checked and built. What would lose or replace anything sound is a
    UsageError unless forced. The caller sees to it that nobody writes meanwhile.
    """
    if not file.is_file():
        raise UsageError(f"no backup in {file}")
    with closing(SqliteJournal(file, reading=True)) as saved:
        act = _restore_shared if is_shared(settings.journal) else _restore_file
        return {"file": str(file), **act(settings, saved, force, ledger, progress)}


def restore_closed(root: Path, file: Path, *, force: bool = False, progress: Progress = silent) -> dict[str, Any]:
    """`restore` for a twin that nobody has open, as it must be where its journal is too damaged to be opened."""
    settings, ownership = own(root, "journal restore")
    with ownership:
        return restore(settings, file, force=force, progress=progress)


def _install(ledger: Ledger | None, swap: Callable[[], Journal]) -> None:
    from stocktwin.ledger.following import replace_journal

    if ledger is None:
        swap().close()
    else:
        replace_journal(ledger, swap)


def _restore_file(
    settings: Settings, saved: Journal, force: bool, ledger: Ledger | None, progress: Progress
) -> dict[str, Any]:
    from stocktwin.ledger.journal import restoring

    path, aside = Path(settings.journal_address), list[Path | None]()
    restoring.finish(path)
    built = restoring.building(path)
    try:
        with closing(SqliteJournal(path, reading=True)) if path.exists() else nullcontext() as present:
            found = _planned(saved, present, restoring.noted_head(path), force, progress)
            kept = _built(saved, present, built, found, force, progress)
        restoring.commit(built, path)
    except BaseException:
        built.close()
        discard(built.path)
        raise

    def swap() -> Journal:
        if ledger is not None:
            ledger.journal.close()
        aside.append(restoring.finish(path))
        return open_journal(settings.journal, settings.root)

    _install(ledger, swap)
    return _told(found, kept, str(aside[0]) if aside[0] else None)


def _restore_shared(
    settings: Settings, saved: Journal, force: bool, ledger: Ledger | None, progress: Progress
) -> dict[str, Any]:
    from stocktwin.ledger.journal import restoring_pg

    opened = ledger.journal if ledger else open_journal(settings.journal, settings.root, "stocktwin journal restore")
    present, aside = cast("PostgresJournal", opened), list[str]()
    present.claim()
    built = restoring_pg.building(present.place)
    try:
        found = _planned(saved, present, 0, force, progress)
        kept = _built(saved, present, built, found, force, progress)
    except BaseException:
        restoring_pg.abandon(built)
        if ledger is None:
            present.close()
        raise

    def swap() -> Journal:
        aside.append(restoring_pg.commit(present, built))
        return open_journal(settings.journal, settings.root, present.holder)

    _install(ledger, swap)
    return _told(found, kept, f"schema {aside[0]}")


def _planned(saved: Journal, present: Journal | None, noted: int, force: bool, progress: Progress) -> Plan:
    found = plan(saved, present, noted, progress)
    if not force:
        check_backup(found)
    return found


def _built(
    saved: Journal, present: Journal | None, target: Journal, found: Plan, force: bool, progress: Progress
) -> str:
    head = rebuild(saved, present, target, found, progress)
    if not force:
        check_kept(found, head.seq)
    return str(head)


def _told(found: Plan, head: str, replaced: str | None) -> dict[str, Any]:
    batches = int(head.partition(":")[0])
    return {
        "head": head,
        "batches": batches,
        "from_backup": found.backup.sound.seq,
        "continued": batches - found.backup.sound.seq,
        "given_up": max(found.noted - batches, 0),
        "present_problem": found.present.problem or None,
        "replaced": replaced,
    }


def check_journal(address: str, cwd: Path, progress: Progress = silent) -> dict[str, Any]:
    """Every header and blob of a journal or backup looked at."""
    with _reading(_address(address, cwd)) as journal:
        found = survey(journal, progress)
    told = {"batches": found.sound.seq, "head": str(found.sound), "problem": found.problem or None}
    return {"ok": not found.problem, **told}
