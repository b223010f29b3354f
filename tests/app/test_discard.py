"""Rows refused for good are put aside by a decision; the counts go on adding up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import NotFoundError, UsageError

SALE = (
    '{"table": "movements", "event_id": "%s", "event_time": "2025-03-01T08:00:00Z", "kind": "sale", "item_id": "%s", '
    '"quantity": %s, "from_id": "W", "system": "erp"}\n'
)
LINES = (
    '{"table": "items", "item_id": "A"}\n{"table": "locations", "location_id": "W", "kind": "dc"}\n'
    + SALE % ("1", "A", "5")
    + SALE % ("2", "A", "1.5")
    + SALE % ("3", "LATER", "2")
    + "no JSON\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    create_twin(tmp_path / "twin")
    return tmp_path / "twin"


@pytest.fixture
def twin(root: Path) -> Iterator[TwinService]:
    """Refused: a fraction, a broken line, a conflict; one row waits."""
    with TwinService.open(root) as service:
        service.post_facts(LINES)
        service.post_facts(SALE % ("1", "A", "6"))
        yield service


def by_state(twin: TwinService, **where: bool) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in twin.quarantine(**where)["rows"]:
        found.setdefault(row["state"], []).append(row["quarantine_id"])
    return found


def test_what_was_refused_leaves_the_list_and_stays_counted(twin: TwinService, root: Path) -> None:
    held, before = by_state(twin), twin.status()
    assert {state: len(ids) for state, ids in held.items()} == {"rejected": 2, "conflict": 1, "parked": 1}
    gone = [*held["rejected"], *held["conflict"]]
    version = twin.version()
    assert twin.quarantine_discard(gone, by="Maya", reason="typed twice")["discarded"] == gone
    assert twin.version() > version, "open pages hear of it"
    assert by_state(twin) == {"parked": held["parked"]}
    assert by_state(twin, discarded=True) == {state: held[state] for state in ("rejected", "conflict")}
    assert {row["discarded"]["by"] for row in twin.quarantine(discarded=True)["rows"]} == {"Maya"}
    assert twin.quarantine()["discarded"] == 3
    after = twin.status()
    names = ("delivered", "accepted", "duplicates", "quarantined")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert after["delivered"] == after["accepted"] + after["duplicates"] + after["quarantined"]
    (entry,) = twin.decisions()["decisions"]
    assert (entry["decision"], entry["by"], entry["reason"]) == ("discard", "Maya", "typed twice")
    assert entry["quarantine_ids"] == gone
    assert entry["recorded_at"]
    assert twin.verify()["ok"]
    again = twin.post_facts(LINES)
    assert (again["accepted"], again["quarantined"], again["duplicates"]) == (0, 0, 6)
    twin.quarantine_replay()
    assert by_state(twin) == {"parked": held["parked"]}
    twin.close()
    with TwinService.open(root) as later:
        assert by_state(later) == {"parked": held["parked"]}


def test_what_was_discarded_is_not_replayed(twin: TwinService, root: Path) -> None:
    lines = '{"table": "movements", "event_id": "7", "event_time": "noon", "kind": "sale", "item_id": "A"}\n'
    twin.post_facts(lines)
    number = twin.quarantine()["rows"][-1]["quarantine_id"]
    twin.quarantine_discard([number], by="Maya", reason="a test")
    assert twin.quarantine_replay()["delivered"] == 0
    assert number in [row["quarantine_id"] for row in twin.quarantine(discarded=True)["rows"]]


def test_what_cannot_be_discarded_is_named_and_nothing_is(twin: TwinService) -> None:
    held = by_state(twin)
    refused, waiting = held["conflict"][0], held["parked"][0]
    with pytest.raises(NotFoundError, match="no quarantined row called '7'"):
        twin.quarantine_discard([refused, 7], by="Maya", reason="x")
    with pytest.raises(UsageError, match=f"row {waiting} waits .*LATER|row {waiting} waits"):
        twin.quarantine_discard([refused, waiting], by="Maya", reason="x")
    for by, reason in (("", "x"), ("Maya", " ")):
        with pytest.raises(UsageError, match="who discards, and why"):
            twin.quarantine_discard([refused], by=by, reason=reason)
    assert by_state(twin) == held
    assert twin.decisions()["decisions"] == []
    twin.quarantine_discard([refused, refused], by="Maya", reason="x")
    with pytest.raises(UsageError, match=f"row {refused} was discarded by Maya at .* already"):
        twin.quarantine_discard([refused], by="Tom", reason="x")


def test_a_discard_is_no_decision_on_a_recommendation(twin: TwinService) -> None:
    twin.quarantine_discard(by_state(twin)["conflict"], by="Maya", reason="x")
    assert twin.recommend(top=1)["recommendations"] == []
