"""Places that supply each other: who does, what is lived together, shares worked by hand, a published optimum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from stocktwin.app.twin import Twin
from stocktwin.kernels.inverse import demand_tables
from stocktwin.kernels.network import (
    COLUMN,
    DAY_COLUMNS,
    FIRST_COME,
    PRIORITY,
    PROPORTIONAL,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    Network,
    OpenLines,
    Transit,
    sweep,
    unharmed,
)
from stocktwin.simulation.change import Action, Bench
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.engine import only, project, simulate
from stocktwin.simulation.layout import roots, shards
from stocktwin.simulation.scenario import parse_scenario

NONE = np.zeros((0, 1, 1), np.int32)
PLACES = ("CENTRAL", "DC-1", "DC-2", "STORE")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    """Three items: SUP → CENTRAL → DC-1, DC-2; DC-1 → STORE. Sold in DC-2 and STORE only."""
    folder = tmp_path_factory.mktemp("feed")
    items = ("A", "B", "C")
    stock = {"CENTRAL": 120, "DC-1": 40, "DC-2": 40, "STORE": 20}
    links = {"CENTRAL": "SUP", "DC-1": "CENTRAL", "DC-2": "CENTRAL", "STORE": "DC-1"}
    files = {
        "items": "item_id,unit_cost,unit_price\n" + "".join(f"{i},2,5\n" for i in items),
        "locations": "location_id,kind\nSUP,supplier\nCENTRAL,dc\nDC-1,dc\nDC-2,dc\nSTORE,store\n",
        "lanes": "origin_id,destination_id,lead_time_days,lead_time_sd_days\nSUP,CENTRAL,8,3\n"
        "CENTRAL,DC-1,2,1\nCENTRAL,DC-2,3,1\nDC-1,STORE,1,0\n",
        "sourcing": "item_id,location_id,source_id\n"
        + "".join(f"{i},{at},{by}\n" for i in items for at, by in links.items()),
        "demand": "item_id,location_id,distribution,mean\n"
        + "".join(f"{i},{at},poisson,4\n" for i in items for at in ("DC-2", "STORE")),
        "movements": "event_id,event_time,kind,item_id,quantity,to_id,system\n"
        + "".join(f"{i}{at},2025-03-01T08:00:00Z,receipt,{i},{n},{at},erp\n" for i in items for at, n in stock.items()),
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    with Twin.create(tmp_path_factory.mktemp("twins") / "twin") as twin:
        assert twin.ingest(folder)["quarantined"] == 0
        yield twin.service.model.compiled


def names(compiled: Compiled, places: np.ndarray) -> list[str]:
    snapshot = compiled.snapshot
    return [snapshot.location_codes.ids[int(snapshot.location[row])] for row in compiled.rows[places]]


def test_who_supplies_whom_and_what_passes_through(compiled: Compiled) -> None:
    assert names(compiled, np.arange(4)) == list(PLACES)
    assert compiled.source[:4].tolist() == [-1, 0, 0, 1]
    assert compiled.demand.per_day[:4].round(6).tolist() == [0, 0, 4, 4]
    assert compiled.flow.per_day[:4].round(6).tolist() == [8, 4, 4, 4]
    assert compiled.policy.s[3] < 4 * 5
    assert compiled.policy.s[0] > 8 * 7  # inferred from what passes through
    top, depth = roots(compiled.source)
    assert (top[:4].tolist(), depth[:4].tolist()) == ([0] * 4, [0, 1, 1, 2])


def test_goods_come_from_somewhere(compiled: Compiled) -> None:
    """What the places of an item ordered from each other left the shelf of their source."""
    rows = simulate(compiled, [], replications=20, horizon=60).baseline.tally.rows
    of = {name: rows[:, at] for name, at in COLUMN.items()}
    held = of["on_hand_end"] - compiled.on_hand
    assert np.allclose(held, of["received"] - of["served"] - of["shipped"], atol=1e-9)
    assert np.allclose(of["requested"][::4], of["ordered"][1::4] + of["ordered"][2::4])
    assert np.allclose(of["requested"][1::4], of["ordered"][3::4])
    assert (of["owed_days"][0::4] > 0).any()


def test_a_supplier_that_stops_starves_the_stores_by_and_by(compiled: Compiled) -> None:
    raw = {"disruption": [{"kind": "supplier_offline", "location": "primary-largest", "days": 50}]}
    run = simulate(compiled, [parse_scenario(raw, "stop")], replications=30, horizon=60)
    mine, base = (outcome.daily(30) for outcome in (run.scenarios[0], run.baseline))
    assert mine["fill_rate"][:5] == base["fill_rate"][:5]
    assert mine["fill_rate"][45] < 0.1  # type: ignore[operator]
    inside = run.scenarios[0].kpis()["internal_fill_rate"].mean
    assert inside is not None
    assert inside < (run.baseline.kpis()["internal_fill_rate"].mean or 0)


def test_a_closed_central_ships_nothing_and_its_places_wait(compiled: Compiled) -> None:
    raw = {"disruption": [{"kind": "location_closed", "location": "CENTRAL", "days": 30}]}
    run = simulate(compiled, [parse_scenario(raw, "shut")], replications=10, horizon=30)
    rows = run.scenarios[0].tally.rows
    assert (rows[::4, COLUMN["shipped"]] == 0).all()
    assert (rows[::4, COLUMN["on_hand_end"]] == 120).all()
    assert (rows[::4, COLUMN["owed_end"]] > 0).all()


def test_threads_shards_and_subsets_do_not_change_a_bit(compiled: Compiled) -> None:
    one, two = (simulate(compiled, [], replications=70, horizon=40, threads=n).to_dict() for n in (1, 2))
    assert one["baseline"] == two["baseline"]
    alone = only(compiled, 7)  # the store of item B brings its whole tree
    assert len(alone) == 4
    whole = simulate(compiled, [], replications=20, horizon=40).baseline.tally.rows
    assert np.array_equal(simulate(alone, [], replications=20, horizon=40).baseline.tally.rows, whole[4:8])
    assert sorted(np.concatenate(shards(compiled)).tolist()) == list(range(12))


def test_the_fan_of_a_store_and_an_action_on_it(compiled: Compiled) -> None:
    fan = project(compiled, int(compiled.rows[3]), replications=50, horizon=20)
    assert fan is not None
    assert fan.quantiles["p95"][0] <= 20
    bench = Bench(compiled, replications=40, horizon=60, seed=5)
    more = bench.compare(Action(safety_stock={int(compiled.rows[3]): 15}))
    held = [one.tally.rows[:, COLUMN["on_hand_days"]] for one in (more.without, more.with_action)]
    assert held[1][3] > held[0][3]
    assert held[1][0] < held[0][0] * 1.01  # the central has shipped more of it
    assert (held[1][4:] == held[0][4:]).all()


# --- by hand ---------------------------------------------------------------------------------------------------------


def chain(on_hand: list[int], sells: list[int], policy: list[tuple[int, int]], lead: list[int], parent: list[int],
          mode: int, days: int, first: int = 0) -> np.ndarray:  # fmt: skip
    """units[row, column] of one group in which everything is certain."""
    n = len(on_hand)
    one, zero = np.ones(n, np.int64), np.zeros(n, np.int64)
    levels = np.array([[s, S, 0] for s, S in policy], np.int64)
    lines = Lines(np.arange(n, dtype=np.uint64), np.array(on_hand, np.int64), zero,
                  np.ascontiguousarray(np.stack([levels, levels], axis=1)), -one, one, zero, one, zero,
                  np.ascontiguousarray(np.tile(np.arange(n)[:, None, None], (1, 2, 7))), np.zeros((n, 2), np.int64),
                  -one, np.arange(n, dtype=np.int64), np.zeros(n + 1, np.int64), -one)  # fmt: skip
    tables = demand_tables(zero, np.array(sells, np.float64), np.zeros(n))
    demand = Demand(*tables, np.full((1, 512), 65536, np.int64), np.zeros((0, 1, 1), np.int64))
    shape = (n, days, 1)
    arrives = np.ascontiguousarray(np.broadcast_to(np.array(lead, np.int32)[:, None, None], shape))
    way = Transit(np.zeros(shape, np.int32), arrives, NONE, NONE, NONE)
    allocation = np.array([mode if at in parent else -1 for at in range(n)], np.int64)
    network = Network(np.array([0, n]), np.arange(n), np.array(parent, np.int64), allocation)
    opened = OpenLines(np.zeros(0, np.int64), *(np.zeros((0, 1), np.int32) for _ in range(2)))
    units = np.zeros((n, len(UNIT_COLUMNS), 1), np.int64)
    sweep(lines, network, opened, demand, way, unharmed(), Calendar(20_000, days, first, 64, np.zeros(days, np.int64)),
          1, units, np.zeros((days, len(DAY_COLUMNS)), np.int64), np.zeros((0, 0, 0), np.int64))  # fmt: skip
    return units[:, :, 0]


@pytest.mark.parametrize(
    ("mode", "parts"), [(PROPORTIONAL, [6, 12, 2]), (PRIORITY, [9, 11, 0]), (FIRST_COME, [9, 11, 0])]
)
def test_twenty_units_for_thirty_wanted(mode: int, parts: list[int]) -> None:
    """Three shelves ask for 9, 18 and 3 on the same day; the source has 20 and gets no more."""
    units = chain([0, 0, 0, 20], [0, 0, 0, 0], [(0, 9), (0, 18), (0, 3), (-99, -98)], [1, 1, 1, 1], [3, 3, 3, -1],
                  mode, 2)  # fmt: skip
    assert units[:3, COLUMN["received"]].tolist() == parts
    assert units[3, [COLUMN[name] for name in ("requested", "shipped", "owed_end")]].tolist() == [30, 20, 10]
    assert units[3, COLUMN["shipped_at_once"]] == 20


def test_first_come_is_served_before_a_larger_later_order() -> None:
    """Both start without stock and sell 5 a day; what the source gets every day goes to the oldest orders."""
    fair = chain([0, 0, 0], [5, 1, 0], [(0, 1), (0, 1), (5, 6)], [1, 1, 1], [2, 2, -1], FIRST_COME, 12)
    assert (fair[:, COLUMN["owed_end"]] >= 0).all()
    assert fair[2, COLUMN["shipped"]] == fair[:2, COLUMN["received"]].sum() + (
        fair[:2, COLUMN["on_order_end"]].sum() - fair[2, COLUMN["owed_end"]]
    )


@pytest.mark.slow
def test_the_serial_system_of_snyder_and_shen_with_poisson_demand() -> None:
    """Example 6.1 with Poisson(5): echelon base stocks (9, 15, 26) cost 72.0435 a period.

    Local levels are their differences. Goods on the way cost what they do at the stage that sent them (7, 4 and 2 held,
    37.12 owed to customers).
    """
    days, warmup, replications = 20_000, 200, 8
    local = [9, 6, 11]
    held, owed = np.array([7.0, 4.0, 2.0]), 37.12
    n = 3
    one, zero = np.ones(n, np.int64), np.zeros(n, np.int64)
    levels = np.array([[S - 1, S, 0] for S in local], np.int64)
    lines = Lines(np.arange(n, dtype=np.uint64) + np.uint64(11), np.array(local, np.int64), zero,
                  np.ascontiguousarray(np.stack([levels, levels], axis=1)), -one, one, zero, one, zero,
                  np.ascontiguousarray(np.tile(np.array([0, 1, 1])[:, None, None], (1, 2, 7))),
                  np.zeros((n, 2), np.int64), -one, np.arange(n, dtype=np.int64), np.zeros(n + 1, np.int64),
                  -one)  # fmt: skip
    tables = demand_tables(np.zeros(2, np.int64), np.array([5.0, 0.0]), np.array([5.0, 0.0]))
    demand = Demand(*tables, np.full((1, 512), 65536, np.int64), np.zeros((0, 1, 1), np.int64))
    shape = (n, days, replications)
    arrives = np.ascontiguousarray(np.broadcast_to(np.array([1, 1, 2], np.int32)[:, None, None], shape))
    way = Transit(np.zeros(shape, np.int32), arrives, NONE, NONE, NONE)
    network = Network(np.array([0, n]), np.arange(n), np.array([1, 2, -1]), np.array([-1, 0, 0]))
    opened = OpenLines(np.zeros(0, np.int64), *(np.zeros((0, replications), np.int32) for _ in range(2)))
    units = np.zeros((n, len(UNIT_COLUMNS), replications), np.int64)
    sweep(lines, network, opened, demand, way, unharmed(),
          Calendar(20_000, days, warmup, 16, np.zeros(days, np.int64)), 5, units,
          np.zeros((days, len(DAY_COLUMNS)), np.int64), np.zeros((0, 0, 0), np.int64))  # fmt: skip
    on_hand, moving = units[:, COLUMN["on_hand_days"]], units[:, COLUMN["in_transit_days"]]
    cost = held @ on_hand + held[1:] @ moving[:2] + owed * units[0, COLUMN["backlog_days"]]
    a_day = cost / (days - warmup)
    error = a_day.std(ddof=1) / np.sqrt(replications)
    assert abs(a_day.mean() - 72.0435) < 3 * error
