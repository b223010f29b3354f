"""Work in forked children: a crash, an abort or a kill there is an answer here.

The parent imports what the children need and never opens a database itself, so that forking it is safe and cheap.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 600.0
WARM = ("stocktwin", "pyarrow", "numpy", "duckdb", "_duckdb", "faultlab", "sqlite3", "zoneinfo", "decimal")
"""Packages that a child may find imported."""


def scratch() -> str | None:
    """Where files may lie that only this process and its children read: in memory, where there is room, for a kill or
    an image does not depend on the medium. None: the usual place."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        return None
    disk = os.statvfs(memory)
    return str(memory) if disk.f_bavail * disk.f_frsize > 1 << 30 else None


@dataclass
class Child:
    """A running child and what it has said so far."""

    pid: int
    pipe: int
    said: bytearray = field(default_factory=bytearray)

    def listen(self, until: Callable[[bytes], bool], seconds: float) -> bool:
        """Reads until `until` holds of everything said (True), or time is up or the child has ended (False)."""
        deadline = time.monotonic() + seconds
        while not until(bytes(self.said)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                return False
            heard = os.read(self.pipe, 65536)
            if not heard:
                return False
            self.said += heard
        return True

    def end(self, kill: bool = False) -> int:
        """Waits for its end, killing it first if asked to or when it takes too long; its signal, 0 for none."""
        if kill or not (self.listen(lambda _: False, PATIENCE_SECONDS) or _ended(self.pid)):
            os.kill(self.pid, signal.SIGKILL)
        while heard := os.read(self.pipe, 65536):
            self.said += heard
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    @property
    def lines(self) -> list[str]:
        """Whole lines that it said."""
        return self.said.decode(errors="replace").split("\n")[:-1]


def _ended(pid: int) -> bool:
    """Whether a child has closed its end of the pipe because it is gone (it is then a zombie, which takes no time)."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.001)
    return False


def fork(work: Callable[[Callable[[str], None]], None]) -> Child:
    """Runs `work(say)` in a child; `say` sends a line."""
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return Child(pid, ours)
    code = 0
    try:
        os.close(ours)
        work(lambda line: _say(theirs, line))
    except BaseException:
        _say(theirs, "error " + json.dumps(traceback.format_exc()[-500:]))
        code = 1
    finally:
        os._exit(code)


def _say(pipe: int, line: str) -> None:
    os.write(pipe, f"{line}\n".encode())


def warm(work: Callable[[], object]) -> None:
    """Imports here what `work` imports, by doing it once in a child: later children then need not."""

    def names() -> dict[str, Any]:
        work()
        return {"modules": sorted(sys.modules)}

    for name in answer(names).get("modules", []):
        if name.split(".")[0] in WARM:
            importlib.import_module(name)


def answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives when run in a child; `{"died": signal}` or `{"error": text}` when it gives nothing."""
    child = fork(lambda say: say("answer " + json.dumps(work())))
    began = time.monotonic()
    died = child.end()
    if time.monotonic() - began > PATIENCE_SECONDS:
        return {"error": f"no answer within {PATIENCE_SECONDS:.0f} s"}
    for line in child.lines:
        word, _, rest = line.partition(" ")
        if word in ("answer", "error"):
            value = json.loads(rest)
            return dict(value) if word == "answer" else {"error": value}
    return {"died": died}
