"""Faults on purpose, a few of each kind that `benchmarks/faults.py` runs by the thousand: all must be survived."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest


def faults(root: Path, kind: str, count: int, *options: str) -> dict[str, Any]:
    """What the command found after so many faults of a kind."""
    command = [sys.executable, str(root / "benchmarks" / "faults.py"), kind, "--count", str(count), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if found["wrong"] else 0)
    return found


@pytest.fixture(scope="session")
def compiler() -> None:
    """A C compiler records what a process writes; the test is skipped where there is none."""
    import shutil

    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("no C compiler on this machine (apt-get install gcc libc6-dev)")


@pytest.fixture(scope="session")
def small_disks() -> None:
    """A tmpfs of a few megabytes; the test is skipped where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("this user may not mount a tmpfs")
        subprocess.run(["umount", folder], check=True)


def test_a_few_kills(root: Path) -> None:
    found = faults(root, "kills", 6, "--verify-every", "6")
    assert (found["kills"], found["wrong"]) == (6, [])


@pytest.mark.slow
def test_kills_at_every_failpoint_and_at_random(root: Path) -> None:
    from stocktwin.domain.failpoint import PLACES

    found = faults(root, "kills", 30, "--seed", "7", "--verify-every", "10")
    assert (found["kills"], found["wrong"]) == (30, [])
    assert found["by"].keys() >= {*PLACES, "random"}, "every place was come to"


def test_a_few_power_cuts(root: Path, compiler: None) -> None:
    found = faults(root, "images", 30)
    assert (found["images"], found["wrong"]) == (30, [])


@pytest.mark.slow
def test_power_cuts_of_the_whole_twin(root: Path, compiler: None) -> None:
    found = faults(root, "images", 96, "--seed", "1", "--verify-every", "2")
    assert (found["images"], found["wrong"]) == (96, [])
    assert any("twin" in kind for kind in found["by"])


def test_a_few_flipped_bits(root: Path) -> None:
    found = faults(root, "flips", 30)
    assert found["wrong"] == []
    assert sum(found["journal"].values()) == 30
    assert sum(found["projection"].values()) == 3


@pytest.mark.slow
def test_flipped_bits(root: Path) -> None:
    found = faults(root, "flips", 80, "--seed", "1")
    assert found["wrong"] == []
    assert {kind.rpartition(" ")[2] for kind in found["journal"]} == {"opening", "verify", "harmless"}


@pytest.mark.slow
def test_full_disks(root: Path, small_disks: None) -> None:
    found = faults(root, "full", 4)
    assert (found["disks"], found["wrong"]) == (4, [])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("kills", 8), ("images", 24), ("flips", 24)])
def test_a_planted_defect_is_found(root: Path, compiler: None, kind: str, count: int) -> None:
    """A message acknowledged before it is taken; a journal that does not wait for the disk; no note of the head."""
    assert faults(root, kind, count, "--plant", "--verify-every", "100")["wrong"] != []
