"""Changes wake those who wait; the inbox takes whole files, once."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from stocktwin.app.live import REFUSED, TAKEN, Changes, Inbox
from stocktwin.domain.errors import UsageError


def until(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_change_wakes_a_waiter() -> None:
    changes = Changes()
    woken: list[int] = []
    waiter = threading.Thread(target=lambda: woken.append(changes.wait(0, 10)))
    waiter.start()
    changes.announce()
    waiter.join(5)
    assert woken == [1]


def test_waiting_for_a_change_that_has_happened_returns_at_once() -> None:
    changes = Changes()
    changes.announce()
    assert changes.wait(0, 10) == 1
    assert changes.wait(1, 0.01) == 1


def test_the_inbox_takes_a_file_once_and_puts_it_aside(tmp_path: Path) -> None:
    taken: list[str] = []
    inbox = Inbox(tmp_path / "inbox", lambda path: taken.append(path.read_text()), print)
    inbox.start()
    (tmp_path / "inbox" / "movements.csv").write_text("whole")
    (tmp_path / "inbox" / ".partial.csv").write_text("hidden")
    (tmp_path / "inbox" / "notes.txt").write_text("no table")
    assert until(lambda: bool(list((tmp_path / "inbox" / TAKEN).glob("*-movements.csv"))))
    inbox.stop()
    assert taken == ["whole"]


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, lambda path: None, print)
    path = tmp_path / "movements.csv"
    path.write_text("a")
    assert inbox.settled(0.0) == []
    path.write_text("ab")
    assert inbox.settled(1.0) == []
    assert inbox.settled(1.2) == []
    assert inbox.settled(1.5) == [path]


def test_a_file_nobody_can_read_is_reported_and_put_aside(tmp_path: Path) -> None:
    said: list[str] = []

    def refuse(path: Path) -> None:
        raise UsageError("no such table")

    inbox = Inbox(tmp_path / "inbox", refuse, said.append)
    inbox.start()
    (tmp_path / "inbox" / "odd.csv").write_text("x")
    assert until(lambda: bool(said))
    assert until(lambda: bool(list((tmp_path / "inbox" / REFUSED).glob("*-odd.csv"))))
    inbox.stop()
    assert said == ["inbox: odd.csv: no such table"]


def test_folders_of_the_inbox_are_those_of_sources(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, lambda path: None, print)
    for name in ("wms", TAKEN, REFUSED, ".taking-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "movements.csv").write_text("a")
    assert inbox.settled(0.0) == []
    assert inbox.settled(1.0) == [tmp_path / "wms" / "movements.csv"]
