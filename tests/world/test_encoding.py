"""Exact numbers in and out of the files."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.domain.quantity import to_atomic
from stocktwin.world.encoding import base_units, quantities
from stocktwin.world.posting_faults import swap_digits


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.sampled_from([0, 3]))))
def test_quantities_are_exact(pairs):
    atomic, scale = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    assert quantities(atomic, scale).to_pylist() == [Decimal(a).scaleb(-s) for a, s in pairs]


@given(st.integers(1, 10**12), st.integers(0, 3))
def test_quantities_as_text_are_exact(atomic, scale):
    assert to_atomic(Decimal(base_units(atomic, scale)), 1, scale) == atomic


@given(st.integers(1, 10**9))
def test_swapped_digits_are_the_same_digits_in_another_order(number):
    swapped = swap_digits(number)
    assert sorted(str(swapped)) == sorted(str(number))
    assert (swapped - number) % 9 == 0
    assert sum(a != b for a, b in zip(str(swapped), str(number), strict=True)) in (0, 2)
