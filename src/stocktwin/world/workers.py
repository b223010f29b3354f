"""Worker processes that never outlive the work: they end when whoever asked for it ends, however that happens.

A worker that goes on after its parent was killed would write into a folder that by then may be another world's.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Final, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

ORPHANED: Final = 1
"""Exit code of a worker whose parent is gone."""


def in_processes(work: Callable[[Task], Result], tasks: Iterable[Task], processes: int) -> Iterator[Result]:
    """`map(work, tasks)` by so many processes, results in order. Whatever ends it early, an error, Ctrl-C, the end of
    the caller, ends the processes at once: what they were at is left as it is."""
    before = set(multiprocessing.active_children())
    fresh = multiprocessing.get_context("spawn")  # a fork would inherit the threads of Arrow
    with ProcessPoolExecutor(processes, mp_context=fresh, initializer=follow_parent) as pool:
        try:
            with _deaf_to_interrupts():
                results = pool.map(work, tasks)
            yield from results
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - before:
                worker.kill()
            raise


def follow_parent() -> None:
    """Makes this process end as soon as the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(ORPHANED)

    Thread(target=watch, name="follow parent", daemon=True).start()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, which a terminal sends to all: the one in front answers it, and
    ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # not a POSIX system
        yield
        return
    was = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, was)
