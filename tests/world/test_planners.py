"""What planners do with what they see: they forget, go on holiday, panic, revise; and customers move away from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stocktwin.world.catalogue import make_catalogue
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.demand import demand_rate
from stocktwin.world.design import Design, make_design
from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.lots import NO_LOT, lot_code
from stocktwin.world.master import policy_columns
from stocktwin.world.physics import run
from stocktwin.world.profile import PROFILES
from stocktwin.world.rates import PHYSICAL, Rates
from stocktwin.world.records import NEVER, PURCHASE, Event
from stocktwin.world.replenishment import remember, review, revise
from stocktwin.world.state import State

LUCK = Draws(3)
NETWORK = PROFILES["small"].network
DESIGN = make_design(LUCK, make_catalogue(LUCK, 500), NETWORK)
AROUND = Circumstances.of(LUCK, NETWORK, 400, rates=replace(Rates(), **dict.fromkeys(PHYSICAL, 0.0)))
DCS = len(NETWORK.dcs)


def stocked(quantity: np.ndarray, day: int, design: Design = DESIGN) -> State:
    """A state with that much on every shelf."""
    state = State.start(design, LUCK, AROUND)
    every = np.arange(len(design))
    lot = np.where(state.lots.kept(every), lot_code(0 * every, 0 * every), NO_LOT)
    state.happen(Event.RECEIPT, every, quantity, lot=lot)
    state.day = day
    return state


def rows_ordered(state: State) -> np.ndarray:
    return np.concatenate([lines.row for lines in state.lines] or [np.zeros(0, np.int64)])


def test_a_large_customer_moves_and_takes_his_demand_with_him():
    item = int(np.flatnonzero(DESIGN.shift_day > 100)[0])
    moving = replace(
        DESIGN, shift_day=np.where(np.arange(500) == item, 50, NEVER), shift_from=np.full(500, 1),
        shift_to=np.full(500, 3), shift_part=np.full(500, 0.75),
    )  # fmt: skip
    settled = replace(moving, shift_day=np.full(500, NEVER))
    before, after = ([demand_rate(one, AROUND, day).reshape(500, DCS) for one in (settled, moving)] for day in (49, 50))
    assert np.array_equal(*before)
    assert after[1][item, 1] == pytest.approx(0.25 * after[0][item, 1])
    assert np.array_equal(np.delete(after[0], item, 0), np.delete(after[1], item, 0))
    assert after[1][item, [0, 2]].tolist() == after[0][item, [0, 2]].tolist()
    assert after[1][item, 3] > after[0][item, 3]


def test_customers_settle_elsewhere_and_seldom():
    assert (DESIGN.shift_from != DESIGN.shift_to).all()
    assert set(DESIGN.shift_to.tolist()) == set(range(DCS))
    in_a_year = (DESIGN.shift_day < 365).mean()
    assert in_a_year == pytest.approx(1 - np.exp(-0.35), abs=0.06)


def test_orders_bring_the_position_to_the_level_and_some_are_forgotten():
    state = stocked(DESIGN.quantum, 5)  # a Monday: everything is due
    review(state)
    lines = state.lines[0]
    due = (DESIGN.ordered_from <= 5) & (DESIGN.ordered_until > 5)
    due &= DESIGN.quantum <= np.where(DESIGN.base_stock, DESIGN.order_up_to - 1, DESIGN.reorder_point)
    assert set(lines.row.tolist()) <= set(np.flatnonzero(due).tolist())
    assert 0.8 < len(lines.row) / due.sum() < 0.97
    high = DESIGN.order_up_to[lines.row] - DESIGN.quantum[lines.row]
    assert ((lines.quantity >= high) & (lines.quantity < high + DESIGN.multiple[lines.row])).all()


def test_who_is_caught_short_sometimes_orders_twice():
    state = stocked(0 * DESIGN.quantum, 5)
    state.shortage[:] = 1
    review(state)
    lines = state.lines[0]
    S = DESIGN.order_up_to[lines.row]
    doubled = lines.quantity >= 2 * S
    assert doubled.mean() == pytest.approx(0.12, abs=0.03)
    assert (lines.quantity[~doubled] < S[~doubled] + DESIGN.multiple[lines.row[~doubled]]).all()


def test_a_planner_on_holiday_lets_things_lie():
    daily = DESIGN.review_days == 1
    made = np.zeros((182, DCS))
    for day in range(182):
        state = stocked(0 * DESIGN.quantum, day)
        review(state)
        rows = rows_ordered(state)
        made[day] = np.bincount(DESIGN.dc[rows[daily[rows]]], minlength=DCS)
    away = made < 0.8 * np.median(made, axis=0)
    for dc in range(DCS):
        assert away[:, dc].sum() in (13, 14, 15)
        assert np.diff(np.flatnonzero(away[:, dc])).max() == 1
    assert len({tuple(column) for column in away.T}) > 1


def revised(sold_per_day: np.ndarray, short: float = 0.0, day: int = 88, spared: slice | None = None) -> State:
    """A state after planners who remember these sales have looked at their settings."""
    state = stocked(DESIGN.quantum, day)
    state.pace[:] = sold_per_day
    state.short[:] = short
    if spared is not None:
        state.steered[spared] = True
    revise(state)
    return state


def test_memories_fade():
    state = stocked(DESIGN.quantum, 0)
    state.shortage[:] = 1
    for _ in range(60):
        remember(state, 0 * DESIGN.quantum)
    old = ~DESIGN.is_new
    assert state.pace[old] == pytest.approx(DESIGN.planned[old] * (59 / 60) ** 60)
    assert state.short == pytest.approx(1 - (59 / 60) ** 60)


def test_settings_follow_what_was_sold_where_somebody_looks():
    for factor, fast_ratio in ((1.8, 1.72), (0.4, 0.5)):
        state = revised(factor * DESIGN.planned)
        rows = state.revisions[0].row
        assert DESIGN.cared[rows].sum() > 0.8 * DESIGN.cared.sum()
        assert 0.2 < (~DESIGN.cared[rows]).sum() / (~DESIGN.cared).sum() < 0.4
        fast = rows[np.isin(rows, DESIGN.fast_rows) & ~DESIGN.is_new[rows]]
        fast = fast[DESIGN.reorder_point[fast] > 50 * DESIGN.quantum[fast]]
        ratio = state.design.reorder_point[fast] / DESIGN.reorder_point[fast]
        assert ratio == pytest.approx(fast_ratio, abs=0.03)
        assert state.design.planned[fast] / DESIGN.planned[fast] == pytest.approx(fast_ratio, abs=0.01)
        assert (state.design.order_up_to >= state.design.reorder_point).all()
        assert (state.revisions[0].reorder_point == state.design.reorder_point[rows]).all()


def test_occasions_are_trusted_less():
    state = revised(2.0 * DESIGN.planned)
    rows = state.revisions[0].row
    slow, fast = (rows[np.isin(rows, some) & ~DESIGN.is_new[rows]] for some in (DESIGN.slow_rows, DESIGN.fast_rows))
    ratio = state.design.planned / DESIGN.planned
    assert ratio[slow] == pytest.approx(1.4, rel=1e-3)
    assert ratio[fast] == pytest.approx(1.9, rel=1e-3)


def test_what_is_new_is_as_planned_until_there_is_something_to_remember():
    for age in (30, 90):
        state = revised(np.where(DESIGN.is_new, 3 * DESIGN.planned, DESIGN.planned), day=60)
        state.revisions.clear()
        turn = np.full(500, 60 + 1 - age)
        state.design = replace(DESIGN, items=replace(DESIGN.items, turn=turn))
        revise(state)
        assert DESIGN.is_new[state.revisions[0].row].any() == (age > 60)


def test_nothing_is_revised_where_sales_are_as_planned_or_between_two_looks():
    old = np.where(DESIGN.is_new, 0, 1.05 * DESIGN.planned)
    assert not (~DESIGN.is_new[revised(old).revisions[0].row]).any()
    assert not revised(3 * DESIGN.planned, day=89).revisions


def test_who_was_often_caught_short_asks_for_more_once():
    state = revised(1.0 * DESIGN.planned, short=0.1)
    rows = state.revisions[0].row
    rows = rows[~DESIGN.is_new[rows]]
    assert len(rows) > 500
    assert state.design.planned[rows] == pytest.approx(DESIGN.planned[rows], rel=1e-3)
    high = rows[DESIGN.reorder_point[rows] > 50 * DESIGN.quantum[rows]]
    assert (state.design.reorder_point[high] / DESIGN.reorder_point[high]).mean() == pytest.approx(1.3, abs=0.05)
    assert not state.short[rows].any()


def test_planners_leave_alone_what_was_decided_from_outside():
    state = revised(3 * DESIGN.planned, spared=slice(0, None, 2))
    assert len(state.revisions[0].row)
    assert (state.revisions[0].row % 2 == 1).all()


def test_revised_settings_are_told_version_by_version():
    state = revised(2.0 * DESIGN.planned)
    table = policy_columns(DESIGN, state.revisions[0])
    assert len(table["item_id"]) == len(DESIGN) + len(state.revisions[0].row)
    assert set(table["decided_on"].to_pylist()) == {"2025-01-01", "2025-03-30"}
    row = int(state.revisions[0].row[0])
    mine = DESIGN.items.item_id[DESIGN.item[row]], DESIGN.dc_ids[DESIGN.dc[row]]
    shelves = zip(table["item_id"].to_pylist(), table["location_id"].to_pylist(), strict=True)
    versions = [k for k, shelf in enumerate(shelves) if shelf == mine]
    assert len(versions) == 2
    levels = [table["order_up_to"][k].as_py() for k in versions]
    assert levels[0] != levels[1]


def test_a_year_leaves_excess_here_and_want_there():
    reality = run(DESIGN, LUCK, 365)
    last = reality.balances.day == 364
    stock = np.bincount(reality.balances.row[last], reality.balances.quantity[last], len(DESIGN))
    asked, served = (
        np.bincount(reality.asked.row, column * (reality.asked.day > 300), len(DESIGN)) / 64
        for column in (reality.asked.asked, reality.asked.served)
    )
    cover = np.where(asked > 0, stock / np.maximum(asked, 1e-9), np.nan).reshape(-1, DCS)
    alive = ~np.isnan(cover).all(axis=1)
    stranded = (np.nanmin(cover[alive], axis=1) < 3) & (np.nanmax(cover[alive], axis=1) > 60)
    assert stranded.sum() >= 20
    value = DESIGN.items.atom_cost[DESIGN.item]
    assert 0.92 < (served * value).sum() / (asked * value).sum() < 0.985
    lines = reality.lines
    by_people = (lines.kind != PURCHASE).sum()
    assert 100 < by_people < 600
    assert len({family.category for family in FAMILIES}) == len(FAMILIES)
