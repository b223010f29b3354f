"""Lead times: who speaks for a lane, open lines as evidence, windows given the age."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stocktwin.analytics.leadtime import CELLS, arrival_windows, fit_lead_times
from stocktwin.analytics.survival import conditional_days, gamma_table, kaplan_meier, kaplan_meier_table
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.tables.snapshot import Snapshot

DAY = 86_400_000_000
Build = Callable[..., Snapshot]
AS_OF = 20_090 * DAY - 1


def done(days: float, origin: str = "S", destination: str = "D", mode: str | None = "road") -> dict[str, Any]:
    ordered = AS_OF - 200 * DAY
    received = ordered + round(days * DAY)
    return {"origin_id": origin, "destination_id": destination, "mode": mode, "item": 0, "ordered_at": ordered,
            "received_at": received, "days": days}  # fmt: skip


def still(age: float, origin: str = "S", destination: str = "D", mode: str | None = "road") -> dict[str, Any]:
    return {"origin_id": origin, "destination_id": destination, "mode": mode, "item": 0,
            "ordered_at": round(AS_OF - age * DAY)}  # fmt: skip


def lane(
    origin: str, destination: str, days: float, sd: float | None = None, mode: str | None = "road"
) -> dict[str, Any]:
    return {"origin_id": origin, "destination_id": destination, "mode": mode, "lead_time_days": days,
            "lead_time_sd_days": sd}  # fmt: skip


def source(item: str = "A", at: str = "D", of: str = "S", **more: Any) -> dict[str, Any]:
    return {"item_id": item, "location_id": at, "source_id": of, **more}


def order(age: float, **more: Any) -> dict[str, Any]:
    return {"order_id": "PO1", "line": "1", "kind": "purchase", "item_id": "A", "from_id": "S", "to_id": "D",
            "open_quantity": 5, "ordered_at": round(AS_OF - age * DAY), "status": "open", **more}  # fmt: skip


def slow_kaplan_meier(days: list[float], arrived: list[bool]) -> list[float]:
    """The estimate by its definition, one day at a time."""
    alive, out = 1.0, []
    for day in sorted({d for d, a in zip(days, arrived, strict=True) if a}):
        waiting = sum(d >= day for d in days)
        alive *= 1 - sum(d == day and a for d, a in zip(days, arrived, strict=True)) / waiting
        out.append(1 - alive)
    return out


def test_kaplan_meier_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(1)
    days = rng.integers(1, 12, 60).astype(float)
    arrived = rng.random(60) < 0.6
    assert kaplan_meier(days, arrived)[1] == pytest.approx(slow_kaplan_meier(days.tolist(), arrived.tolist()))


def test_kaplan_meier_of_a_textbook_sample() -> None:
    """Remission times of the 6-MP group, Freireich et al. (1963), as in Kleinbaum & Klein, Survival Analysis."""
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    days = np.array(events + censored, float)
    when, share = kaplan_meier(days, np.arange(len(days)) < len(events))
    survival = dict(zip(when.tolist(), (1 - share).round(4).tolist(), strict=True))
    assert survival == {6.0: 0.8571, 7.0: 0.8067, 10.0: 0.7529, 13.0: 0.6902, 16.0: 0.6275, 22.0: 0.5378, 23.0: 0.4482}


def test_open_lines_make_the_table_slower() -> None:
    finished = np.array([3.0, 4, 5, 5, 6, 7, 8, 8, 9, 10])
    alone = kaplan_meier_table(finished, np.ones(10, bool), CELLS)
    both = kaplan_meier_table(np.concatenate([finished, [15.0] * 10]), np.arange(20) < 10, CELLS)
    assert both.mean() > alone.mean() + 2
    assert both[CELLS * 3 // 4] > 15, "half the lines are older than anything that arrived"
    assert (np.diff(both) >= 0).all()
    assert both.min() >= 1


def test_a_lane_with_enough_lines_speaks_for_itself(snapshot: Build) -> None:
    observed = [done(d) for d in (4, 4.5, 5, 5, 6, 6, 6, 7, 8, 9.2)]
    model = fit_lead_times(snapshot(lanes=[lane("S", "D", 30, 5)], lead_times=observed))
    row = model.index("S", "D")
    assert (model.basis[row], model.count[row]) == ("lane", 10)
    assert model.table[row, 0] == 4
    assert model.table[row, -1] == 10, "9.2 days are ten days"
    assert model.quantile(row, 0.5) == 6
    assert model.mean_days[row] == pytest.approx(np.ceil([4, 4.5, 5, 5, 6, 6, 6, 7, 8, 9.2]).mean(), abs=0.02)


def test_below_the_sample_the_mode_speaks_then_the_network(snapshot: Build) -> None:
    observed = [done(5, "S", "E")] * 12 + [done(5)] * 3
    lanes = [lane("S", "D", 5), lane("S", "E", 5), lane("S", "F", 5, mode="sea")]
    model = fit_lead_times(snapshot(lanes=lanes, lead_times=observed))
    basis = {key: (model.basis[k], int(model.count[k])) for k, key in enumerate(model.keys)}
    assert basis == {
        ("S", "D", "road"): ("mode", 15),
        ("S", "E", "road"): ("lane", 12),
        ("S", "F", "sea"): ("network", 15),
    }
    assert fit_lead_times(snapshot(lanes=lanes, lead_times=observed), minimum_sample=3).basis[0] == "lane"


def test_a_pool_is_taken_relative_to_what_each_lane_declares(snapshot: Build) -> None:
    """A lane declared at 4 days does not inherit the 20 days of its mode, but its being half as long again."""
    observed = [done(d, "S", "E") for d in np.linspace(20, 40, 21)]
    model = fit_lead_times(snapshot(lanes=[lane("S", "D", 4), lane("S", "E", 20)], lead_times=observed))
    row = model.index("S", "D")
    assert model.basis[row] == "mode"
    assert (model.table[row, 0], model.table[row, -1]) == (4, 8)


def test_without_history_the_declared_mean_and_sd_hold(snapshot: Build) -> None:
    lanes = [lane("S", "D", 12, 3), lane("S", "E", 5), lane("S", "F", 4, 0)]
    model = fit_lead_times(snapshot(lanes=lanes))
    assert set(model.basis) == {"declared"}
    spread, fixed, zero = (model.table[model.index("S", end)] for end in "DEF")
    assert set(fixed) == {5}
    assert set(zero) == {4}
    assert spread.mean() == pytest.approx(12.5, abs=0.1), "rounding up adds half a day on average"
    assert spread.std() == pytest.approx(3, abs=0.1)


def test_the_gamma_table_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    p = (np.arange(CELLS) + 0.5) / CELLS
    expected = np.ceil(stats.gamma.ppf(p, (20 / 6) ** 2, scale=36 / 20))
    assert gamma_table(20.0, 6.0, CELLS).tolist() == expected.tolist()


def test_an_items_own_declared_lead_time_comes_before_the_lanes(snapshot: Build) -> None:
    own = [source("A", lead_time_days=9.0), source("B"), source("C", lead_time_days=9.0, lead_time_sd_days=2.0)]
    twin = snapshot(lanes=[lane("S", "D", 5)], sourcing=own)
    model = fit_lead_times(twin)
    rows = model.for_rows(twin)
    assert [model.keys[k][2] for k in rows] == ["@9±0", "road", "@9±2"]
    assert model.mean_days[rows[:2]].tolist() == [9.0, 5.0]
    seen = snapshot(lanes=[lane("S", "D", 5)], sourcing=own, lead_times=[done(6)] * 10)
    model = fit_lead_times(seen)
    assert {model.basis[k] for k in model.for_rows(seen)} == {"lane"}, "history comes before any declaration"


def test_the_primary_source_is_the_valid_one_of_first_priority(snapshot: Build) -> None:
    lines = [
        source(of="S2", priority=2),
        source(of="S1", priority=1),
        source("B", of="S2"),
        source("B", of="S1", priority=3),
    ]
    twin = snapshot(pairs=[("C", "D")], lanes=[lane("S1", "D", 5), lane("S2", "D", 8)], sourcing=lines)
    model = fit_lead_times(twin)
    assert [model.keys[k][0] if k >= 0 else None for k in model.for_rows(twin)] == ["S1", "S2", None]


def test_a_lane_nobody_declared_is_assumed_and_says_so(snapshot: Build) -> None:
    twin = snapshot(sourcing=[source()])
    model = fit_lead_times(twin)
    assert model.basis == ("assumed",)
    assert set(model.table[0]) == {7}
    with pytest.raises(NotFoundError, match="S → Q"):
        model.index("S", "Q")
    with pytest.raises(UsageError, match="0"):
        fit_lead_times(twin, minimum_sample=0)


def test_an_empty_twin_has_no_lanes(snapshot: Build) -> None:
    twin = snapshot()
    model = fit_lead_times(twin)
    assert (len(model.keys), model.table.shape, len(model.for_rows(twin))) == (0, (0, CELLS), 0)
    assert arrival_windows(twin, model).num_rows == 0


def test_windows_know_that_the_line_has_not_arrived(snapshot: Build) -> None:
    observed = [done(float(d)) for d in range(1, 21)]
    twin = snapshot(lanes=[lane("S", "D", 10)], lead_times=observed, pairs=[("A", "D")],
                    open_orders=[order(0), order(15, order_id="PO2"), order(90, order_id="PO3")])  # fmt: skip
    windows = arrival_windows(twin, fit_lead_times(twin)).to_pylist()
    new, old, lost = windows
    days = [[(line[q] - line["ordered_at"]) / DAY for q in ("q10", "q50", "q90")] for line in windows]
    assert days[0] == pytest.approx([3, 10, 18], abs=1e-6)
    assert days[1] == pytest.approx([16, 18, 20], abs=1e-6)
    assert [line["overdue"] for line in windows] == [False, False, True]
    assert all(AS_OF < line["q10"] <= line["q50"] <= line["q90"] for line in windows)
    assert (new["item_id"], new["basis"], old["open_quantity"], lost["to_id"]) == ("A", "lane", 5, "D")


def test_sales_lines_have_no_arrival_window(snapshot: Build) -> None:
    twin = snapshot(lanes=[lane("S", "D", 10)], pairs=[("A", "D")], open_orders=[order(1, kind="sales")])
    assert arrival_windows(twin, fit_lead_times(twin)).num_rows == 0


def test_conditioning_is_what_enumeration_says() -> None:
    table = np.sort(np.random.default_rng(2).integers(1, 30, CELLS)).astype(np.int32)
    for age in (0.0, 3.5, 12.0, 28.0):
        left = sorted(d for d in table.tolist() if d > age)
        for p in (0.1, 0.5, 0.9):
            assert conditional_days(table, age, p) == left[int(np.ceil(p * len(left))) - 1]


def test_windows_cover_what_they_say(snapshot: Build) -> None:
    """Lines of every age, true lead time gamma: 80 % of those still open arrive inside their window."""
    rng = np.random.default_rng(3)
    observed = [done(float(d)) for d in rng.gamma(9, 2, 600)]
    true = rng.gamma(9, 2, 4000)
    age = rng.uniform(0, 40, 4000)
    waiting = true > age
    orders = [order(a, order_id=str(k)) for k, a in enumerate(age[waiting])]
    twin = snapshot(lanes=[lane("S", "D", 18)], lead_times=observed, pairs=[("A", "D")], open_orders=orders)
    windows = arrival_windows(twin, fit_lead_times(twin)).to_pydict()
    arrives = np.array(windows["ordered_at"]) + np.ceil(true[waiting]) * DAY
    inside = (arrives >= np.array(windows["q10"])) & (arrives <= np.array(windows["q90"]))
    assert 0.77 < inside.mean() < 0.88, "whole days widen the window a little"
