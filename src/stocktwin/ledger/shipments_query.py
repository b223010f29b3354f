"""Shipments: which are under way, and how long they took. Current version of each, receipts on the record counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stocktwin.ledger.books import make_view, member_sql
from stocktwin.ledger.currents import current_sql
from stocktwin.ledger.healing import healing
from stocktwin.tables.snapshot import OPEN_SHIPMENT_SCHEMA, TRANSIT_SCHEMA

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot

RECEIVED = "WHERE shipment_id IS NOT NULL AND kind IN ('receipt', 'transfer_in')"


@healing
def with_shipments(ledger: Ledger, snapshot: Snapshot) -> Snapshot:
    """The same snapshot with its shipments and times in transit."""
    con = ledger._projection.cursor()
    try:
        return add_shipments(con, snapshot)
    finally:
        con.close()


def add_shipments(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Snapshot:
    """`with_shipments` on a connection."""
    member = member_sql(make_view(con))
    return replace(snapshot, shipments=under_way(con, member, snapshot), transits=transits(con, member))


def under_way(con: duckdb.DuckDBPyConnection, member: str, snapshot: Snapshot) -> pa.Table:
    """Columns of OPEN_SHIPMENT_SCHEMA, `item` as row number of the snapshot's items (−1: not stated).

    What receipts with a shipment's number (and item) have taken in is no longer under way; any receipt closes a
    shipment that states no quantity.
    """
    import pyarrow as pa

    table = con.sql(f"""
WITH got AS (SELECT shipment_id, item, CAST(sum(quantity) AS DOUBLE) AS quantity FROM ({member}) {RECEIVED}
    GROUP BY ALL),
got_any AS (SELECT shipment_id, sum(quantity) AS quantity FROM got GROUP BY ALL),
sent AS (SELECT s.* REPLACE (CAST(s.quantity AS DOUBLE) AS quantity),
        CASE WHEN s.item_id IS NULL THEN got_any.quantity ELSE got.quantity / i.power END AS came
    FROM ({current_sql("shipments")}) s LEFT JOIN item i ON i.item_id = s.item_id
    LEFT JOIN got ON got.shipment_id = s.shipment_id AND got.item = i.code
    LEFT JOIN got_any ON got_any.shipment_id = s.shipment_id
    WHERE arrived_at IS NULL)
SELECT shipment_id, order_id, line, item_id, origin_id, destination_id, departed_at, promised_at,
    quantity - greatest(CAST(coalesce(quantity_received, 0) AS DOUBLE), coalesce(came, 0)) AS quantity, mode, carrier
FROM sent WHERE coalesce(quantity > greatest(CAST(coalesce(quantity_received, 0) AS DOUBLE), coalesce(came, 0)),
    came IS NULL AND quantity_received IS NULL)
ORDER BY shipment_id, order_id, line, item_id""").to_arrow_table()
    items = [-1 if name is None else snapshot.item_codes.code(name) for name in table.column("item_id").to_pylist()]
    at = table.column_names.index("item_id")
    return table.set_column(at, "item", pa.array(items, pa.int32())).cast(OPEN_SHIPMENT_SCHEMA)


def transits(con: duckdb.DuckDBPyConnection, member: str) -> pa.Table:
    """Columns of TRANSIT_SCHEMA: shipments that departed, each once; arrived by their own date, else their first
    receipt."""
    return (
        con.sql(f"""
WITH got AS (SELECT shipment_id, min(event_time) AS at FROM ({member}) {RECEIVED} GROUP BY ALL)
SELECT origin_id, destination_id, mode, carrier, departed_at, arrived_at FROM (
    SELECT s.shipment_id, origin_id, destination_id, min(mode) AS mode, min(carrier) AS carrier,
        min(departed_at) AS departed_at, min(coalesce(arrived_at, got.at)) AS arrived_at
    FROM ({current_sql("shipments")}) s LEFT JOIN got ON got.shipment_id = s.shipment_id
    WHERE departed_at IS NOT NULL GROUP BY ALL)
WHERE arrived_at IS NULL OR arrived_at >= departed_at ORDER BY ALL""")
        .to_arrow_table()
        .cast(TRANSIT_SCHEMA)
    )
