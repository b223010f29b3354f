"""The live part of a server: tells pages that something changed, and takes what lands in the inbox folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from stocktwin.domain.errors import EnvironmentFault, StocktwinError
from stocktwin.domain.failpoint import failpoint

POLL_SECONDS = 0.5
SETTLED_SECONDS = 0.4
"""A file whose size has not changed for so long is taken to be whole."""
RETRY_SECONDS = 15.0
"""A file that the machine had no room for is tried again after so long."""
TAKEN = "taken"
REFUSED = "refused"
SUFFIXES = (".csv", ".parquet", ".jsonl")


class Changes:
    """A version that grows with every accepted change, and a way to wait for the next."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._version = 0

    @property
    def version(self) -> int:
        """The version now."""
        return self._version

    def announce(self) -> None:
        """Something changed."""
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def wait(self, version: int, timeout: float) -> int:
        """Blocks until the version differs from `version` or `timeout` seconds have passed; the version then."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != version, timeout)
            return self._version


class Inbox:
    """Watches a folder: each file that has settled is taken in, then moved to `taken/`, or to `refused/` when it
    could not be read at all (a crash in between only makes duplicates, which have no effect). Folders in it are named
    after sources."""

    def __init__(self, folder: Path, take: Callable[[Path], None], report: Callable[[str], None]) -> None:
        self._folder, self._take, self._report = folder, take, report
        self._seen: dict[Path, tuple[int, int, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stocktwin-inbox", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._folder.mkdir(exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch after the file in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            for path in self.settled(time.monotonic()):
                self._take_one(path)

    def settled(self, now: float) -> list[Path]:
        """Files whose size and time have not changed for a moment, oldest name first."""
        ready = []
        for path in self._files():
            if path.suffix not in SUFFIXES or path.name.startswith(".") or not path.is_file():
                continue
            state = path.stat()
            size, modified, since = self._seen.get(path, (-1, -1, now))
            if (size, modified) != (state.st_size, state.st_mtime_ns):
                self._seen[path] = (state.st_size, state.st_mtime_ns, now)
            elif now - since >= SETTLED_SECONDS:
                ready.append(path)
        return ready

    def _files(self) -> list[Path]:
        """What lies in the inbox, and in the folders of its sources."""
        here = sorted(self._folder.iterdir())
        folders = [path for path in here if path.is_dir() and path.name not in (TAKEN, REFUSED)]
        inside = [path for folder in folders if not folder.name.startswith(".") for path in sorted(folder.iterdir())]
        return [*here, *inside]

    def _take_one(self, path: Path) -> None:
        target = TAKEN
        try:
            self._take(path)
        except EnvironmentFault as error:  # a full disk, say: the file is not to blame
            self._report(f"inbox: {path.name}: {error}")
            self._look_again(path, time.monotonic() + RETRY_SECONDS)
            return
        except StocktwinError as error:
            self._report(f"inbox: {path.name}: {error}")
            target = REFUSED
        except Exception as error:  # a defect must not end the watch; the file stays for a second look
            self._report(f"inbox: {path.name}: {type(error).__name__}: {error}")
            self._look_again(path, float("inf"))
            return
        self._seen.pop(path, None)
        (self._folder / target).mkdir(exist_ok=True)
        failpoint("inbox.taken")
        path.replace(self._folder / target / f"{time.time_ns()}-{path.name}")
        failpoint("inbox.moved")

    def _look_again(self, path: Path, when: float) -> None:
        """Leaves a file where it is until a later time, or until it changes."""
        state = path.stat()
        self._seen[path] = (state.st_size, state.st_mtime_ns, when)
