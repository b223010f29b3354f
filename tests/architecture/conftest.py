"""The project's own files, as the tests of its shape see them."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

NOT_OURS = {".git", ".venv", ".bootstrap", "__pycache__", ".hypothesis", ".demo", "node_modules", "dist"}


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder except what tools leave there."""
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith((".egg-info", "_cache"))]
        yield from (Path(here) / name for name in files)


@pytest.fixture(scope="session")
def project_files(root: Path) -> list[Path]:
    """Tracked files; where there is no git (a bare machine, an archive), every file that is not a tool's."""
    if shutil.which("git") and (root / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode().split("\0")
            return [root / name for name in names if name and (root / name).is_file()]
    return list(walk(root))


@pytest.fixture(scope="session")
def modules(root: Path) -> dict[str, ast.Module]:
    """Path below src/stocktwin → syntax tree, of every module of the package."""
    package = root / "src" / "stocktwin"
    return {str(path.relative_to(package)): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
