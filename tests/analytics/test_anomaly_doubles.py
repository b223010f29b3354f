"""Receipts posted twice, by one system or by both, and what only looks so. Sensors known by their history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stocktwin.analytics.anomaly import Anomaly, find_anomalies
from stocktwin.tables.evidence import Evidence
from stocktwin.tables.snapshot import Snapshot

DAY = 86_400_000_000
AS_OF = 20_090 * DAY - 1
Row = dict[str, Any]
Find = Callable[..., list[Anomaly]]


@pytest.fixture
def find(snapshot: Callable[..., Snapshot], make_evidence: Callable[..., Evidence]) -> Find:
    def run(moves: list[Row] | None = None, claims: list[Row] | None = None, orders: list[Row] | None = None,
            ) -> list[Anomaly]:  # fmt: skip
        twin = snapshot(pairs=[("A", "L1"), ("B", "L1")], items=[{"item_id": "A", "unit_cost": 2.0}, {"item_id": "B"}])
        return find_anomalies(make_evidence(moves or [], claims or [], orders or [], []), twin)

    return run


def receipt(system: str, **more: Any) -> Row:
    return {"system": system, "event_time": AS_OF - 30 * DAY, "kind": "receipt", "from_id": "S1", "to_id": "L1",
            "quantity": 7, "order_id": "P1", "line": "1", "document": "GR1", "on_record": system == "wms",
            **more}  # fmt: skip


def line(quantity: int, received: int, system: str = "erp") -> Row:
    return {"system": system, "order_id": "P1", "line": "1", "quantity": quantity, "quantity_received": received,
            "received_at": AS_OF - 30 * DAY, "ordered_at": AS_OF - 50 * DAY}  # fmt: skip


def doubles(found: list[Anomaly]) -> list[tuple[str, bool]]:
    return sorted((a.systems[0], a.on_record) for a in found if a.kind == "duplicate_post")


def test_what_the_book_that_posted_twice_counts_as_received_is_no_witness(find: Find) -> None:
    twice = [receipt("erp"), receipt("erp"), receipt("wms")]
    assert doubles(find(twice, orders=[line(7, 14)])) == [("erp", False)]
    assert doubles(find(twice, orders=[line(7, 14, "portal")])) == [], "somebody else says that 14 came"


def test_a_double_that_passed_to_the_other_book_is_betrayed_by_the_order(find: Find) -> None:
    both = [receipt(system) for system in ("wms", "wms", "erp", "erp")]
    found = find(both, orders=[line(7, 14)])
    assert doubles(found) == [("erp", False), ("wms", True)]
    assert max(a.confidence for a in found) < 0.9, "the supplier may have sent twice what was ordered"
    assert doubles(find(both, orders=[line(14, 14)])) == []
    assert doubles(find(both)) == [], "both tell of two, and nobody says what was ordered"


def test_two_deliveries_put_away_at_the_same_time_are_two(find: Find) -> None:
    put = {"kind": "status", "from_id": "L1", "to_id": "L1", "order_id": None, "line": None}
    assert find([receipt("wms", document="GR1", **put), receipt("wms", document="GR2", **put)]) == []


# --- sensors ---------------------------------------------------------------------------------------------------------


def readings(method: str, said: list[int], record: int, item: str = "A") -> list[Row]:
    return [
        {"event_time": AS_OF - (len(said) - k) * DAY, "quantity": quantity, "record_balance": record, "method": method,
         "system": "iot", "item_id": item}
        for k, quantity in enumerate(said)
    ]  # fmt: skip


def test_a_coarse_sensor_is_known_by_its_history(find: Find) -> None:
    """Steps of 40: most of what it says is 20 away from the record of 100."""
    coarse = [80, 120] * 15
    assert find(claims=readings("weight", [*coarse, 120], 100)) == []
    assert [a.quantity for a in find(claims=readings("weight", [120], 100))] == [20], "no history, no allowance"
    assert [a.quantity for a in find(claims=readings("weight", [*coarse, 240], 100))] == [140]


def test_a_fault_in_the_record_is_no_noise(find: Find) -> None:
    """All readings after it are off alike."""
    assert [a.quantity for a in find(claims=readings("weight", [100] * 20 + [80] * 20, 100))] == [-20]


def test_the_noise_of_one_sensor_excuses_no_other(find: Find) -> None:
    claims = [*readings("weight", [80, 120] * 15, 100, "A"), *readings("weight", [100] * 29 + [80], 100, "B")]
    assert [(a.item_id, a.quantity) for a in find(claims=claims)] == [("B", -20)]


def test_a_reader_that_misses_tags_now_and_then_is_believed_about_what_it_sees(find: Find) -> None:
    usual = [20 if k % 8 else 19 for k in range(1, 60)]
    assert find(claims=readings("rfid", [*usual, 17], 20)) == [], "as many are missed now and then"
    assert [a.quantity for a in find(claims=readings("rfid", [*usual, 15], 20))] == [-5]
    assert [a.quantity for a in find(claims=readings("rfid", [*usual, 22], 20))] == [2], (
        "it sees no tags that are not there"
    )
    assert [a.quantity for a in find(claims=readings("rfid", [20] * 59 + [17], 20))] == [-3], "one that misses none"
