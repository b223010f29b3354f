"""One owner at a time, and commands that reach it through its socket."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stocktwin.app.forward import CommandServer, Output, forward
from stocktwin.app.owner import Ownership, connect, listen
from stocktwin.domain.errors import BusyError


class Heard:
    """Keeps what a command wrote."""

    tty = False

    def __init__(self) -> None:
        self.said, self.warned = "", ""

    def out(self, text: str) -> None:
        self.said += text

    def err(self, text: str) -> None:
        self.warned += text


def test_a_second_owner_is_told_who_holds_the_twin(tmp_path: Path) -> None:
    with Ownership.acquire(tmp_path, "serve"):
        with pytest.raises(BusyError, match=f"process {os.getpid()} \\(stocktwin serve\\)") as caught:
            Ownership.acquire(tmp_path, "ingest", patience=0.1)
        assert caught.value.exit_code == 3
    Ownership.acquire(tmp_path, "ingest", patience=0).release()


def test_a_killed_owner_leaves_the_twin_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from stocktwin.app.owner import Ownership\n"
        "held = Ownership.acquire(Path(sys.argv[1]), 'serve'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=str(child.pid)):
            Ownership.acquire(tmp_path, "ingest", patience=0)
        child.kill()
        child.wait()
    Ownership.acquire(tmp_path, "ingest", patience=5).release()


def test_nobody_listens_in_an_empty_folder_or_behind_a_stale_socket(tmp_path: Path) -> None:
    assert connect(tmp_path) is None
    listen(tmp_path).close()
    assert connect(tmp_path) is None


def test_the_socket_is_the_owners_alone_even_in_a_very_deep_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    with listen(deep):
        assert (deep / "twin.sock").stat().st_mode & 0o777 == 0o600
        client = connect(deep)
        assert client is not None
        client.close()


def test_a_command_is_run_by_the_owner_and_its_output_comes_back(tmp_path: Path) -> None:
    def runner(argv: Sequence[str], cwd: Path, output: Output) -> int:
        output.err("working\n")
        output.out(f"{' '.join(argv)} in {cwd}\n")
        return 7

    server = CommandServer(tmp_path, runner)
    server.start()
    try:
        heard = Heard()
        assert forward(tmp_path, ["stock", "--item", "Ä"], Path("/somewhere"), heard) == 7
        assert (heard.said, heard.warned) == ("stock --item Ä in /somewhere\n", "working\n")
    finally:
        server.stop()
    assert forward(tmp_path, ["stock"], Path("/"), Heard()) is None
