"""House rules of the test session: no skip goes unseen where `STOCKTWIN_NO_SKIP=1` (`python3 run.py test --all`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

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
