"""A world lives on: some days more, with decisions from outside; or another one is made of it, back to an earlier day.

Nothing of a world is kept but what it follows from, so its past is lived again; of what it tells then, only the rows
that it had not told before are written, as files of that date.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.world.blocks import Rows, each_block, part_of, write_truth
from stocktwin.world.build import Built, check_free, write_world
from stocktwin.world.catalogue import Catalogue
from stocktwin.world.clock import START, date_of
from stocktwin.world.decisions import Words, read_decisions
from stocktwin.world.difference import new_rows, told_before
from stocktwin.world.encoding import Columns, write_columns
from stocktwin.world.feeds import block_feeds, finish, world_feeds
from stocktwin.world.life import catalogue_of, live
from stocktwin.world.outcomes import Outcome
from stocktwin.world.settings import Settings

STAGE: Final = Path("truth") / "next"
"""Where what is new waits until all of it is there."""


def advance(
    folder: Path,
    *,
    days: int,
    decisions: Path | None = None,
    processes: int | None = None,
    progress: Progress = silent,
) -> Built:
    """Lets the world in `folder` live `days` days more, carrying out decisions (a file or folder, see `decisions`) on
    the first of them or the day they name. What its systems tell is written beside the old files, as
    `movements-2026-01-01.parquet`; building the longer world at once tells the same rows. Returns the new rows, and
    what became of each decision: one that cannot be carried out keeps none of the others back. NotFoundError where
    there is no world, UsageError where there are no days or no decisions, EnvironmentFault where the files tell what
    this version of Stocktwin would not.
    """
    was = Settings.load(folder)
    if days < 1:
        raise UsageError(f"a world lives on by at least one day, not {days}")
    words = Words.of(was.size.network, _catalogues(was))
    anew, senseless = ((), ()) if decisions is None else read_decisions(decisions, words, was.days)
    settings = replace(was, days=was.days + days, decisions=was.decisions + anew).checked()
    since = date_of(was.days)
    stage = folder / STAGE
    shutil.rmtree(stage, ignore_errors=True)
    rows = Counter(_write_new(folder, stage, world_feeds(settings), since, ""))
    work = partial(_live_on, folder, settings, since)
    for counts in each_block(stage, settings.size.blocks, work, processes, progress):
        rows.update(counts)
    _put_in_place(stage, folder)
    settings.save(folder)
    finish(folder, settings)
    rejected = [Outcome.rejected(one, was.days) for one in senseless]
    outcomes = sorted([*rejected, *_outcomes(folder, was.days)], key=lambda one: (one.file, one.row))
    later = sum(one.day >= settings.days for one in settings.decisions)
    return Built(dict(rows), tuple(outcomes), later, settings.script.ahead(settings.days))


def _outcomes(folder: Path, day: int) -> list[Outcome]:
    """What became of the decisions for a day and later."""
    path = folder / "truth" / "decisions.parquet"
    rows = pq.read_table(path).to_pylist() if path.exists() else []
    return [Outcome(**row) for row in rows if row["day"] >= day]


def _put_in_place(stage: Path, folder: Path) -> None:
    """Nothing is told before all is known; whoever is interrupted here tells the rest the next time."""
    for path in sorted(stage.rglob("*")):
        if path.is_file():
            path.replace(folder / path.relative_to(stage))
    shutil.rmtree(stage)


def fork(
    folder: Path, copy: Path, *, at: date | None = None, processes: int | None = None, progress: Progress = silent
) -> Built:
    """Makes `copy` the world of `folder` as it was on the evening of a day (its last, unless given): what it will live
    through is the same, whatever is decided in it later. Decisions for days to come go with it unless `at` names a day.
    UsageError where `copy` is not empty or the day not lived."""
    was = Settings.load(folder)
    check_free(copy)
    days = was.days if at is None else (at - START).days + 1
    if not 1 <= days <= was.days:
        raise UsageError(f"the world lives from {START} to {date_of(was.days - 1)}; {at} is not in it")
    made = tuple(decision for decision in was.decisions if at is None or decision.day < days)
    return write_world(copy, replace(was, days=days, decisions=made), processes, progress)


def _catalogues(settings: Settings) -> Iterator[Catalogue]:
    return (catalogue_of(settings, block) for block in range(settings.size.blocks))


def _live_on(folder: Path, settings: Settings, since: date, block: int, progress: Progress = silent) -> Rows:
    """The longer life of one block."""
    life, stage = live(settings, block, progress), folder / STAGE
    rows = _write_new(folder, stage, block_feeds(life), since, part_of(settings, block))
    return rows | write_truth(stage, life, block)


def _write_new(folder: Path, stage: Path, feeds: Iterable[tuple[str, Columns]], since: date, part: str) -> Rows:
    rows: Rows = {}
    for name, columns in feeds:
        fresh, unknown = new_rows(columns, told_before(folder / f"{name}{part}", columns))
        if unknown:
            raise EnvironmentFault(
                f"{name}: {unknown} rows would not be told by this version of Stocktwin: the world was made by another "
                "one, or its files were changed; build it again"
            )
        count = len(next(iter(fresh.values())))
        if count:
            rows[name] = write_columns(stage / f"{name}{part}-{since}", fresh)
    return rows
