"""Safety stock by closed form: against service targets, against costs, and its cost against brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stocktwin.prescription import closedform as cf
from stocktwin.prescription import safetystock as ss
from stocktwin.prescription.situation import Situation
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]
Plain = Callable[..., Situation]
ROWS = np.arange(2)


@pytest.fixture
def snapshot(snapshot_of: Build, warehouses: Callable[..., dict[str, Any]]) -> Snapshot:
    return snapshot_of(**warehouses())


def test_a_cycle_target_gives_z_sigma(snapshot: Snapshot, plain_situation: Plain) -> None:
    situation = plain_situation(
        snapshot, service_target=np.array([0.95, 0.99]), service_type=("cycle_service_level",) * 2
    )
    assert ss.proposed_safety_stock(situation, ROWS).tolist() == [42, 59]  # 25 · 1.6449, 25 · 2.3263, rounded up


def test_a_fill_target_gives_the_inverse_loss(snapshot: Snapshot, plain_situation: Plain) -> None:
    situation = plain_situation(snapshot, service_target=np.array([0.99, 0.999]), service_type=("fill_rate", ""))
    stock = ss.proposed_safety_stock(situation, ROWS)
    for row, target in enumerate((0.99, 0.999)):
        short = float(cf.expected_shortage(200.0 + stock[row], 200.0, 25.0))
        below = float(cf.expected_shortage(200.0 + stock[row] - 1, 200.0, 25.0))
        assert 1 - short / 100 >= target > 1 - below / 100


def test_costs_decide_where_there_is_no_target(snapshot: Snapshot, plain_situation: Plain) -> None:
    cheap_to_hold = plain_situation(snapshot, holding_cost=np.array([0.001, 0.1]))
    stock = ss.proposed_safety_stock(cheap_to_hold, ROWS)
    assert stock[0] > stock[1]
    unknown = plain_situation(snapshot, shortage_cost=np.array([np.nan, 10.0]))
    assert ss.proposed_safety_stock(unknown, ROWS)[0] == -1


def test_the_closed_form_stock_is_near_the_cheapest(snapshot: Snapshot, plain_situation: Plain) -> None:
    """Brute force over reorder points, lost sales and backlog, with the cost function that ranks the candidates."""
    for lost, short in ((True, 10.0), (False, 0.19)):
        situation = plain_situation(snapshot, lost=np.full(2, lost), shortage_cost=np.full(2, short))
        stock = int(ss.proposed_safety_stock(situation, ROWS)[0])
        points = np.arange(120.0, 340.0)
        cost = [float(ss.cost_per_day(situation, ROWS[:1], np.array([point]))[0]) for point in points]
        best = points[int(np.argmin(cost))] - 200
        assert stock == pytest.approx(max(best, 0), abs=3)


def test_the_cost_function_agrees_with_monte_carlo(snapshot: Snapshot, plain_situation: Plain) -> None:
    situation = plain_situation(snapshot, lost=np.zeros(2, bool), shortage_cost=np.full(2, 0.4))
    generator = np.random.default_rng(3)
    position = generator.uniform(210.0, 310.0, 400_000)
    level = position - generator.normal(200.0, 25.0, len(position))
    reference = (0.01 * np.maximum(level, 0) + 0.4 * np.maximum(-level, 0)).mean()
    assert float(ss.cost_per_day(situation, ROWS[:1], np.array([210.0]))[0]) == pytest.approx(reference, rel=0.02)


def test_both_too_little_and_too_much_are_found(snapshot: Snapshot, plain_situation: Plain) -> None:
    situation = plain_situation(snapshot, reorder_point=np.array([200, 500]), safety_stock=np.array([0, 300]))
    found = ss.propose_safety_stocks(snapshot, situation, 90, 10)
    raised = [one.quantity for one in found if one.row == 0]
    lowered = [one.quantity for one in found if one.row == 1]
    assert len(raised) == len(lowered) == len(ss.STEPS)
    assert min(raised) > 0 > max(lowered)
    assert all(quantity >= -300 for quantity in lowered)
    assert all(one.estimate > 0 for one in found)


def test_a_right_safety_stock_is_left_alone(snapshot: Snapshot, plain_situation: Plain) -> None:
    right = int(ss.proposed_safety_stock(plain_situation(snapshot), ROWS)[0])
    situation = plain_situation(snapshot, reorder_point=np.full(2, 200 + right), safety_stock=np.full(2, right))
    assert ss.propose_safety_stocks(snapshot, situation, 90, 10) == []


def test_an_ineligible_row_is_left_alone(snapshot: Snapshot, plain_situation: Plain) -> None:
    situation = plain_situation(
        snapshot, reorder_point=np.array([200, 500]), safety_stock=np.array([0, 300]), eligible=np.zeros(2, bool)
    )
    assert ss.propose_safety_stocks(snapshot, situation, 90, 10) == []


def test_no_cut_goes_beyond_the_closed_form_unless_the_horizon_tries_it(
    snapshot: Snapshot, plain_situation: Plain
) -> None:
    for position, deepest in ((260, 1.5), (1500, 1.0)):  # 1500 last until long after the 90 days
        situation = plain_situation(
            snapshot, reorder_point=np.array([290, 500]), safety_stock=np.array([90, 300]),
            inventory_position=np.full(2, position),
        )  # fmt: skip
        change = int(ss.proposed_safety_stock(situation, ROWS[:1])[0]) - 90
        cuts = [one.quantity for one in ss.propose_safety_stocks(snapshot, situation, 90, 10) if one.row == 0]
        assert min(cuts) == round(change * deepest)
