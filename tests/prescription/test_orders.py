"""Order lines worth bringing forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stocktwin.analytics.demand import fit_demand
from stocktwin.analytics.leadtime import arrival_windows, fit_lead_times
from stocktwin.prescription.orders import propose_advances
from stocktwin.prescription.outlook import open_inflow
from stocktwin.prescription.situation import Board, Candidate, Situation, TransferLanes
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]
Propose = Callable[..., list[Candidate]]
Plain = Callable[..., Situation]
NONE = np.zeros(0, np.int64)
NO_LANES = TransferLanes(NONE, NONE, (), NONE, NONE.astype(float), NONE.astype(float))
LINE = {"order_id": "PO-1", "item_id": "ITEM", "from_id": "SUP", "to_id": "B", "open_quantity": 400, "ordered_at": -1}


@pytest.fixture
def propose(snapshot_of: Build, plain_situation: Plain, warehouses: Callable[..., dict[str, Any]]) -> Propose:
    def run(line: dict[str, Any], earliest: int = 8, stock: int = 80, **given: Any) -> list[Candidate]:
        snapshot = snapshot_of(**warehouses(stock={("ITEM", "A"): 900, ("ITEM", "B"): stock}, orders=[LINE | line]))
        windows = arrival_windows(snapshot, fit_lead_times(snapshot))
        inflow = open_inflow(snapshot, windows)
        board = Board(plain_situation(snapshot, **given), inflow, NO_LANES)
        return propose_advances(snapshot, fit_demand(snapshot), board, np.full(len(inflow.line), earliest))

    return run


def test_a_line_that_comes_after_stock_has_run_out_is_brought_forward(propose: Propose) -> None:
    (one,) = propose({})
    assert (one.subject.kind, one.subject.order_id, one.subject.line) == ("advance_order", "PO-1", "1")
    assert one.arrival_day == 8
    assert one.arrival_day + one.shift_days == 19  # a lead time of 20 days, one of them past
    # 80 on hand last 8 days; 11 days at 10 a day are served, each unit worth 10
    assert one.estimate == pytest.approx(10 * 110, rel=0.15)
    assert one.quantity == 400


@pytest.mark.parametrize("line", [{"shipped_at": 0}, {"status": "shipped"}, {"status": "part_shipped"}])
def test_what_has_shipped_cannot_be_brought_forward(propose: Propose, line: dict[str, Any]) -> None:
    assert propose(line) == []


def test_a_line_that_comes_in_time_is_left_alone(propose: Propose) -> None:
    assert propose({}, stock=2_000) == []
    assert propose({"ordered_at": -15}) == []  # due in 5 days, before the earliest feasible day


def test_the_earliest_feasible_day_bounds_the_shift(propose: Propose) -> None:
    (one,) = propose({}, earliest=16)
    assert one.arrival_day == 16
    assert propose({}, earliest=18) == []


def test_an_ineligible_receiver_is_left_alone(propose: Propose) -> None:
    assert propose({}, eligible=np.zeros(2, bool)) == []


def test_a_line_is_left_alone_while_other_stock_lasts_until_it_is_due(propose: Propose) -> None:
    assert len(propose({}, stock=180)) == 1  # 180 on hand, 190 asked for by day 19
    assert propose({}, stock=230) == []  # one standard deviation above the mean still covered
