"""What may not be proposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from stocktwin.prescription.governance import Commitment
from stocktwin.prescription.guards import Guards, guards
from stocktwin.prescription.recommendation import Subject
from stocktwin.prescription.situation import Candidate
from stocktwin.tables.snapshot import Snapshot

A_TO_B = Subject("transfer", "ITEM", "B", from_id="A", to_id="B")
ITEM, A, B = 0, 0, 1


@pytest.fixture
def snapshot(snapshot_of: Callable[..., Snapshot], warehouses: Callable[..., dict[str, Any]]) -> Snapshot:
    return snapshot_of(**warehouses())


def approved(subject: Subject, quantity: int = 100) -> Commitment:
    return Commitment(subject, True, quantity, 20_000)


def allows(limits: Guards, subject: Subject, row: int) -> bool:
    return limits.allow(Candidate(subject, row, 1, 1.0, True))


def moved(*ways: tuple[str, str]) -> pa.Table:
    return pa.table({"item_id": ["ITEM"] * len(ways), "from_id": [a for a, _ in ways], "to_id": [b for _, b in ways]})


def test_a_recent_transfer_forbids_the_way_back_only(snapshot: Snapshot) -> None:
    for recent in (moved(("A", "B")), moved(("A", "A→B")), moved(("A→B", "B"))):
        assert guards(snapshot, recent, ()).forbidden == {(ITEM, B, A)}
    assert guards(snapshot, moved(("A", "nowhere"), ("A", "A")), ()).forbidden == set()
    assert guards(snapshot, None, ()).forbidden == set()


def test_an_open_transfer_order_forbids_the_way_back(
    snapshot_of: Callable[..., Snapshot], warehouses: Callable[..., dict[str, Any]]
) -> None:
    line = {"order_id": "T-1", "kind": "transfer", "item_id": "ITEM", "from_id": "A", "to_id": "B", "open_quantity": 5,
            "ordered_at": -1}  # fmt: skip
    assert (ITEM, B, A) in guards(snapshot_of(**warehouses(orders=[line])), None, ()).forbidden


def test_an_approved_transfer_is_promised_until_it_has_moved(snapshot: Snapshot) -> None:
    before = guards(snapshot, None, [approved(A_TO_B)])
    assert before.promised.tolist() == [100, 0]
    assert not allows(before, A_TO_B, 1)
    assert not allows(before, Subject("safety_stock", "ITEM", "B"), 1)
    assert allows(before, Subject("safety_stock", "ITEM", "A"), 0)
    after = guards(snapshot, moved(("A", "B")), [approved(A_TO_B)])
    assert after.promised.tolist() == [0, 0]
    assert not allows(after, A_TO_B, 1)
    assert allows(after, Subject("safety_stock", "ITEM", "B"), 1)


def test_a_rejection_quiets_its_subject_alone(snapshot: Snapshot) -> None:
    limits = guards(snapshot, None, [Commitment(A_TO_B, False, 0, 20_000)])
    assert limits.promised.sum() == 0
    assert not allows(limits, A_TO_B, 1)
    assert allows(limits, Subject("advance_order", "ITEM", "B", order_id="PO-1", line="1"), 1)
