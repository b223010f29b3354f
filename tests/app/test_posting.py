"""Facts posted at the same time share a commit; each caller gets its own answer, or its own error."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import EnvironmentFault, NotFoundError

MASTER: list[dict[str, Any]] = [
    {"table": "items", "item_id": "I"},
    {"table": "locations", "location_id": "D", "kind": "dc"},
    {"table": "locations", "location_id": "S", "kind": "supplier"},
]


def receipt(number: object, **more: Any) -> dict[str, Any]:
    """One piece received."""
    same = {"table": "movements", "event_time": "2026-01-05T08:00:00Z", "kind": "receipt", "item_id": "I"}
    return {**same, "event_id": f"R{number}", "quantity": 1, "from_id": "S", "to_id": "D", "system": "erp", **more}


def lines(*rows: dict[str, Any]) -> str:
    """Rows as JSON lines."""
    return "\n".join(json.dumps(row) for row in rows)


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[TwinService]:
    """A twin with an item, a DC and a supplier."""
    create_twin(tmp_path / "twin")
    with TwinService.open(tmp_path / "twin") as opened:
        opened.post_facts(lines(*MASTER))
        yield opened


def at_once(twin: TwinService, posts: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Posts from a thread each while the twin is busy, so that all of them wait; answers or errors, in order."""
    answers: list[Any] = [None] * len(posts)

    def post(number: int) -> None:
        try:
            answers[number] = twin.post_facts(*posts[number])
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=post, args=(number,)) for number in range(len(posts))]
    with twin._writing:
        for number, thread in enumerate(threads):
            thread.start()
            while len(twin._posting._waiting) <= number:
                thread.join(0.005)
    for thread in threads:
        thread.join()
    return answers


class Commits:
    """Counts the commits of a twin's journal."""

    def __init__(self, twin: TwinService, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        append = twin.ledger.journal.append
        monkeypatch.setattr(
            twin.ledger.journal, "append", lambda drafts: (self.sizes.append(len(drafts)), append(drafts))[1]
        )


def test_posts_at_the_same_time_share_one_commit(twin: TwinService, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = Commits(twin, monkeypatch)
    answers = at_once(twin, [(lines(receipt(number), receipt(f"{number}b")),) for number in range(20)])
    assert commits.sizes == [20]
    assert [(one["delivered"], one["accepted"]) for one in answers] == [(2, 2)] * 20
    assert twin.stock()["rows"][0]["on_hand"] == 40
    assert twin.verify()["ok"]


def test_each_gets_its_own_answer(twin: TwinService) -> None:
    answers = at_once(
        twin,
        [
            (lines(receipt(1)),),
            (lines(receipt(1), receipt(2)),),
            (lines(receipt(3, item_id="unknown")),),
            ("",),
            (lines(receipt(1, quantity=7)),),
            (lines(receipt(4)),),
        ],
    )
    counts = [tuple(one[key] for key in ("delivered", "accepted", "duplicates", "quarantined")) for one in answers]
    assert counts == [(1, 1, 0, 0), (2, 1, 1, 0), (1, 0, 0, 1), (0, 0, 0, 0), (1, 0, 0, 1), (1, 1, 0, 0)]
    findings = [[finding["value"] for finding in one["findings"]] for one in answers]
    assert findings == [[], [], ["unknown"], [], ["R1"], []]


def test_a_wrong_post_is_its_callers_own_trouble(twin: TwinService, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = Commits(twin, monkeypatch)
    answers = at_once(
        twin,
        [
            (lines(receipt(1)),),
            (lines(receipt(2)), "nonsense"),
            (lines(receipt(3)), None, "nobody"),
            (lines(receipt(4)),),
        ],
    )
    assert [type(one) for one in answers] == [dict, NotFoundError, NotFoundError, dict]
    assert commits.sizes == [2]


def test_what_brings_names_or_cannot_be_read_is_taken_by_itself(twin: TwinService) -> None:
    """A local time waits for its location's zone, whichever of the posts comes first."""
    local = receipt(1, event_time="2026-01-05T08:00:00", to_id="P")
    place = {"table": "locations", "location_id": "P", "kind": "store", "timezone": "Europe/Paris"}
    answers = at_once(
        twin, [(lines(receipt(2)),), (lines(local),), (lines(place),), (lines(receipt(3)),), ("{broken",)]
    )
    assert [one["quarantined"] for one in answers] == [0, 1, -1, 0, 1]
    assert [row["on_hand"] for row in twin.stock()["rows"]] == [2, 1]
    assert twin.verify()["ok"]


def test_where_the_journal_cannot_be_written_everyone_is_told_and_nothing_is_taken(
    twin: TwinService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(drafts: object) -> None:
        raise EnvironmentFault("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(twin.ledger.journal, "append", full)
        answers = at_once(twin, [(lines(receipt(number)),) for number in range(5)])
    assert [str(one) for one in answers] == ["the disk is full"] * 5
    answers = at_once(twin, [(lines(receipt(number)),) for number in range(5)])
    assert [one["accepted"] for one in answers] == [1] * 5
