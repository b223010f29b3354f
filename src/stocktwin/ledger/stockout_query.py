"""Days on which the record says that a shelf was empty: what was sold then is less than what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.ledger.balances import stocking_sql
from stocktwin.ledger.books import legs_sql, make_view
from stocktwin.ledger.currents import current_sql
from stocktwin.ledger.days import day_sql, day_table
from stocktwin.ledger.healing import healing
from stocktwin.tables.snapshot import STOCKOUT_SCHEMA

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]


@healing
def with_stockouts(ledger: Ledger, snapshot: Snapshot) -> Snapshot:
    """The same snapshot with its days of stock-out."""
    con = ledger._projection.cursor()
    try:
        return add_stockouts(con, snapshot)
    finally:
        con.close()


def add_stockouts(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Snapshot:
    """`with_stockouts` on a connection: of anchored item-locations whose demand is known by its sales alone."""
    _make_days(con, snapshot.timezone)
    found = con.sql(_sql(con)).to_arrow_table()
    items = np.array([snapshot.item_codes.code(name) for name in found.column("item_id").to_pylist()], np.int32)
    places = np.array([snapshot.location_codes.code(name) for name in found.column("place_id").to_pylist()], np.int32)
    row = snapshot.rows(items, places)
    day, following = (np.asarray(found.column(name).to_numpy(), np.int64) for name in ("day", "next_day"))
    whole = np.asarray(found.column("whole").to_numpy(zero_copy_only=False), bool)
    keep = (row >= 0) & snapshot.anchored[row]
    table = _spread(row[keep], day[keep], np.minimum(following[keep], snapshot.today + 1), whole[keep])
    return replace(snapshot, stockouts=table)


def _make_days(con: duckdb.DuckDBPyConnection, timezone: str) -> None:
    low, high = con.execute("SELECT min(event_time), max(event_time) FROM fact_movements").fetchall()[0]
    places = con.execute(f"""SELECT code, l.timezone, l.cutoff FROM place JOIN ({current_sql("locations")}) l
        ON l.location_id = place_id WHERE code IN ({stocking_sql()}) ORDER BY code""").fetchall()
    con.register("empty_day_rows", day_table(places, timezone, low or 0, high or 0))
    con.execute("CREATE OR REPLACE TEMP TABLE empty_day_of AS SELECT * FROM empty_day_rows")
    con.unregister("empty_day_rows")


def _sql(con: duckdb.DuckDBPyConnection) -> str:
    """`item_id, place_id, day, next_day, whole` of each day with a movement that ended empty; `next_day` is the next
    with a movement; `whole` says that it began empty too and nothing came."""
    return f"""WITH {legs_sql(make_view(con))},
        moved AS (SELECT item, leg.place, {day_sql("event_time")} AS day, sum(quantity) AS change,
            sum(greatest(quantity, 0)) AS came
            FROM leg JOIN empty_day_of d ON d.place = leg.place AND event_time >= since AND event_time < until
            WHERE condition = 'unrestricted' AND owner IS NULL
                AND (item, leg.place) NOT IN (SELECT (item, from_place) FROM fact_orders WHERE kind = 'sales')
            GROUP BY item, leg.place, day),
        ran AS (SELECT *, sum(change) OVER w AS closing, lead(day) OVER w AS following FROM moved
            WINDOW w AS (PARTITION BY item, place ORDER BY day))
        SELECT i.item_id, p.place_id, day, coalesce(following, {2**31 - 2}) AS next_day,
            closing - change <= 0 AND came = 0 AS whole
        FROM ran JOIN item i ON i.code = ran.item JOIN place p ON p.code = ran.place
        WHERE closing <= 0 ORDER BY i.item_id, p.place_id, day"""


def _spread(row: Ints, day: Ints, following: Ints, whole: npt.NDArray[np.bool_]) -> pa.Table:
    """The days with a movement, and the whole days until the next one."""
    count = np.maximum(following - day, 1)
    first = np.cumsum(count) - count
    at = np.arange(int(count.sum())) - np.repeat(first, count)
    spread = np.where(at == 0, np.repeat(whole, count), True)
    columns = [np.repeat(row, count).astype(np.int32), (np.repeat(day, count) + at).astype(np.int32), spread]
    return pa.table([pa.array(column) for column in columns], schema=STOCKOUT_SCHEMA)
