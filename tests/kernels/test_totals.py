"""Quantiles of many counts by walk and table, against those one by one; compiled and plain Python give the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels.demand import demand_quantiles
from stocktwin.kernels.totals import count_totals

pytestmark = pytest.mark.kernels


@settings(max_examples=60)
@given(
    mean=st.floats(0.01, 30_000),
    spread=st.floats(0.0, 1.5),
    probability=st.lists(st.floats(0.005, 0.995), min_size=1, max_size=5, unique=True),
)
def test_totals_by_walk_and_table_are_those_one_by_one(mean: float, spread: float, probability: list[float]) -> None:
    """Exact up to a mean of 48; beyond it off by at most two units or a thousandth of the mean."""
    level = sorted(probability)
    phi = 0.02 + spread * mean
    fast = count_totals(mean, phi, level)[0]
    exact = demand_quantiles(0, mean, phi, level)[0]
    slack = 0.0 if mean <= 48 else max(2.0, 2e-3 * mean)
    assert np.abs(fast - exact).max() <= slack
    assert (np.diff(fast) >= 0).all()


def test_totals_want_ascending_probabilities() -> None:
    with pytest.raises(ValueError, match="ascend"):
        count_totals([1.0], [0.0], [0.9, 0.1])
