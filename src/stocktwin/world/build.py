"""Builds a world into a folder: a twin with its feeds, and the truth behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.world.blocks import blocks_written
from stocktwin.world.encoding import write_columns
from stocktwin.world.feeds import finish, world_feeds
from stocktwin.world.life import scripted_words
from stocktwin.world.outcomes import Outcome
from stocktwin.world.script import Disruption
from stocktwin.world.settings import FILE, Settings
from stocktwin.world.twin_file import twin_toml

UNFINISHED: Final = (
    "an interrupted `world build` or `world fork` has left it unfinished, or is still at work there; remove the folder "
    "and build again"
)


@dataclass(frozen=True)
class Built:
    """What was written: rows by table, as `feeds/erp/movements` → rows, over all parts of a table."""

    rows: Mapping[str, int]
    outcomes: tuple[Outcome, ...] = ()
    """What became of each decision whose day has come; rows that make no sense among them."""
    later: int = 0
    """Decisions whose day is still to come."""
    ahead: tuple[Disruption, ...] = ()
    """Scripted events whose day is still to come."""


def build(
    folder: Path,
    *,
    profile: str = "small",
    days: int = 365,
    seed: int = 0,
    rates: Path | None = None,
    events: Path | None = None,
    balances_every: int = 0,
    processes: int | None = None,
    progress: Progress = silent,
) -> Built:
    """Makes `folder` a twin of a reference world: `twin.toml`, the feeds of its systems and `truth`.

    `rates` and `events` are TOML files: how often things go wrong, and what is scripted; `balances_every` is the number
    of days from one statement of the true balances to the next (0: as usual for the profile). The same of all these
    give the same bytes whatever the folder is called and however many processes work (as many as there are cores, up to
    four, unless `processes` says otherwise). Day 0 is 2025-01-01. UsageError names an unknown profile, a number of days
    that is not between 1 and 3650, and what is wrong in the files.
    """
    settings = replace(Settings.of(profile, days, seed, rates, events), balances_every=balances_every).checked()
    if events is not None:
        replace(settings.script, file=events.name).check(scripted_words(settings))
    return write_world(folder, settings, processes, progress)


def write_world(folder: Path, settings: Settings, processes: int | None, progress: Progress) -> Built:
    """Writes a whole world. What makes the folder a twin and a world that can go on, `twin.toml` and the settings,
    comes last: what an interrupted build leaves is neither. UsageError where there is something of a world."""
    _claim(folder)
    rows = Counter({name: write_columns(folder / name, columns) for name, columns in world_feeds(settings)})
    for counts in blocks_written(folder, settings, processes, progress):
        rows.update(counts)
    finish(folder, settings)
    (folder / "twin.toml").write_text(twin_toml(settings.size), encoding="utf-8")
    settings.save(folder)
    return Built(dict(rows), ahead=settings.script.ahead(settings.days))


def check_free(folder: Path) -> None:
    """UsageError where the folder of a new world is not empty, saying what is there."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if (folder / FILE).is_file():
        raise UsageError(f"{folder} is not empty: it holds a world")
    if (folder / "truth").is_dir():
        raise UsageError(f"{folder} is not empty: {UNFINISHED}")
    raise UsageError(f"{folder} is not empty")


def _claim(folder: Path) -> None:
    """Takes the folder for this build alone: only one can make its `truth`."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / "truth").mkdir()
    except FileExistsError:
        check_free(folder)
