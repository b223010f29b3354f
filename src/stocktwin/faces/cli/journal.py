"""`stocktwin journal …`: the only thing of a twin that must survive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from stocktwin.domain.errors import CheckFailed
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)


@click.group()
def journal() -> None:
    """The journal, the only thing of a twin that must survive."""


@journal.command()
@session
def head(run: Session) -> None:
    """The number and hash of its last batch: written down elsewhere, it shows later whether the journal was cut short
    or replaced (`verify --head`)."""
    run.show(run.twin.journal_head(), render_head)


def render_head(answer: Mapping[str, Any]) -> str:
    """The head in one line, its time in another."""
    told = f"recorded at {answer['recorded_at']}" if answer["seq"] else "the journal is empty"
    return f"{answer['head']}\n{told}"


@journal.command()
@click.argument("file", required=False)
@session
def backup(run: Session, file: str | None) -> None:
    """Copy the journal into one FILE that stands alone (default: a new one in the twin's folder backups), while facts
    may go on coming in. Every batch is checked on its way; a FILE that holds an earlier backup is continued."""
    path = None if file is None else run.path(file)
    run.show(run.twin.backup(path, progress=run.progress()), render_backup)


@journal.command()
@session
def backups(run: Session) -> None:
    """The backups in the twin's folder backups, newest first."""
    run.show(run.twin.backups(), render_backups)


@journal.command()
@click.argument("file")
@click.option("--force", is_flag=True, help="Also where that gives up sound batches, or takes only a part of FILE.")
@session
def restore(run: Session, file: str, force: bool) -> None:
    """Put the backup in FILE in the place of the journal. All of it is checked first; what the present journal soundly
    holds beyond it is kept; the present journal is put aside, not deleted."""
    if run.service is not None:
        answer = run.service.restore(run.path(file), force=force, progress=run.progress())
    else:
        from stocktwin.app.journals import restore_closed

        closed = restore_closed(run.root, run.path(file), force=force, progress=run.progress())
        answer = {**closed, "state_hash": run.twin.status()["state_hash"]}
    run.show(answer, render_restore)


@journal.command()
@click.argument("source")
@click.argument("target")
@session
def copy(run: Session, source: str, target: str) -> None:
    """Copy a journal from SOURCE to TARGET: each a file, a twin's folder or postgresql://…. TARGET is empty or holds a
    beginning of SOURCE, and is continued."""
    from stocktwin.app.journals import copy_journal

    run.show(copy_journal(source, target, run.cwd, run.progress()), render_copy)


@journal.command()
@click.argument("place", required=False)
@session
def check(run: Session, place: str | None) -> None:
    """Look at every header and blob of a journal or backup (default: the twin's own journal); exit 1 if one is bad."""
    from stocktwin.app.journals import check_journal

    answer = check_journal(place or str(run.root.resolve()), run.cwd, run.progress())
    run.show(answer, render_check)
    if not answer["ok"]:
        raise CheckFailed(answer["problem"])


def render_backup(answer: Mapping[str, Any]) -> str:
    """What a backup holds."""
    return f"{answer['file']}: {_told(answer)}"


def render_backups(answer: Mapping[str, Any]) -> str:
    """One line per backup."""
    return "\n".join(render_backup(one) for one in answer["backups"]) or f"no backups in {answer['folder']}"


def _told(answer: Mapping[str, Any]) -> str:
    if answer["problem"]:
        return f"cannot be read: {answer['problem']}"
    told = f"{answer['batches']:,} batches, {answer['bytes']:,} bytes, made at {answer['made_at']}"
    return f"{told}\n  head {answer['head']}"


def render_restore(answer: Mapping[str, Any]) -> str:
    """What the journal is now, and what became of the one before."""
    lines = [f"restored {answer['batches']:,} batches: {answer['from_backup']:,} from {answer['file']}"]
    if answer["continued"]:
        lines[0] += f", {answer['continued']:,} that follow from the journal that was here"
    if answer["given_up"]:
        lines.append(f"given up: {answer['given_up']:,} batches after them")
    if answer["present_problem"]:
        lines.append(f"mended: {answer['present_problem']}")
    if answer["replaced"]:
        lines.append(f"the journal that was here is kept as {answer['replaced']}")
    return "\n".join([*lines, f"head {answer['head']}", f"state hash {answer['state_hash']}"])


def render_copy(answer: Mapping[str, Any]) -> str:
    """What was copied."""
    return (
        f"copied {answer['copied']:,} batches to {answer['target']}: {answer['batches']:,} now\nhead {answer['head']}"
    )


def render_check(answer: Mapping[str, Any]) -> str:
    """The verdict."""
    told = f"{answer['batches']:,} batches hold together, head {answer['head']}"
    return f"{told}\nthen: {answer['problem']}" if answer["problem"] else told
