"""Demand of the past per item-location and local day: sales order lines where there are any, else sale movements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.ledger.books import of_items
from stocktwin.ledger.days import day_sql, day_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Places = list[tuple[int, str | None, str | None]]
Items = tuple[int, ...] | None


def make_days(con: duckdb.DuckDBPyConnection, places: Places, timezone: str, items: Items = None) -> None:
    """Makes the temp table `day_of(place, since, until, shift)` for stocking locations (code, time zone, cut-off), good
    for all instants in the temp tables `member` and `line` and in the observations (of some items)."""
    bounds = f"""SELECT min(first), max(last) FROM (
        SELECT min(event_time) AS first, max(event_time) AS last FROM member
        UNION ALL SELECT min(least(ordered_at, coalesce(requested_at, ordered_at))),
            max(greatest(ordered_at, coalesce(requested_at, ordered_at))) FROM line
        UNION ALL SELECT min(event_time), max(event_time) FROM fact_observations WHERE {of_items(items)})"""
    low, high = con.execute(bounds).fetchall()[0]
    con.register("day_rows", day_table(places, timezone, low or 0, high or 0))
    con.execute("CREATE OR REPLACE TEMP TABLE day_of AS SELECT * FROM day_rows")
    con.unregister("day_rows")


def sales_days(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """`item, place, day, quantity` (> 0), external demand. The temp tables `member` (movements on the record), `line`
    and `day_of` are made.

    A corrected sale (same item and quantity, ends swapped, `corrects` set) is netted on the day of the sale it
    corrects.
    """
    from_orders = f"""SELECT o.item, o.from_place AS place, {day_sql("coalesce(requested_at, ordered_at)")} AS day,
        quantity - cancelled AS quantity FROM line o JOIN day_of d ON d.place = o.from_place
        AND coalesce(requested_at, ordered_at) >= since AND coalesce(requested_at, ordered_at) < until
        WHERE o.kind = 'sales'"""
    corrections = "SELECT 1 FROM member WHERE kind = 'sale' AND corrects IS NOT NULL LIMIT 1"
    corrected = f"UNION ALL {_CORRECTED}" if con.execute(corrections).fetchall() else ""
    return con.sql(f"""
WITH sale AS (
    SELECT item, out_place AS place, event_time, quantity FROM member WHERE kind = 'sale' AND corrects IS NULL
    {corrected}),
ordered AS ({from_orders}),
daily AS (
    SELECT item, place, day, quantity FROM ordered
    UNION ALL
    SELECT item, sale.place, {day_sql("event_time")} AS day, quantity FROM sale
    JOIN day_of d ON d.place = sale.place AND event_time >= since AND event_time < until
    WHERE (item, sale.place) NOT IN (SELECT DISTINCT (item, place) FROM ordered))
SELECT item, place, day, CAST(sum(quantity) AS BIGINT) AS quantity FROM daily GROUP BY item, place, day
HAVING sum(quantity) > 0""").to_arrow_table()


_CORRECTED = """
    SELECT c.item, CASE WHEN swapped THEN c.into_place ELSE c.out_place END, coalesce(o.event_time, c.event_time),
        CASE WHEN swapped THEN -c.quantity ELSE c.quantity END
    FROM (SELECT *, into_place IN (SELECT place FROM day_of) AS swapped FROM member
        WHERE kind = 'sale' AND corrects IS NOT NULL) c
    LEFT JOIN (SELECT member.*, f.event_id FROM member JOIN fact_movements f USING (seq, pos)
        WHERE member.kind = 'sale' AND f.event_id IN (SELECT corrects FROM member WHERE corrects IS NOT NULL)) o
        ON o.system = c.system AND o.event_id = c.corrects AND o.item = c.item"""


def first_seen(con: duckdb.DuckDBPyConnection, items: Items = None) -> pa.Table:
    """`item, place, day`: first local day on which anything is known of an item (of some) at a stocking location."""
    return con.sql(f"""
WITH seen AS (
    SELECT item, out_place AS place, min(event_time) AS t FROM member GROUP BY ALL
    UNION ALL SELECT item, into_place, min(event_time) FROM member GROUP BY ALL
    UNION ALL SELECT item, location_place, min(event_time) FROM fact_observations WHERE {of_items(items)}
        GROUP BY ALL
    UNION ALL SELECT item, from_place, min(coalesce(requested_at, ordered_at)) FROM line WHERE kind = 'sales'
        GROUP BY ALL
    UNION ALL SELECT item, to_place, min(ordered_at) FROM line WHERE kind <> 'sales' GROUP BY ALL),
earliest AS (SELECT item, place, min(t) AS t FROM seen GROUP BY item, place)
SELECT item, e.place, {day_sql("t")} AS day FROM earliest e
JOIN day_of d ON d.place = e.place AND t >= since AND t < until""").to_arrow_table()
