"""The whole chain: planted cases are found, bad ones are not, and every promise of a recommendation is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.prescription.governance import check_decision
from stocktwin.prescription.recommend import Advice, default_horizon, recommend

Rows = Callable[..., dict[str, Any]]
Make = Callable[..., Any]
LINE = {"order_id": "PO-1", "item_id": "ITEM", "from_id": "SUP", "to_id": "B", "open_quantity": 400, "ordered_at": -1}
NO_LANES = {"lane": {"lead_time_days": 90}}


def advise(twin: Any, **given: Any) -> Advice:
    return recommend(twin.snapshot, twin.forecast, twin.lead_times, twin.compiled, **given)


def test_the_planted_transfer_is_recommended_with_sign_and_size(twin_of: Make, warehouses: Rows) -> None:
    twin = twin_of(**warehouses())
    advice = advise(twin)
    one = next(one for one in advice if one.kind == "transfer")
    assert (one.subject.item_id, one.subject.from_id, one.subject.to_id) == ("ITEM", "A", "B")
    # B has 15, sells 10 a day; an order comes in 20 days, the transfer in 2: about 180 sales of 10 each, less freight
    assert one.expected_value == pytest.approx(1_750, rel=0.15)
    assert one.lo is not None
    assert one.hi is not None
    assert 0 < one.lo < one.expected_value < one.hi
    assert one.worst_5 is not None
    assert 0 < one.worst_5 < one.expected_value
    assert one.quantity is not None
    assert 150 <= one.quantity <= 900 - 350
    assert one.action_cost == pytest.approx(20 + 0.1 * one.quantity)
    assert one.cost_of_delay == pytest.approx(700, rel=0.2)
    assert one.units_value == pytest.approx(180, rel=0.15)
    assert "B" in one.reason
    assert "A" in one.description


def test_a_balanced_twin_gets_no_transfer(twin_of: Make, warehouses: Rows) -> None:
    advice = advise(twin_of(**warehouses(stock={("ITEM", "A"): 340, ("ITEM", "B"): 340})))
    assert not [one for one in advice if one.kind == "transfer"]


def test_an_order_line_is_brought_forward(twin_of: Make, warehouses: Rows) -> None:
    stock = {("ITEM", "A"): 300, ("ITEM", "B"): 20}
    lanes = warehouses()["lanes"]
    lanes[1]["lead_time_sd_days"] = 8
    twin = twin_of(**warehouses(stock=stock, orders=[LINE | {"ordered_at": 0}], lanes=lanes))
    one = next(one for one in advise(twin) if one.kind == "advance_order")
    assert (one.subject.order_id, one.subject.line, one.subject.location_id) == ("PO-1", "1", "B")
    assert one.from_date is not None
    assert one.to_date is not None
    assert "2024-10-05" < one.to_date < one.from_date  # today is 2024-10-04
    assert one.expected_value is not None
    assert one.expected_value > 300
    assert one.quantity == 400


def test_a_safety_stock_that_is_far_off_is_moved_the_right_way(twin_of: Make, warehouses: Rows) -> None:
    low = advise(
        twin_of(
            **warehouses(
                policy={"reorder_point": 150, "order_up_to": 250}, stock={("ITEM", "A"): 160, ("ITEM", "B"): 160}
            )
        )
    )
    raised = [one for one in low if one.kind == "safety_stock"]
    assert {one.subject.location_id for one in raised} == {"A", "B"}
    for one in raised:
        assert one.quantity is not None
        assert one.quantity > 20
        assert one.proposed == (one.current or 0) + one.quantity
    dear = {"unit_cost": 2_000, "unit_price": 2_010}
    high = advise(
        twin_of(
            **warehouses(
                policy={"reorder_point": 800, "order_up_to": 900},
                item=dear,
                stock={("ITEM", "A"): 850, ("ITEM", "B"): 850},
            )
        )
    )
    lowered = [one for one in high if one.kind == "safety_stock"]
    assert lowered
    for one in lowered:
        assert one.quantity is not None
        assert one.quantity < -200
        assert one.details["proposed_reorder_point"] == 800 + one.quantity
        assert one.details["proposed_order_up_to"] == 900 + one.quantity


def test_a_service_target_is_not_undercut(twin_of: Make, warehouses: Rows) -> None:
    policy = {"reorder_point": 800, "order_up_to": 900, "service_target": 0.97, "service_type": "fill_rate"}
    dear = {"unit_cost": 2_000, "unit_price": 2_001}
    stock = {("ITEM", "A"): 850, ("ITEM", "B"): 850}
    advice = advise(twin_of(**warehouses(policy=policy, item=dear, stock=stock)))
    lowered = [one for one in advice if one.kind == "safety_stock"]
    assert lowered
    for one in lowered:
        reached = one.proof.with_action["fill_rate"].mean
        assert reached is not None
        assert reached >= 0.97
        assert one.details["service_target"] == 0.97


def network(seed: int, items: int = 30) -> dict[str, Any]:
    """Three warehouses, stock at random between starving and drowning, some orders open."""
    draw = np.random.default_rng(seed)
    places, ids = ("A", "B", "C"), [f"I{at:02}" for at in range(items)]
    pairs = [(item, place) for item in ids for place in places]
    lanes = [{"origin_id": "SUP", "destination_id": name, "mode": "sea", "lead_time_days": 25, "lead_time_sd_days": 6}
             for name in places]  # fmt: skip
    lanes += [{"origin_id": a, "destination_id": b, "mode": "road", "lead_time_days": 3, "lead_time_sd_days": 1,
               "cost_per_unit": 0.2, "cost_per_shipment": 15} for a in places for b in places if a != b]  # fmt: skip
    mean = {pair: float(draw.uniform(0.5, 12)) for pair in pairs}
    stock = {pair: int(mean[pair] * draw.choice([0, 3, 15, 40, 120])) for pair in pairs}
    return {
        "items": [{"item_id": item, "unit_cost": float(draw.uniform(2, 80)), "unit_price": 100.0} for item in ids],
        "locations": [{"location_id": p, "kind": "supplier" if p == "SUP" else "dc"} for p in (*places, "SUP")],
        "stock": stock,
        "lanes": lanes,
        "sourcing": [{"item_id": i, "location_id": p, "source_id": "SUP", "mode": "sea", "order_multiple": 6}
                     for i, p in pairs],
        "policies": [{"item_id": i, "location_id": p, "policy": "min_max", "reorder_point": round(mean[i, p] * 30),
                      "order_up_to": round(mean[i, p] * 45), "shortage": "lost"} for i, p in pairs],
        "demand": [{"item_id": i, "location_id": p, "distribution": "negative_binomial", "mean": mean[i, p],
                    "sd": (3 * mean[i, p]) ** 0.5} for i, p in pairs],
        "orders": [{"order_id": f"PO-{at}", "item_id": i, "from_id": "SUP", "to_id": p,
                    "ordered_at": -int(draw.integers(1, 20)), "open_quantity": 6 * int(mean[i, p] * 3 + 1)}
                   for at, (i, p) in enumerate(pairs[::4])],
    }  # fmt: skip


@pytest.fixture(scope="module")
def busy(twin_of: Make) -> tuple[Any, Advice]:
    twin = twin_of(**network(5))
    return twin, advise(twin, top=15, seed=1)


def test_the_shown_set_is_ranked_proved_and_feasible(busy: tuple[Any, Advice]) -> None:
    twin, advice = busy
    assert len(advice) == 15
    assert len({one.kind for one in advice}) >= 2
    values = [one.expected_value or 0 for one in advice]
    assert values == sorted(values, reverse=True)
    assert min(one.lo or 0 for one in advice) > 0
    assert len({one.id for one in advice}) == 15
    given_away: Counter[tuple[str, str]] = Counter()
    for one in advice:
        if one.kind == "transfer":
            assert one.quantity is not None
            assert one.quantity % 6 == 0
            given_away[one.subject.item_id, one.subject.from_id or ""] += one.quantity
    for pair, quantity in given_away.items():
        row = twin.snapshot.row(*pair)
        place = twin.compiled.place_of(row)
        assert twin.snapshot.on_hand[row] - quantity >= twin.compiled.policy.S[place]


def test_the_proof_is_not_on_the_luck_of_the_choice(busy: tuple[Any, Advice]) -> None:
    _, advice = busy
    assert advice.choice_seed != advice.proof_seed
    for one in advice:
        assert one.proof.seed == advice.proof_seed
        assert one.proof.state_hash == "test"
        cost = one.proof.difference["total_cost"].mean
        assert cost is not None
        assert one.expected_value == pytest.approx(-cost)


def test_the_parts_add_up_when_done_together(busy: tuple[Any, Advice]) -> None:
    _, advice = busy
    joint = advice.to_dict()["joint"]
    assert joint["sum_of_parts"] == pytest.approx(sum(one.expected_value or 0 for one in advice))
    assert joint["expected_value"] == pytest.approx(joint["sum_of_parts"], rel=0.02)
    assert joint["lo"] < joint["expected_value"] < joint["hi"]


def test_shipments_are_paid_once_and_pay_for_themselves(twin_of: Make) -> None:
    given = network(5)
    for lane in given["lanes"]:
        lane["cost_per_shipment"] = 4_000 if lane["mode"] == "road" else None
    advice = advise(twin_of(**given), top=15, seed=1)
    transfers = [one for one in advice if one.kind == "transfer"]
    freight = sum((one.action_cost or 0) - 0.2 * (one.quantity or 0) for one in transfers)
    lanes = {(one.subject.from_id, one.subject.to_id) for one in transfers}
    assert 0 < len(lanes) < len(transfers)
    assert freight == pytest.approx(4_000 * len(lanes))
    assert min(one.lo or 0 for one in transfers) > 0
    assert any("in one shipment with" in one.description for one in transfers)
    dear = advise(twin_of(**given | {"lanes": [lane | {"cost_per_shipment": 10**6} for lane in given["lanes"]]}))
    assert not [one for one in dear if one.kind == "transfer"]


def test_the_same_seed_gives_the_same_answer_and_another_seed_agrees(busy: tuple[Any, Advice]) -> None:
    twin, advice = busy
    assert advise(twin, top=15, seed=1).to_dict() == advice.to_dict()
    other = advise(twin, top=15, seed=2)
    assert other.proof_seed != advice.proof_seed
    ours, theirs = ({one.subject: one for one in some} for some in (advice, other))
    both = set(ours) & set(theirs)
    assert len(both) >= 10
    assert any(ours[subject].expected_value != theirs[subject].expected_value for subject in both)


def test_the_answer_is_json_and_keeps_the_contract(busy: tuple[Any, Advice]) -> None:
    _, advice = busy
    told = json.loads(json.dumps(advice.to_dict(), allow_nan=False))
    keys = {"id", "kind", "item_id", "location_id", "from_id", "to_id", "quantity", "current", "proposed",
            "expected_value", "lo", "hi", "reason", "proof", "order_id", "line", "from_date", "to_date", "worst_5",
            "reversibility", "cost_of_delay", "horizon_days", "description", "effect"}  # fmt: skip
    for one in told["recommendations"]:
        assert keys <= set(one)
        assert {"seed", "replications", "horizon_days", "state_hash", "kpis"} <= set(one["proof"])
        assert set(one["proof"]["kpis"]["total_cost"]) == {"with", "without", "difference"}
        assert one["reason"].endswith(".")
        assert one["description"].endswith(".")


def test_what_was_decided_is_not_proposed_again(busy: tuple[Any, Advice]) -> None:
    twin, advice = busy
    first = next(one for one in advice if one.kind == "transfer")
    entry = {"id": first.id, "decision": "approve", "by": "Ana", "reason": "", "recommendation": first.to_dict()}
    check_decision(entry, [], {one.id for one in advice})
    again = advise(twin, top=15, seed=1, decided=[entry])
    item, target = first.subject.item_id, first.subject.location_id
    assert not [one for one in again if (one.subject.item_id, one.subject.location_id) == (item, target)]
    promised = first.quantity or 0
    for one in again:
        if one.kind == "transfer" and (one.subject.item_id, one.subject.from_id) == (item, first.subject.from_id):
            promised += one.quantity or 0
    row = twin.snapshot.row(item, first.subject.from_id)
    assert twin.snapshot.on_hand[row] - promised >= twin.compiled.policy.S[twin.compiled.place_of(row)]


def test_a_recent_transfer_is_not_reversed(busy: tuple[Any, Advice]) -> None:
    twin, advice = busy
    ways = {(one.subject.item_id, one.subject.to_id, one.subject.from_id) for one in advice if one.kind == "transfer"}
    item, origin, destination = (list(part) for part in zip(*sorted(ways), strict=True))
    lane_accounts = [f"{a}→{b}" for a, b in zip(origin, destination, strict=True)]
    recent = pa.table({"item_id": item * 2, "from_id": origin + lane_accounts, "to_id": lane_accounts + destination})
    again = advise(twin, top=15, seed=1, recent_transfers=recent)
    after = {(one.subject.item_id, one.subject.to_id, one.subject.from_id) for one in again if one.kind == "transfer"}
    assert not ways & after


def test_without_a_price_the_value_is_null_and_units_rank(twin_of: Make, warehouses: Rows) -> None:
    advice = advise(twin_of(**warehouses(item={"unit_price": None})))
    one = next(one for one in advice if one.kind == "transfer")
    assert one.expected_value is None
    assert one.value_in == "units"
    assert one.units_value > 100
    assert any("unit_price" in name for name in one.missing)
    told = advice.to_dict()
    assert told["joint"]["expected_value"] is None
    assert told["recommendations"][0]["lo"] is None


def test_an_unanchored_pair_and_an_empty_twin(twin_of: Make, warehouses: Rows) -> None:
    advice = advise(twin_of(**warehouses(unanchored=[("ITEM", "A")])))
    assert not [one for one in advice if one.kind == "transfer"]
    nothing = advise(twin_of(**warehouses(stock={}, policies=[], demand=[])))
    assert len(nothing) == 0
    assert nothing.to_dict()["joint"] is None


def test_the_horizon_covers_an_order_placed_today(twin_of: Make, warehouses: Rows) -> None:
    assert default_horizon(twin_of(**warehouses()).compiled) == 90
    assert 90 < default_horizon(twin_of(**warehouses(lead_time_days=60)).compiled) <= 180


def test_absurd_arguments_are_refused(twin_of: Make, warehouses: Rows) -> None:
    twin = twin_of(**warehouses())
    with pytest.raises(UsageError, match="0"):
        advise(twin, top=0)
    with pytest.raises(UsageError, match="-5"):
        advise(twin, horizon_days=-5)
