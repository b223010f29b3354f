"""Excess and risk, counted by hand: demand is declared, so that every figure can be worked out on paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stocktwin.analytics.demand import fit_demand
from stocktwin.analytics.depletion import stockout, stockout_risk
from stocktwin.analytics.excess import excess, protection_interval, risk, young_rows
from stocktwin.analytics.leadtime import ARRIVAL_SCHEMA, arrival_windows, fit_lead_times
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]
DAY = 86_400_000_000


def network(snapshot: Build, on_hand: int, *, source: dict[str, Any] | None = None, item: dict[str, Any] | None = None,
            mean: float = 2.0, **parts: Any) -> Snapshot:  # fmt: skip
    """Item A at D: Poisson demand, a source ten days away."""
    line = {"item_id": "A", "location_id": "D", "source_id": "S", "priority": 1} | (source or {})
    return snapshot(
        on_hand={("A", "D"): on_hand},
        items=[{"item_id": "A", "unit_cost": 3.0, "unit_price": 5.0} | (item or {})],
        lanes=[{"origin_id": "S", "destination_id": "D", "mode": "road", "lead_time_days": 10.0}],
        sourcing=[line],
        demand=[{"item_id": "A", "location_id": "D", "distribution": "poisson", "mean": mean}],
        start={("A", "D"): 19_000},
        **parts,
    )


def policy(twin: Snapshot, **values: Any) -> Snapshot:
    """With a policy for the only row."""
    names = [name for name in twin.policies.schema.names if name != "row"]
    row = dict.fromkeys(names) | {"item_id": "A", "location_id": "D", "policy": "min_max"} | values
    table = pa.Table.from_pylist([row | {"row": 0}], twin.policies.schema)
    return replace(twin, policies=table)


def lines(twin: Snapshot, *due: tuple[float, int], overdue: bool = False) -> pa.Table:
    """Arrivals at D, so many days ahead."""
    rows = [
        dict.fromkeys(ARRIVAL_SCHEMA.names)
        | {"item_id": "A", "to_id": "D", "open_quantity": quantity, "overdue": overdue}
        | dict.fromkeys(("q10", "q50", "q90"), int(twin.as_of + days * DAY))
        for days, quantity in due
    ]
    return pa.Table.from_pylist(rows, ARRIVAL_SCHEMA)


def found(twin: Snapshot, arrivals: pa.Table | None = None) -> Any:
    arrivals = lines(twin) if arrivals is None else arrivals
    return excess(twin, fit_demand(twin), fit_lead_times(twin), arrivals)


def q95(mean: float) -> int:
    """Smallest k with P(Poisson ≤ k) ≥ 95 %."""
    return next(k for k in range(1000) if 1 - more_than(k, mean) >= 0.95)


def more_than(k: int, mean: float) -> float:
    """P(Poisson > k), added up."""
    return 1 - sum(math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(k + 1))


def test_excess_is_what_lies_beyond_the_demand_of_the_protection_interval_and_one_order(snapshot: Build) -> None:
    """L = 10, R = 1: ten days of Poisson(2), 95 % quantile 28; MOQ 6: cover 34; 50 + 4 held, 20 too many at 3.00."""
    twin = network(snapshot, 50, source={"moq": 6.0})
    assert protection_interval(twin, fit_lead_times(twin)).tolist() == [10]
    answer = found(twin, lines(twin, (3, 4)))
    assert q95(20.0) == 28
    assert [float(part[0]) for part in (answer.demand_q95, answer.moq, answer.cover)] == [28, 6, 34]
    assert (answer.inbound[0], answer.excess[0], answer.value[0]) == (4, 20, 60.0)


def test_a_higher_order_up_to_level_is_the_cover(snapshot: Build) -> None:
    twin = network(snapshot, 50)
    assert found(policy(twin, order_up_to=45.0)).excess[0] == 5
    assert found(policy(twin, order_up_to=20.0, parameter_unit="days")).excess[0] == 10, "20 days of 2"
    assert found(policy(twin, policy="reorder_quantity", reorder_point=30.0, order_quantity=12.0)).excess[0] == 8
    assert found(policy(twin, order_up_to=10.0)).excess[0] == 22, "28 is more than 10"
    assert found(policy(twin, review_days=7)).cover[0] == q95(32.0), "L − 1 + R = 16 days"


def test_nothing_is_covered_that_will_expire_unsold(snapshot: Build) -> None:
    """Three days of life: the 95 % quantile of Poisson(6) is 10, whatever the policy says."""
    twin = network(snapshot, 50, item={"shelf_life_days": 3})
    assert q95(6.0) == 10
    assert found(policy(twin, order_up_to=45.0)).cover[0] == 10


def test_what_is_no_excess(snapshot: Build) -> None:
    twin = network(snapshot, 50)
    assert found(twin, lines(twin, (3, 4), overdue=True)).excess[0] == 22, "a line nobody believes in is not inbound"
    both = excess(twin, fit_demand(twin), fit_lead_times(twin), lines(twin), prepositioned=np.array([15]))
    assert both.excess[0] == 7
    assert found(replace(twin, anchored=np.array([False]))).excess[0] == 0
    free = network(snapshot, 50, item={"unit_cost": None})
    assert np.isnan(found(free).value[0]), "no price is not no money"
    foreign = network(snapshot, 50, item={"currency": "USD"})
    assert np.isnan(found(foreign).value[0])


def test_items_younger_than_ninety_days_are_exempt(snapshot: Build, today: int) -> None:
    seen = {("A", "D"): 300, ("A", "E"): 3, ("B", "D"): 89, ("B", "E"): 5, ("C", "D"): 90}
    twin = snapshot({key: {today - days: 1} for key, days in seen.items()})
    ids = [(twin.item_codes.ids[i], twin.location_codes.ids[k]) for i, k in zip(twin.item, twin.location, strict=True)]
    assert [key for key, young in zip(ids, young_rows(twin), strict=True) if young] == [("B", "D"), ("B", "E")]
    short = snapshot({("A", "D"): {today - 20: 1}}, first_day=today - 20)
    assert young_rows(short).tolist() == [False], "a history of three weeks does not make everything new"


def test_the_risk_is_that_of_demand_until_an_order_of_today_arrives(snapshot: Build) -> None:
    twin = network(snapshot, 25)
    answer = risk(twin, fit_demand(twin), fit_lead_times(twin), lines(twin))
    assert answer.probability[0] == pytest.approx(more_than(25, 20.0), rel=1e-9)
    assert answer.at_risk.tolist() == [True]
    draws = np.random.default_rng(1).poisson(20, 400_000)
    assert answer.shortage[0] == pytest.approx(np.maximum(draws - 25, 0).mean(), rel=0.02)
    assert answer.value[0] == pytest.approx(5 * answer.shortage[0])


def test_help_that_comes_late_does_not_undo_an_early_stock_out(snapshot: Build) -> None:
    """100 pieces on day 9 save the tenth day, not the eight before: the largest of the moments counts."""
    twin = network(snapshot, 10)
    forecast, lead = fit_demand(twin), fit_lead_times(twin)
    late = stockout(twin, forecast, lead, lines(twin, (9, 100)))
    assert late.probability[0] == pytest.approx(more_than(10, 16.0))
    assert late.shortage[0] == pytest.approx(0, abs=1e-6)
    early = stockout_risk(twin, forecast, lead, lines(twin, (1, 100), (9, 5)))
    assert early[0] < 1e-6
    two = stockout_risk(twin, forecast, lead, lines(twin, (9, 50), (5, 50)))
    assert two[0] == pytest.approx(more_than(10, 8.0)), "the earlier one, whatever their order"
    beyond = stockout_risk(twin, forecast, lead, lines(twin, (11, 100)))
    assert beyond[0] == pytest.approx(more_than(10, 20.0)), "after an order of today: no help"


def test_nothing_is_said_without_source_demand_or_opening(snapshot: Build) -> None:
    twin = network(snapshot, 0)
    forecast, lead = fit_demand(twin), fit_lead_times(twin)
    assert np.isnan(stockout_risk(replace(twin, anchored=np.array([False])), forecast, lead, lines(twin)))[0]
    none = snapshot(pairs=[("A", "D")])
    assert np.isnan(
        stockout_risk(none, fit_demand(none), fit_lead_times(none), arrival_windows(none, fit_lead_times(none)))
    )
