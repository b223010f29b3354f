"""The board: policies, lanes, packs and open lines as the generators read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.prescription.board import earliest_days, lay_out, service_name

Rows = Callable[..., dict[str, Any]]
LINE = {"order_id": "PO-1", "item_id": "ITEM", "from_id": "SUP", "to_id": "B", "open_quantity": 400, "ordered_at": -1}


def board_of(twin: Any, units: pa.Table | None = None) -> Any:
    return lay_out(twin.snapshot, twin.forecast, twin.lead_times, twin.compiled, units)


def test_the_situation_is_that_of_the_compiled_network(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    board = board_of(twin_of(**warehouses(orders=[LINE])))
    at = board.situation
    assert at.eligible.tolist() == [True, True]
    assert at.on_hand.tolist() == [900, 15]
    assert at.inventory_position.tolist() == [900, 415]
    assert at.reorder_point.tolist() == [250, 250]
    assert at.daily_mean.tolist() == [10, 10]
    assert at.protection_mean == pytest.approx([200, 200], rel=0.05)  # lead time 20 days, L − 1 + R = 20
    assert at.protection_sd == pytest.approx(
        [np.sqrt(200 + 400)] * 2, rel=0.05
    )  # Poisson days, sd of 2 days at 10 a day
    assert at.holding_cost == pytest.approx([20 * 0.2 / 365] * 2)
    assert at.shortage_cost.tolist() == [10, 10]
    assert at.donor_floor.tolist() == [350, 350]
    assert at.surplus.tolist() == [550, 0]


def test_lanes_between_our_places_only(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    board = board_of(twin_of(**warehouses()))
    assert sorted(zip(board.lanes.origin, board.lanes.destination, strict=True)) == [(0, 1), (1, 0)]
    assert board.lanes.days.tolist() == [2, 2]
    assert board.lanes.cost_per_shipment.tolist() == [20, 20]


def test_an_open_line_and_how_early_it_could_come(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    twin = twin_of(**warehouses(orders=[LINE]))
    inflow = board_of(twin).inflow
    assert inflow.row.tolist() == [1]
    assert inflow.quantity.tolist() == [400]
    early, middle, late = inflow.day[0]
    assert early <= middle <= late
    assert middle == pytest.approx(19, abs=1)
    assert earliest_days(twin.compiled, inflow).tolist() == [pytest.approx(18, abs=1)]


def test_packs_come_from_the_order_multiple_or_the_units(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    units = pa.table(
        {"item_id": ["ITEM", "ITEM", "ITEM"], "unit": ["case", "each", "dozen"], "factor": ["48", "1", "12"]}
    )
    assert board_of(twin_of(**warehouses()), units).situation.pack.tolist() == [12, 12]
    rows = warehouses()
    rows["sourcing"] = [{**line, "order_multiple": 10} for line in rows["sourcing"]]
    assert board_of(twin_of(**rows), units).situation.pack.tolist() == [10, 10]
    assert board_of(twin_of(**warehouses())).situation.pack.tolist() == [1, 1]


def test_what_may_not_take_part(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    assert not board_of(twin_of(**warehouses(demand=[]))).situation.eligible.any()
    unanchored = board_of(twin_of(**warehouses(unanchored=[("ITEM", "A")])))
    assert unanchored.situation.eligible.tolist() == [False, True]
    inferred = board_of(twin_of(**warehouses(policies=[])))
    assert not inferred.situation.declared.any()


def test_a_missing_price_leaves_the_shortage_cost_open(twin_of: Callable[..., Any], warehouses: Rows) -> None:
    board = board_of(twin_of(**warehouses(item={"unit_price": None})))
    assert np.isnan(board.situation.shortage_cost).all()


@pytest.mark.parametrize(
    ("stated", "meant"),
    [("Type 1", "cycle_service_level"), ("beta", "fill_rate"), ("ready_rate", "ready_rate"), ("", "fill_rate")],
)
def test_service_types_by_their_usual_names(stated: str, meant: str) -> None:
    assert service_name(stated) == meant
