"""One owner at a time: an OS lock in the twin's folder (a kill releases it) and the socket the owner listens on."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from stocktwin.domain.errors import BusyError, EnvironmentFault

LOCK_FILE = "twin.lock"
SOCKET_FILE = "twin.sock"
PATIENCE_SECONDS = 30.0


class Ownership:
    """Holds the twin's lock; `with Ownership.acquire(root, "ingest"): …`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, root: Path, purpose: str, patience: float = PATIENCE_SECONDS) -> Ownership:
        """Takes the lock, waiting up to `patience` seconds; BusyError names the holder."""
        path = root / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentFault(f"cannot open {path}: {error.strerror}") from None
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                    os.close(descriptor)
                    raise BusyError(f"the twin in {root} is in use by {holder or 'another process'}") from None
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} (stocktwin {purpose})\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Gives the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Ownership:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def _short_path(root: Path) -> Iterator[str]:
    """The socket's path through an open folder: a Unix socket's own path may have 107 bytes only."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_FILE}"
    finally:
        os.close(descriptor)


def listen(root: Path) -> socket.socket:
    """The owner's listening socket (mode 0600); a stale one of a killed owner is replaced."""
    (root / SOCKET_FILE).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _short_path(root) as path:
        previous = os.umask(0o177)
        try:
            server.bind(path)
        finally:
            os.umask(previous)
    server.listen(16)
    return server


def connect(root: Path) -> socket.socket | None:
    """A connection to the running owner, or None when nobody listens."""
    if not (root / SOCKET_FILE).exists():
        return None
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short_path(root) as path:
            client.connect(path)
    except OSError:
        client.close()
        return None
    return client
