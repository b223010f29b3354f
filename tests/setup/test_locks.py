"""The locks: complete, hashed, without host names, the larger set holding the smaller."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock", "requirements-uv.lock")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.M)


def pins(path: Path) -> set[tuple[str, str]]:
    """(name, version) of every package of a lock."""
    return set(PIN.findall(path.read_text()))


def canonical(requirement: str) -> str:
    """The package's name of a requirement, as locks write it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes_and_no_host_stands_in_the_lock(root: Path, name: str) -> None:
    text = (root / name).read_text()
    assert pins(root / name)
    blocks = re.split(r"(?m)^(?=[a-z0-9])", text)
    bare = [block.split()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block]
    assert bare == []
    assert not re.search(r"https?:|//|@|--index|--find-links|--extra-index", text)


def test_the_test_set_holds_the_runtime_set(root: Path) -> None:
    assert pins(root / "requirements.lock") <= pins(root / "requirements-dev.lock")
    assert pins(root / "requirements-dev.lock") <= pins(root / "requirements-bench.lock")


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "dev", "frames"])]
)
def test_every_declared_dependency_is_locked(root: Path, name: str, extras: list[str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(word for extra in extras for word in project["optional-dependencies"][extra]),
    ]
    locked = {package for package, _ in pins(root / name)}
    assert {canonical(word) for word in declared} <= locked
