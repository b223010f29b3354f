"""Reading a large ledger: 100,000 items at 45 DCs, 1, 10 and 100 million movements over 90 days, two systems.

    .venv/bin/python benchmarks/ledger_reads.py [--rows 1e6 1e7 1e8] [--keep DIR] [--sql] [--json]

The projection is made in SQL, in runs of 1.6 million movements sorted by item, as bulk ingest leaves them: receipts on
shipments, transfers, adjustments, sales; a fiftieth of the items has lots; a second system tells a seventh of it. Then:
one item-location now, and as of T as known at D; the record from nothing; all balances now; after a live batch of
10,000 facts; as of past days; all books side by side; `status`; a start with the live state kept. `--sql` adds all
balances summed by DuckDB, the yardstick. Room: 70 bytes a movement, in DIR or in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY
from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.kernels.jit import warm
from stocktwin.ledger.accounts import keys_of
from stocktwin.ledger.balances import balances
from stocktwin.ledger.journal.blob import no_rejected
from stocktwin.ledger.journal.sqlite import SqliteJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.ledger.projection import fold_version
from stocktwin.ledger.sides import side_by_side
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

ITEMS, DCS, SUPPLIERS, RUN, BATCH = 100_000, 45, 20, 1_600_000, 100_000
START = parse_instant("2026-01-01T00:00:00Z")
KINDS = ("receipt", "shipment", "transfer_out", "transfer_in", "adjustment", "sale")


def exchange(name: str, **columns: Any) -> pa.Table:
    """An exchange table of some columns."""
    rows = len(next(iter(columns.values())))
    schema = TABLES[name].arrow_schema()
    filled = {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in schema}
    return pa.table({name: pa.array(values).cast(schema.field(name).type) for name, values in filled.items()}, schema)


def deliver(ledger: Ledger, name: str, source: str, file: str, **columns: Any) -> None:
    """Delivers rows of an exchange table."""
    rows = np.arange(1, len(next(iter(columns.values()))) + 1)
    ledger.append([Delivery(source, name, file, exchange(name, _row=rows, **columns), no_rejected())])


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The ledger in a folder."""
    clock = FixedClock(START + 100 * DAY)
    with Ledger.open(SqliteJournal(folder / "journal.sqlite"), folder / "projection.duckdb", clock) as ledger:
        yield ledger


def grow(folder: Path, rows: int) -> None:
    """A ledger with so many movements: names through the ledger, movements straight into the projection."""
    dcs, suppliers = [f"DC-{n:02d}" for n in range(DCS)], [f"SUP-{n:02d}" for n in range(SUPPLIERS)]
    with opened(folder) as ledger:
        ledger.configure(Rules(authority={"default": "wms"}))
        deliver(ledger, "items", "erp", "items", item_id=[f"ITEM-{n:06d}" for n in range(ITEMS)])
        kinds = ["dc"] * DCS + ["supplier"] * SUPPLIERS
        deliver(ledger, "locations", "erp", "locations", location_id=[*dcs, *suppliers], kind=kinds)
        for system in ("wms", "erp"):
            lanes = [(a, b) for a in [*suppliers, *dcs[:4]] for b in dcs if a != b]
            n = len(lanes) + len(KINDS)
            ends = [a for a, _ in lanes] + ["DC-00"] * len(KINDS), [b for _, b in lanes] + ["DC-01"] * len(KINDS)
            deliver(ledger, "movements", system, "first", event_id=[f"first-{at}" for at in range(n)],
                    event_time=[START] * n, kind=["shipment"] * len(lanes) + list(KINDS), item_id=["ITEM-000000"] * n,
                    quantity=[1] * n, from_id=ends[0], to_id=ends[1], system=[system] * n)  # fmt: skip
        first = ledger.head + 1
        while ledger.head < first + rows // BATCH:
            ledger.decide({"stands for": "a batch"})
        con = ledger._projection.con
        for low in range(0, rows, RUN):
            con.execute(run_sql(con, low, min(low + RUN, rows), rows, first))
        con.execute(f"INSERT INTO tally VALUES ({first}, 'movements', 'wms', {rows}, {rows}, 0)")
        con.execute("CHECKPOINT")


def run_sql(con: duckdb.DuckDBPyConnection, low: int, high: int, rows: int, first: int) -> str:
    """INSERT of movements low … high. A shipment and its receipt, and the two ends of a transfer, share their luck."""
    code = dict(con.execute("SELECT place_id, code FROM place").fetchall())
    dc, supplier = code["DC-00"], code["SUP-00"]
    return f"""INSERT INTO fact_movements BY NAME
WITH drawn AS (SELECT range AS n, hash(range) AS h, CAST(range % 100 AS INTEGER) AS c, range // 100 AS g
    FROM range({low}, {high})),
fate AS (SELECT *, CASE WHEN c < 3 THEN 'shipment' WHEN c < 6 THEN 'receipt' WHEN c < 8 THEN 'transfer_out'
    WHEN c < 10 THEN 'transfer_in' WHEN c < 12 THEN 'adjustment' WHEN c < 22 THEN 'receipt' ELSE 'sale' END AS kind,
    CASE WHEN c < 6 THEN hash(g * 3 + c % 3) WHEN c < 10 THEN hash(g * 2 + c % 2) ELSE h END AS own FROM drawn),
placed AS (SELECT *, CAST(own % {ITEMS} AS INTEGER) AS item, {dc} + CAST(own // 1000003 % {DCS} AS INTEGER) AS d,
    {supplier} + CAST(own // 7000003 % {SUPPLIERS} AS INTEGER) AS s, {dc} + CAST(own // 11 % 4 AS INTEGER) AS hub
    FROM fate),
ended AS (SELECT placed.*, lane.code AS lane FROM placed LEFT JOIN place lane ON lane.destination = d
    AND lane.origin = CASE WHEN kind IN ('shipment', 'receipt') THEN s WHEN hub <> d THEN hub ELSE {supplier} END)
SELECT md5_number('k' || n) AS key, md5_number('d' || n) AS digest, CAST({first} + n // {BATCH} AS INTEGER) AS seq,
    CAST(n % {BATCH} AS INTEGER) AS pos, 0 AS source, seq AS last_seq, pos AS last_pos,
    CASE kind WHEN 'receipt' THEN s WHEN 'transfer_out' THEN hub WHEN 'shipment' THEN s WHEN 'transfer_in' THEN lane
        ELSE d END AS out_place,
    CASE kind WHEN 'receipt' THEN d WHEN 'transfer_in' THEN d WHEN 'adjustment' THEN 2 WHEN 'sale' THEN 0
        ELSE lane END AS into_place,
    d AS site, 'E' || n AS event_id, {START} + CAST(n * CAST({90 * DAY / rows} AS DOUBLE) AS BIGINT) AS event_time,
    event_time + {DAY} AS known_at, CAST(kind AS movement_kind) AS kind, item,
    CAST(1 + h % 20 AS BIGINT) AS quantity,
    CASE WHEN kind IN ('receipt', 'shipment') THEN s WHEN kind LIKE 'transfer%' THEN hub ELSE d END AS from_place,
    CASE WHEN kind IN ('sale', 'adjustment') THEN NULL ELSE d END AS to_place,
    CASE WHEN item % 50 = 0 THEN 'L' || item || '-' || (n % 3) END AS lot, 'DOC-' || (n // 10) AS document,
    CASE WHEN c < 6 THEN 'S' || (g * 3 + c % 3) END AS shipment_id,
    CASE WHEN h // 101 % 7 = 0 THEN 1 ELSE 0 END AS system
FROM ended ORDER BY item"""


class Watch:
    """Seconds of wall and CPU by name."""

    def __init__(self) -> None:
        self.told: dict[str, list[float]] = {}

    def time(self, name: str, act: Callable[[], Any], times: int = 1) -> Any:
        """The answer of the last of some calls; the best time of all."""
        for _ in range(times):
            wall, cpu = time.perf_counter(), time.process_time()
            answer = act()
            spent = [time.perf_counter() - wall, time.process_time() - cpu]
            self.told[name] = min(self.told.get(name, spent), spent)
        return answer


def measure(folder: Path, sql: bool) -> dict[str, list[float]]:
    """All figures of one ledger."""
    watch = Watch()
    with opened(folder) as ledger:
        one = {"item_id": "ITEM-040507", "location_id": "DC-07"}
        watch.time("one item-location now", lambda: ledger.balances(**one), 5)
        past = {"at": START + 40 * DAY, "known_at": START + 60 * DAY}
        watch.time("one item-location at T, known at D", lambda: ledger.balances(**one, **past), 5)
        watch.time("all balances, from nothing", ledger.balances)
        watch.time("all balances now, again", ledger.balances, 3)
        if sql:
            con = ledger._projection.cursor()
            assert ledger.balances().equals(watch.time("all balances in SQL", lambda: balances(con)))
        for day in (89, 80, 60, 45, 20):
            watch.time(f"all balances as of day {day}", lambda day=day: ledger.balances(at=START + day * DAY))
        for number in range(3):
            batch(ledger, f"live-{number}")
            watch.time("live state takes in 10,000 sales", lambda: _bring_up(ledger))
        _add(ledger, watch)
        watch.time("all balances after them", ledger.balances)
        watch.time("all books side by side", lambda: side_by_side(ledger, ("erp", "wms")))
        watch.time("status", ledger.status)
        batch(ledger, "tail")
    with contextlib.ExitStack() as stack:
        reopened = watch.time("start: open", lambda: stack.enter_context(opened(folder)))
        watch.time("start: first answer, all balances", reopened.balances)
    return watch.told


def batch(ledger: Ledger, name: str) -> None:
    """10,000 sales of any items."""
    luck = np.random.default_rng(len(name))
    n = 10_000
    deliver(ledger, "movements", "wms", name, event_id=[f"{name}-{ledger.head}-{at}" for at in range(n)],
            event_time=[START + 99 * DAY] * n, kind=["sale"] * n, system=["wms"] * n, quantity=[1] * n,
            item_id=[f"ITEM-{at:06d}" for at in luck.integers(0, ITEMS, n)],
            from_id=[f"DC-{at:02d}" for at in luck.integers(0, DCS, n)])  # fmt: skip


def _bring_up(ledger: Ledger) -> None:
    con = ledger._projection.cursor()
    with ledger._projection.live.standing(con, None):
        pass


def _add(ledger: Ledger, watch: Watch) -> None:
    """The kernel alone: both legs of 10,000 sales of any items, added to the live state and taken back."""
    luck = np.random.default_rng(5)
    item, amount = luck.integers(0, ITEMS, 10_000).astype(np.int32), np.ones(10_000, np.int64)
    with ledger._projection.live.standing(ledger._projection.cursor(), None) as live:
        code = dict(ledger._projection.cursor().execute("SELECT place_id, code FROM place").fetchall())
        ends = keys_of(code["DC-00"] + luck.integers(0, DCS, 10_000)), keys_of(np.zeros(10_000))

        def both(sign: int) -> None:
            for key, side in zip(ends, (-1, 1), strict=True):
                live.accounts.post(item, key, amount, side * sign, step=sign)

        for _ in range(5):
            both(-1)
            watch.time("of which adding", lambda: both(1))


def main() -> None:
    """Grows and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 1e7, 1e8])
    parser.add_argument("--keep", type=Path, help="folder of the ledgers; one that is there is used again")
    parser.add_argument("--sql", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warm()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for rows in map(int, asked.rows):
            folder = (asked.keep or Path(scratch)) / f"reads-{rows}"
            if not folder.exists():
                folder.mkdir(parents=True)
                grow(folder, rows)
            _adopt(folder)
            found[rows] = measure(folder, asked.sql)
            found[rows]["peak memory, GiB"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]
            if not asked.json:
                print(f"{rows:,} movements")
                for name, told in found[rows].items():
                    print(f"  {name:40s}" + "".join(f"{value:10.3f}" for value in told), flush=True)
    if asked.json:
        print(json.dumps(found))


def _adopt(folder: Path) -> None:
    """The movements are in no journal: this version of the code takes the projection as it is."""
    with duckdb.connect(str(folder / "projection.duckdb")) as con:
        version = con.execute("SELECT version FROM watermark").fetchall()[0][0]
        con.execute("UPDATE watermark SET version = ?", [f"{fold_version()}:{version.partition(':')[2]}"])


if __name__ == "__main__":
    main()
