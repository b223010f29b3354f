"""Demand of the past per item-location and local day: sales order lines where there are any, else sale movements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.ledger.balances import stocking_sql
from stocktwin.ledger.currents import current_sql
from stocktwin.ledger.days import day_sql, day_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def make_days(con: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Makes the temp table `day_of(place, since, until, shift)` for every stocking location."""
    low, high = con.execute("""SELECT min(t), max(t) FROM (
        SELECT min(event_time) AS t FROM fact_movements UNION ALL SELECT max(event_time) FROM fact_movements
        UNION ALL SELECT min(least(ordered_at, coalesce(requested_at, ordered_at))) FROM fact_orders
        UNION ALL SELECT max(greatest(ordered_at, coalesce(requested_at, ordered_at))) FROM fact_orders
        UNION ALL SELECT min(event_time) FROM fact_observations
        UNION ALL SELECT max(event_time) FROM fact_observations)""").fetchall()[0]
    places = con.execute(f"""SELECT code, l.timezone, l.cutoff FROM place
        JOIN ({current_sql("locations")}) l ON l.location_id = place_id WHERE code IN ({stocking_sql()})
        ORDER BY code""").fetchall()  # fmt: skip
    con.register("day_rows", day_table(places, timezone, low or 0, high or 0))
    con.execute("CREATE OR REPLACE TEMP TABLE day_of AS SELECT * FROM day_rows")
    con.unregister("day_rows")


def sales_days(con: duckdb.DuckDBPyConnection, member: str) -> pa.Table:
    """`item, place, day, quantity` (> 0), external demand. `member` is a SELECT of the movements on the record; the
    temp tables `line` and `day_of` are made.

    A corrected sale (same quantity, ends swapped, `corrects` set) is netted on the day of the sale it corrects.
    """
    from_orders = f"""SELECT o.item, o.from_place AS place, {day_sql("coalesce(requested_at, ordered_at)")} AS day,
        quantity - cancelled AS quantity FROM line o JOIN day_of d ON d.place = o.from_place
        AND coalesce(requested_at, ordered_at) >= since AND coalesce(requested_at, ordered_at) < until
        WHERE o.kind = 'sales'"""
    return con.sql(f"""
WITH member AS ({member}),
sale AS (
    SELECT item, out_place AS place, event_time, quantity FROM member WHERE kind = 'sale' AND corrects IS NULL
    UNION ALL
    SELECT c.item, CASE WHEN swapped THEN c.into_place ELSE c.out_place END, coalesce(o.event_time, c.event_time),
        CASE WHEN swapped THEN -c.quantity ELSE c.quantity END
    FROM (SELECT *, into_place IN (SELECT place FROM day_of) AS swapped FROM member
        WHERE kind = 'sale' AND corrects IS NOT NULL) c
    LEFT JOIN member o ON o.system = c.system AND o.event_id = c.corrects AND o.kind = 'sale'),
ordered AS ({from_orders}),
daily AS (
    SELECT item, place, day, quantity FROM ordered
    UNION ALL
    SELECT item, sale.place, {day_sql("event_time")} AS day, quantity FROM sale
    JOIN day_of d ON d.place = sale.place AND event_time >= since AND event_time < until
    WHERE (item, sale.place) NOT IN (SELECT DISTINCT (item, place) FROM ordered))
SELECT item, place, day, CAST(sum(quantity) AS BIGINT) AS quantity FROM daily GROUP BY item, place, day
HAVING sum(quantity) > 0""").to_arrow_table()


def first_seen(con: duckdb.DuckDBPyConnection, member: str) -> pa.Table:
    """`item, place, day`: first local day on which anything is known of an item at a stocking location."""
    return con.sql(f"""
WITH member AS ({member}),
seen AS (
    SELECT item, out_place AS place, min(event_time) AS t FROM member GROUP BY ALL
    UNION ALL SELECT item, into_place, min(event_time) FROM member GROUP BY ALL
    UNION ALL SELECT item, location_place, min(event_time) FROM fact_observations GROUP BY ALL
    UNION ALL SELECT item, from_place, min(coalesce(requested_at, ordered_at)) FROM line WHERE kind = 'sales'
        GROUP BY ALL
    UNION ALL SELECT item, to_place, min(ordered_at) FROM line WHERE kind <> 'sales' GROUP BY ALL),
earliest AS (SELECT item, place, min(t) AS t FROM seen GROUP BY item, place)
SELECT item, e.place, {day_sql("t")} AS day FROM earliest e
JOIN day_of d ON d.place = e.place AND t >= since AND t < until""").to_arrow_table()
