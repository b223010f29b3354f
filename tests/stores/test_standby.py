"""Servers on one journal in PostgreSQL: one writes, the others follow, answer, and take over when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin

pytestmark = pytest.mark.slow

MASTER = [
    {"table": "items", "item_id": "I"},
    {"table": "locations", "location_id": "D", "kind": "dc"},
    {"table": "locations", "location_id": "S", "kind": "supplier"},
]


def receipt(number: int) -> dict[str, Any]:
    """One piece received."""
    return {"table": "movements", "event_id": f"R{number}", "event_time": "2026-01-05T08:00:00Z", "kind": "receipt",
            "item_id": "I", "quantity": 1, "from_id": "S", "to_id": "D", "system": "erp"}  # fmt: skip


class Served:
    """A server process of a twin in its own folder."""

    def __init__(self, folder: Path, journal: str) -> None:
        create_twin(folder)
        settings = folder / "twin.toml"
        settings.write_text(f'journal = "{journal}"\n' + settings.read_text())
        self.log = folder / "log"
        command = [sys.executable, "-m", "stocktwin", "--twin", str(folder), "serve", "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.url = ""

    def wait_for(self, words: str, seconds: float = 60.0) -> float:
        """Waits until the server has said something; how long that took."""
        began = time.monotonic()
        while words not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() - began < seconds, self.log.read_text()
            time.sleep(0.02)
        if "is at " in self.log.read_text():
            self.url = self.log.read_text().partition("is at ")[2].split()[0]
        return time.monotonic() - began

    def ask(self, path: str, rows: list[dict[str, Any]] | None = None) -> Any:
        """The JSON answer of a path; with rows, what became of them."""
        data = None if rows is None else "\n".join(json.dumps(row) for row in rows).encode()
        request = urllib.request.Request(f"{self.url}api/v1/{path}", data, {"content-type": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)


@contextmanager
def served(folder: Path, journal: str) -> Iterator[Served]:
    """A running server, stopped at the end."""
    server = Served(folder, journal)
    try:
        server.wait_for("is at ")
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_standby_follows_and_takes_over_within_seconds_of_a_kill(postgres: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(served(tmp_path / "a", postgres))
        first.wait_for("this process writes the journal")
        second = stack.enter_context(served(tmp_path / "b", postgres))
        assert "standing by" in second.log.read_text()
        assert f"process {first.process.pid} on" in second.log.read_text(), "it names the writer"
        assert first.ask("facts", [*MASTER, receipt(1)])["accepted"] == 4
        eventually(lambda: second.ask("status")["accepted"] == 4)
        with pytest.raises(urllib.error.HTTPError) as refused:
            second.ask("facts", [receipt(2)])
        assert refused.value.code == 503
        assert f"process {first.process.pid} on" in json.load(refused.value)["detail"]

        os.kill(first.process.pid, signal.SIGKILL)
        assert second.wait_for("this process writes the journal") < 10.0
        taken = second.ask("facts", [receipt(1), receipt(2)])
        assert (taken["accepted"], taken["duplicates"]) == (1, 1), "nothing lost, nothing twice"
        assert second.ask("verify")["ok"]

        third = stack.enter_context(served(tmp_path / "c", postgres))
        assert third.ask("status")["state_hash"] == second.ask("status")["state_hash"]


def test_a_command_reads_while_another_process_writes(postgres: str, tmp_path: Path) -> None:
    def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "stocktwin", "--twin", str(folder), *words]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    with served(tmp_path / "a", postgres) as first:
        first.ask("facts", [*MASTER, receipt(1)])
        other = tmp_path / "b"
        create_twin(other)
        settings = other / "twin.toml"
        settings.write_text(f'journal = "{postgres}"\n' + settings.read_text())
        assert json.loads(command(other, "status", "--json").stdout)["accepted"] == 4
        first.ask("facts", [receipt(2)])
        assert json.loads(command(other, "status", "--json").stdout)["accepted"] == 5
