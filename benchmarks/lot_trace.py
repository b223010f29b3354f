"""How long a recall trace takes, by the number of movements in the twin.

    .venv/bin/python benchmarks/lot_trace.py [--movements 1000000 10000000] [--folder DIR] [--json]

Makes a projection of so many movements in SQL, as the fold lays them down (the facts of an item together), without a
journal: 1,000 movements an item, one plant, 45 warehouses, 500 customers, five lots an item. Each lot of an item is
made of one of the item before it, four items in a chain; more than half of all sales name no lot. Then traces lots from
the middle of a chain, both ways, the first in a fresh process, and lists the stock of one item by lot.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant

EACH = 1_000
LOTS, CHAIN, DCS, CUSTOMERS = 5, 4, 45, 500
SUPPLIER, PLANT, DC, CUSTOMER = 7, 8, 9, 54
LANE = CUSTOMER + CUSTOMERS
START = parse_instant("2026-01-01")
MIDDLE = 5
TRACES = 9

ROWS = f"""
SELECT i AS item, k, k % {LOTS} AS l, {START} + (i % 97) * 1000000 + k * {MICROSECONDS_PER_DAY // 4} AS moment,
    {DC} + (hash(i * 7 + (k - 15) % 90 // {LOTS}) % {DCS})::INTEGER AS dc
FROM (SELECT r // {EACH} AS i, r % {EACH} AS k FROM range(?, ?) t(r))"""
KIND = f"""CASE WHEN k < 5 AND item % {CHAIN} = 0 THEN 'receipt'
    WHEN k < 10 AND (k < 5 OR item % {CHAIN} < {CHAIN} - 1) THEN 'transform'
    WHEN k < 100 THEN 'transfer_out' WHEN k < 190 THEN 'transfer_in' ELSE 'sale' END"""
OUT = f"""CASE kind WHEN 'receipt' THEN {SUPPLIER} WHEN 'transform' THEN CASE WHEN k < 5 THEN 5 ELSE {PLANT} END
    WHEN 'transfer_out' THEN {PLANT} WHEN 'transfer_in' THEN {LANE} + dc - {DC} ELSE dc END"""
INTO = f"""CASE kind WHEN 'receipt' THEN {PLANT} WHEN 'transform' THEN CASE WHEN k < 5 THEN {PLANT} ELSE 5 END
    WHEN 'transfer_out' THEN {LANE} + dc - {DC} WHEN 'transfer_in' THEN dc
    ELSE {CUSTOMER} + (hash(item, k) % {CUSTOMERS})::INTEGER END"""
MOVEMENTS = f"""
INSERT INTO fact_movements BY NAME SELECT (item * {EACH} + k) // 100000 + 1 AS seq, (item * {EACH} + k) % 100000 AS pos,
    moment + 60000000 AS known_at, 0 AS source, 0 AS system, 'E' || item || '-' || k AS event_id, moment AS event_time,
    kind, item, CASE WHEN k < 5 THEN 2000 WHEN k < 10 THEN 600 WHEN k < 190 THEN 60 ELSE 1 + k % 7 END AS quantity,
    'each' AS unit, CASE kind WHEN 'transfer_in' THEN {PLANT} ELSE nullif(out_place, 5) END AS from_place,
    CASE kind WHEN 'transfer_out' THEN dc ELSE nullif(into_place, 5) END AS to_place, out_place, into_place,
    out_place AS site, CASE WHEN kind <> 'sale' OR k % 5 < 2 THEN 'L' || l END AS lot,
    CASE WHEN k < 5 THEN DATE '2027-01-31' + (l * 30)::INTEGER END AS expiry,
    CASE WHEN kind = 'transform' THEN 'MAKE-' || (item - (k < 5)::INTEGER) || '-' || l
        WHEN kind = 'sale' THEN 'INV-' || item || '-' || k END AS document
FROM (SELECT *, {OUT} AS out_place, {INTO} AS into_place FROM (SELECT *, {KIND} AS kind FROM r))"""


def make(path: Path, movements: int) -> None:
    """Makes the projection."""
    import duckdb

    from stocktwin.ledger.layout import ddl

    con = duckdb.connect(str(path))
    con.execute("SET preserve_insertion_order = true")
    con.execute("SET memory_limit = '6GB'")
    for statement in ddl():
        con.execute(statement)
    items, batches = movements // EACH, movements // 100_000 + 1
    now = START + 400 * MICROSECONDS_PER_DAY
    con.execute(f"INSERT INTO watermark VALUES ({batches}, '', '', 0)")
    con.execute(
        f"""INSERT INTO batch SELECT b + 1, 'facts', 'movements', 'erp', 'erp', 'movements.parquet', {now}, 100000
        FROM range({batches}) t(b)"""
    )
    con.execute("INSERT INTO system VALUES (0, 'erp')")
    con.execute("INSERT INTO source VALUES (0, 'erp')")
    con.execute(f"INSERT INTO item SELECT i, 'ITEM-' || i, 'each', 0, 1 FROM range({items}) t(i)")
    _places(con)
    con.execute(f"INSERT INTO reporter SELECT unnest(enum_range(NULL::movement_kind)), 0, {START}")
    step = 2_000_000
    for low in range(0, movements, step):
        con.execute(f"WITH r AS ({ROWS}) {MOVEMENTS}", [low, min(low + step, movements)])
    con.execute("CHECKPOINT")
    con.close()


def _places(con: Any) -> None:
    kinds = [("S", "supplier"), ("PLANT", "plant"), *((f"DC-{k:02d}", "dc") for k in range(DCS))]
    kinds += [(f"C-{k:03d}", "customer") for k in range(CUSTOMERS)]
    rows = [(SUPPLIER + k, name, kind) for k, (name, kind) in enumerate(kinds)]
    con.executemany("INSERT INTO place VALUES (?, ?, false, NULL, NULL)", [row[:2] for row in rows])
    con.executemany("INSERT INTO fact_locations (key, seq, pos, known_at, last_seq, last_pos, location_id, kind) "
                    f"VALUES (?, 1, 0, {START}, 1, 0, ?, ?)", rows)  # fmt: skip
    con.execute(f"INSERT INTO place SELECT {LANE} + d, 'PLANT→' || place_id, false, {PLANT}, {DC} + d "
                f"FROM range({DCS}) t(d) JOIN place ON code = {DC} + d")  # fmt: skip


def measure(path: Path) -> dict[str, Any]:
    """Seconds of traces over a projection."""
    import duckdb

    from stocktwin.app.answers.lots import trace_answer
    from stocktwin.domain.ports import FixedClock
    from stocktwin.ledger.lots.stock import lot_stock

    home = duckdb.connect(str(path), read_only=True)
    clock = FixedClock(START + 400 * MICROSECONDS_PER_DAY)

    class Ledger(SimpleNamespace):
        """As much of a ledger as a trace asks for."""

        __hash__ = object.__hash__

    ledger: Any = Ledger(_projection=home, _clock=clock)
    blank = dict.fromkeys(("at", "known_at", "book", "limit", "after"))
    (items,) = home.execute("SELECT count(*) FROM item").fetchall()[0]
    seconds, work, answer = [], [], {}
    for number in range(TRACES):
        item = (number * 7919 * CHAIN + 1) % (items // CHAIN * CHAIN)
        began, busy = time.perf_counter(), time.process_time()
        answer = trace_answer(ledger, "UTC", f"ITEM-{item}", f"L{number % LOTS}", direction="both", **blank)
        seconds.append(time.perf_counter() - began)
        work.append(time.process_time() - busy)
    began = time.perf_counter()
    lot_stock(ledger, item_id="ITEM-5")
    return {
        "movements": home.execute("SELECT count(*) FROM fact_movements").fetchall()[0][0],
        "first_s": round(seconds[0], 3),
        "median_s": round(statistics.median(seconds[1:]), 3),
        "slowest_s": round(max(seconds[1:]), 3),
        "stock_by_lot_of_an_item_s": round(time.perf_counter() - began, 3),
        "median_cpu_s": round(statistics.median(work[1:]), 3),
        "documents": answer["total"],
        "lots": len(answer["lots"]),
        "customers": len({row["location_id"] for row in answer["customers"]}),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Makes, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movements", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="where projections are made and kept (else a temporary folder)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        for movements in asked.movements:
            path = folder / f"trace-{movements}.duckdb"
            if not path.exists():
                began = time.perf_counter()
                make(path, movements)
                sys.stderr.write(f"made {movements:,} movements in {time.perf_counter() - began:.0f} s\n")
            figures = measure(path)
            sys.stdout.write(json.dumps(figures) + "\n" if asked.json else f"{figures}\n")
            if asked.folder is None:
                path.unlink()


if __name__ == "__main__":
    main()
