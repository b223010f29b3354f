"""Ingest rows a second from Parquet, through the whole path, beside plain DuckDB taking the same rows in the same run.

    .venv/bin/python benchmarks/ingest.py [--rows 1000000] [--json]

The twin's clock stops when `status` and all balances have been answered, so that nothing is put off: validation,
mapping, journal (SQLite, synchronous=FULL), deduplication by (system, event_id), posting. DuckDB's stops when the rows
are in a file and the same balances have been answered; once without a key, once with a primary key on (system,
event_id), which is what deduplication costs it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin import Twin

ITEMS, PLACES = 500, 4
COLUMNS = """event_id VARCHAR, event_time TIMESTAMP, kind VARCHAR, item_id VARCHAR, quantity BIGINT, from_id VARCHAR,
to_id VARCHAR, system VARCHAR"""
BALANCES = """SELECT item_id, place, sum(q) FROM (
    SELECT item_id, to_id AS place, quantity AS q FROM m
    UNION ALL SELECT item_id, from_id, -quantity FROM m) GROUP BY ALL"""


def write(folder: Path, rows: int) -> Path:
    """An exchange folder of random receipts and sales."""
    luck = np.random.default_rng(1)
    items = np.array([f"ITEM-{at:05d}" for at in range(ITEMS)])
    places = np.array([f"DC-{at}" for at in range(PLACES)])
    folder.mkdir()
    pq.write_table(pa.table({"item_id": items}), folder / "items.parquet")
    ends = {"location_id": [*places, "SUP"], "kind": ["dc"] * PLACES + ["supplier"]}
    pq.write_table(pa.table(ends), folder / "locations.parquet")
    receipt = luck.random(rows) < 0.3
    place = places[luck.integers(PLACES, size=rows)]
    start = np.datetime64("2025-01-01T00:00:00", "us")
    table = pa.table(
        {
            "event_id": pa.array([f"E{at:09d}" for at in range(rows)]),
            "event_time": pa.array(start + np.sort(luck.integers(0, 300 * 86_400 * 10**6, rows)), pa.timestamp("us")),
            "kind": pa.array(np.where(receipt, "receipt", "sale")),
            "item_id": pa.array(items[luck.integers(ITEMS, size=rows)]),
            "quantity": pa.array(luck.integers(1, 100, rows)),
            "from_id": pa.array(np.where(receipt, "SUP", place)),
            "to_id": pa.array(np.where(receipt, place, "customer")),
            "system": pa.array(np.full(rows, "erp")),
        }
    )
    pq.write_table(table, folder / "movements.parquet")
    return folder / "movements.parquet"


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def through_stocktwin(root: Path, folder: Path) -> None:
    with Twin.create(root) as twin:
        taken = twin.ingest(folder)
        assert taken["accepted"] == taken["delivered"]
        assert twin.status()["conservation_residual"] == 0
        assert len(twin.stock().rows) == ITEMS * PLACES


def through_duckdb(database: Path, file: Path, key: str) -> None:
    con = duckdb.connect(str(database))
    con.execute(f"CREATE TABLE m ({COLUMNS}{key})")
    con.execute("INSERT INTO m SELECT * FROM read_parquet(?)", [str(file)])
    assert len(con.execute(BALANCES).fetchall()) >= ITEMS * PLACES
    con.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        file = write(here / "feed", options.rows)
        runs: dict[str, Callable[[], object]] = {
            "stocktwin, whole path": lambda: through_stocktwin(here / "twin", here / "feed"),
            "plain DuckDB, no key": lambda: through_duckdb(here / "plain.duckdb", file, ""),
            "plain DuckDB, key on (system, event_id)": lambda: through_duckdb(
                here / "keyed.duckdb", file, ", PRIMARY KEY (system, event_id)"
            ),
        }
        found = []
        for name, work in runs.items():
            wall, cpu = timed(work)
            rate = round(options.rows / wall)
            found.append(
                {"engine": name, "rows": options.rows, "seconds": wall, "cpu_seconds": cpu, "rows_per_s": rate}
            )
    if options.json:
        print(json.dumps(found))
        return
    for row in found:
        times = f"{row['seconds']:6.2f} s  {row['cpu_seconds']:6.2f} CPU-s"
        print(f"{row['engine']:42} {row['rows_per_s']:>12,} rows/s  {times}")


if __name__ == "__main__":
    main()
