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
    """What the twin recommends tonight, approved, exported to `into` as `stocktwin export decisions` does; how many
    of each kind."""
    with Twin.open(folder) as twin:
        twin.ingest()
        found: Sequence[Row] = twin.recommend(top=top)["recommendations"]
        for entry in found:
            twin.service.approve(entry["id"], by="closed loop", reason="tutorial")
        twin.service.export_decisions(into)
    kinds = [entry["kind"] for entry in found]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


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
        carried = step_world(twin, given.step, decisions if some else None)["decisions"]
        print({name: count for name, count in carried.items() if name != "exceptions"}, flush=True)
        for one in carried["exceptions"]:
            print(f"  {one['status']}: {one['file']}, row {one['row']}: {one['reason']}", flush=True)
    span = given.cycles * given.step
    result = {name: outcome(folder, span) for name, folder in (("people", people), ("twin", twin))}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
