"""Whoever ends a build, however hard, ends its workers too, and what it leaves is not taken for a world."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.world.advance import advance, fork
from stocktwin.world.build import build
from stocktwin.world.workers import in_processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")

PATIENCE = 90.0
"""Seconds after which a test gives up waiting."""


def until(done: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def descendants(process: int) -> set[int]:
    """Children of a process that are alive, and theirs."""
    found: set[int] = set()
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


BUILD = """
import signal, sys
from stocktwin.faces.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], set[int], Path]]:
    """A build of many blocks of which two workers live the first ones."""
    root = tmp_path / "national"
    words = ["world", "build", str(root), "--profile", "national", "--days", "40", "--processes", "2"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-c", BUILD, *words], **options) as parent:
        try:
            # the two workers and the tracker of what they share; the workers have begun once they have eaten CPU
            until(lambda: sum(busy(one) for one in descendants(parent.pid)) >= 2, "no worker began")
            yield parent, descendants(parent.pid), root
        finally:
            if parent.poll() is None:
                os.killpg(parent.pid, signal.SIGKILL)


def busy(process: int) -> bool:
    """Whether a process has worked for more than it takes to start."""
    try:
        numbers = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK") > 3.0


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(at_work) -> None:
    parent, workers, root = at_work
    parent.kill()
    parent.wait()
    until(lambda: not any(map(alive, workers)), "a worker outlived its parent")
    assert not (root / "twin.toml").exists()
    with pytest.raises(UsageError, match="unfinished"):
        build(root, days=1)
    with pytest.raises(NotFoundError):
        advance(root, days=1)


KILLED = """
import os, signal, sys
from pathlib import Path
from stocktwin.world.advance import advance

left, put = int(sys.argv[2]), Path.replace

def replace(path, target):  # what a step has ready is put in its place file by file
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return put(path, target)

Path.replace = replace
advance(Path(sys.argv[1]), days=3)
"""


def told(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((root / "feeds").rglob("*.parquet")):
        yield str(path.relative_to(root)), path.read_bytes()


@pytest.mark.parametrize("put_in_place", [0, 3])
def test_a_step_that_was_killed_is_taken_again(tmp_path: Path, put_in_place: int) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        build(root, days=6)
    advance(whole, days=3)
    words = [sys.executable, "-c", KILLED, str(killed), str(put_in_place)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert dict(told(killed)) != dict(told(whole))
    advance(killed, days=3)
    assert dict(told(killed)) == dict(told(whole))
    for name in ("balances", "movements", "faults"):
        assert (killed / f"truth/{name}.parquet").read_bytes() == (whole / f"truth/{name}.parquet").read_bytes()
    assert not (killed / "truth" / "next").exists()


@pytest.mark.slow
def test_ctrl_c_ends_all_with_one_line(at_work) -> None:
    parent, workers, _ = at_work
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, noted = parent.communicate(timeout=PATIENCE)
    assert parent.returncode == 130
    assert noted.strip() == "interrupted"
    until(lambda: not any(map(alive, workers)), "a worker outlived its parent")


def sleepy(seconds: float) -> float:
    if seconds < 0:
        raise ValueError("backwards")
    time.sleep(seconds)
    return seconds


def test_results_come_in_order_and_a_failure_ends_the_others_at_once() -> None:
    assert list(in_processes(sleepy, [0.2, 0.1, 0.0], 2)) == [0.2, 0.1, 0.0]
    began = descendants(os.getpid())
    with pytest.raises(ValueError, match="backwards"):
        list(in_processes(sleepy, [-1.0, 1000.0], 2))
    until(lambda: not [one for one in descendants(os.getpid()) - began if alive(one)], "a worker went on")


def deaf(_: int) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_workers_do_not_hear_ctrl_c_and_the_caller_does() -> None:
    assert list(in_processes(deaf, [0, 1], 2)) == [True, True]
    assert not deaf(0)


def test_a_folder_that_holds_something_of_a_world_takes_no_other(tmp_path: Path) -> None:
    build(tmp_path / "world", days=1)
    for act in (lambda: build(tmp_path / "world", days=1), lambda: fork(tmp_path / "world", tmp_path / "world")):
        with pytest.raises(UsageError, match="it holds a world"):
            act()
    (tmp_path / "world" / "truth" / "state" / "world.json").unlink()
    with pytest.raises(UsageError, match="unfinished"):
        build(tmp_path / "world", days=1)
