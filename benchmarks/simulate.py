"""Simulation speed and answers on one published (s, S) problem: our kernel, its plain reference, stockpyl; one run.

    python benchmarks/simulate.py [--rows N] [--days D] [--replications R] [--json]

Poisson(10) a day, s = 6, S = 40, h = 1, p = 9, K = 64, backlog, ordered at the end of a day and there the next morning
(the zero lead time of Zheng & Federgruen 1991, exact cost 35.022 a day). Then what stockpyl cannot express: the same
item-locations with random lead times and lost sales. All on one thread, in CPU seconds, after compiling.
stockpyl comes with `python3 run.py setup --bench`; it is left out, and said to be, where it is absent.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from stocktwin.kernels.inverse import demand_tables
from stocktwin.kernels.jit import warm
from stocktwin.kernels.network import (
    COLUMN,
    DAY_COLUMNS,
    PROPORTIONAL,
    UNIT_COLUMNS,
    Calendar,
    Demand,
    Lines,
    Network,
    OpenLines,
    Transit,
    alone,
    sweep,
    unharmed,
)
from stocktwin.kernels.recursion import long_run_cost, poisson
from stocktwin.kernels.transit import Closures, Routes, fill_transit
from stocktwin.simulation.reference import Instance, live

MEAN, S_LOW, S_HIGH = 10.0, 6, 40
HOLDING, BACKLOG, ORDER = 1.0, 9.0, 64.0
WARMUP = 30
LANES_OF_NETWORK = 16
DIFFERENCES = (
    "stockpyl keeps every state variable of every period as Python objects and checks them; it also does assembly,",
    "serial and general networks of one run each, (r, Q) and echelon base stock. Its lead times are fixed numbers and",
    "unserved demand is always backlogged. Ours adds random lead times shared by a lane's orders, lost sales, minimum",
    "and multiple order quantities, review calendars, disruptions, rationing and common random numbers.",
)


def problem(rows: int, days: int, replications: int, *, realistic: bool) -> tuple[Any, ...]:
    """Arguments of `sweep` up to the seed; `realistic`: random lead times of 1 to 10 days on some lanes, lost sales."""
    one, zero = np.ones(rows, np.int64), np.zeros(rows, np.int64)
    policy = np.tile(np.array([S_LOW + 55 * realistic, S_HIGH + 55 * realistic, 0]), (rows, 2, 1))
    lanes = LANES_OF_NETWORK if realistic else 1
    lines = Lines(
        np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), zero + S_HIGH, zero, policy, -one, one, zero,
        one, one * realistic, np.zeros((rows, 2, 7), np.int64), np.zeros((rows, 2), np.int64), -one,
        np.arange(rows) % lanes, np.zeros(rows + 1, np.int64), -one)  # fmt: skip
    tables = demand_tables(np.zeros(1, np.int64), np.array([MEAN]), np.array([MEAN]))
    demand = Demand(*tables, np.full((1, 512), 65536, np.int64), np.zeros((0, 1, 1), np.int64))
    none = np.zeros(lanes, np.int64) - 1
    ways = Routes(none + 1, np.arange(lanes, dtype=np.uint64), none + 1, none, none, none, none)
    lead = np.sort(np.arange(512) * (10 if realistic else 1) // 512 + 1)[None]
    leaves, arrives = (np.empty((lanes, days, replications), np.int32) for _ in range(2))
    fill_transit(ways, Closures(*(np.zeros((0, 1, 1), np.int32) for _ in range(3))), lead, 1, leaves, arrives)
    opened = OpenLines(np.zeros(0, np.int64), *(np.zeros((0, replications), np.int32) for _ in range(2)))
    calendar = Calendar(20_000, days, WARMUP, 16, np.zeros(days, np.int64))
    never = np.zeros((0, 1, 1), np.int32)
    return lines, alone(rows), opened, demand, Transit(leaves, arrives, never, never, never), unharmed(), calendar


def two_echelons(items: int, days: int, replications: int, places: int = 45) -> tuple[Any, ...]:
    """Arguments of `sweep` up to the seed: each item in one central warehouse that supplies 45 others and shares out
    what it has; Poisson demand of very different means, lead times of 1 to 5 days inside and 7 to 16 to the central."""
    g = np.random.default_rng(0)
    mean = (np.exp(g.normal(-0.5, 1.2, items))[:, None] * np.exp(g.normal(0, 0.5, (items, places)))).clip(0.02, 15)
    s = np.ceil(4 * mean + 1.2 * np.sqrt(4 * mean + 2 * mean**2))
    S = s + np.ceil(5 * mean) + 1
    flow = mean.sum(axis=1, keepdims=True)
    low = np.ceil(flow * 12.5 + np.sqrt(flow * 12 + 8 * flow**2))
    levels = np.stack([np.hstack([s, low]), np.hstack([S, low + np.ceil(7 * flow)]), np.zeros((items, places + 1))], 2)
    n, rows = places + 1, items * (places + 1)
    one, zero = np.ones(rows, np.int64), np.zeros(rows, np.int64)
    policy = np.repeat(levels.reshape(rows, 1, 3), 2, axis=1).astype(np.int64)
    lines = Lines(
        np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15), policy[:, 0, 1].copy(), zero, policy, -one,
        one, zero, one, zero, np.tile(np.arange(rows)[:, None, None], (1, 2, 7)), np.zeros((rows, 2), np.int64), -one,
        np.tile(np.arange(n), items), np.zeros(rows + 1, np.int64), -one)  # fmt: skip
    inside = np.append(np.full(places, places), -1)
    network = Network(np.arange(items + 1) * n, np.arange(rows), np.tile(inside, items),
                      np.tile(np.append(np.full(places, -1), PROPORTIONAL), items))  # fmt: skip
    means = np.hstack([mean, np.zeros((items, 1))]).ravel()
    demand = Demand(
        *demand_tables(zero, means, means), np.full((1, 512), 65536, np.int64), np.zeros((0, 1, 1), np.int64)
    )
    none, lead = np.full(n, -1, np.int64), np.stack([np.arange(512) * 5 // 512 + 1, np.arange(512) * 10 // 512 + 7])
    ways = Routes((inside < 0).astype(np.int64), np.arange(n, dtype=np.uint64), none + 1, none, none, none, none)
    leaves, arrives = (np.empty((n, days, replications), np.int32) for _ in range(2))
    fill_transit(ways, Closures(*(np.zeros((0, 1, 1), np.int32) for _ in range(3))), lead, 1, leaves, arrives)
    opened = OpenLines(np.zeros(0, np.int64), *(np.zeros((0, replications), np.int32) for _ in range(2)))
    never = np.zeros((0, 1, 1), np.int32)
    way = Transit(leaves, arrives, never, never, never)
    return lines, network, opened, demand, way, unharmed(), Calendar(20_000, days, 0, 32, np.zeros(days, np.int64))


def timed(work: Callable[[], Any], repeat: int = 1) -> tuple[Any, float]:
    """The answer and the CPU seconds of the fastest of some runs."""
    best = math.inf
    for _ in range(repeat):
        began = time.process_time()
        answer = work()
        best = min(best, time.process_time() - began)
    return answer, best


def row_of(name: str, engine: str, work_days: int, seconds: float, cost: np.ndarray | None) -> dict[str, Any]:
    """One line of the table; `cost` holds independent means per day."""
    row: dict[str, Any] = {"problem": name, "engine": engine, "item_location_days": work_days,
                           "cpu_seconds": seconds, "rate": work_days / seconds}  # fmt: skip
    if cost is not None:
        row["average_cost_per_day"] = float(cost.mean())
        row["se"] = float(cost.std(ddof=1) / math.sqrt(len(cost)))
    return row


def cost_of(units: np.ndarray, days: int) -> np.ndarray:
    """Cost per day of every item-location and replication, charged on the count."""
    held, owed, orders = (units[:, COLUMN[name]] for name in ("on_hand_days", "backlog_days", "orders"))
    return np.asarray((HOLDING * held + BACKLOG * owed + ORDER * orders) / (days - WARMUP)).ravel()


def ours(name: str, rows: int, days: int, replications: int, *, realistic: bool) -> dict[str, Any]:
    """The compiled kernel on one thread."""
    arguments = problem(rows, days, replications, realistic=realistic)
    seconds, units = swept(arguments, rows, days, replications)
    cost = None if realistic else cost_of(units, days)
    return row_of(name, "stocktwin kernel", rows * days * replications, seconds, cost)


def ours_in_two_echelons(items: int, days: int, replications: int) -> dict[str, Any]:
    """The same kernel on places that supply each other."""
    arguments = two_echelons(items, days, replications)
    rows = len(arguments[0].key)
    seconds, _ = swept(arguments, rows, days, replications)
    name = "two echelons, 1 central + 45, random lead times, rationing"
    return row_of(name, "stocktwin kernel", rows * days * replications, seconds, None)


def swept(arguments: tuple[Any, ...], rows: int, days: int, replications: int) -> tuple[float, np.ndarray]:
    """CPU seconds of the sweep, and what it counted."""
    units = np.empty((rows, len(UNIT_COLUMNS), replications), np.int64)

    def run() -> None:
        sweep(*arguments, 1, units, np.zeros((days, len(DAY_COLUMNS)), np.int64), np.zeros((0, 0, 0), np.int64),
              wide=False)  # fmt: skip

    _, seconds = timed(run, repeat=3)
    return seconds, units


def plain(name: str, days: int) -> dict[str, Any]:
    """The plain Python reference, which is written for reading."""
    (units, _), seconds = timed(lambda: live(Instance(*problem(1, days, 8, realistic=False), 1), 8))
    return row_of(name, "stocktwin plain reference", days * 8, seconds, cost_of(units, days))


def stockpyl(name: str, days: int, runs: int = 8) -> dict[str, Any] | None:
    """stockpyl without progress bar and consistency checks, its fastest setting; None where it is not installed."""
    try:
        from stockpyl.sim import simulation
        from stockpyl.supply_chain_network import single_stage_system
    except ImportError:
        return None
    network = single_stage_system(
        holding_cost=HOLDING, stockout_cost=BACKLOG, demand_type="P", mean=MEAN, policy_type="sS", reorder_point=S_LOW,
        order_up_to_level=S_HIGH, shipment_lead_time=1)  # fmt: skip
    costs, seconds = np.empty(runs), 0.0
    options = {"progress_bar": False, "consistency_checks": "N"}
    for run in range(runs):
        total, spent = timed(lambda run=run: simulation(network, days, rand_seed=run, **options))
        seconds += spent
        orders = sum(next(iter(state.order_quantity[None].values())) > 0 for state in network.nodes[0].state_vars)
        costs[run] = (total + ORDER * orders) / days  # its total leaves out what an order costs
    return row_of(name, "stockpyl", days * runs, seconds, costs)


def main() -> None:
    """Prints the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200, help="item-locations")
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--replications", type=int, default=512)
    parser.add_argument("--peer-days", type=int, default=1000, help="days of stockpyl and of the reference")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    warm()
    name = "(s,S) Poisson(10), Zheng & Federgruen 1991"
    size = (options.rows, options.days, options.replications)
    found = [ours(name, *size, realistic=False), plain(name, options.peer_days), stockpyl(name, options.peer_days),
             ours("(s,S) Poisson(10), random lead times 1-10, lost sales", *size, realistic=True),
             ours_in_two_echelons(max(options.rows // 5, 1), 90, 192)]  # fmt: skip
    rows = [row for row in found if row]
    if len(rows) < len(found):
        print("stockpyl is not installed: left out", file=sys.stderr)
    exact = long_run_cost(poisson(MEAN), S_LOW, S_HIGH, holding=HOLDING, backlog=BACKLOG, order=ORDER)
    if options.json:
        print(json.dumps({"rows": rows, "exact_cost_per_day": exact, "differences": " ".join(DIFFERENCES)}, indent=2))
        return
    print_table(rows, exact)


def print_table(rows: list[dict[str, Any]], exact: float) -> None:
    """For people."""
    print(f"{'problem':<58} {'engine':<26} {'item-loc-days':>13} {'CPU s':>8} {'per CPU s':>13}  cost a day")
    for row in rows:
        cost = f"{row['average_cost_per_day']:.3f} ± {row['se']:.3f}" if "se" in row else "-"
        print(f"{row['problem']:<58} {row['engine']:<26} {row['item_location_days']:>13,} {row['cpu_seconds']:>8.3f} "
              f"{row['rate']:>13,.0f}  {cost}")  # fmt: skip
    print(f"\nexact cost a day of the first problem: {exact:.3f}\n")
    print("\n".join(DIFFERENCES))


if __name__ == "__main__":
    main()
