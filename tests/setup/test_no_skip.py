"""The rule that a skip is a failure, tried on a small session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PASSING = {"test_passes.py": "def test_passes(): pass\n"}
SKIPPING = {
    "test_skips.py": "import pytest\ndef test_skips(): pytest.skip('because')\n",
    "test_at_collection.py": "import pytest\npytest.importorskip('nonesuch')\n",
    "test_fails.py": "import pytest\n@pytest.mark.xfail(reason='because')\ndef test_fails(): assert False\n",
}
HEADING = "nothing may be skipped here"


def session(root: Path, folder: Path, tests: dict[str, str], strict: bool, *options: str) -> tuple[int, str]:
    """Runs `tests` under the project's conftest; its exit code and what it printed."""
    (folder / "tests").mkdir()
    shutil.copy(root / "tests" / "conftest.py", folder / "tests")
    shutil.copy(root / "pyproject.toml", folder)
    for name, text in tests.items():
        (folder / "tests" / name).write_text(text)
    env = {**os.environ, "STOCKTWIN_NO_SKIP": "1" if strict else ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


def test_in_the_everyday_session_a_skip_is_no_failure(root: Path, tmp_path: Path) -> None:
    code, output = session(root, tmp_path, PASSING | SKIPPING, strict=False)
    assert code == 0
    assert HEADING not in output


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_in_the_strict_session_every_skip_is_named_and_fails(root: Path, tmp_path: Path, options: tuple[str]) -> None:
    code, output = session(root, tmp_path, PASSING | SKIPPING, True, *options)
    assert code == 1
    listed = output.split(HEADING)[1].split("short test summary")[0]
    assert all(name in listed for name in SKIPPING)


def test_tests_of_absent_datasets_are_left_out_and_said_to_be(root: Path, tmp_path: Path) -> None:
    tests = PASSING | {"test_data.py": "def test_data(datasets): pass\n"}
    code, output = session(root, tmp_path, tests, strict=True)
    assert code == 0
    assert "1 passed, 1 deselected" in output
    assert "left out: every test of the public datasets" in output
