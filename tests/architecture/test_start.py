"""What a start costs: asking for help loads none of the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "numba",
    "llvmlite",
    "duckdb",
    "pyarrow",
    "fastapi",
    "pydantic",
    "uvicorn",
    "jinja2",
    "pandas",
    "polars",
    "scipy",
}
STARTS = {
    "import stocktwin": "import stocktwin",
    "stocktwin --help": "from stocktwin.__main__ import main; main(['--help'])",
    "stocktwin --version": "from stocktwin.__main__ import main; main(['--version'])",
    "importing the kernels": "import pkgutil, importlib, stocktwin.kernels as k\n"
    "for m in pkgutil.iter_modules(k.__path__): importlib.import_module('stocktwin.kernels.' + m.name)",
}


def loaded(code: str) -> set[str]:
    """The heavy libraries in memory after running `code` in a fresh interpreter."""
    report = f"\nimport sys; print('\\n' + ' '.join(set(sys.modules) & {HEAVY}), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(result.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("start", STARTS)
def test_a_light_start_loads_nothing_heavy(start: str) -> None:
    foreign = loaded("pass")  # what another package's .pth file loads into every interpreter
    assert loaded(STARTS[start]) - foreign == set()


def test_the_probe_sees_what_is_loaded() -> None:
    assert "pyarrow" in loaded("import pyarrow")
