"""Closed forms against published values and against plain numerical references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.prescription import closedform as cf


def test_economic_order_quantity_of_example_3_1() -> None:
    quantity = float(cf.economic_order_quantity(8.0, 1300.0, 0.225))
    assert quantity == pytest.approx(304.0467800, abs=1e-7)
    assert 8.0 * 1300.0 / quantity + 0.225 * quantity / 2 == pytest.approx(68.4105255, abs=1e-7)


def test_newsvendor_of_example_4_3() -> None:
    stock, cost = cf.newsvendor(0.18, 0.70, 50.0, 8.0)
    assert stock == pytest.approx(56.6039559, abs=1e-7)
    assert cost == pytest.approx(1.9976052, abs=1e-7)


def test_base_stock_of_example_4_4() -> None:
    """Lead time 4 in the papers' counting protects five periods."""
    variance = float(cf.lead_time_demand_variance(50.0, 64.0, 5.0, 0.0))
    stock, cost = cf.newsvendor(0.18, 0.70, 250.0, math.sqrt(variance))
    assert stock == pytest.approx(264.7668944, abs=1e-7)
    assert cost == pytest.approx(4.4667810, abs=1e-7)


def test_power_approximation_of_example_4_8() -> None:
    reorder_point, order_up_to = cf.power_approximation(2.5, 0.18, 0.70, 50.0, 8.0)
    assert reorder_point == pytest.approx(40.1946170, abs=1e-7)
    assert order_up_to == pytest.approx(74.2901701, abs=1e-7)


@pytest.mark.parametrize(
    ("z", "loss"), [(-1.0, 1.08332), (0.0, 0.39894), (1.0, 0.08332), (2.0, 0.00849), (3.0, 0.00038)]
)
def test_unit_normal_loss_against_the_printed_table(z: float, loss: float) -> None:
    assert float(cf.unit_normal_loss(z)) == pytest.approx(loss, abs=5e-6)


@given(st.floats(-6.0, 5.5))
@settings(deadline=None, max_examples=100)
def test_inverse_loss_undoes_the_loss(z: float) -> None:
    assert float(cf.inverse_unit_normal_loss(cf.unit_normal_loss(z))) == pytest.approx(z, abs=1e-4)


@given(st.floats(0.0, 60.0), st.floats(1.0, 40.0), st.floats(0.5, 12.0))
@settings(deadline=None, max_examples=30)
def test_expected_shortage_is_the_integral_of_the_tail(stock: float, mean: float, sd: float) -> None:
    grid = np.linspace(stock, mean + 12 * sd + stock, 20_001)
    tail = 1.0 - cf.normal_cdf((grid - mean) / sd)
    reference = float(np.sum((tail[1:] + tail[:-1]) / 2) * (grid[1] - grid[0]))
    assert float(cf.expected_shortage(stock, mean, sd)) == pytest.approx(reference, abs=1e-3 * sd)


def test_the_safety_factor_for_a_fill_rate_reaches_it() -> None:
    generator = np.random.default_rng(7)
    quantity, sd = 400.0, 80.0
    z = float(cf.safety_factor_fill(0.97, quantity, sd))
    short = np.maximum(generator.normal(0.0, sd, 400_000) - z * sd, 0.0).mean()
    assert 1 - short / quantity == pytest.approx(0.97, abs=5e-4)


@given(st.floats(0.6, 0.995), st.floats(1.0, 500.0), st.floats(1.0, 100.0))
@settings(deadline=None, max_examples=50)
def test_the_safety_factor_for_a_ready_rate_reaches_it(target: float, quantity: float, sd: float) -> None:
    z = float(cf.safety_factor_ready(target, quantity, sd))
    level = np.linspace(z * sd, z * sd + quantity, 20_001)
    assert float(cf.normal_cdf(level / sd).mean()) == pytest.approx(target, abs=2e-3)


def test_a_tiny_order_quantity_gives_the_newsvendor_factor() -> None:
    assert float(cf.safety_factor_ready(0.95, 1e-3, 10.0)) == pytest.approx(
        float(cf.safety_factor_cycle(0.95)), abs=1e-3
    )


def test_a_dearer_shortage_asks_for_more_cover() -> None:
    ratios = cf.lost_sales_ratio(0.01, np.array([1.0, 5.0, 50.0]), 100.0, 10.0)
    assert np.all(np.diff(ratios) > 0)
    assert np.all(ratios < 1)
