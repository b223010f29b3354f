"""Imports only point down. The order of the layers stands in pyproject.toml; here it is enforced."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path


def test_every_contract_holds(root: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_folder_is_a_layer_and_every_layer_a_folder(root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    order = next(contract for contract in contracts if contract["type"] == "layers")
    assert order["exhaustive"] is True
    layers = {name.strip() for line in order["layers"] for name in line.split("|")}
    package = root / "src" / "stocktwin"
    assert layers == {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}


def test_every_folder_of_the_package_says_what_it_is_for(root: Path) -> None:
    package = root / "src" / "stocktwin"
    silent = [
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.is_dir() and any(path.glob("*.py")) and not (path / "__init__.py").is_file()
    ]
    assert silent == []
