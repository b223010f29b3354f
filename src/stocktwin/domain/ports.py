"""What the inside asks of the outside, as protocols: a clock, an executor, a progress report. `app` passes them in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Clock(Protocol):
    """Says what time it is, in UTC microseconds."""

    def now(self) -> int: ...


class WallClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


class FixedClock:
    """A clock that stands still; tests move it by hand.

    >>> clock = FixedClock(5); clock.advance(2); clock.now()
    7
    """

    def __init__(self, micros: int) -> None:
        self.micros = micros

    def now(self) -> int:
        return self.micros

    def advance(self, micros: int) -> None:
        """Moves the clock on."""
        self.micros += micros


class Executor(Protocol):
    """Runs one pure function over many tasks; results come back in the order of the tasks."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]: ...


class Progress(Protocol):
    """Told how far a long piece of work has come; `done` of `total` (0 = unknown)."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


def silent(done: int, total: int, what: str) -> None:
    """A progress report nobody reads."""
