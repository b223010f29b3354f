"""Reference worlds: made, lived on, copied. The only place besides scoring and playing that knows `stocktwin.world`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.bootstrap import FOLDERS
from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent

if TYPE_CHECKING:
    from stocktwin.world.build import Built


def build_world(
    folder: Path,
    profile: str,
    days: int,
    seed: int,
    progress: Progress = silent,
    *,
    rates: Path | None = None,
    events: Path | None = None,
    processes: int | None = None,
    postgres: bool = False,
    balances_every: int | None = None,
) -> dict[str, Any]:
    """Writes a world into an empty folder, with `postgres` also a dump of its ERP; UsageError when something is already
    there or rates or events make no sense. `events_ahead` of the answer lists the scripted events that begin after the
    last day: they act when the world lives on."""
    from stocktwin.world.build import build, check_free
    from stocktwin.world.feeds import write_dump

    check_free(folder)
    files: dict[str, Any] = {name: path for name, path in (("rates", rates), ("events", events)) if path is not None}
    files |= {} if balances_every is None else {"balances_every": balances_every}
    built = build(folder, profile=profile, days=days, seed=seed, processes=processes, progress=progress, **files)
    if postgres:
        write_dump(folder)
    _complete(folder)
    told = {"rows": dict(built.rows), "events_ahead": _ahead(built)}
    return {"world": str(folder), "profile": profile, "days": days, "seed": seed, **told}


def step_world(
    folder: Path, days: int, decisions: Path | None, progress: Progress = silent, *, processes: int | None = None
) -> dict[str, Any]:
    """Lets a world live on, with decisions from a file or folder; NotFoundError where there is no world. `decisions` of
    the answer counts what became of them; its `exceptions` name file, row and reason of what was not wholly done."""
    from stocktwin.world.advance import advance

    built = advance(folder, days=days, decisions=decisions, processes=processes, progress=progress)
    fates = [one.status for one in built.outcomes]
    counts = {name: fates.count(name) for name in ("done", "partly", "refused")}
    exceptions = [asdict(one) for one in built.outcomes if one.reason]
    decided = {**counts, "later": built.later, "exceptions": exceptions}
    told = {"rows": dict(built.rows), "events_ahead": _ahead(built)}
    return {"world": str(folder), "days": days, **told, "decisions": decided}


def fork_world(folder: Path, copy: Path, at: str | None, progress: Progress = silent) -> dict[str, Any]:
    """Makes a copy of a world, back at the evening of a day where `at` (ISO 8601) names one."""
    from stocktwin.world.advance import fork

    try:
        day = None if at is None else date.fromisoformat(at)
    except ValueError:
        raise UsageError(f"--at: not a date: {at!r}") from None
    built = fork(folder, copy, at=day, progress=progress)
    _complete(copy)
    told = {"rows": dict(built.rows), "events_ahead": _ahead(built)}
    return {"world": str(copy), "from": str(folder), "at": at, **told}


def _ahead(built: Built) -> list[dict[str, Any]]:
    """Scripted events that the world has not come to, with what their file says of them."""
    from stocktwin.world.clock import date_of

    words = ("location", "origin", "destination", "mode", "item", "category", "region")
    return [
        {"kind": one.kind, "start_date": date_of(one.start).isoformat()}
        | {word: getattr(one, word) for word in words if getattr(one, word) is not None}
        for one in built.ahead
    ]


def _complete(folder: Path) -> None:
    """The folders that every twin has."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
