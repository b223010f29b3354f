"""Order lines: what is open, what came when. Current version of each line, from the system whose orders count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.ledger.books import of_items, rules_in_force
from stocktwin.ledger.currents import current_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

OURS = ("purchase", "transfer")
"""Kinds of our own replenishment."""


def authority_sql(con: duckdb.DuckDBPyConnection) -> str:
    """SQL condition on `o.kind`, `o.system`: of each kind of order one system's lines count.

    The one declared for `orders`, else the default if it sends such orders, else the first in alphabetical order.
    """
    rules = rules_in_force(con)
    rows = con.execute("""SELECT DISTINCT kind, name, code FROM fact_orders JOIN system ON code = fact_orders.system
        ORDER BY kind, name""").fetchall()
    chosen: dict[str, int] = {}
    for kind, name, code in rows:
        declared = rules.authority.get("orders") or rules.authority.get("default")
        if kind not in chosen or name == declared:
            chosen[kind] = code
    pairs = " OR ".join(f"(o.kind = '{kind}' AND o.system = {code})" for kind, code in chosen.items())
    return f"({pairs})" if pairs else "false"


def make_lines(con: duckdb.DuckDBPyConnection, authority: str, items: tuple[int, ...] | None = None) -> None:
    """Makes the temp table `line`: current order lines that count (of some items), with what was received or served of
    them.

    `authority` is a condition of `authority_sql`; the temp table `member` holds the movements on the record. Received
    is the greater of what the order says and what receipts (for sales: sale movements) with its number add up to; a
    receipt date without a quantity means all of it.
    """
    con.execute(f"""
CREATE OR REPLACE TEMP TABLE line AS
WITH posted AS (
    SELECT order_id, line, item, CASE WHEN kind = 'sale' THEN 'sales' ELSE 'ours' END AS what,
        CAST(sum(quantity) AS BIGINT) AS quantity, max(event_time) AS last
    FROM member WHERE order_id IS NOT NULL AND kind IN ('receipt', 'transfer_in', 'sale') GROUP BY ALL),
chosen AS (SELECT * FROM ({current_sql("orders", wheres=_versions_of(items))}) o
    WHERE {authority} AND {of_items(items)})
SELECT o.*, greatest(coalesce(o.quantity_received, CASE WHEN o.received_at IS NOT NULL THEN o.quantity ELSE 0 END),
        coalesce(p.quantity, 0)) AS received,
    coalesce(o.quantity_cancelled, 0) AS cancelled,
    coalesce(o.received_at, CASE WHEN coalesce(p.quantity, 0) + coalesce(o.quantity_cancelled, 0) >= o.quantity
        THEN p.last END) AS arrived_at,
    coalesce(o.status, 'open') AS state
FROM chosen o LEFT JOIN posted p ON p.order_id = o.order_id AND p.line = o.line AND p.item = o.item
    AND p.what = CASE WHEN o.kind = 'sales' THEN 'sales' ELSE 'ours' END""")
    con.execute("""CREATE OR REPLACE TEMP VIEW open_line AS
        SELECT *, quantity - received - cancelled AS open_quantity FROM line
        WHERE state NOT IN ('closed', 'cancelled') AND quantity - received - cancelled > 0
            AND NOT (kind = 'sales' AND state = 'shipped')""")


def _versions_of(items: tuple[int, ...] | None) -> str | None:
    """SQL condition: all versions of the orders that ever named one of the items."""
    if items is None:
        return None
    return f"order_id IN (SELECT order_id FROM fact_orders WHERE {of_items(items)})"


def open_orders(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Columns of OPEN_ORDER_SCHEMA, `item` as the projection's code, in no order."""
    return con.sql("""SELECT order_id, line, o.kind, s.name AS system, o.item, f.place_id AS from_id,
        t.place_id AS to_id, open_quantity, ordered_at, requested_at, promised_at, shipped_at, state AS status
        FROM open_line o JOIN system s ON s.code = o.system LEFT JOIN place f ON f.code = from_place
        LEFT JOIN place t ON t.code = to_place""").to_arrow_table()


_NAMED = "item_id IN (SELECT item_id FROM mine)"
_SHIPPED = "shipment_id IN (SELECT shipment_id FROM fact_shipments WHERE order_id IN (SELECT order_id FROM mine))"


def lead_times(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Columns of LEAD_TIME_SCHEMA, `item` as the projection's code: our own lines that arrived or are still open,
    in no order.

    Mode: what shipments of the order say, else the sourcing's, else the only mode of the lane. A line without origin
    takes the item-location's only or first source.
    """
    return con.sql(f"""
WITH mine AS (
    SELECT o.*, i.item_id, d.place_id AS destination_id, p.place_id AS from_id FROM line o
    JOIN item i ON i.code = o.item JOIN place d ON d.code = o.to_place LEFT JOIN place p ON p.code = o.from_place
    WHERE o.kind IN {OURS} AND (arrived_at IS NOT NULL OR (state NOT IN ('closed', 'cancelled') AND
        quantity - received - cancelled > 0))),
sourced AS (SELECT item_id, location_id, source_id, arg_min(mode, (coalesce(priority, 1), mode)) AS mode,
    min(coalesce(priority, 1)) AS priority
    FROM ({current_sql("sourcing", wheres=_NAMED)}) GROUP BY ALL),
first_source AS (SELECT item_id, location_id, arg_min(source_id, (priority, source_id)) AS source_id FROM sourced
    GROUP BY ALL),
lane_mode AS (SELECT origin_id, destination_id, any_value(mode) AS mode FROM ({current_sql("lanes")}) GROUP BY ALL
    HAVING count(DISTINCT coalesce(mode, '')) = 1),
shipped AS (SELECT order_id, line, min(mode) AS mode FROM ({current_sql("shipments", wheres=_SHIPPED)})
    WHERE mode IS NOT NULL AND order_id IN (SELECT order_id FROM mine) GROUP BY ALL),
placed AS (SELECT mine.*, coalesce(from_id, f.source_id) AS origin_id FROM mine LEFT JOIN first_source f
    ON f.item_id = mine.item_id AND f.location_id = mine.destination_id)
SELECT p.origin_id, p.destination_id, coalesce(s.mode, w.mode, g.mode, l.mode) AS mode, p.item, ordered_at,
    arrived_at AS received_at, (arrived_at - ordered_at) / {MICROSECONDS_PER_DAY}.0 AS days
FROM placed p
LEFT JOIN shipped s ON s.order_id = p.order_id AND s.line = p.line
LEFT JOIN shipped w ON w.order_id = p.order_id AND w.line IS NULL
LEFT JOIN sourced g ON g.item_id = p.item_id AND g.location_id = p.destination_id AND g.source_id = p.origin_id
LEFT JOIN lane_mode l ON l.origin_id = p.origin_id AND l.destination_id = p.destination_id
WHERE p.origin_id IS NOT NULL AND (arrived_at IS NULL OR arrived_at >= ordered_at)
""").to_arrow_table()
