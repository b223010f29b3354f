"""Runs a pure function here: on this machine's cores, in threads (kernels release the interpreter's lock)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from stocktwin.domain.ports import Result, Task


class LocalExecutor:
    """A pool of threads; results come back in the order of the tasks.

    >>> list(LocalExecutor(threads=2).map(abs, [-1, 2, -3]))
    [1, 2, 3]
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Applies `function` to each task; an exception in one is raised when its turn comes."""
        if self.threads == 1:
            yield from map(function, tasks)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(function, tasks)
