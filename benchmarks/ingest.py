"""Ingest rows a second from Parquet, through the whole path, beside plain DuckDB taking the same rows in the same run.

    .venv/bin/python benchmarks/ingest.py [--rows 1000000] [--items 500] [--places 4] [--folder DIR] [--json]

The twin's clock stops when `status` and all balances have been answered, so that nothing is put off: validation,
mapping, journal (SQLite, synchronous=FULL), deduplication by (system, event_id), posting. DuckDB's stops when the rows
are in a file and the same balances have been answered; once without a key, once with a primary key on (system,
event_id), which is what deduplication costs it; PostgreSQL's too (COPY, the same key), where a server is installed.
`--rebuild` also times folding the journal anew; each run is a process of its own and tells its peak memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import postgres
import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin import Twin

PART = 1_000_000
"""Rows that are made at a time."""
COLUMNS = """event_id VARCHAR, event_time TIMESTAMP, kind VARCHAR, item_id VARCHAR, quantity BIGINT, from_id VARCHAR,
to_id VARCHAR, system VARCHAR"""
KEY = ", PRIMARY KEY (system, event_id)"
BALANCES = """SELECT item_id, place, sum(q) FROM (
    SELECT item_id, to_id AS place, quantity AS q FROM m
    UNION ALL SELECT item_id, from_id, -quantity FROM m) s GROUP BY item_id, place"""


def write(folder: Path, rows: int, items: int = 500, places: int = 4) -> Path:
    """An exchange folder of random receipts and sales."""
    folder.mkdir(parents=True)
    names = np.array([f"ITEM-{at:06d}" for at in range(items)])
    sites = np.array([f"DC-{at:02d}" for at in range(places)])
    pq.write_table(pa.table({"item_id": names}), folder / "items.parquet")
    ends = {"location_id": [*sites, "SUP"], "kind": ["dc"] * places + ["supplier"]}
    pq.write_table(pa.table(ends), folder / "locations.parquet")
    file = folder / "movements.parquet"
    parts = [(first, min(PART, rows - first)) for first in range(0, rows, PART)]
    schema = movements(0, 1, rows, names, sites).schema
    with pq.ParquetWriter(file, schema) as writer:
        for first, count in parts:
            writer.write_table(movements(first, count, rows, names, sites))
    return file


def movements(first: int, count: int, rows: int, items: np.ndarray, places: np.ndarray) -> pa.Table:
    """Rows `first` and following of a feed of `rows` in order of time."""
    luck = np.random.default_rng([1, first])
    receipt = luck.random(count) < 0.3
    place = places[luck.integers(len(places), size=count)]
    span = 300 * 86_400 * 10**6
    times = np.sort(luck.integers(span * first // rows, span * (first + count) // rows, count))
    return pa.table(
        {
            "event_id": pa.array([f"E{at:09d}" for at in range(first, first + count)]),
            "event_time": pa.array(np.datetime64("2025-01-01T00:00:00", "us") + times, pa.timestamp("us")),
            "kind": pa.array(np.where(receipt, "receipt", "sale")),
            "item_id": pa.array(items[luck.integers(len(items), size=count)]),
            "quantity": pa.array(luck.integers(1, 100, count)),
            "from_id": pa.array(np.where(receipt, "SUP", place)),
            "to_id": pa.array(np.where(receipt, place, "customer")),
            "system": pa.array(np.full(count, "erp")),
        }
    )


def through_stocktwin(root: Path, folder: Path) -> None:
    with Twin.create(root) as twin:
        taken = twin.ingest(folder)
        assert taken["accepted"] == taken["delivered"]
        assert twin.status()["conservation_residual"] == 0
        assert twin.service.ledger.balances().num_rows


def rebuilt(root: Path) -> None:
    """The projection folded anew from the journal."""
    (root / "projection.duckdb").unlink()
    with Twin.open(root) as twin:
        assert twin.status()["conservation_residual"] == 0


def through_duckdb(database: Path, file: Path, key: str) -> None:
    con = duckdb.connect(str(database))
    con.execute("SET enable_progress_bar = false")
    con.execute(f"CREATE TABLE m ({COLUMNS}{key})")
    con.execute("INSERT INTO m SELECT * FROM read_parquet(?)", [str(file)])
    assert con.execute(BALANCES).fetchall()
    con.close()


def through_postgres(address: str, csv: Path, key: str) -> None:
    """COPY of the same rows from a CSV file; making the file is not counted."""
    import psycopg

    columns = COLUMNS.replace("BIGINT", "bigint").replace("VARCHAR", "text")
    with psycopg.connect(address, autocommit=True) as con:
        con.execute(f"CREATE TABLE m ({columns}{key})")  # type: ignore[arg-type]
        with csv.open("rb") as file, con.cursor().copy("COPY m FROM STDIN WITH (FORMAT csv)") as copy:
            while block := file.read(1 << 20):
                copy.write(block)
        assert con.execute(BALANCES).fetchall()


def with_postgres(here: Path, file: Path) -> dict[str, float] | None:
    """The figures of COPY into a keyed table; None where no server is installed. CPU seconds are the server's too."""
    programs = postgres.binaries()
    if programs is None:
        return None
    csv = here / "movements.csv"
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    con.execute(f"COPY (FROM read_parquet('{file}')) TO '{csv}' (HEADER false)")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with postgres.server(programs, Path(folder) / "pg") as address:
            found = measured(through_postgres, address, csv, KEY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    csv.unlink()
    spent = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    return {**found, "cpu_seconds": spent}


def measured(work: Callable[..., object], *given: object) -> dict[str, float]:
    """Wall and CPU seconds and peak memory of some work in a process of its own."""
    context = multiprocessing.get_context("spawn")
    told, said = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(said, work, given))
    process.start()
    said.close()
    found: dict[str, float] = told.recv()
    process.join()
    return found


def _measure(said: Any, work: Callable[..., object], given: tuple[object, ...]) -> None:
    with tempfile.TemporaryDirectory() as scratch:  # what Python loads and compiles once is no engine's own
        through_stocktwin(Path(scratch) / "twin", write(Path(scratch) / "feed", 1_000).parent)
    wall, cpu = time.perf_counter(), time.process_time()
    work(*given)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    said.send({**seconds, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--places", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where to work instead of a temporary folder; it is kept")
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = compare(options.folder or Path(scratch), options)
    if options.json:
        print(json.dumps(found))
        return
    for row in found:
        times = f"{row['seconds']:7.2f} s  {row['cpu_seconds']:7.2f} CPU-s  {row['peak_gib']:5.2f} GiB"
        print(f"{row['engine']:42} {row['rows_per_s']:>12,} rows/s  {times}")


def compare(here: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every engine on the same rows, one after the other."""
    file = here / "feed" / "movements.parquet"
    if not file.exists():
        write(here / "feed", options.rows, options.items, options.places)
    runs: dict[str, tuple[Any, ...]] = {
        "stocktwin, whole path": (through_stocktwin, here / "twin", here / "feed"),
        "stocktwin, projection folded anew": (rebuilt, here / "twin"),
        "plain DuckDB, no key": (through_duckdb, here / "plain.duckdb", file, ""),
        "plain DuckDB, key on (system, event_id)": (through_duckdb, here / "keyed.duckdb", file, KEY),
    }
    if not options.rebuild:
        del runs["stocktwin, projection folded anew"]
    figures = {name: measured(work, *given) for name, (work, *given) in runs.items()}
    copied = with_postgres(here, file)
    if copied is not None:
        figures["PostgreSQL COPY, key on (system, event_id)"] = copied
    return [
        {"engine": name, "rows": options.rows, "rows_per_s": round(options.rows / seen["seconds"]), **seen}
        for name, seen in figures.items()
    ]


if __name__ == "__main__":
    main()
