"""Lots leave the shelf in the order in which they expire."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.world.lots import NO_LOT, Lots, lot_code, made_day, maker


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_a_lot_is_its_day_and_its_maker():
    days, makers = ints(-400, 0, 3, 3), ints(5, 0, 1, 2)
    codes = lot_code(days, makers)
    assert made_day(codes).tolist() == days.tolist()
    assert maker(codes).tolist() == makers.tolist()
    assert codes.tolist() == sorted(codes.tolist())
    assert (codes > NO_LOT).all()


def test_what_expires_first_leaves_first():
    lots = Lots.empty(ints(0, 100, 50))
    old, new = lot_code(ints(1, 7), ints(0, 0)).tolist()
    lots.put(ints(1, 1, 2), ints(new, old, old), ints(10, 4, 9))
    taken = lots.take(ints(2, 1), ints(3, 6))
    assert taken.of.tolist() == [0, 1, 1]
    assert taken.part.tolist() == [0, 0, 1]
    assert taken.lot.tolist() == [old, old, new]
    assert taken.quantity.tolist() == [3, 4, 2]
    left = lots.on(ints(1, 2))
    assert list(zip(left.of.tolist(), left.lot.tolist(), left.quantity.tolist(), strict=True)) == [
        (0, new, 8), (1, old, 6),
    ]  # fmt: skip
    assert lots.kept(ints(0, 1)).tolist() == [False, True]


def test_goods_expire_on_their_day_and_not_before():
    lots = Lots.empty(ints(100, 50))
    code = int(lot_code(ints(3), ints(2))[0])
    lots.put(ints(0, 1), ints(code, code), ints(5, 6))
    assert not len(lots.expire(52)[0])
    assert [column.tolist() for column in lots.expire(53)] == [[1], [code], [6]]
    assert not len(lots.expire(102)[0])
    assert [column.tolist() for column in lots.expire(103)] == [[0], [code], [5]]
    assert not len(lots.expire(103)[0])


def test_a_shelf_holds_any_number_of_lots():
    lots = Lots.empty(ints(400))
    codes = lot_code(np.arange(20)[::-1].copy(), np.zeros(20, np.int64))
    lots.put(np.zeros(20, np.int64), codes, np.arange(1, 21))
    assert lots.on(ints(0)).lot.tolist() == sorted(codes.tolist())
    assert lots.take(ints(0), ints(210)).quantity.tolist() == list(range(20, 0, -1))


MOVES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=60)
@given(MOVES)
def test_lots_are_those_of_a_plain_dictionary(moves):
    lots, plain = Lots.empty(ints(0, 90, 90)), defaultdict(dict)
    for adds, row, day, quantity in moves:
        shelf = plain[row]
        if adds and row:
            code = int(lot_code(ints(day), ints(1))[0])
            lots.put(ints(row), ints(code), ints(quantity))
            shelf[code] = shelf.get(code, 0) + quantity
        elif row and sum(shelf.values()) >= quantity:
            taken, left, wanted = lots.take(ints(row), ints(quantity)), quantity, []
            for code in sorted(shelf):
                part = min(left, shelf[code])
                left -= part
                shelf[code] -= part
                wanted += [(code, part)] if part else []
            assert list(zip(taken.lot.tolist(), taken.quantity.tolist(), strict=True)) == wanted
            assert taken.part.tolist() == list(range(len(wanted)))
    for row in (1, 2):
        there = lots.on(ints(row))
        assert dict(zip(there.lot.tolist(), there.quantity.tolist(), strict=True)) == {
            code: quantity for code, quantity in plain[row].items() if quantity
        }
