"""Scoring many candidates at once says what the bench says of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stocktwin.prescription.proof import action_of, prove, worst_mean
from stocktwin.prescription.recommendation import Subject
from stocktwin.prescription.situation import Candidate
from stocktwin.prescription.trials import CHOICE, PROOF, Trials, stream_seed
from stocktwin.simulation.change import Bench

LINE = {"order_id": "PO-1", "item_id": "ITEM", "from_id": "SUP", "to_id": "B", "open_quantity": 400, "ordered_at": -1}

TRANSFER = Candidate(
    Subject("transfer", "ITEM", "B", "A", "B"), 1, 200, 0.0, True, donor=0, arrival_day=3, action_cost=40
)
SMALLER = Candidate(
    Subject("transfer", "ITEM", "B", "A", "B"), 1, 60, 0.0, True, donor=0, arrival_day=3, action_cost=26
)
RAISE = Candidate(Subject("safety_stock", "ITEM", "B"), 1, 80, 0.0, True)
LOWER = Candidate(Subject("safety_stock", "ITEM", "A"), 0, -40, 0.0, True)
ADVANCE = Candidate(
    Subject("advance_order", "ITEM", "B", "SUP", "B", "PO-1", "1"),
    1,
    400,
    0.0,
    True,
    arrival_day=9,
    shift_days=10,
    line=0,
)
ALL = [TRANSFER, ADVANCE, SMALLER, RAISE, LOWER, TRANSFER]


@pytest.mark.parametrize("policy", [{}, {"shortage": "backlog", "backlog_cost": 0.5, "order_cost": 15}])
def test_a_batch_gives_the_same_figures_as_the_bench(
    twin_of: Callable[..., Any], warehouses: Callable[..., dict[str, Any]], policy: dict[str, Any]
) -> None:
    compiled = twin_of(**warehouses(policy=policy, orders=[LINE])).compiled
    run = {"replications": 20, "horizon": 60, "seed": 11}
    scores = Trials(compiled, **run).score(ALL)
    bench = Bench(compiled, **run)
    for at, one in enumerate(ALL):
        finding = prove(bench, [one], "state")
        assert finding.value is not None
        np.testing.assert_allclose(scores.value[at], finding.value, atol=1e-6)
        np.testing.assert_allclose(scores.units[at], finding.units, atol=1e-9)


def test_waiting_costs_what_it_should(twin_of: Callable[..., Any], warehouses: Callable[..., dict[str, Any]]) -> None:
    compiled = twin_of(**warehouses(orders=[LINE])).compiled
    trials = Trials(compiled, replications=50, horizon=60, seed=3)
    now, week = (trials.score([TRANSFER, ADVANCE, RAISE], delay=delay).value.mean(axis=1) for delay in (0, 7))
    assert now[0] - week[0] == pytest.approx(7 * 10 * 10, rel=0.2)  # a week of 10 lost sales a day at 10 each
    assert now[1] - week[1] == pytest.approx(7 * 10 * 10, rel=0.2)
    same = trials.score([ADVANCE], delay=10).value
    assert np.all(same == 0)


def test_no_price_no_value_but_units(twin_of: Callable[..., Any], warehouses: Callable[..., dict[str, Any]]) -> None:
    compiled = twin_of(**warehouses(item={"unit_price": None})).compiled
    scores = Trials(compiled, replications=10, horizon=60, seed=3).score([TRANSFER])
    assert np.isnan(scores.value).all()
    assert scores.units.mean() > 100


def test_streams_of_choice_and_proof_differ_for_every_seed() -> None:
    seeds = {stream_seed(seed, purpose) for seed in range(100) for purpose in (CHOICE, PROOF)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_actions_keep_their_days() -> None:
    action = action_of([TRANSFER, ADVANCE, RAISE])
    assert action.transfers[0].arrival_day == 2
    assert action.order_shifts == {0: -10}
    assert action.order_earliest == {0: 8}
    assert action.safety_stock == {1: 80}


def test_the_worst_mean_is_of_the_worst() -> None:
    assert worst_mean(np.array([5.0, -1.0, 3.0])) == -1.0
    assert worst_mean(np.arange(100.0)[::-1]) == pytest.approx(2.0)
