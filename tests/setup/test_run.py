"""run.py: what it does when, with uv and pip replaced by a recorder; the real thing runs in CI and on bare machines."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


class Recorder:
    """Stands for the commands of the set-up; `venv` makes the folder, as uv does."""

    def __init__(self, run: ModuleType) -> None:
        self.run = run
        self.steps: list[str] = []
        self.break_at = ""

    def __call__(self, command: list[object], what: str, **options: object) -> None:
        words = [str(word) for word in command[1:]]
        step = words[0] if words[0] == "venv" else words[1]
        if step == self.break_at:
            raise KeyboardInterrupt
        self.steps.append(step if step != "sync" else f"sync {Path(words[-1]).name}")
        if step == "venv":
            python = self.run.VENV / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()


def place(run: ModuleType, here: Path) -> None:
    """Points run.py at another checkout."""
    run.HERE, run.VENV, run.BOOTSTRAP = here, here / ".venv", here / ".bootstrap"
    run.STAMP = run.VENV / "stocktwin-setup.json"
    run.LOCKS = {level: here / path.name for level, path in run.LOCKS.items()}


@pytest.fixture
def run(root: Path, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("stocktwin_run", root / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    here = tmp_path / "checkout"
    here.mkdir()
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock", "pyproject.toml"):
        (here / name).write_text(f"{name}==1\n")
    place(module, here)
    module.uv = lambda: "uv"
    module.works = lambda *command, **options: False  # nothing in uv's cache
    return module


@pytest.fixture
def recorder(run: ModuleType) -> Recorder:
    run.check = Recorder(run)
    return run.check


def test_first_start_installs_and_the_second_costs_nothing(run: ModuleType, recorder: Recorder) -> None:
    run.ensure("runtime")
    assert recorder.steps == ["venv", "sync requirements.lock", "install"]
    run.ensure("runtime")
    assert len(recorder.steps) == 3


def test_the_test_set_is_added_and_never_taken_away(run: ModuleType, recorder: Recorder) -> None:
    run.ensure("runtime")
    run.ensure("test")
    assert recorder.steps[3:] == ["sync requirements-dev.lock", "install"]
    run.ensure("runtime")
    assert len(recorder.steps) == 5
    run.LOCKS["test"].write_text("other==2\n")
    run.ensure("runtime")
    assert recorder.steps[5:] == ["sync requirements-dev.lock", "install"]


def test_setup_installs_what_it_is_asked_for(run: ModuleType, recorder: Recorder) -> None:
    run.warm = lambda: None
    assert run.main(["setup", "--bench"]) == 0
    assert recorder.steps[1] == "sync requirements-bench.lock"
    assert run.main(["setup", "--nonsense"]) == 2
    run.ensure("test")
    assert len(recorder.steps) == 3


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed(run: ModuleType, recorder: Recorder, changed: str) -> None:
    run.ensure("runtime")
    (run.HERE / changed).write_text("changed==2\n")
    run.ensure("runtime")
    assert recorder.steps[3:] == ["sync requirements.lock", "install"]


def test_a_broken_off_installation_is_done_again(run: ModuleType, recorder: Recorder) -> None:
    recorder.break_at = "install"
    with pytest.raises(KeyboardInterrupt):
        run.ensure("runtime")
    assert not run.is_current("runtime")
    recorder.break_at = ""
    run.ensure("runtime")
    assert recorder.steps[2:] == ["sync requirements.lock", "install"]


def test_a_moved_checkout_is_rebuilt(run: ModuleType, recorder: Recorder) -> None:
    run.ensure("runtime")
    moved = run.HERE.rename(run.HERE.with_name("moved"))
    place(run, moved)
    run.ensure("runtime")
    assert recorder.steps[3:] == ["venv", "sync requirements.lock", "install"]


def test_an_environment_without_its_interpreter_is_rebuilt(run: ModuleType, recorder: Recorder) -> None:
    run.ensure("runtime")
    (run.VENV / "bin" / "python").unlink()
    run.ensure("runtime")
    assert recorder.steps[3] == "venv"


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"path": 1}'])
def test_a_broken_stamp_counts_as_none(run: ModuleType, recorder: Recorder, stamp: str) -> None:
    run.ensure("runtime")
    run.STAMP.write_text(stamp)
    assert run.read_stamp() == {}
    run.ensure("runtime")
    assert recorder.steps[3] == "venv"


def test_a_failing_step_is_named_with_exit_code_3(run: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    run.uv = lambda: sys.executable  # `python venv --quiet ...` fails as a broken uv would
    assert run.main(["setup"]) == 3
    assert "Making .venv failed" in capfd.readouterr().err


def test_the_everyday_set_and_the_whole(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.delenv("STOCKTWIN_NO_SKIP", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    run.ensure, run.warm = lambda level: None, lambda: None
    run.pytest = lambda options, env: calls.append((options, env)) or 0

    assert run.main(["test", "-k", "stock"]) == 0
    assert calls[0][0][:2] == ["-m", "not slow"]
    assert calls[0][0][-2:] == ["-k", "stock"]
    assert "STOCKTWIN_NO_SKIP" not in calls[0][1]

    assert run.main(["test", "--all"]) == 0
    (every, strict), (kernels, plain) = calls[1:]
    assert "-m" not in every
    assert strict["STOCKTWIN_NO_SKIP"] == "1"
    assert kernels == ["tests/kernels"]
    assert plain["NUMBA_DISABLE_JIT"] == "1"


def test_failures_of_either_part_fail_the_whole(run: ModuleType) -> None:
    run.ensure, run.warm = lambda level: None, lambda: None
    for codes, expected in (([0, 1], 1), ([1, 0], 1), ([0, 0], 0)):
        left = list(codes)
        run.pytest = lambda options, env, left=left: left.pop(0)
        assert run.main(["test", "--all"]) == expected


def test_kernels_are_compiled_again_only_when_they_changed(run: ModuleType, recorder: Recorder) -> None:
    run.ensure("runtime")
    kernels, cache, log = run.HERE / "src" / "stocktwin" / "kernels", run.HERE / "cache", run.HERE / "log"
    kernels.mkdir(parents=True)
    cache.mkdir()
    (kernels / "jit.py").write_text("1")
    python = run.VENV / "bin" / "python"
    python.write_text(f"#!/bin/sh\necho compiled >> '{log}'\necho '{cache}'\n")
    python.chmod(0o755)

    def times() -> int:
        run.warm()
        return len(log.read_text().splitlines())

    assert (times(), times()) == (1, 1)
    (kernels / "jit.py").write_text("2")
    assert (times(), times()) == (2, 2)
    cache.rmdir()  # the cache was cleared
    assert times() == 3


def test_progress_never_reaches_stdout(run: ModuleType, recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    run.ensure("runtime")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1 packages" in captured.err


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 13)])
def test_an_older_python_is_told_so(root: Path, version: tuple[int, ...]) -> None:
    code = f"import sys, runpy; sys.version_info = {version}; runpy.run_path({str(root / 'run.py')!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == f"Stocktwin needs Python 3.11 or newer; this is 3.{version[1]}."
