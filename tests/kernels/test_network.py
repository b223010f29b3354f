"""The sweep against the plain reference, cases worked by hand, and conservation of goods."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels.inverse import demand_tables, level_factors
from stocktwin.kernels.jit import jit_disabled
from stocktwin.kernels.network import (
    COLUMN,
    DAY_COLUMNS,
    FIRST_COME,
    LANES,
    NEVER,
    PRIORITY,
    PROPORTIONAL,
    TRACE_COLUMNS,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    Losses,
    Network,
    OpenLines,
    Transit,
    alone,
    sweep,
    unharmed,
)
from stocktwin.simulation.reference import Instance, live

MONDAY = 4
"""1970-01-05, in days since 1970-01-01."""
ONE = 65536
OPEN = np.zeros((0, 1, 1), np.int32)
"""No destination is ever closed."""
EXAMPLES = 25 if jit_disabled() else 80
pytestmark = pytest.mark.kernels


def ints(values: Any) -> np.ndarray:
    """A C-contiguous int64 array."""
    return np.ascontiguousarray(np.array(values, np.int64))


def constant_demand(*values: int) -> Demand:
    """Table i draws values[i], whatever the luck."""
    kinds = np.zeros(len(values), np.int64)
    tables = demand_tables(kinds, np.array(values, np.float64), np.zeros(len(values)))
    return Demand(*tables, np.full((1, 512), ONE, np.int64), np.zeros((0, 1, 1), np.int64))


def one_line(**changes: Any) -> Lines:
    """An item-location with (s, S) = (3, 10), 5 on hand, backlog, a daily review and no open orders."""
    policy = changes.pop("policy", (3, 10, 0))
    later = changes.pop("later", policy)
    fields: dict[str, Any] = {
        "key": np.array([7], np.uint64), "on_hand": [5], "backlog": [0], "policy": [[policy, later]],
        "change_day": [-1], "review_days": [1], "moq": [0], "multiple": [1], "lost": [0],
        "table": np.zeros((1, 2, 7)), "level": [[0, 0]], "factor": [-1], "route": [0], "first_open": [0, 0],
        "loss": [-1],
    }  # fmt: skip
    fields |= {name: [value] if np.isscalar(value) else value for name, value in changes.items()}
    return Lines(**{name: value if name == "key" else ints(value) for name, value in fields.items()})


def opened(*orders: tuple[int, int, int], replications: int = 1) -> OpenLines:
    """Open order lines: (quantity, day they leave, day they arrive)."""
    days = [np.array([[order[k]] * replications for order in orders], np.int32).reshape(-1, replications)
            for k in (1, 2)]  # fmt: skip
    return OpenLines(ints([order[0] for order in orders]), *days)


def transit(days: int, lead: int = 1, replications: int = 1, waits: int = 0) -> Transit:
    """Every order leaves after `waits` days and arrives after `lead`."""
    shape = (1, days, replications)
    return Transit(np.full(shape, waits, np.int32), np.full(shape, lead, np.int32), OPEN, OPEN, OPEN)


def calendar(days: int, warmup: int = 0, changed: Any = None, first_day: int = MONDAY) -> Calendar:
    """A calendar of `days` days from a Monday on."""
    return Calendar(first_day, days, warmup, 64, ints(np.zeros(days) if changed is None else changed))


def swept(lines: Lines, orders: OpenLines, demand: Demand, way: Transit, days: Calendar, *, seed: int = 1,
          replications: int = 1, traced: bool = False, network: Network | None = None, losses: Losses | None = None,
          wide: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """What the compiled sweep says."""
    units = np.full((len(lines.key), len(UNIT_COLUMNS), replications), -1, np.int64)
    totals = np.zeros((days.days, len(DAY_COLUMNS)), np.int64)
    trace = np.zeros((len(TRACE_COLUMNS), days.days, replications) if traced else (0, 0, 0), np.int64)
    sweep(lines, network or alone(len(lines.key)), orders, demand, way, losses or unharmed(), days, seed, units, totals,
          trace, wide=wide)  # fmt: skip
    return units, totals, trace


def figures(lines: Lines, days: Calendar, *, sells: int = 2, orders: OpenLines | None = None,
            way: Transit | None = None) -> dict[str, int]:  # fmt: skip
    """UNIT_COLUMNS of one item-location that sells the same every day."""
    units, _, _ = swept(
        lines, orders or opened(), constant_demand(sells), way or transit(days.days), days, traced=False
    )
    return dict(zip(UNIT_COLUMNS, units[0, :, 0].tolist(), strict=True))


# --- worked by hand --------------------------------------------------------------------------------------------------


def test_an_order_of_day_t_with_lead_time_1_is_on_the_shelf_on_day_t_plus_1() -> None:
    _, _, trace = swept(one_line(), opened(), constant_demand(2), transit(4), calendar(4), traced=True)
    on_hand, backlog, received, demand, ordered = trace[:, :, 0].tolist()
    assert on_hand == [3, 8, 6, 4]  # 5 − 2 = 3 ≤ s: order up to 10
    assert ordered == [7, 0, 0, 0]
    assert received == [0, 7, 0, 0]
    assert (backlog, demand) == ([0] * 4, [2] * 4)


def test_backlog_is_served_before_the_demand_of_the_day() -> None:
    units, _, trace = swept(
        one_line(policy=(-99, 0, 0), first_open=[0, 1]), opened((6, -1, 3)), constant_demand(3), transit(4),
        calendar(4), traced=True)  # fmt: skip
    assert trace[0, :, 0].tolist() == [2, 0, 0, 0]
    assert trace[1, :, 0].tolist() == [0, 1, 4, 1]  # 6 arrive: 4 for backlog, 2 of the 3 of day 3
    row = dict(zip(UNIT_COLUMNS, units[0, :, 0].tolist(), strict=True))
    assert (row["demand"], row["served"], row["lost"], row["backlog_days"]) == (12, 3 + 2 + 0 + 2, 0, 6)


def test_lost_sales_are_lost() -> None:
    row = figures(one_line(policy=(-99, 0, 0), lost=1), calendar(4), sells=3)
    assert (row["demand"], row["served"], row["lost"], row["backlog_end"], row["backlog_days"]) == (12, 5, 7, 0, 0)


def test_a_cycle_is_short_when_someone_went_without_before_the_receipt_that_ends_it() -> None:
    short = figures(one_line(policy=(-99, 0, 0), first_open=[0, 2]), calendar(4), sells=3,
                    orders=opened((1, -1, 1), (9, -1, 2)))  # fmt: skip
    assert (short["cycles"], short["cycles_short"]) == (2, 0)  # day 1: 2 + 1 = 3, exactly enough; day 2: 9
    late = figures(one_line(policy=(-99, 0, 0), first_open=[0, 1]), calendar(4), sells=3, orders=opened((9, -1, 3)))
    assert (late["cycles"], late["cycles_short"], late["ready_days"], late["lowest"]) == (1, 1, 2, 0)


def test_reviews_of_seven_days_fall_on_mondays() -> None:
    _, _, trace = swept(one_line(policy=(8, 9, 0), review_days=7), opened(), constant_demand(1), transit(9),
                        calendar(9, first_day=MONDAY - 2), traced=True)  # fmt: skip
    assert np.flatnonzero(trace[4, :, 0]).tolist() == [2]


def test_a_changed_policy_reaches_the_shelf_through_orders_only() -> None:
    _, _, trace = swept(one_line(later=(8, 15, 0), change_day=2), opened(), constant_demand(1), transit(5),
                        calendar(5), traced=True)  # fmt: skip
    assert trace[4, :, 0].tolist() == [0, 7, 0, 7, 0]  # 3 ≤ 3 on day 1: up to 10; 8 ≤ 8 on day 3: up to 15
    assert trace[0, :, 0].tolist() == [4, 3, 9, 8, 14]


def test_lots_minimum_and_multiple() -> None:
    assert figures(one_line(policy=(3, 0, 4)), calendar(1))["ordered"] == 4
    assert figures(one_line(policy=(3, 10, 0), moq=9), calendar(1))["ordered"] == 9
    assert figures(one_line(policy=(3, 10, 0), moq=9, multiple=4), calendar(1))["ordered"] == 12


def test_a_closed_place_receives_and_serves_nothing_until_it_opens() -> None:
    """Three days shut, from day 1 on: 4 pieces ordered before arrive on day 2 and are taken in on day 4."""
    shut = np.array([[0, 1, 1, 1, 0, 0]], np.int32)[..., None]
    way = transit(6)._replace(shut=shut)
    days = calendar(6)
    line = one_line(policy=(-99, -98, 0), on_hand=9, first_open=[0, 1])
    units, totals, trace = swept(line, opened((4, -1, 2)), constant_demand(2), way, days, traced=True)
    on_hand, backlog, received = (trace[TRACE_COLUMNS.index(name), :, 0].tolist() for name in TRACE_COLUMNS[:3])
    assert on_hand == [7, 7, 7, 7, 3, 1]
    assert backlog == [0, 2, 4, 6, 0, 0]
    assert received == [0, 0, 0, 0, 4, 0]
    assert totals[:, 3].tolist() == on_hand
    told = dict(zip(UNIT_COLUMNS, units[0, :, 0].tolist(), strict=True))
    assert (told["served"], told["on_hand_days"], told["ready_days"], told["lowest"]) == (6, 32, 6, 1)
    assert told["in_transit_days"] == 4 * 4  # days 0 … 3


def test_days_in_transit_and_units_on_order() -> None:
    row = figures(one_line(), calendar(4), way=transit(4, lead=3, waits=1), sells=2)
    # day 0: 7 ordered, leave after the count of day 1, so are counted on day 2, arrive on day 3
    assert (row["orders"], row["ordered"], row["received"], row["in_transit_days"]) == (1, 7, 7, 7)
    never = figures(one_line(first_open=[0, 1]), calendar(4), orders=opened((5, -2, 40)), sells=0)
    assert (never["on_order_end"], never["in_transit_days"], never["received"]) == (5, 20, 0)


def test_what_arrives_after_the_last_day_never_comes_early() -> None:
    short_ring = calendar(20)._replace(slots=16)
    row = figures(one_line(route=-1, first_open=[0, 2]), short_ring, orders=opened((5, -2, 40), (3, -2, 20)), sells=0)
    assert (row["received"], row["on_hand_end"], row["on_order_end"]) == (0, 5, 8)


def test_warm_up_is_lived_but_not_counted() -> None:
    whole, counted = figures(one_line(), calendar(6)), figures(one_line(), calendar(6, warmup=2))
    assert (whole["demand"], counted["demand"]) == (12, 8)
    assert counted["on_hand_end"] == whole["on_hand_end"]
    assert counted["on_hand_days"] == whole["on_hand_days"] - 3 - 8
    assert figures(one_line(), calendar(2, warmup=2))["lowest"] == NEVER


def test_without_a_route_nothing_is_ordered() -> None:
    assert figures(one_line(route=-1), calendar(9))["ordered"] == 0


def test_weekday_tables_and_days_of_changed_variability() -> None:
    table = np.zeros((1, 2, 7))
    table[0, 0], table[0, 1] = range(7), 8
    units, days, _ = swept(one_line(table=table), opened(), constant_demand(*range(9)), transit(9),
                           calendar(9, changed=[0, 0, 0, 1, 0, 0, 0, 0, 0]))  # fmt: skip
    assert days[:, 0].tolist() == [0, 1, 2, 8, 4, 5, 6, 0, 1]
    assert units[0, COLUMN["demand"], 0] == 27


def test_factors_scale_demand_in_the_mean_and_one_is_the_identity() -> None:
    demand = constant_demand(3)
    shocks = np.full((2, 40, 50), ONE, np.int64)
    shocks[1] = ONE // 4
    demand = demand._replace(factors=shocks)
    settings_ = {"replications": 50}
    same, _, _ = swept(one_line(factor=0), opened(), demand, transit(40, replications=50), calendar(40), **settings_)
    assert (same[0, COLUMN["demand"]] == 120).all()
    less, _, _ = swept(one_line(factor=1), opened(), demand, transit(40, replications=50), calendar(40), **settings_)
    mean, error = less[0, COLUMN["demand"]].mean(), np.sqrt(40 * 0.75 * 0.25 / 50)
    assert abs(mean - 30.0) < 4 * error
    assert less[0, COLUMN["demand"]].std() > 0


# --- random instances ------------------------------------------------------------------------------------------------


@st.composite
def instances(draw: st.DrawFn) -> tuple[Instance, int]:
    """Small networks with everything in them, by a seeded generator so that examples stay small."""
    g = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, days = draw(st.integers(1, 6)), draw(st.integers(1, 30))
    replications = draw(st.sampled_from((1, 2, 5)))
    warmup = draw(st.sampled_from((0, 0, 1, days // 2, days)))
    tables = demand_tables(g.choice([0, 1, 2], 5), g.choice([0.0, 0.3, 2.0, 9.0, 900.0], 5),
                           g.choice([0.0, 0.5, 4.0, 30.0, 4e5], 5))  # fmt: skip
    shared = draw(st.booleans())
    factors = ints(g.integers(0, 3 * ONE, (2, days, 1 if shared else replications)))
    levels = np.vstack([np.full((1, 512), ONE, np.int64), level_factors(np.array([0.4, 2.0]), ONE)])
    demand = Demand(*tables, np.ascontiguousarray(levels), factors)
    network = _random_network(g, rows, draw(st.booleans()))
    counts = g.integers(0, 4, rows)
    lines = _random_lines(g, rows, days, counts, network)
    orders = OpenLines(ints(g.integers(0, 30, counts.sum())),
                       g.integers(-5, 10, (counts.sum(), replications)).astype(np.int32),
                       g.integers(0, 40, (counts.sum(), replications)).astype(np.int32))  # fmt: skip
    shape = (2, days, replications)
    leaves = (g.integers(0, 6, shape) * g.integers(0, 2, shape)).astype(np.int32)
    flags = [g.integers(0, 2, (draw(st.sampled_from((0, 2))), days, replications)).astype(np.int32) for _ in range(3)]
    way = Transit(leaves, (leaves + g.integers(1, 9, leaves.shape)).astype(np.int32), *flags)
    losses = Losses(*(ints(g.integers(0, ONE + 1, shape) * g.integers(0, 2, shape)) for _ in range(2)))
    when = Calendar(int(g.integers(19_000, 21_000)), days, warmup, 64, ints(g.integers(0, 2, days)))
    return Instance(lines, network, orders, demand, way, losses, when, int(g.integers(0, 2**40))), replications


def _random_network(g: np.random.Generator, rows: int, linked: bool) -> Network:
    """Rows in a random order, cut into groups; in each every place is supplied by a later one or without limit."""
    first = [0, *sorted(set(g.integers(1, rows + 1, 2).tolist()) - {rows}), rows]
    parent, allocation = np.full(rows, -1), np.full(rows, -1)
    for start, end in pairwise(first):
        for entry in range(start, end - 1 if linked else start):
            parent[entry] = g.integers(entry + 1 - start, end - start) if g.random() < 0.8 else -1
            if parent[entry] >= 0:
                allocation[start + parent[entry]] = g.choice((PROPORTIONAL, PRIORITY, FIRST_COME))
    return Network(ints(first), ints(g.permutation(rows)), ints(parent), ints(allocation))


def _random_lines(g: np.random.Generator, rows: int, days: int, counts: np.ndarray, network: Network) -> Lines:
    route = g.integers(-1, 2, rows)
    supplied = network.member[network.parent >= 0]
    route[supplied] = np.maximum(route[supplied], 0)
    s = g.integers(-5, 30, (rows, 2, 1))
    policy = np.concatenate([s, s + g.integers(-3, 40, s.shape), g.choice([0, 0, 1, 7], s.shape)], axis=2)
    return Lines(
        g.integers(0, 2**64, rows, dtype=np.uint64), ints(g.integers(0, 40, rows)),
        ints(g.choice([0, 0, 12], rows)), ints(policy), ints(g.integers(-1, days + 2, rows)),
        ints(g.choice([1, 1, 2, 7], rows)), ints(g.choice([0, 0, 11], rows)), ints(g.choice([1, 1, 6], rows)),
        ints(g.integers(0, 2, rows)), ints(g.integers(0, 5, (rows, 2, 7))), ints(g.integers(0, 3, (rows, 2))),
        ints(g.integers(-1, 2, rows)), ints(route), ints(np.concatenate([[0], np.cumsum(counts)])),
        ints(g.choice([-1, -1, 0, 1], rows)),
    )  # fmt: skip


def swept_instance(one: Instance, replications: int, **options: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the sweep says of a random instance."""
    return swept(one.lines, one.opened, one.demand, one.transit, one.calendar, seed=one.seed, network=one.network,
                 losses=one.losses, replications=replications, **options)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(instances(), st.booleans())
def test_the_sweep_agrees_exactly_with_the_plain_reference(made: tuple[Instance, int], wide: bool) -> None:
    instance, replications = made
    units, days, _ = swept_instance(instance, replications, wide=wide)
    plain_units, plain_days = live(instance, replications)
    for at, name in enumerate(UNIT_COLUMNS):
        assert units[:, at].tolist() == plain_units[:, at].tolist(), name
    assert days.tolist() == plain_days.tolist()


@settings(max_examples=EXAMPLES)
@given(instances())
def test_goods_are_conserved(made: tuple[Instance, int]) -> None:
    instance, replications = made
    instance = replace(instance, calendar=instance.calendar._replace(warmup=0))
    lines, orders = instance.lines, instance.opened
    units, days, trace = swept_instance(instance, replications, traced=True)
    of = {name: units[:, at] for name, at in COLUMN.items()}
    caught_up = lines.backlog[:, None] + of["demand"] - of["served"] - of["lost"] - of["backlog_end"]
    opening = np.add.reduceat(np.append(orders.quantity, 0), lines.first_open[:-1]) * (np.diff(lines.first_open) > 0)
    came = opening[:, None] + of["ordered"] - of["on_order_end"]  # received or destroyed on arrival
    gone = of["served"] + caught_up + of["shipped"] + of["destroyed"]
    assert (lines.on_hand[:, None] + came == gone + of["on_hand_end"]).all()
    assert (of["received"] <= came).all()
    assert (of["requested"] == of["shipped"] + of["owed_end"]).all()
    assert (of["shipped_at_once"] <= of["shipped"]).all()
    if not len(instance.transit.direct):
        network = instance.network
        for start, end in zip(network.first[:-1], network.first[1:], strict=True):
            supplied = network.parent[start:end] >= 0
            ordered = of["ordered"][network.member[start:end][supplied]].sum(axis=0)
            assert (ordered == of["requested"][network.member[start:end]].sum(axis=0)).all()
    assert (units >= 0).all()
    assert ((of["served"] + of["lost"] == of["demand"]) | (lines.lost == 0)[:, None]).all()
    for name in ("demand", "served", "lost", "received"):
        assert of[name].sum() == days[:, DAY_COLUMNS.index(name)].sum()
    assert of["on_hand_days"].sum() == days[:, DAY_COLUMNS.index("on_hand")].sum()
    assert trace[TRACE_COLUMNS.index("ordered")].sum() == of["ordered"][-1].sum()
    assert trace[TRACE_COLUMNS.index("on_hand")].sum() == of["on_hand_days"][-1].sum()


def test_more_replications_than_lanes_agree_with_the_reference() -> None:
    replications, days = LANES + 3, 3 if jit_disabled() else 12
    demand = Demand(*demand_tables(ints([0, 0]), np.array([3.0, 1.0]), np.array([5.0, 1.0])),
                    level_factors(np.array([0.0, 0.5]), ONE), np.zeros((0, 1, 1), np.int64))  # fmt: skip
    lines = one_line(table=np.arange(14).reshape(1, 2, 7) % 2, level=[[1, 0]], first_open=[0, 1])
    orders = opened((8, -1, 2), replications=replications)
    way, when = transit(days, 2, replications), calendar(days, changed=np.arange(days) % 2)
    units, totals, _ = swept(lines, orders, demand, way, when, seed=3, replications=replications)
    instance = Instance(lines, alone(1), orders, demand, way, unharmed(), when, 3)
    plain_units, plain_totals = live(instance, replications)
    assert units.tolist() == plain_units.tolist()
    assert totals.tolist() == plain_totals.tolist()
    fewer, _, _ = swept(lines, opened((8, -1, 2)), demand, transit(days, 2), when, seed=3)
    assert fewer[:, :, 0].tolist() == units[:, :, 0].tolist()


def test_a_row_lives_the_same_life_alone_and_among_others() -> None:
    demand = Demand(*demand_tables(ints([0]), np.array([3.0]), np.array([5.0])), np.full((1, 512), ONE, np.int64),
                    np.zeros((0, 1, 1), np.int64))  # fmt: skip
    pair = Lines(*(np.concatenate([part, part]) for part in one_line()))._replace(first_open=ints([0, 0, 0]))
    pair.key[:] = (7, 8)
    both, totals, _ = swept(pair, opened(), demand, transit(20), calendar(20))
    apart = [swept(one_line(key=np.array([key], np.uint64)), opened(), demand, transit(20), calendar(20))
             for key in (8, 7)]  # fmt: skip
    assert both[::-1].tolist() == np.concatenate([units for units, _, _ in apart]).tolist()
    assert totals.tolist() == sum(days for _, days, _ in apart).tolist()
    assert both[0].tolist() != both[1].tolist()
