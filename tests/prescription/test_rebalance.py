"""Transfers: who may give, to whom, how much, along what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.analytics.demand import DemandForecast, fit_demand
from stocktwin.prescription.outlook import Inflow
from stocktwin.prescription.rebalance import propose_transfers
from stocktwin.prescription.situation import Board, Candidate, Situation, TransferLanes
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]
Plain = Callable[..., Situation]
PLACES = ("A", "B", "C")
NONE = np.zeros(0, np.int64)
NO_INFLOW = Inflow(NONE, NONE, NONE, np.zeros((0, 3), np.int64), np.zeros(0, bool))


def lanes_of(*ends: tuple[int, int], days: int = 2, per_unit: float = 0.1, per_shipment: float = 20.0) -> TransferLanes:
    origin, destination = (np.array([end[k] for end in ends], np.int64) for k in (0, 1))
    n = len(ends)
    return TransferLanes(
        origin, destination, ("road",) * n, np.full(n, days), np.full(n, per_unit), np.full(n, per_shipment)
    )


def rows_of(stock: list[int]) -> dict[str, Any]:
    pairs = [(item, place) for item in ("I", "J") for place in PLACES]
    return {
        "items": [{"item_id": "I"}, {"item_id": "J"}],
        "locations": [{"location_id": place, "kind": "dc"} for place in PLACES],
        "stock": dict(zip(pairs, stock, strict=True)),
        "demand": [{"item_id": i, "location_id": p, "distribution": "poisson", "mean": 10} for i, p in pairs],
    }


def propose(snapshot: Snapshot, situation: Situation, lanes: TransferLanes, **more: Any) -> list[Candidate]:
    forecast: DemandForecast = fit_demand(snapshot)
    return propose_transfers(snapshot, forecast, Board(situation, NO_INFLOW, lanes), **more)


STARVING = [900, 15, 0, 300, 300, 300]


def test_the_starving_warehouse_is_served_from_the_overstocked_one(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    found = propose(snapshot, plain_situation(snapshot), lanes_of((0, 1)))
    assert {(one.subject.item_id, one.subject.from_id, one.subject.to_id) for one in found} == {("I", "A", "B")}
    best = max(found, key=lambda one: one.estimate)
    # 15 on hand, 10 a day, order in 20 days, transfer in 2: about 180 units short can be served, each worth 10
    assert best.quantity == pytest.approx(200, abs=40)
    assert best.estimate == pytest.approx(10 * 175 - 0.1 * best.quantity, rel=0.15)
    assert best.shipment_cost == 20


def test_without_a_lane_nothing_moves(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    assert propose(snapshot, plain_situation(snapshot), lanes_of((1, 0), (2, 1))) == []
    assert propose(snapshot, plain_situation(snapshot), lanes_of()) == []


def test_a_lane_slower_than_the_next_order_is_no_help(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    assert propose(snapshot, plain_situation(snapshot), lanes_of((0, 1), days=25)) == []


def test_a_transfer_dearer_than_what_it_saves_is_not_proposed(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    assert propose(snapshot, plain_situation(snapshot), lanes_of((0, 1), per_unit=11.0)) == []


def test_reversals_and_promised_stock_are_kept_out(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    situation = plain_situation(snapshot)
    assert propose(snapshot, situation, lanes_of((0, 1)), forbidden=frozenset({(0, 0, 1)})) == []
    promised = np.array([500, 0, 0, 0, 0, 0], np.int64)
    least = 900 - 350 - 500
    assert {one.quantity for one in propose(snapshot, situation, lanes_of((0, 1)), promised=promised)} == {least}
    assert propose(snapshot, situation, lanes_of((0, 1)), promised=promised + 50) == []


def test_an_ineligible_row_neither_gives_nor_receives(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of(STARVING))
    for row in (0, 1):
        situation = plain_situation(snapshot, eligible=np.arange(6) != row)
        assert propose(snapshot, situation, lanes_of((0, 1))) == []


def test_a_receiver_with_enough_coming_is_left_alone(snapshot_of: Build, plain_situation: Plain) -> None:
    snapshot = snapshot_of(**rows_of([900, 60, 0, 300, 300, 300]))
    one = np.ones(1, np.int64)
    due = Inflow(0 * one, one, 400 * one, np.array([[2, 3, 4]], np.int64), np.ones(1, bool))
    situation = replace(plain_situation(snapshot), inventory_position=np.array([900, 460, 0, 300, 300, 300]))
    forecast = fit_demand(snapshot)
    assert propose_transfers(snapshot, forecast, Board(situation, due, lanes_of((0, 1)))) == []


@given(
    st.lists(st.integers(0, 1_200), min_size=6, max_size=6),
    st.lists(st.sampled_from([1, 6, 12, 100]), min_size=2, max_size=2),
    st.lists(st.integers(0, 300), min_size=6, max_size=6),
    st.sets(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_a_donor_keeps_its_floor_and_packs_stay_whole(
    snapshot_of: Build,
    plain_situation: Plain,
    stock: list[int],
    packs: list[int],
    promised: list[int],
    forbidden: set[tuple[int, int, int]],
) -> None:
    snapshot = snapshot_of(**rows_of(stock))
    situation = plain_situation(snapshot, pack=np.repeat(packs, 3).astype(np.int64))
    lanes = lanes_of((0, 1), (1, 0), (0, 2), (2, 0), (1, 2))
    found = propose(snapshot, situation, lanes, forbidden=frozenset(forbidden), promised=np.array(promised, np.int64))
    for one in found:
        floor = max(int(situation.order_up_to[one.donor]), float(situation.protection_q95[one.donor]))
        assert stock[one.donor] - promised[one.donor] - one.quantity >= floor
        assert one.quantity > 0
        assert one.quantity % int(situation.pack[one.donor]) == 0
        assert situation.item[one.donor] == situation.item[one.row]
        ends = (int(situation.location[one.donor]), int(situation.location[one.row]))
        assert ends in {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2)}
        assert (int(situation.item[one.row]), *ends) not in forbidden
        assert one.estimate > 0
