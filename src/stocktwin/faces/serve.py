"""The web server: REST and pages of one twin in one process."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from stocktwin.domain.errors import EnvironmentFault
from stocktwin.faces.api.app import create_app
from stocktwin.faces.http import LOOPBACK
from stocktwin.faces.web.pages import add_pages

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

LAST_ANSWERS_SECONDS = 3
"""After Ctrl-C, requests in hand may take so long."""


def web_app(twin: TwinService, *, hosts: Iterable[str] | None = LOOPBACK, origins: Iterable[str] = ()) -> FastAPI:
    """REST and pages of `twin` as one ASGI application."""
    app = create_app(twin, hosts=hosts, origins=origins)
    add_pages(app, twin)
    return app


def answering_hosts(bound_to: str, allowed: Iterable[str] = ()) -> list[str] | None:
    """The host names a server bound to `bound_to` answers to: this machine's own and `allowed`; None is any.

    >>> answering_hosts("127.0.0.1", ["twin.example.com"])
    ['localhost', '127.0.0.1', '[::1]', 'twin.example.com']
    >>> answering_hosts("0.0.0.0") is None
    True
    """
    named = list(allowed)
    if bound_to in ("localhost", "127.0.0.1", "::1") or named:
        return [*LOOPBACK, *named]
    return None


class Server(uvicorn.Server):
    """uvicorn, but a stop ends the event streams first: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None], ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM."""
        self._stopping()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer, then says so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    twin: TwinService,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    allowed_hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    root_path: str = "",
    ready: Callable[[str], None] = print,
) -> None:
    """Serves `twin` until SIGINT or SIGTERM; `ready` gets the address once it answers (port 0: any free one).

    EnvironmentFault names a port that cannot be had.
    """
    listener = listen(host, port)
    shown = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0", "::") else host
    url = f"http://{shown}:{listener.getsockname()[1]}/"
    app = web_app(twin, hosts=answering_hosts(host, allowed_hosts), origins=origins)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        root_path=root_path,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )
    server = Server(config, app.state.live.close, lambda: ready(url))
    with listener, stopped_by_signals():
        server.run(sockets=[listener])


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM, as service managers send it, ends what stands inside as Ctrl-C does: with its clean-up, and exit code 0.

    uvicorn raises the signal that stopped it once more when it is done, which without a handler would kill the process.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may have handlers
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; EnvironmentFault names the address when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise EnvironmentFault(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
