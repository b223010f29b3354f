"""Order quantities, reviews and the steps of a day against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.kernels.period import ONE, counts_in_transit, scale_demand, served
from stocktwin.kernels.policies import is_review, order_quantity
from stocktwin.simulation.reference import order_of

pytestmark = pytest.mark.kernels
SMALL = st.integers(-40, 60)


@given(SMALL, SMALL, SMALL, st.integers(0, 12), st.integers(0, 20), st.integers(1, 9))
def test_order_quantity(position: int, s: int, S: int, Q: int, moq: int, multiple: int) -> None:
    quantity = order_quantity.py_func(position, s, S, Q, moq, multiple)
    assert quantity == order_of(position, s, S, Q, moq, multiple)
    assert (quantity > 0) == (position <= s and (Q > 0 or position < S))
    if quantity:
        assert quantity >= moq
        assert quantity % multiple == 0
        assert position + quantity > s or Q == 0
        assert position + quantity >= S or Q > 0


def test_reorder_quantity_orders_no_more_lots_than_it_takes() -> None:
    assert [order_quantity.py_func(position, 4, 0, 5, 0, 1) for position in (5, 4, 0, -1, -2)] == [0, 5, 5, 10, 10]


def test_base_stock_orders_what_was_taken() -> None:
    assert [order_quantity.py_func(position, 9, 10, 0, 0, 1) for position in (11, 10, 9, 0)] == [0, 0, 1, 10]


@pytest.mark.parametrize("days", [1, 2, 7, 14])
def test_a_review_every_so_many_days(days: int) -> None:
    reviews = [day for day in range(20_000, 20_100) if is_review.py_func(day, days)]
    assert set(np.diff(reviews)) == {days}
    if days == 7:
        assert {(day + 3) % 7 for day in reviews} == {0}


@given(st.integers(0, 10**9), st.integers(0, 20 * ONE))
def test_scaled_demand_is_exact_in_the_mean(demand: int, factor: int) -> None:
    # Over all 65,536 roundings the sum is demand × factor: count how many of them round up.
    low, high = scale_demand.py_func(demand, factor, 0), scale_demand.py_func(demand, factor, ONE - 1)
    rest = demand * factor % ONE
    ups = 0 if high == low else ONE - next(r for r in (ONE - rest,) if scale_demand.py_func(demand, factor, r) == high)
    assert low * ONE + ups == demand * factor
    assert high - low in (0, 1)
    if rest:
        assert scale_demand.py_func(demand, factor, ONE - rest - 1) == low


@given(st.integers(0, 10**12), st.integers(0, ONE - 1))
def test_a_factor_of_one_changes_nothing(demand: int, random16: int) -> None:
    assert scale_demand.py_func(demand, ONE, random16) == demand


@given(st.integers(-20, 30), st.integers(-20, 60), st.integers(0, 30), st.integers(0, 40))
def test_days_in_transit_are_the_counts_between_leaving_and_arriving(left: int, due: int, warmup: int, n: int) -> None:
    assert counts_in_transit.py_func(left, due, warmup, n) == sum(left < t < due for t in range(warmup, n))


def test_served_is_what_there_is() -> None:
    assert (served.py_func(3, 5), served.py_func(5, 3), served.py_func(5, 0)) == (3, 3, 0)
