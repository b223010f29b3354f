"""Each planted fault is found by its own rule; what only looks like one is not."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stocktwin.analytics.anomaly import KINDS, Anomaly, find_anomalies
from stocktwin.tables.evidence import Evidence
from stocktwin.tables.snapshot import Snapshot

DAY = 86_400_000_000
MINUTE = 60_000_000
AS_OF = 20_090 * DAY - 1
Row = dict[str, Any]
Find = Callable[..., list[Anomaly]]


def ago(days: float, minutes: float = 0) -> int:
    return round(AS_OF - days * DAY + minutes * MINUTE)


def receipt(days: float, quantity: int, system: str = "wms", order: str | None = None, **more: Any) -> Row:
    return {"system": system, "event_time": ago(days), "kind": "receipt", "from_id": "S1", "to_id": "L1", **more,
            "quantity": quantity, "order_id": order, "line": order and "1", "on_record": system == "wms"}  # fmt: skip


def sale(days: float, quantity: int, system: str = "erp", **more: Any) -> Row:
    return {"system": system, "event_time": ago(days), "kind": "sale", "from_id": "L1", "to_id": "customer",
            "quantity": quantity, "on_record": system == "erp", **more}  # fmt: skip


def adjustment(days: float, quantity: int, **more: Any) -> Row:
    """Out of stock when the quantity is negative."""
    ends = {"from_id": "L1", "to_id": "loss"} if quantity < 0 else {"from_id": "gain", "to_id": "L1"}
    return {"event_time": ago(days), "kind": "adjustment", "quantity": abs(quantity), **ends, **more}


def count(days: float, quantity: int, record: int, **more: Any) -> Row:
    return {"event_time": ago(days), "quantity": quantity, "record_balance": record, **more}


def line(order: str, quantity: int, received: int | None = None, days: float | None = None, **more: Any) -> Row:
    return {"order_id": order, "line": "1", "quantity": quantity, "quantity_received": received,
            "received_at": days and ago(days), "ordered_at": ago((days or 10) + 20), **more}  # fmt: skip


def background() -> tuple[list[Row], list[Row]]:
    """Twelve orders received as ordered, told by both systems: the habit against which a silence stands out."""
    quantities = [100, 40, 75, 60, 110, 35, 81, 90, 55, 70, 120, 45]
    moves, orders = [], []
    for k, quantity in enumerate(quantities):
        days = 80 - 5 * k
        moves += [receipt(days, quantity, order=f"H{k}"), receipt(days - 0.2, quantity, "erp", f"H{k}")]
        orders.append(line(f"H{k}", quantity, quantity, days))
    return moves, orders


@pytest.fixture
def find(snapshot: Callable[..., Snapshot], make_evidence: Callable[..., Evidence]) -> Find:
    """Runs all the rules over hand-made evidence of item A at L1, with the background unless told otherwise."""

    def run(moves: list[Row] | None = None, claims: list[Row] | None = None, orders: list[Row] | None = None,
            units: list[Row] | None = None, usual: bool = True, scale: int = 0) -> list[Anomaly]:  # fmt: skip
        twin = snapshot(
            pairs=[("A", "L1"), ("A", "L2"), ("B", "L1")],
            items=[{"item_id": "A", "unit_cost": 2.0, "scale": scale}, {"item_id": "B"}],
        )
        more, known = background() if usual else ([], [])
        return find_anomalies(
            make_evidence([*more, *(moves or [])], claims or [], [*known, *(orders or [])], units or []), twin
        )

    return run


def kinds(found: list[Anomaly]) -> list[str]:
    return sorted(anomaly.kind for anomaly in found)


# --- nothing planted, nothing found ----------------------------------------------------------------------------------


def test_clean_evidence_gives_no_anomaly(find: Find) -> None:
    assert find() == []
    assert find(claims=[count(3, 500, 500), count(40, 70, 70)]) == []
    assert find(usual=False) == []


# --- duplicate_post --------------------------------------------------------------------------------------------------


def test_a_receipt_posted_twice_is_found(find: Find) -> None:
    twice = [receipt(30, 96, order="P1", document="GR1"), receipt(30, 96, order="P1", document="GR1"),
             receipt(29.8, 96, "erp", "P1")]  # fmt: skip
    (found,) = find(twice, orders=[line("P1", 96, 96, 30)])
    assert (found.kind, found.item_id, found.location_id, found.quantity) == ("duplicate_post", "A", "L1", -96)
    assert found.value == 192.0
    assert found.confidence >= 0.95
    assert {fact["fact"] for fact in found.evidence} == {"movement", "order"}


def test_minutes_apart_is_enough_and_hours_need_a_witness(find: Find) -> None:
    near = [sale(30, 7, document="I1"), sale(30 - 5 / 1440, 7, document="I1")]
    far = [sale(30, 7, document="I1"), sale(29.8, 7, document="I1")]
    assert kinds(find(near)) == ["duplicate_post"]
    assert find(far) == []
    (found,) = find([*far, sale(30, 7, "wms", document="I1")])
    assert (found.kind, found.quantity) == ("duplicate_post", 7), "a sale booked twice took out too much"


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param([sale(30, 7), sale(29, 7)], id="two equal sales a day apart"),
        pytest.param([sale(30, 7, document="I1", line="1"), sale(30, 7, document="I1", line="2")], id="two lines"),
        pytest.param([sale(30, 7, document="I1"), sale(30, 8, document="I1")], id="different quantities"),
        pytest.param([sale(30, 7, document="I1"), sale(30, 7, document="I1", from_id="L2")], id="different places"),
        pytest.param([sale(30, 7, document="I1"), sale(30, 7, document="I1", item_id="B")], id="different items"),
        pytest.param(
            [sale(30, 7, document="I1", event_id="X"), sale(30, 7, document="I1", event_id="Y", corrects="X")],
            id="a correction",
        ),
    ],
)
def test_what_is_no_duplicate(find: Find, pair: list[Row]) -> None:
    assert find(pair) == []


def test_a_duplicate_that_was_taken_back_is_left_alone(find: Find) -> None:
    posted = [sale(30, 7, document="I1", event_id="X"), sale(30, 7, document="I1", event_id="Y"),
              {**sale(28, 7, document="I1", corrects="Y"), "from_id": "customer", "to_id": "L1"}]  # fmt: skip
    assert find(posted) == []


def test_two_pallets_of_one_order_line_are_no_duplicate(find: Find) -> None:
    halves = [receipt(30, 50, order="P1", document="GR1"), receipt(30, 50, order="P1", document="GR1"),
              receipt(29.8, 100, "erp", "P1")]  # fmt: skip
    assert find(halves, orders=[line("P1", 100, 100, 30)]) == []


def test_two_events_that_another_system_tells_as_two_are_no_duplicate(find: Find) -> None:
    both = [{**sale(30, 7, system), "document": "I1"} for system in ("erp", "erp", "wms", "wms")]
    assert find(both) == []


def test_a_shop_that_sells_the_same_all_day_has_no_duplicates(find: Find) -> None:
    """Ones sold minutes apart, without documents: the coincidences that chance must give."""
    sales = [sale(20 - k * 0.004, 1 + k % 2) for k in range(400)]
    assert find(sales) == []


def test_a_system_that_repeats_lines_by_habit_is_believed(find: Find) -> None:
    sales = [sale(20 - k * 0.05, 3, document=f"I{k}") for k in range(40) for _ in range(2)]
    assert find(sales) == []


def test_the_double_posting_of_a_real_wholesaler_is_found(
    datasets: Path, snapshot: Callable[..., Snapshot], make_evidence: Callable[..., Evidence]
) -> None:
    """Online Retail: invoices 556690 and 556691 take 9,600 pieces of 23005 out twice in one minute."""
    file = datasets / "online_retail" / "stock_adjustments.csv"
    with file.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    moves, items = [], sorted({row["StockCode"] for row in rows})
    latest = max(datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC) for row in rows)
    for row in rows:
        days = (latest - datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)).total_seconds() / 86_400
        if int(row["Quantity"]):
            moves.append({**adjustment(days, int(row["Quantity"])), "item_id": row["StockCode"],
                          "event_id": row["InvoiceNo"] + row["StockCode"], "document": row["InvoiceNo"],
                          "reason": row["Description"] or None})  # fmt: skip
    twin = snapshot(pairs=[(item, "L1") for item in items])
    found = find_anomalies(make_evidence(moves, days=400), twin)
    doubles = [anomaly for anomaly in found if anomaly.kind == "duplicate_post"]
    documents = [{fact["document"] for fact in anomaly.evidence} for anomaly in doubles]
    assert {"556690", "556691"} in documents
    assert len(doubles) < 15, "of 2,515 adjustments"
    assert doubles[documents.index({"556690", "556691"})].quantity == 9600


# --- pack_factor and digit_swap --------------------------------------------------------------------------------------


def test_pieces_posted_as_cases_against_the_other_system(find: Find) -> None:
    (found,) = find(
        [receipt(30, 288, order="P1"), receipt(29.8, 12, "erp", "P1")],
        orders=[line("P1", 12, 12, 30)],
        units=[{"item_id": "A", "unit": "case", "factor": 24.0}],
    )
    assert (found.kind, found.quantity, found.systems[0]) == ("pack_factor", 12 - 288, "wms")
    assert "÷" not in found.explanation
    assert "24" in found.explanation


def test_a_factor_that_is_no_pack_of_the_item_is_no_pack_factor(find: Find) -> None:
    assert "pack_factor" not in kinds(find([receipt(30, 288, order="P1"), receipt(29.8, 12, "erp", "P1")]))


def test_swapped_digits_against_the_order_line(find: Find) -> None:
    (found,) = find([receipt(30, 540, order="P1")], orders=[line("P1", 450, 450, 30)])
    assert (found.kind, found.quantity) == ("digit_swap", -90)


def test_a_short_delivery_is_no_digit_swap(find: Find) -> None:
    told = [receipt(30, 45, order="P1"), receipt(29.8, 45, "erp", "P1")]
    assert find(told, orders=[line("P1", 54, 45, 30)]) == []
    assert find(told, orders=[line("P1", 54, status="part_received")]) == []


def test_a_count_says_which_of_two_systems_swapped_the_digits(find: Find) -> None:
    """The record (wms) has 45 received, the other system 54; who is right, only the count knows."""
    told = [receipt(30, 45, order="P1"), receipt(29.8, 54, "erp", "P1")]
    (found,) = find(told, [count(5, 909, 900)])
    assert (found.kind, found.quantity, found.on_record) == ("digit_swap", 9, True)
    assert found.confidence == 0.97
    (found,) = find(told, [count(5, 900, 900)])
    assert (found.kind, found.on_record, found.confidence) == ("digit_swap", False, 0.75)


def test_a_slip_is_traced_from_the_next_count(find: Find) -> None:
    """Nobody else told of this scrapping: the count that finds 27 too many is what betrays it."""
    scrap = {"event_time": ago(20), "kind": "scrap", "from_id": "L1", "to_id": "scrap", "quantity": 63}
    (found,) = find([scrap, sale(19, 4), sale(18, 5)], [count(30, 900, 900), count(5, 828 + 27, 828)])
    assert (found.kind, found.quantity, found.confidence) == ("digit_swap", 27, 0.97)
    assert {fact["fact"] for fact in found.evidence} == {"movement", "observation"}


def test_a_posting_that_others_confirm_is_not_blamed_for_a_count(find: Find) -> None:
    told = [receipt(20, 63, order="P1"), receipt(19.8, 63, "erp", "P1")]
    (found,) = find(told, [count(5, 900 - 27, 900)], [line("P1", 63, 63, 20)])
    assert found.kind == "record_against_count"


# --- missing_post ----------------------------------------------------------------------------------------------------


def test_a_receipt_the_warehouse_did_not_post_is_found(find: Find) -> None:
    (found,) = find([receipt(20, 66, "erp", "P1")], orders=[line("P1", 66, 66, 20)])
    assert (found.kind, found.quantity, found.systems[0], found.on_record) == ("missing_post", 66, "wms", True)


def test_a_receipt_only_a_side_book_lacks_weighs_less(find: Find) -> None:
    (found,) = find([receipt(20, 66, order="P1")])
    assert (found.kind, found.on_record, found.systems[0]) == ("missing_post", False, "erp")
    assert found.severity < 0.5


def test_what_may_still_come_is_not_missing(find: Find) -> None:
    assert find([receipt(0.5, 66, "erp", "P1")], orders=[line("P1", 66, 66, 0.5)]) == []


def test_a_system_that_never_posts_a_kind_misses_none(find: Find) -> None:
    assert find([sale(k, 3 + k) for k in range(2, 60, 3)]) == []


def test_a_reader_of_tags_that_sees_less_disputes_no_posting(find: Find) -> None:
    both = [receipt(20, 66, order="P1"), receipt(20, 66, "erp", "P1")]
    habit, _ = background()
    seen = [{**move, "system": "rfid", "on_record": False} for move in habit if move["system"] == "wms"]
    order = [line("P1", 66, 66, 20)]
    assert kinds(find([*both, *seen], [], order)) == ["missing_post"]
    assert find([*both, *seen], [count(5, 100, 100, method="rfid", system="rfid")], order) == []


def test_a_late_correction_whose_counterpart_is_older_than_the_window_is_not_missing(find: Find) -> None:
    back = {**receipt(20, 58, order="P0", document="G0", corrects="OLD"), "from_id": "L1", "to_id": "S1"}
    assert find([back, receipt(20, 85, order="P0", document="G0")]) == []


def test_a_line_that_counts_as_received_without_a_receipt(find: Find) -> None:
    (found,) = find(orders=[line("P1", 66, 66, 20)])
    assert (found.kind, found.quantity, found.evidence[0]["order_id"]) == ("missing_post", 66, "P1")


# --- record_against_count, record_against_book -----------------------------------------------------------------------


def test_a_count_the_record_does_not_bear_out(find: Find) -> None:
    (found,) = find(claims=[count(5, 90, 100)])
    assert (found.kind, found.quantity, found.value) == ("record_against_count", -10, 20.0)
    (more,) = find(claims=[count(5, 112, 100)])
    assert (more.kind, more.quantity) == ("record_against_count", 12)


def test_only_the_last_count_stands(find: Find) -> None:
    assert find(claims=[count(15, 90, 100), count(5, 100, 100)]) == []


def test_a_difference_that_was_posted_away_is_settled(find: Find) -> None:
    assert find([adjustment(3, -10, reason="broken, found on counting")], [count(5, 90, 100)]) == []


def test_a_movement_at_the_cut_off_explains_the_difference(find: Find) -> None:
    at = sale(5, 10) | {"event_time": ago(5, -20)}
    assert find([at], [count(5, 110, 100)]) == [], "sold just before, still on the shelf when counted"
    assert kinds(find([at], [count(5, 90, 100)])) == ["record_against_count"]


def test_an_unanchored_pair_is_not_disputed(find: Find) -> None:
    assert find(claims=[count(5, 90, 100, anchored=False)]) == []


def test_a_reading_within_its_own_noise_is_no_anomaly(find: Find) -> None:
    assert find(claims=[count(5, 98, 100, method="rfid")]) == []
    assert kinds(find(claims=[count(5, 80, 100, method="rfid")])) == ["record_against_count"]


def test_a_book_that_is_off_by_more_than_what_is_in_flight(find: Find) -> None:
    claim = count(5, 60, 100, method="erp_book", system="erp", book_balance=60)
    (found,) = find(claims=[claim])
    assert (found.kind, found.quantity) == ("record_against_book", -40)
    in_flight = [receipt(5.3, 40, order="P1"), receipt(4.9, 40, "erp", "P1")]
    assert find(in_flight, [claim], [line("P1", 40, 40, 5.3)]) == []


def test_a_cause_that_adds_up_takes_the_symptom_as_evidence(find: Find) -> None:
    twice = [receipt(30, 96, order="P1", document="G"), receipt(30, 96, order="P1", document="G"),
             receipt(29.8, 96, "erp", "P1")]  # fmt: skip
    claims = [count(5, 104, 200), count(4, 104, 200, method="erp_book", system="erp")]
    (found,) = find(twice, claims, [line("P1", 96, 96, 30)])
    assert (found.kind, found.confidence) == ("duplicate_post", 0.97)
    assert [fact["method"] for fact in found.evidence if fact["fact"] == "observation"] == ["cycle_count", "erp_book"]


def test_a_cause_that_does_not_add_up_leaves_the_symptom_standing(find: Find) -> None:
    twice = [receipt(30, 96, order="P1", document="G"), receipt(30, 96, order="P1", document="G"),
             receipt(29.8, 96, "erp", "P1")]  # fmt: skip
    assert kinds(find(twice, [count(5, 110, 200)], [line("P1", 96, 96, 30)])) == [
        "duplicate_post",
        "record_against_count",
    ]


# --- unexplained_loss ------------------------------------------------------------------------------------------------


def test_stock_written_off_without_a_reason(find: Find) -> None:
    (found,) = find([adjustment(10, -40), adjustment(8, -20, reason="missing"), adjustment(7, 5, reason="found")])
    assert (found.kind, found.quantity, found.value) == ("unexplained_loss", -55, 110.0)


def test_stock_written_off_with_a_reason_is_explained(find: Find) -> None:
    assert find([adjustment(10, -40, reason="damaged by water"), adjustment(9, -40, reason="own use")]) == []


def test_what_was_keyed_and_taken_back_is_no_loss(find: Find) -> None:
    assert find([adjustment(10, -74215), adjustment(9.9, 74215)]) == []


def test_a_trifle_is_no_anomaly(find: Find) -> None:
    assert find([adjustment(10, -3)]) == []


def test_three_counts_in_a_row_below_the_record_are_a_drift(find: Find) -> None:
    claims = [count(60, 96, 100), count(40, 90, 100), count(20, 85, 100)]
    (found,) = find(claims=claims)
    assert (found.kind, found.quantity) == ("unexplained_loss", -15), "each count finds more missing than the last"
    mixed = [count(60, 96, 100), count(40, 104, 100), count(20, 95, 100)]
    assert kinds(find(claims=mixed)) == ["record_against_count"]


# --- what is handed over ---------------------------------------------------------------------------------------------


def test_anomalies_are_ranked_by_value_and_stable(find: Find) -> None:
    moves = [adjustment(10, -400), adjustment(10, -90, item_id="B"), receipt(20, 66, "erp", "P1")]
    claims = [count(5, 90, 100, location_id="L2")]
    first, again = (find(moves, claims, [line("P1", 66, 66, 20)]) for _ in range(2))
    assert first == again
    assert len({anomaly.id for anomaly in first}) == len(first) == 4
    assert [anomaly.value for anomaly in first] == [800.0, 132.0, 20.0, None], "without a cost last"
    assert first[0].severity == 1.0
    assert set(kinds(first)) <= set(KINDS)


def test_the_plain_form_writes_quantities_in_the_items_unit(find: Find) -> None:
    (found,) = find(claims=[count(5, 90_500, 100_000)], usual=False, scale=3)
    plain = found.to_dict()
    assert (plain["quantity"], plain["evidence"][0]["quantity"], plain["value"]) == ("-9.500", "90.500", 19.0)
    assert "90.500" in plain["explanation"]


def test_every_anomaly_says_what_would_settle_it(find: Find) -> None:
    found = find([adjustment(10, -400), receipt(20, 66, "erp", "P1")], [count(5, 90, 100)], [line("P1", 66, 66, 20)])
    for anomaly in found:
        assert anomaly.explanation.endswith(".")
        assert len(anomaly.cheapest_check) > 20
        assert anomaly.evidence
        assert 0 < anomaly.confidence <= 1
