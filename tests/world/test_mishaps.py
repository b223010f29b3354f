"""Goods vanish, come back, are missed by counts and written off; every unit is accounted for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace

import numpy as np
import pytest

from stocktwin.world.catalogue import make_catalogue
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.design import make_design
from stocktwin.world.draws import Draws
from stocktwin.world.lots import NO_LOT, lot_code
from stocktwin.world.mishaps import break_in, count, expire, misplace, steal, turn_up, write_off
from stocktwin.world.missing import Missing
from stocktwin.world.physics import live, run, stock, stock_up
from stocktwin.world.profile import PROFILES
from stocktwin.world.rates import PHYSICAL, Rates
from stocktwin.world.records import EFFECT, NEVER, VANISHING, Event, Events, Reality, columns, taken
from stocktwin.world.state import State

LUCK = Draws(3)
NETWORK = PROFILES["small"].network
DESIGN = make_design(LUCK, make_catalogue(LUCK, 500), NETWORK)
NOTHING = dict.fromkeys(PHYSICAL, 0.0)
DAYS = 150


def around(**rates: float) -> Circumstances:
    return Circumstances.of(LUCK, NETWORK, DAYS, rates=replace(Rates(), **(NOTHING | rates)))


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def events(kind: Event, *rows: tuple[int, int, int, int]) -> Events:
    row, lot, quantity, day = np.array(rows, np.int64).T
    return columns(
        Events, len(rows), day=day, second=0, kind=int(kind), row=row, quantity=quantity, line=-1, ref_day=day, lot=lot,
        part=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def busy() -> Reality:
    """A world in which much goes wrong."""
    rates = {"theft": 0.5, "bulk_theft": 0.3, "damage": 0.8, "unexplained_loss": 0.3, "misplacement": 0.8}
    return run(DESIGN, LUCK, DAYS, around=Circumstances.of(LUCK, NETWORK, DAYS, rates=replace(Rates(), **rates)))


def test_what_is_missing_is_open_until_it_is_closed():
    missing = Missing(5)
    missing.add(events(Event.THEFT, (2, NO_LOT, 4, 10), (3, NO_LOT, 5, 10)))
    missing.add(events(Event.DAMAGE, (2, NO_LOT, 6, 12)), ints(20))
    assert missing.hidden.tolist() == [0, 0, 10, 5, 0]
    assert missing.noticed(19, Event.DAMAGE).tolist() == [False] * 3
    assert missing.noticed(20, Event.DAMAGE).tolist() == [False, False, True]
    done = missing.close(missing.at(ints(2)), end=22, how=int(Event.COUNT_CORRECTION), ref_day=21)
    assert missing.hidden.tolist() == [0, 0, 0, 5, 0]
    assert done.quantity.tolist() == [4, 6]
    record = missing.record()
    assert record.quantity.tolist() == [4, 6, 5]
    assert record.end.tolist() == [22, 22, NEVER]
    assert record.how.tolist() == [Event.COUNT_CORRECTION] * 2 + [-1]


def test_nothing_goes_wrong_where_nothing_should():
    calm = run(DESIGN, LUCK, 60, around=around())
    assert not np.isin(calm.events.kind, VANISHING).any()
    assert not len(calm.vanished.row)


def test_rates_are_what_happens(busy: Reality):
    years = len(DESIGN) * DAYS / 365
    stocked = 0.75  # shelves that hold something worth taking at the time, at least
    for kind, rate in ((Event.LOSS, 0.3), (Event.DAMAGE, 0.8), (Event.MISPLACED, 0.8), (Event.BULK_THEFT, 0.3)):
        first = (busy.events.kind == kind) & (busy.events.part == 0)
        assert stocked * 0.7 < first.sum() / (rate * years) < 1.1, kind.name


def test_stock_lots_and_events_agree_at_any_time(busy: Reality):
    moved = busy.events
    for day in sorted(set(busy.balances.day.tolist()))[::5]:
        told = taken(busy.balances, busy.balances.day == day)
        past = moved.day <= day
        level: dict[tuple[int, int], int] = defaultdict(int)
        for row, lot, change in zip(moved.row[past].tolist(), moved.lot[past].tolist(),
                                    (EFFECT[moved.kind] * moved.quantity)[past].tolist(), strict=True):  # fmt: skip
            level[row, lot] += change
        stated = {
            (r, k): q for r, k, q in zip(told.row.tolist(), told.lot.tolist(), told.quantity.tolist(), strict=True)
        }
        assert {key: q for key, q in level.items() if q} == {key: q for key, q in stated.items() if q}
        assert set(told.row.tolist()) == set(range(len(DESIGN)))
        assert min(level.values()) == 0
    assert ((moved.lot == NO_LOT) == (DESIGN.shelf_life[moved.row] == 0)).all()


def test_every_unit_that_vanished_is_closed_once_or_still_open(busy: Reality):
    gone = np.isin(busy.events.kind, VANISHING)
    for kind in VANISHING:
        mine = busy.vanished.kind == kind
        assert busy.vanished.quantity[mine].sum() == busy.events.quantity[busy.events.kind == kind].sum()
        assert mine.any()
    assert busy.vanished.quantity.sum() == busy.events.quantity[gone].sum()
    assert (busy.vanished.end >= busy.vanished.since).all()
    by_itself = (busy.vanished.how == -1) & (busy.vanished.end < NEVER)
    assert set(busy.vanished.kind[by_itself].tolist()) == {Event.MISPLACED}
    found = busy.events.quantity[busy.events.kind == Event.FOUND].sum()
    assert busy.vanished.quantity[by_itself].sum() == found > 0
    assert (busy.vanished.kind[busy.vanished.how == Event.WRITE_OFF] == Event.DAMAGE).all()
    surfaced = busy.events.quantity[busy.events.kind == Event.SURFACED].sum()
    assert (
        0 < surfaced < busy.vanished.quantity[(busy.vanished.kind == Event.MISPLACED) & (busy.vanished.how >= 0)].sum()
    )


def test_a_count_ends_a_theft(busy: Reality):
    counted = set(zip(busy.counts.row.tolist(), busy.counts.day.tolist(), strict=True))
    ended = [(row, day) for row, day in zip(busy.vanished.row.tolist(), busy.vanished.ref_day.tolist(), strict=True)
             if (row, day) in counted]  # fmt: skip
    assert len(ended) > 50
    thefts = defaultdict(list)
    for row, day in zip(*(c[busy.events.kind == Event.THEFT].tolist() for c in (busy.events.row, busy.events.day)),
                        strict=True):  # fmt: skip
        thefts[row].append(day)
    again = [(row, day) for row, day in ended if any(day < d <= day + 1 for d in thefts[row])]
    assert len(again) <= 0.02 * len(ended)  # a new thief may come the next day


def shelf_with(quantity: int, lotted: bool, circumstances: Circumstances, row_of: int = 0) -> tuple[State, int]:
    """A state with stock on one item-location only."""
    state = State.start(DESIGN, LUCK, circumstances)
    row = int(np.flatnonzero((DESIGN.shelf_life > 0) == lotted)[row_of])
    lot = lot_code(ints(-10), ints(1)) if lotted else ints(NO_LOT)
    state.happen(Event.RECEIPT, ints(row), ints(quantity * int(DESIGN.quantum[row])), lot=lot)
    return state, row


@pytest.mark.parametrize("lotted", [False, True])
def test_misplaced_goods_come_back_by_themselves_or_after_a_count(lotted: bool):
    for counts in (False, True):
        state, row = shelf_with(1000, lotted, around(misplacement=180.0))
        before = int(state.on_hand[row])
        while not (state.missing.open.row == row).any() or state.missing.notice.min() == NEVER:
            state.day += 1
            misplace(state)
        away, believed = before - int(state.on_hand[row]), int(state.believed[row])
        assert away > 0
        assert believed == before
        if counts:
            state.missing.notice[:] = state.day + 5
            state.shortage[:] = 0
            while state.missing.hidden[row]:
                state.shortage[row] = 1  # an empty shelf is counted on the spot sooner or later
                count(state)
                state.day += 0 if not state.missing.hidden[row] else 7
                assert state.day < 2000
                state.missing.notice[:] = state.day + 5
            assert int(state.believed[row]) == before - away
        for _ in range(200):
            state.day += 1
            turn_up(state)
        assert int(state.on_hand[row]) == int(state.believed[row]) == before
        kinds = {int(kind) for one in state.events for kind in one.kind}
        assert (Event.SURFACED in kinds) is counts
        assert (Event.FOUND in kinds) is not counts
        if lotted:
            assert state.lots.on(ints(row)).quantity.sum() == before


def test_noticed_damage_is_written_off_on_that_day():
    state, row = shelf_with(500, True, around(damage=180.0))
    state.missing.add(events(Event.DAMAGE, (row, 7, 3, 0), (row, 7, 4, 0)), ints(5, NEVER))
    for day in range(1, 9):
        state.day = day
        write_off(state)
        assert int(state.missing.hidden[row]) == (7 if day < 5 else 4)
    done = taken(state.missing.record(), ints(0))
    assert (int(done.end[0]), int(done.how[0]), int(done.ref_day[0])) == (5, Event.WRITE_OFF, 5)


def test_a_count_finds_lot_by_lot_what_is_there_and_what_is_not():
    state, row = shelf_with(10, True, around())
    quantum = int(DESIGN.quantum[row])
    fresh = lot_code(ints(4), ints(1))
    state.happen(Event.RECEIPT, ints(row), ints(6 * quantum), lot=fresh)
    gone = state.happen(Event.THEFT, ints(row), ints(12 * quantum))
    assert gone.quantity.tolist() == [10 * quantum, 2 * quantum]
    assert gone.part.tolist() == [0, 1]
    state.missing.add(gone)
    while state.missing.hidden[row]:
        state.day += 1
        state.shortage[row] = 1
        count(state)
    found = next(taken(c, c.row == row) for c in reversed(state.counts) if (c.row == row).any())
    assert found.lot.tolist() == [int(lot_code(ints(-10), ints(1))[0]), int(fresh[0])]
    assert found.quantity.tolist() == [0, 4 * quantum]
    assert found.part.tolist() == [0, 1]
    assert (found.corrected_day - found.day).min() >= 1


def test_thieves_at_night_want_what_is_dear():
    state = State.start(DESIGN, LUCK, around(bulk_theft=20.0))
    stock_up(state)
    before = state.on_hand.copy()
    break_in(state)
    hit = np.flatnonzero(state.on_hand < before)
    assert len(hit) > 10
    assert DESIGN.items.cost[DESIGN.item[hit]].min() > np.median(DESIGN.items.cost)
    assert state.events[-1].second.min() > 21 * 3600


def test_a_thief_takes_little_by_little():
    state = State.start(DESIGN, LUCK, around(theft=30.0))
    stock_up(state)
    for day in range(40):
        state.day = day
        steal(state)
    gone = taken(state.missing.open, state.missing.open.kind == Event.THEFT)
    some = int(np.bincount(gone.row).argmax())
    assert len(set(gone.since[gone.row == some].tolist())) >= 5
    assert gone.quantity[gone.row == some].max() <= max(1, 0.25 * DESIGN.planned[some] + DESIGN.quantum[some])


def test_expired_goods_are_thrown_away_and_not_sold():
    state = State.start(DESIGN, LUCK, around())
    row = int(np.flatnonzero(DESIGN.shelf_life == 180)[0])
    state.happen(Event.RECEIPT, ints(row, row), ints(5, 7) * int(DESIGN.quantum[row]),
                 lot=lot_code(ints(-170, 3), ints(0, 0)))  # fmt: skip
    for day in range(12):
        state.day = day
        expire(state)
        assert int(state.on_hand[row]) == (12 if day < 10 else 7) * int(DESIGN.quantum[row])
    assert [int(kind) for one in state.events[1:] for kind in one.kind] == [Event.EXPIRED]


def test_opening_stock_is_there_lot_by_lot():
    state = State.start(DESIGN, LUCK)
    stock_up(state)
    assert (state.on_hand == DESIGN.opening).all()
    there = stock(state)
    assert (np.bincount(there.row, there.quantity, len(DESIGN)) == DESIGN.opening).all()
    kept = there.lot != NO_LOT
    assert (kept == ((DESIGN.shelf_life[there.row] > 0) & (DESIGN.opening[there.row] > 0))).all()
    live(state)
    assert (state.on_hand >= 0).all()


def test_one_theft_changes_nothing_elsewhere():
    item = int(np.flatnonzero(DESIGN.items.shelf_life == 0)[0])
    one, two = (State.start(DESIGN, LUCK, around(theft=0.2, misplacement=0.3)) for _ in range(2))
    for state in (one, two):
        stock_up(state)
        for day in range(60):
            state.day = day
            if state is two and day == 5:
                state.on_hand[item * 4] = 0
            live(state)
    names = [one.name for one in fields(Events) if one.name != "line"]
    a, b = (
        np.concatenate([np.stack([getattr(e, name) for name in names]) for e in s.events], axis=1) for s in (one, two)
    )
    mine = [DESIGN.item[table[names.index("row")]] == item for table in (a, b)]
    assert np.array_equal(a[:, ~mine[0]], b[:, ~mine[1]])
    assert not np.array_equal(a[:, mine[0]], b[:, mine[1]])
