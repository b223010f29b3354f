"""Decisions: signed, once, on something that is still recommended; and the JSON contract of a recommendation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.prescription import governance as gov
from stocktwin.prescription.recommendation import Proof, Recommendation, Subject
from stocktwin.simulation.statistics import Estimate

SUBJECT = Subject("transfer", "ITEM-1", "DC-2", from_id="DC-1", to_id="DC-2")
ONE = Estimate(120.0, 10.0, 100.0, 140.0)


def make(subject: Subject = SUBJECT, day: int = 20_000, **changes: object) -> Recommendation:
    proof = Proof(7, 200, 60, "abc", {"total_cost": ONE}, {"total_cost": ONE}, {"total_cost": ONE})
    made = Recommendation(
        subject=subject, day=day, unit="kilogram", scale=3, quantity=24_000, current=0, proposed=24_000, from_date=None,
        to_date=None, currency="EUR", expected_value=120.0, lo=100.0, hi=140.0, units_value=12.0, worst_5=-3.0,
        action_cost=20.0, reversibility="costly", reversal="send it back", cost_of_delay=15.0, delay_days=7,
        horizon_days=60, reason="DC-2 runs out.", description="Move 24 kg.", proof=proof,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def entry(made: Recommendation, verdict: str = "approve") -> dict[str, Any]:
    """A line of the log, as it comes back from the journal."""
    record = {"id": made.id, "decision": verdict, "by": "Ana", "reason": "agreed", "recommendation": made.to_dict()}
    return json.loads(json.dumps(record | {"seq": 3, "recorded_at": 5_000_000}))  # type: ignore[no-any-return]


def request(made: Recommendation, **changes: object) -> dict[str, object]:
    return {"id": made.id, "decision": "approve", "by": "Ben", "reason": "", **changes}


def test_an_open_recommendation_may_be_decided() -> None:
    made = make()
    gov.check_decision(request(made), [], [made.id])
    assert gov.status_of(made.id, [], [made.id]) == "open"
    assert gov.status_of(made.id, [entry(made)], []) == "approved"
    assert gov.status_of(made.id, [entry(made, "reject")]) == "rejected"


@pytest.mark.parametrize("name", ["", "   ", None])
def test_a_decision_needs_a_name(name: str | None) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        gov.check_decision(request(make(), by=name), [])


def test_the_same_one_is_not_decided_twice() -> None:
    made = make()
    with pytest.raises(UsageError, match=f"{made.id} was approved by Ana at 1970-01-01T00:00:05Z"):
        gov.check_decision(request(made, decision="reject"), [entry(made)], [made.id])


def test_one_that_is_gone_says_so() -> None:
    made = make()
    with pytest.raises(NotFoundError, match=f"gone.*{made.id}"):
        gov.check_decision(request(made), [], ["another"])
    assert gov.status_of(made.id, [], ["another"]) == "gone"


def test_an_unknown_verdict_is_named() -> None:
    with pytest.raises(UsageError, match="'maybe'"):
        gov.check_decision(request(make(), decision="maybe"), [])


def test_recent_decisions_promise_what_was_approved() -> None:
    log = [entry(make()), entry(make(Subject("safety_stock", "ITEM-1", "DC-1")), "reject")]
    approved, rejected = gov.recent(log, 20_000 + gov.QUIET_DAYS)
    assert (approved.subject, approved.approved, approved.quantity) == (SUBJECT, True, 24_000)
    assert (rejected.approved, rejected.quantity) == (False, 0)
    assert gov.recent(log, 20_001 + gov.QUIET_DAYS) == ()


def test_the_json_keeps_the_contract_and_exact_quantities() -> None:
    told = make().to_dict()
    contract = {"id", "kind", "item_id", "location_id", "from_id", "to_id", "quantity", "current", "proposed",
                "expected_value", "lo", "hi", "reason", "proof", "order_id", "line", "from_date", "to_date",
                "effect", "downside", "description"}  # fmt: skip
    assert contract <= set(told)
    assert told["quantity"] == "24.000"
    assert told["effect"]["total_cost"]["mean"] == 120.0
    assert {"seed", "replications", "horizon_days", "state_hash", "kpis"} <= set(told["proof"])
    json.dumps(told, allow_nan=False)


def test_a_missing_price_makes_the_value_null_and_ranks_last() -> None:
    valued, unvalued = make(), make(expected_value=None, lo=None, hi=None, missing=("unit_cost",), units_value=1e9)
    assert unvalued.to_dict()["expected_value"] is None
    assert unvalued.value_in == "units"
    assert sorted([unvalued, valued], key=lambda one: one.rank)[0] is valued


def test_an_id_is_of_the_subject_and_the_day() -> None:
    assert make().id == make(quantity=12_000).id
    assert make().id != make(day=20_001).id
    assert make().id != make(Subject("transfer", "ITEM-1", "DC-2", from_id="DC-3", to_id="DC-2")).id
