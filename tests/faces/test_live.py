"""The live feed: one thread however many listen, every change told within two seconds, and a stop that stops."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest


class Listener:
    """A raw reader of the event stream."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname or "", where.port or 80), timeout=5)
        request = f"GET /api/v1/live HTTP/1.1\r\nHost: {where.netloc}\r\nAccept-Encoding: gzip\r\n\r\n"
        self.socket.sendall(request.encode())
        self.stream = self.socket.makefile("rb")

    def head(self) -> dict[str, str]:
        """The response's headers."""
        headers = {}
        while line := self.stream.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return headers

    def version(self) -> int:
        """The next version told."""
        while True:
            line = self.stream.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: "):
                return int(json.loads(line[6:])["version"])

    def close(self) -> None:
        """Hangs up."""
        self.stream.close()
        self.socket.close()


def post_sale(url: str) -> None:
    """One sale over REST."""
    fact = {"table": "movements", "item_id": "MED-0003", "from_id": "DC-NJ", "quantity": 1}
    headers = {"content-type": "application/x-ndjson"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}api/v1/facts", json.dumps(fact).encode(), headers)) as r:
        assert r.status == 200


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for something; fails when it does not come."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_listener_hears_of_a_change_within_two_seconds(fake: Any, serve: Callable[..., Any]) -> None:
    server = serve(fake)
    listeners = [Listener(server.url) for _ in range(8)]
    for listener in listeners:
        head = listener.head()
        assert head["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in head
        assert listener.version() == 1
    begun = time.monotonic()
    post_sale(server.url)
    for listener in listeners:
        while listener.version() != 2:  # the first look may tell 1 once more
            pass
    assert time.monotonic() - begun < 2.0
    for listener in listeners:
        listener.close()


def test_nobody_waits_for_the_twin_when_nobody_listens(fake: Any, serve: Callable[..., Any]) -> None:
    server = serve(fake)
    listener = Listener(server.url)
    listener.head()
    listener.version()
    until(lambda: server.live._watcher is not None)
    listener.close()
    until(server.live._watcher.done)
    late = Listener(server.url)
    late.head()
    assert late.version() == 1
    post_sale(server.url)
    while late.version() != 2:
        pass
    late.close()


def test_a_stop_does_not_wait_for_open_streams(fake: Any, serve: Callable[..., Any]) -> None:
    server = serve(fake)
    listener = Listener(server.url)
    listener.head()
    listener.version()
    assert server.stop() < 2.5
    listener.close()


def test_a_port_in_use_is_named() -> None:
    from stocktwin.domain.errors import EnvironmentFault
    from stocktwin.faces.serve import listen

    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=rf"127\.0\.0\.1:{port}"):
            listen("127.0.0.1", port)


STOPPED = """
import os, signal, sys
from stocktwin.faces.serve import stopped_by_signals
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
with stopped_by_signals():
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    signal.pause()
print("cleaned up")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_both_signals_of_a_stop_end_cleanly(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, name], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")
