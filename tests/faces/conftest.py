"""A fake twin, clients for it, and a real server on a port of this machine for what only a browser shows."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
START_SECONDS = 10.0


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """The module `fake_twin.py` (tests are no package, so it is loaded by its path)."""
    return _load("fake_twin")


@pytest.fixture
def fake(fakes: ModuleType) -> Any:
    """A twin of sixty items at four warehouses."""
    return fakes.FakeTwin()


@pytest.fixture(scope="session")
def client_of() -> Callable[[Any], Any]:
    """Makes a client of the whole web application of a twin, as a browser on this machine would reach it."""
    from starlette.testclient import TestClient

    from stocktwin.faces.serve import web_app

    return lambda twin: TestClient(web_app(twin), base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture
def client(client_of: Callable[[Any], Any], fake: Any) -> Any:
    """A client of the fake twin."""
    return client_of(fake)


class Running:
    """A server in a thread."""

    def __init__(self, app: Any, live: Any) -> None:
        import uvicorn

        from stocktwin.faces.serve import Server, listen

        self.live = live
        self._listener: socket.socket = listen("127.0.0.1", 0)
        self.url = f"http://localhost:{self._listener.getsockname()[1]}/"
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
        self._started = threading.Event()
        self.server = Server(config, live.close, self._started.set)
        self._thread = threading.Thread(target=self.server.run, args=([self._listener],), daemon=True)

    def start(self) -> Running:
        """Returns once it answers."""
        self._thread.start()
        assert self._started.wait(START_SECONDS)
        return self

    def stop(self) -> float:
        """Stops it as Ctrl-C does; the seconds that took."""
        begun = time.monotonic()
        self.server.handle_exit(2, None)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()
        self._listener.close()
        return time.monotonic() - begun


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Serves twins (optionally behind a wrapper of the application) until the test ends."""
    from stocktwin.faces.serve import web_app

    running: list[Running] = []

    def start(twin: Any, wrap: Callable[[Any], Any] | None = None) -> Running:
        app = web_app(twin)
        server = Running(wrap(app) if wrap else app, app.state.live).start()
        running.append(server)
        return server

    yield start
    for server in running:
        if server._thread.is_alive():
            server.stop()
