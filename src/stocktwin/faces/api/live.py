"""`/api/v1/live`: one watcher of the twin, any number of listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

HEARTBEAT_SECONDS = 15.0
WATCH_SECONDS = 1.0
NEVER_SEEN = -1
"""Below every version: the first look always tells, so that no change falls between two glances."""


def event_text(version: int) -> str:
    """One server-sent event.

    >>> event_text(7)
    'event: change\\nid: 7\\ndata: {"version": 7}\\n\\n'
    """
    return f"event: change\nid: {version}\ndata: {json.dumps({'version': version})}\n\n"


class LiveFeed:
    """Tells listeners the twin's version whenever it grows.

    However many listen, one thread waits for the twin, and none when nobody listens. `close` ends every stream, so that
    the server can stop at once.
    """

    def __init__(self, twin: TwinService) -> None:
        self._twin = twin
        self._limiter = CapacityLimiter(1)
        self._listeners: set[asyncio.Queue[int | None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    async def events(self) -> AsyncIterator[str]:
        """The stream of one listener: the present version first, then each new one, a comment when nothing happens."""
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._listeners.add(queue)
        self._start()
        try:
            yield "retry: 1000\n\n" + event_text(await to_thread.run_sync(self._twin.version))
            while not self.closed:
                try:
                    version = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if version is None:
                    return
                yield event_text(version)
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Ends every stream; callable from any thread or a signal handler."""
        self.closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, None)

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._watcher is None or self._watcher.done():
            self._watcher = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        known = NEVER_SEEN
        while self._listeners and not self.closed:
            seen = await to_thread.run_sync(self._twin.wait_for_change, known, WATCH_SECONDS, limiter=self._limiter)
            if seen != known:
                known = seen
                self._publish(known)

    def _publish(self, version: int | None) -> None:
        for queue in self._listeners:
            queue.put_nowait(version)
