"""Making the next things in a thread of their own while one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Generic, TypeVar

Thing = TypeVar("Thing")
PATIENCE_S: Final = 0.1
"""How often a maker whose things nobody takes looks whether it is to stop."""


def ahead(things: Iterable[Thing], depth: int) -> Generator[Thing, None, None]:
    """The same things in the same order, up to `depth` of them made before they are asked for. The first is made
    without a thread. What the making raises is raised here; where nobody takes any more, the making ends.

    >>> list(ahead((n * n for n in range(5)), 2))
    [0, 1, 4, 9, 16]
    """
    source = iter(things)
    try:
        first = next(source)
    except StopIteration:
        return
    yield first
    maker = _Maker(source, depth)
    try:
        yield from maker.taken()
    finally:
        maker.stop()


class _Maker(Generic[Thing]):
    """A thread that makes things, and the queue in which they wait, each in a list; at the end an empty list and what
    the making raised, if anything."""

    def __init__(self, source: Iterator[Thing], depth: int) -> None:
        self._source = source
        self._made: queue.Queue[tuple[list[Thing], BaseException | None]] = queue.Queue(depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._make, name="stocktwin-ahead", daemon=True)
        self._thread.start()

    def taken(self) -> Iterator[Thing]:
        """The things; raises what making them raised."""
        while True:
            things, error = self._made.get()
            if error is not None:
                raise error
            if not things:
                return
            yield things[0]

    def stop(self) -> None:
        """Waits for the thread to end; it makes at most the thing that it is at."""
        self._unwanted.set()
        self._thread.join()

    def _make(self) -> None:
        try:
            for thing in self._source:
                if not self._put(([thing], None)):
                    return
            self._put(([], None))
        except BaseException as error:  # raised where the things are taken
            self._put(([], error))

    def _put(self, entry: tuple[list[Thing], BaseException | None]) -> bool:
        while not self._unwanted.is_set():
            try:
                self._made.put(entry, timeout=PATIENCE_S)
                return True
            except queue.Full:
                continue
        return False
