"""The work cut into blocks: each lives and is written by itself, in whatever process; the truth is joined in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.encoding import write_columns
from stocktwin.world.feeds import block_feeds
from stocktwin.world.life import Life, live
from stocktwin.world.parts import Joiner, write_part
from stocktwin.world.settings import Settings
from stocktwin.world.truth import truth_tables
from stocktwin.world.workers import in_processes

Rows = dict[str, int]
"""Rows by table, as `feeds/erp/movements`."""
MOST: Final = 4
"""Processes unless more are asked for: a block of `national` takes about 1 GiB."""
Work = Callable[..., Rows]
"""What is done with a block: called with its number, and `progress=` where there is only one."""


def each_block(folder: Path, blocks: int, work: Work, processes: int | None, progress: Progress) -> Iterator[Rows]:
    """Does the work of all blocks and joins their truth; yields the rows of each, in order. Unless a number of
    processes is named, as many as there are cores, up to four; a world of one block needs no other process."""
    if blocks == 1:
        yield work(0, progress=progress)
        return
    with Joiner(folder) as joiner:
        for block, rows in enumerate(_in_order(work, blocks, processes or min(MOST, cores()))):
            for name in rows:
                if name.startswith("truth/"):
                    joiner.add(name, block)
            progress(block + 1, blocks, "blocks of items")
            yield rows


def _in_order(work: Work, blocks: int, processes: int) -> Iterator[Rows]:
    if processes == 1:
        return map(work, range(blocks))
    return in_processes(work, range(blocks), min(processes, blocks))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def blocks_written(folder: Path, settings: Settings, processes: int | None, progress: Progress) -> Iterator[Rows]:
    """Lives and writes every block; yields the rows of each."""
    return each_block(folder, settings.size.blocks, partial(write_block, folder, settings), processes, progress)


def write_block(folder: Path, settings: Settings, block: int, progress: Progress = silent) -> Rows:
    """One block: the feeds table by table, the truth."""
    life = live(settings, block, progress)
    part = part_of(settings, block)
    rows = {name: write_columns(folder / f"{name}{part}", columns) for name, columns in block_feeds(life)}
    return rows | write_truth(folder, life, block)


def write_truth(folder: Path, life: Life, block: int) -> Rows:
    """A block's truth: the files themselves, or where there are more blocks the pieces that are joined to them."""
    whole = life.settings.size.blocks == 1
    return {
        name: write_columns(folder / name, columns) if whole else write_part(folder, name, block, columns)
        for name, columns in truth_tables(life)
    }


def part_of(settings: Settings, block: int) -> str:
    """What a block's files are called besides their table.

    >>> part_of(Settings("national"), 7), part_of(Settings("small"), 0)
    ('-007', '')
    """
    return f"-{block:03d}" if settings.size.blocks > 1 else ""
