"""Lead times drawn per lane and day, open orders given their age, and what closed suppliers and ports hold up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stocktwin.kernels.jit import jit_disabled
from stocktwin.kernels.transit import Closures, OpenOrders, Routes, fill_open, fill_transit
from stocktwin.simulation.reference import number, stream

pytestmark = pytest.mark.kernels
ENOUGH = 1e-4
REPLICATIONS = 40 if jit_disabled() else 4_000
EXAMPLES = 10 if jit_disabled() else 60
CELLS = 512


def ints(values: Any) -> np.ndarray:
    """A C-contiguous int64 array."""
    return np.ascontiguousarray(np.array(values, np.int64))


def routes(count: int = 1, **changes: Any) -> Routes:
    """Routes on lead-time row 0, without port, closure or alternate."""
    fields: dict[str, Any] = {name: [-1] * count for name in ("source", "port", "slow", "alternate")}
    fields |= {"lead": [0] * count, "via": [0] * count, "lane": np.arange(10, 10 + count, dtype=np.uint64)}
    fields |= changes
    return Routes(**{name: value if name == "lane" else ints(value) for name, value in fields.items()})


def closures(wait: Any = None, delay: Any = None, switched: Any = None) -> Closures:
    """Closures [closure, day] that are the same in every replication; none where not given."""
    size = next((np.shape(part) for part in (wait, delay, switched) if part is not None), (0, 1))
    return Closures(*(np.zeros((*size, 1), np.int32) if part is None else np.array(part, np.int32)[..., None]
                      for part in (wait, delay, switched)))  # fmt: skip


def travelled(way: Routes, shut: Closures, table: np.ndarray, days: int, replications: int, seed: int = 1
              ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Days until leaving and until arriving."""
    leaves = np.full((len(way.lead), days, replications), -1, np.int32)
    arrives = leaves.copy()
    fill_transit(way, shut, table, seed, leaves, arrives)
    return leaves, arrives


def constant(*days: int) -> np.ndarray:
    """Lead-time rows without uncertainty."""
    return ints([[day] * CELLS for day in days])


def waits(closed: list[int], days: int) -> list[int]:
    """Days until open again, for a thing closed on the days given."""
    out = [0] * days
    for t in reversed(range(days)):
        out[t] = 1 + (out[t + 1] if t + 1 < days else 0) if t in closed else 0
    return out


def test_lead_times_have_the_distribution_of_their_table() -> None:
    table = ints([1 + stats.poisson(6).ppf((np.arange(CELLS) + 0.5) / CELLS)])
    leaves, arrives = travelled(routes(), closures(), table, 5, REPLICATIONS)
    assert (leaves == 0).all()
    days, shares = np.unique(table[0], return_counts=True)
    for t in range(5):
        seen = np.array([(arrives[0, t] == day).sum() for day in days])
        assert seen.sum() == REPLICATIONS
        assert stats.chisquare(seen, shares / CELLS * REPLICATIONS).pvalue > ENOUGH


def test_draws_differ_by_day_lane_replication_and_seed_but_not_by_what_else_there_is() -> None:
    table = ints([np.arange(1, CELLS + 1)])
    _, two = travelled(routes(2), closures(), table, 30, 4)
    assert len(np.unique(two)) > 150
    _, one = travelled(routes(1), closures(), table, 20, 3)
    assert one[0].tolist() == two[0, :20, :3].tolist()
    _, other = travelled(routes(1), closures(), table, 20, 3, seed=2)
    assert (one != other).mean() > 0.9
    keys = [stream(1, 10, r, 3) for r in range(3)]
    assert one[0].T.tolist() == [[1 + (number(key, t) >> 55) for t in range(20)] for key in keys]


def test_routes_on_the_same_lane_share_the_draw() -> None:
    table = ints([np.arange(1, CELLS + 1)])
    way = routes(2)._replace(lane=np.array([10, 10], np.uint64))
    _, arrives = travelled(way, closures(), table, 10, 4)
    assert arrives[0].tolist() == arrives[1].tolist()


def test_a_closed_source_dispatches_on_the_day_it_opens() -> None:
    wait = [waits([2, 3, 4], 8)]
    leaves, arrives = travelled(routes(source=[0]), closures(wait), constant(4), 8, 1)
    assert leaves[0, :, 0].tolist() == [0, 0, 3, 2, 1, 0, 0, 0]
    assert arrives[0, :, 0].tolist() == [4, 4, 7, 6, 5, 4, 4, 4]


def test_goods_before_the_port_wait_and_goods_past_it_arrive() -> None:
    wait = [waits([3, 4], 9)]
    _, arrives = travelled(routes(port=[0], via=[2]), closures(wait), constant(5), 9, 1)
    # passes the port two days after the order: days 1 and 2 meet it shut; the order of day 0 passed on day 2
    assert arrives[0, :, 0].tolist() == [5, 7, 6, 5, 5, 5, 5, 5, 5]


def test_a_slow_lane_adds_its_days_to_what_leaves_then() -> None:
    _, arrives = travelled(routes(slow=[0]), closures(delay=[[0, 6, 6, 0]]), constant(2), 5, 1)
    assert arrives[0, :, 0].tolist() == [2, 8, 8, 2, 2]


def test_orders_take_the_alternate_once_the_source_has_been_shut_for_too_long() -> None:
    shut = closures(wait=[waits([1, 2, 3, 4], 6)], switched=[[0, 0, 0, 1, 1, 0]])
    way = routes(2, lead=[0, 1], source=[0, -1], alternate=[1, -1])
    leaves, arrives = travelled(way, shut, constant(3, 9), 6, 1)
    assert leaves[0, :, 0].tolist() == [0, 4, 3, 0, 0, 0]
    assert arrives[0, :, 0].tolist() == [3, 7, 6, 9, 9, 3]


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 2**32 - 1))
def test_random_journeys_follow_the_rules(seed: int) -> None:
    g = np.random.default_rng(seed)
    days, replications = 12, 3
    closed = g.random((2, days)) < 0.4
    wait = [waits(list(np.flatnonzero(row)), days) for row in closed]
    delay = g.integers(0, 4, (2, days))
    shut = closures(wait, delay)
    via = int(g.integers(0, 6))
    table = ints(np.sort(g.integers(1, 9, (1, CELLS))))
    leaves, arrives = travelled(routes(source=[0], port=[1], slow=[0], via=[via]), shut, table, days, replications, 5)
    _, bare = travelled(routes(), closures(), table, days, replications, 5)
    for t in range(days):
        for r in range(replications):
            left = next(day for day in range(t, 99) if day >= days or not closed[0, day])
            lead = bare[0, t, r] + (delay[0, left] if left < days else 0)
            port = left + min(via, lead)
            passed = next(day for day in range(port, 99) if day >= days or not closed[1, day])
            assert leaves[0, t, r] == left - t
            assert arrives[0, t, r] == left + lead + (passed - port) - t


# --- orders that are open on day 0 ------------------------------------------------------------------------------------


def open_line(**changes: int) -> OpenOrders:
    """A line ordered five days ago that left then, on route 0 with lead-time row 0."""
    fields: dict[str, Any] = {"lead": 0, "route": 0, "lane": 10, "ordered": -5, "left": -5, "fixed": 0, "shift": 0,
                              "clock": 20_000} | changes  # fmt: skip
    return OpenOrders(**{name: np.array([value], np.uint64 if name == "lane" else np.int64)
                         for name, value in fields.items()})  # fmt: skip


def arrivals(line: OpenOrders, table: np.ndarray, shut: Closures | None = None, way: Routes | None = None,
             replications: int = REPLICATIONS) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Days on which one line leaves and arrives, per replication."""
    leaves = np.full((1, replications), -99, np.int32)
    arrives = leaves.copy()
    fill_open(line, way or routes(), shut or closures(), table, 1, leaves, arrives)
    return leaves[0], arrives[0]


def test_remaining_time_is_the_lead_time_given_that_it_is_not_over() -> None:
    table = ints([np.repeat([2, 4, 6, 8], CELLS // 4)])
    leaves, arrives = arrivals(open_line(), table)
    assert (leaves == -5).all()
    seen = [(arrives == day).sum() for day in (1, 3)]  # 6 − 5 and 8 − 5, equally likely
    assert sum(seen) == REPLICATIONS
    assert stats.chisquare(seen).pvalue > ENOUGH


def test_an_order_may_still_arrive_today() -> None:
    _, arrives = arrivals(open_line(), ints([np.repeat([5, 8], CELLS // 2)]))
    seen = [(arrives == day).sum() for day in (0, 3)]
    assert sum(seen) == REPLICATIONS
    assert stats.chisquare(seen).pvalue > ENOUGH


def test_an_order_older_than_any_lead_time_arrives_at_once() -> None:
    _, arrives = arrivals(open_line(ordered=-50), ints([np.arange(CELLS) // 64 + 1]))
    assert (arrives == 0).all()


def test_a_known_arrival_day_and_a_shift() -> None:
    assert (arrivals(open_line(lead=-1, fixed=7), constant(3))[1] == 7).all()
    assert (arrivals(open_line(lead=-1, fixed=7, shift=-4), constant(3))[1] == 3).all()
    assert (arrivals(open_line(lead=-1, fixed=2, shift=-4), constant(3))[1] == 0).all()


def test_an_order_that_has_not_left_waits_for_its_source() -> None:
    shut = closures([waits([0, 1, 2], 6)])
    leaves, arrives = arrivals(open_line(left=0, ordered=-1), constant(4), shut, routes(source=[0]))
    assert (leaves == 3).all()
    assert (arrives == 3 + 3).all()  # three days of its lead time were left
    leaves, arrives = arrivals(open_line(ordered=-1, left=-1), constant(4), shut, routes(source=[0]))
    assert (arrives == 3).all()  # it had left before


def test_open_goods_before_a_shut_port_wait_and_goods_past_it_do_not() -> None:
    shut = closures([waits([0, 1, 2, 3], 9)])
    _, before = arrivals(open_line(ordered=-3, left=-3), constant(8), shut, routes(port=[0], via=[4]))
    assert (before == 5 + 3).all()  # at the port on day 1, through on day 4
    _, past = arrivals(open_line(ordered=-6, left=-6), constant(8), shut, routes(port=[0], via=[4]))
    assert (past == 2).all()


def test_lines_ordered_on_one_lane_and_day_share_one_draw() -> None:
    two = OpenOrders(*(np.concatenate([part, part]) for part in open_line()))
    two.clock[1] += 0
    other = two._replace(clock=ints([20_000, 20_001]))
    table = ints([np.arange(1, CELLS + 1)])
    for lines, same in ((two, True), (other, False)):
        leaves, arrives = np.zeros((2, 50), np.int32), np.zeros((2, 50), np.int32)
        fill_open(lines, routes(), closures(), table, 1, leaves, arrives)
        assert (arrives[0].tolist() == arrives[1].tolist()) == same
