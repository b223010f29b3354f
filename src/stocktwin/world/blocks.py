"""The work cut into blocks: each lives and is written by itself, in whatever process; the truth is joined in order."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.encoding import Columns, write_columns
from stocktwin.world.feeds import block_feeds
from stocktwin.world.life import Life, live
from stocktwin.world.parts import Joiner, write_part
from stocktwin.world.settings import Settings
from stocktwin.world.truth import truth_tables

Rows = dict[str, int]
"""Rows by table, as `feeds/erp/movements`."""


def write_blocks(folder: Path, settings: Settings, processes: int | None, progress: Progress) -> Rows:
    """Lives and writes every block; returns the rows. As many processes as there are cores where none are named; a
    world of one block needs no other process."""
    blocks = settings.size.blocks
    if blocks == 1:
        return write_only_block(folder, settings, progress)
    rows: Counter[str] = Counter()
    with Joiner(folder) as joiner:
        told = _in_order(partial(write_block, folder, settings), blocks, processes or os.cpu_count() or 1)
        for block, counts in enumerate(told):
            for name in counts:
                if name.startswith("truth/"):
                    joiner.add(name, block)
            rows.update(counts)
            progress(block + 1, blocks, "blocks of items")
    return dict(rows)


def _in_order(work: Callable[[int], Rows], blocks: int, processes: int) -> Iterator[Rows]:
    if processes == 1:
        yield from map(work, range(blocks))
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would inherit the threads of Arrow
    with ProcessPoolExecutor(min(processes, blocks), mp_context=fresh) as pool:
        yield from pool.map(work, range(blocks))


def write_only_block(folder: Path, settings: Settings, progress: Progress = silent) -> Rows:
    """The one block of a small world, straight into its files."""
    life = live(settings, 0, progress)
    rows: Rows = {}
    for name, columns in _tables(life):
        rows[name] = write_columns(folder / name, columns)
    return rows


def write_block(folder: Path, settings: Settings, block: int) -> Rows:
    """One block of many: the feeds as numbered parts, its truth where the joiner finds it."""
    rows: Rows = {}
    for name, columns in _tables(live(settings, block)):
        if name.startswith("truth/"):
            rows[name] = write_part(folder, name, block, columns)
        else:
            rows[name] = write_columns(folder / f"{name}-{block:03d}", columns)
    return rows


def _tables(life: Life) -> Iterator[tuple[str, Columns]]:
    yield from block_feeds(life)
    yield from truth_tables(life)
