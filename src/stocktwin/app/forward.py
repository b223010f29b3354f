"""Commands forwarded to the owner of a twin: the words of the command go over its socket, the output comes back.

One JSON object a line. Request: `{"argv": […], "cwd": "…", "tty": …}`. Replies: `{"out": text}` and `{"err": text}`
as they are written, at last `{"exit": code}`.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from stocktwin.app.owner import SOCKET_FILE, connect, listen


class Output(Protocol):
    """Where a command writes: answers on `out`, everything else on `err`."""

    tty: bool
    """Whether `err` is a terminal, on which a line may be written over."""

    def out(self, text: str) -> None: ...

    def err(self, text: str) -> None: ...


Runner = Callable[[Sequence[str], Path, Output], int]
"""Runs one command (its words, the caller's folder, where to write) and returns its exit code."""


class StreamOutput:
    """Writes to two text streams, such as this process's stdout and stderr."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self.tty = err.isatty()

    def out(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def err(self, text: str) -> None:
        self._err.write(text)
        self._err.flush()


def forward(root: Path, argv: Sequence[str], cwd: Path, output: Output) -> int | None:
    """Has the owner of the twin run a command; its exit code, or None when nobody owns the twin."""
    client = connect(root)
    if client is None:
        return None
    with client, client.makefile("rw", encoding="utf-8") as stream:
        stream.write(json.dumps({"argv": list(argv), "cwd": str(cwd), "tty": output.tty}) + "\n")
        stream.flush()
        for line in stream:
            reply = json.loads(line)
            if "exit" in reply:
                return int(reply["exit"])
            output.out(reply.get("out", ""))
            output.err(reply.get("err", ""))
    output.err("error: the server went away before it answered\n")
    return 3


class CommandServer:
    """Listens on the twin's socket and runs what is forwarded, each connection in a thread of its own."""

    def __init__(self, root: Path, runner: Runner) -> None:
        self._root, self._runner = root, runner
        self._socket = listen(root)
        self._thread = threading.Thread(target=self._accept, name="stocktwin-commands", daemon=True)

    def start(self) -> None:
        """Begins to accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stops accepting; commands that run are ended with the process."""
        self._socket.close()
        (self._root / SOCKET_FILE).unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            try:
                request = json.loads(stream.readline())
                output = _Replies(stream, bool(request.get("tty")))
                code = self._runner(request["argv"], Path(request["cwd"]), output)
                output.send({"exit": code})
            except (ValueError, KeyError, OSError):
                return  # not one of ours, or the caller went away


class _Replies:
    """Sends output as reply lines; progress and answer may come from different threads."""

    def __init__(self, stream: TextIO, tty: bool) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.tty = tty

    def send(self, reply: dict[str, object]) -> None:
        with self._lock:
            self._stream.write(json.dumps(reply) + "\n")
            self._stream.flush()

    def out(self, text: str) -> None:
        if text:
            self.send({"out": text})

    def err(self, text: str) -> None:
        if text:
            self.send({"err": text})
