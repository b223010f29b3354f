"""Whole runs on a small twin: threads, subsets, luck shared, what disruptions and actions mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from stocktwin.app.twin import Twin
from stocktwin.domain.errors import ScenarioError, UsageError
from stocktwin.kernels.network import COLUMN
from stocktwin.simulation.change import Action, Bench, Transfer
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.disruption import effects_of
from stocktwin.simulation.engine import only, project, simulate
from stocktwin.simulation.scenario import Scenario, parse_scenario

ITEMS = 6


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    """Six items in two warehouses, one supplier through a port, stock, an open order."""
    folder = tmp_path_factory.mktemp("feed")
    pairs = [(f"I{at}", place) for at in range(ITEMS) for place in ("DC-1", "DC-2")]
    files = {
        "items": "item_id,unit_cost,unit_price,unit,scale\n"
        + "".join(f"I{at},2,5,{'kg' if at == 5 else 'each'},{3 if at == 5 else 0}\n" for at in range(ITEMS)),
        "locations": "location_id,kind,region\nDC-1,dc,east\nDC-2,dc,west\nSUP,supplier,\nPORT,port,\n",
        "lanes": "origin_id,destination_id,lead_time_days,lead_time_sd_days,via,days_to_via\n"
        "SUP,DC-1,8,3,PORT,3\nSUP,DC-2,5,2,PORT,2\n",
        "sourcing": "item_id,location_id,source_id\n" + "".join(f"{i},{place},SUP\n" for i, place in pairs),
        "demand": "item_id,location_id,distribution,mean\n" + "".join(f"{i},{place},poisson,4\n" for i, place in pairs),
        "policies": "item_id,location_id,policy,reorder_point,order_up_to,order_cost\n"
        + "".join(f"{i},{place},min_max,35,70,9\n" for i, place in pairs),
        "movements": "event_id,event_time,kind,item_id,quantity,to_id,system\n"
        + "".join(f"{k},2025-03-01T08:00:00Z,receipt,{i},40,{place},erp\n" for k, (i, place) in enumerate(pairs)),
        "orders": "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,system\n"
        "PO1,1,purchase,I0,30,SUP,DC-1,2025-02-27T08:00:00Z,erp\n",
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    with Twin.create(tmp_path_factory.mktemp("twins") / "twin") as twin:
        assert twin.ingest(folder)["quarantined"] == 0
        yield twin.service.model.compiled


def outage(days: int, **more: object) -> Scenario:
    raw = {"name": "outage", "disruption": [{"kind": "supplier_offline", "location": "SUP", "days": days, **more}]}
    return parse_scenario(raw, "outage")


def test_the_open_order_and_the_stock_are_there(compiled: Compiled) -> None:
    assert len(compiled) == 2 * ITEMS
    assert [line.quantity for line in compiled.open_lines] == [30]
    assert compiled.on_hand.tolist() == [40] * 10 + [40_000] * 2  # kilograms to the gram


def test_threads_do_not_change_a_bit(compiled: Compiled) -> None:
    one, two = (
        simulate(compiled, [outage(20)], replications=30, horizon=60, threads=threads).to_dict() for threads in (1, 2)
    )
    assert one["baseline"] == two["baseline"]
    assert one["scenarios"] == two["scenarios"]
    assert one["daily"] == two["daily"]


def test_item_locations_live_alone_as_among_all(compiled: Compiled) -> None:
    whole = simulate(compiled, [], replications=20, horizon=40).baseline.tally.rows
    alone = simulate(only(compiled, 3), [], replications=20, horizon=40).baseline.tally.rows
    assert np.array_equal(alone[0], whole[3])


def test_goods_are_conserved(compiled: Compiled) -> None:
    rows = simulate(compiled, [], replications=25, horizon=50).baseline.tally.rows
    held = rows[:, COLUMN["on_hand_end"]] - compiled.on_hand / compiled.unit
    moved = rows[:, COLUMN["received"]] - rows[:, COLUMN["served"]]
    assert np.allclose(held, moved, atol=1e-9)


def test_a_long_outage_starves_and_an_outage_after_the_end_does_nothing(compiled: Compiled) -> None:
    hurt = simulate(compiled, [outage(60)], replications=40, horizon=60)
    difference = hurt.scenarios[0].difference(hurt.baseline)
    assert difference["fill_rate"].hi is not None
    assert difference["fill_rate"].hi < -0.2
    assert difference["lost_sales_units"].lo is not None
    assert difference["lost_sales_units"].lo > 0
    late = simulate(compiled, [outage(10, start_day=200)], replications=40, horizon=60)
    assert late.scenarios[0].difference(late.baseline)["fill_rate"].mean == 0


def test_an_outage_that_never_happens_is_the_baseline(compiled: Compiled) -> None:
    run = simulate(compiled, [outage(30, probability=0.0)], replications=10, horizon=60)
    assert run.scenarios[0].kpis() == run.baseline.kpis()


def test_a_closed_port_holds_up_what_has_not_passed_it(compiled: Compiled) -> None:
    raw = {"name": "strike", "disruption": [{"kind": "port_closed", "location": "PORT", "days": 25}]}
    run = simulate(compiled, [parse_scenario(raw, "strike")], replications=40, horizon=60)
    arrived = [outcome.daily(40)["received"] for outcome in (run.baseline, run.scenarios[0])]
    assert sum(arrived[0][:25]) > 0  # type: ignore[arg-type]
    assert sum(arrived[1][:25]) < sum(arrived[0][:25]) / 2  # type: ignore[arg-type]


def test_more_variable_demand_keeps_its_mean_and_costs_service(compiled: Compiled) -> None:
    raw = {"name": "louder", "disruption": [{"kind": "demand_variability", "factor": 2.0}]}
    run = simulate(compiled, [parse_scenario(raw, "louder")], replications=300, horizon=60)
    difference = run.scenarios[0].difference(run.baseline)
    base = run.baseline.kpis()["demand_units"].mean
    assert base is not None
    assert difference["demand_units"].mean is not None
    assert abs(difference["demand_units"].mean) < 0.02 * base
    assert difference["fill_rate"].hi is not None
    assert difference["fill_rate"].hi < 0


def test_safety_stock_reaches_the_shelf_only_through_orders(compiled: Compiled) -> None:
    raw = {"name": "more", "change": [{"kind": "safety_stock", "add": 20, "from_day": 10}]}
    run = simulate(compiled, [parse_scenario(raw, "more")], replications=60, horizon=60)
    mine, base = (outcome.daily(60)["on_hand"] for outcome in (run.scenarios[0], run.baseline))
    assert mine[:10] == base[:10]
    assert mine[-1] > base[-1]  # type: ignore[operator]


def test_common_luck_narrows_the_difference_of_a_policy_change(compiled: Compiled) -> None:
    """At least five times, in every figure, where forecasts are as uncertain as they are on the demo twin."""
    demand = replace(compiled.demand, level_cv=np.full(len(compiled), 0.45))
    unsure = replace(compiled, demand=demand)
    raw = {"name": "more", "change": [{"kind": "safety_stock", "factor": 1.2}]}
    run = simulate(unsure, [parse_scenario(raw, "more")], replications=300, horizon=90)
    mine, base = run.scenarios[0], run.baseline
    pairs = {
        name: (mine.series[name], base.series[name]) for name in ("on_hand_units", "lost_sales_units", "total_cost")
    }
    pairs["fill_rate"] = tuple(np.divide(*one.ratios["fill_rate"]) for one in (mine, base))  # type: ignore[assignment]
    for name, (more, less) in pairs.items():
        assert more is not None
        assert less is not None
        assert np.var(more - less) * 5 < np.var(more) + np.var(less), name


def test_an_unknown_place_is_named(compiled: Compiled) -> None:
    raw = {"name": "x", "disruption": [{"kind": "supplier_offline", "location": "NOBODY", "days": 3}]}
    with pytest.raises(ScenarioError, match="NOBODY"):
        simulate(compiled, [parse_scenario(raw, "x")], replications=5)


def test_a_transfer_moves_units_and_nothing_else(compiled: Compiled) -> None:
    bench = Bench(compiled, replications=50, horizon=40, seed=7)
    rows = compiled.rows
    nothing = bench.compare(Action(), rows[:2].tolist())
    assert nothing.without.kpis() == nothing.with_action.kpis()
    moved = bench.compare(Action(transfers=(Transfer(int(rows[0]), int(rows[1]), 15, 2),)))
    before, after = (one.tally.units["on_hand_days"] for one in (moved.without, moved.with_action))
    assert (after < before).mean() > 0.5  # two days on the road
    with pytest.raises(UsageError, match="more than its donor has"):
        bench.compare(Action(transfers=(Transfer(int(rows[0]), int(rows[1]), 41, 2),)))


def test_bringing_an_order_forward_helps_or_does_nothing(compiled: Compiled) -> None:
    bench = Bench(compiled, replications=80, horizon=40, seed=3)
    line = compiled.open_lines[0].line
    earlier = bench.compare(Action(order_shifts={line: -30}))
    lost = [one.tally.units["lost"] for one in (earlier.without, earlier.with_action)]
    assert (lost[1] <= lost[0]).all()
    held = bench.compare(Action(order_shifts={line: -30}, order_earliest={line: 30}))
    assert held.without.kpis() == held.with_action.kpis()


def test_the_projection_is_a_fan_that_starts_at_todays_stock(compiled: Compiled) -> None:
    fan = project(compiled, int(compiled.rows[2]), replications=200, horizon=30)
    assert fan is not None
    low, middle, high = (fan.quantiles[name] for name in ("p05", "p50", "p95"))
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert 30 <= middle[0] <= 40
    assert project(compiled, 10**6) is None


def test_a_surge_in_one_region_leaves_the_others_alone(compiled: Compiled) -> None:
    raw = {"name": "surge", "disruption": [{"kind": "demand_scale", "region": "east", "factor": 2.0, "days": 30}]}
    run = simulate(compiled, [parse_scenario(raw, "surge")], replications=20, horizon=30)
    asked = [outcome.tally.rows[:, COLUMN["demand"]] for outcome in (run.scenarios[0], run.baseline)]
    assert np.allclose(asked[0][0::2], 2 * asked[1][0::2], rtol=0.05)
    assert np.array_equal(asked[0][1::2], asked[1][1::2])
    nowhere = {"name": "x", "disruption": [{"kind": "demand_scale", "region": "north", "factor": 2.0, "days": 3}]}
    with pytest.raises(ScenarioError, match="region 'north'"):
        simulate(compiled, [parse_scenario(nowhere, "x")], replications=5)


def louder(**more: object) -> dict[str, object]:
    return {"kind": "demand_variability", "factor": 2.0, **more}


@pytest.mark.parametrize(
    ("disruptions", "told"),
    [
        ([{"kind": "supplier_offline", "location": "PORT", "days": 3}], "nothing is sourced from 'PORT'"),
        ([{"kind": "port_closed", "location": "SUP", "days": 3}], "nothing passes the port 'SUP'"),
        ([louder(days=5), louder(item="I1")], "another one came before"),
    ],
)
def test_what_would_be_taken_for_something_else_is_refused(
    compiled: Compiled, disruptions: list[dict[str, object]], told: str
) -> None:
    with pytest.raises(ScenarioError, match=told):
        simulate(compiled, [parse_scenario({"disruption": disruptions}, "x")], replications=4)


def test_a_horizon_that_ends_in_the_outage_is_told_however_short_the_outage_is(compiled: Compiled) -> None:
    enough, short = (simulate(compiled, [outage(20)], replications=4, horizon=days) for days in (60, 15))
    assert enough.warnings == ()
    assert "ends before the disruption has worked itself out" in short.warnings[0]


def changed(kind: str, **more: object) -> Scenario:
    return parse_scenario({"change": [{"kind": kind, **more}]}, "changed")


def test_reorder_point_and_order_up_to_change_by_themselves(compiled: Compiled) -> None:
    kinds = [changed("reorder_point", add=5), changed("order_up_to", add=5), changed("safety_stock", add=5)]
    shifts = [effects_of(one, compiled, 30, 2, 0).shift for one in kinds]
    assert [shift[:, 0].tolist() for shift in shifts if shift is not None] == [
        [5] * 10 + [5000] * 2, [0] * 12, [5] * 10 + [5000] * 2,
    ]  # fmt: skip
    assert [shift[:, 1].tolist() for shift in shifts if shift is not None] == [
        [0] * 12, [5] * 10 + [5000] * 2, [5] * 10 + [5000] * 2,
    ]  # fmt: skip
    run = simulate(compiled, kinds[:2], replications=40, horizon=200)
    sooner, larger = (outcome.difference(run.baseline) for outcome in run.scenarios)
    assert (sooner["fill_rate"].lo or 0) > 0
    assert (larger["orders"].hi or 0) < 0  # larger orders are fewer


def test_an_order_up_to_at_or_below_the_reorder_point_is_refused(compiled: Compiled) -> None:
    with pytest.raises(ScenarioError, match="order-up-to 70 would not be above reorder point 70"):
        simulate(compiled, [changed("reorder_point", factor=2)], replications=4)


def test_a_closed_warehouse_keeps_its_stock_and_serves_nobody(compiled: Compiled) -> None:
    raw = {"disruption": [{"kind": "location_closed", "location": "DC-1", "start_day": 3, "days": 7}]}
    run = simulate(compiled, [parse_scenario(raw, "closed")], replications=30, horizon=60)
    mine, base = (outcome.tally.rows for outcome in (run.scenarios[0], run.baseline))
    place = compiled.snapshot.location[compiled.rows]
    other = place == compiled.snapshot.location_codes.code("DC-2")
    assert np.array_equal(mine[other], base[other])
    lost = (mine - base)[~other][:, COLUMN["lost"]]
    assert (lost > 15).all()  # 7 days of 4, less what would have been lost then anyway or is served better later
    daily = run.scenarios[0].daily(30)
    half = run.baseline.daily(30)["served"][0] / 2  # type: ignore[operator]
    assert all(abs(served - half) < half / 3 for served in daily["served"][3:6])  # type: ignore[operator]
    wrong = parse_scenario({"disruption": [{"kind": "location_closed", "location": "NOBODY", "days": 7}]}, "x")
    with pytest.raises(ScenarioError, match="NOBODY"):
        simulate(compiled, [wrong], replications=4)
