"""The twin's advice against the people of a reference world: the same firm twice, on the same luck.

    python docs/tutorials/closed_loop.py loop --days 180 --cycles 4 --step 14 --top 40

One copy lives on as its people decide. In the other the twin takes in the feeds every `--step` days, and everything it
recommends is approved and carried out. What became of both is read from the truth.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from stocktwin import Twin
from stocktwin.app.worlds import build_world, fork_world, step_world

HOLDING_RATE = 0.20
"""Of twin.toml, a year."""
Row = Mapping[str, Any]


def advise(folder: Path, top: int, into: Path) -> dict[str, int]:
    """What the twin recommends tonight, approved, as exchange tables in `into`; how many of each kind."""
    with Twin.open(folder) as twin:
        twin.ingest()
        found: Sequence[Row] = twin.recommend(top=top)["recommendations"]
        for entry in found:
            twin.service.approve(entry["id"], by="closed loop", reason="tutorial")
    into.mkdir(parents=True)
    write(into / "orders.csv", [order(entry) for entry in found if entry["kind"] == "transfer"])
    write(into / "policies.csv", [policy(entry) for entry in found if entry["kind"] == "safety_stock"])
    kinds = [entry["kind"] for entry in found]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def order(entry: Row) -> Row:
    """A transfer as an exchange row."""
    names = ("item_id", "quantity", "from_id", "to_id")
    return {"kind": "transfer", **{name: entry[name] for name in names}}


def policy(entry: Row) -> Row:
    """A safety stock as the levels that it moves."""
    details = entry["details"]
    return {
        "item_id": entry["item_id"],
        "location_id": entry["location_id"],
        "reorder_point": details.get("proposed_reorder_point"),
        "order_up_to": details.get("proposed_order_up_to"),
    }


def write(path: Path, rows: Sequence[Row]) -> None:
    """A CSV file, unless there is nothing to write."""
    if rows:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def outcome(folder: Path, days: int) -> dict[str, float]:
    """What really became of the last `days` days: truth that neither people nor twin know."""
    with (folder / "feeds/erp/items.csv").open(encoding="utf-8") as stream:
        items = {row["item_id"]: row for row in csv.DictReader(stream)}
    demand = pq.read_table(folder / "truth/demand.parquet")
    last = pc.max(demand.column("date")).as_py().toordinal()
    rows = [row for row in demand.to_pylist() if row["date"].toordinal() > last - days]
    asked, served = (sum(float(row[name]) for row in rows) for name in ("asked", "served"))
    lost = [(items[row["item_id"]], float(row["asked"] - row["served"])) for row in rows]
    stock = pq.read_table(folder / "truth/balances.parquet").to_pylist()
    recent = [row for row in stock if row["date"].toordinal() > last - days]
    worth = sum(float(row["quantity"]) * float(items[row["item_id"]]["unit_cost"]) for row in recent)
    value = worth / len({row["date"] for row in recent})
    return {
        "fill_rate": served / asked,
        "lost_sales": sum(units * float(item["unit_price"]) for item, units in lost),
        "lost_margin": sum(units * (float(item["unit_price"]) - float(item["unit_cost"])) for item, units in lost),
        "mean_stock_value": value,
        "holding_cost": value * HOLDING_RATE / 365 * days,
    }


def main() -> None:
    """Builds, forks, lets live, compares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    for name, default in (("days", 180), ("cycles", 4), ("step", 14), ("top", 40), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    world, people, twin = (given.folder / name for name in ("world", "people", "twin"))
    build_world(world, "small", given.days, given.seed)
    for copy in (people, twin):
        fork_world(world, copy, None)
    step_world(people, given.cycles * given.step, None)
    for cycle in range(given.cycles):
        decisions = given.folder / f"decisions-{cycle + 1}"
        print(f"day {given.days + cycle * given.step}:", advise(twin, given.top, decisions), flush=True)
        some = any(decisions.iterdir())
        step_world(twin, given.step, decisions if some else None)
    span = given.cycles * given.step
    result = {name: outcome(folder, span) for name, folder in (("people", people), ("twin", twin))}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
