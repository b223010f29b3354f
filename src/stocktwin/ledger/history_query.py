"""The history of one account, and recent transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.ledger.balances import book_code, code_of
from stocktwin.ledger.books import legs_sql, make_view, member_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def movements_of(
    con: duckdb.DuckDBPyConnection,
    item_id: str,
    location_id: str,
    *,
    limit: int | None = None,
    before: int | None = None,
    book: str | None = None,
) -> pa.Table:
    """Postings onto an item at a place, on the record or in the book of a system, newest first; only those before event
    time `before`.

    `event_time, known_at, recorded_at, system, source, file, event_id, kind, quantity` (signed, atomic), `on_hand`
    (running unrestricted balance of ours after it), `counterpart, lot, condition, owner, document, order_id, line,
    shipment_id, reason, corrects, scale, unit, seq, pos` (batch and position); an opening has no event id and the kind
    `opening`.
    """
    item = code_of(con, "item", "item_id", item_id)
    place = code_of(con, "place", "place_id", location_id, "location")
    view = make_view(con, item=item, system=None if book is None else book_code(con, book))
    free = "condition = 'unrestricted' AND l.owner IS NULL"
    bound = "" if before is None else f"WHERE l.event_time < {int(before)}"
    cut = "" if limit is None else f"LIMIT {int(limit)}"
    return con.sql(f"""WITH {legs_sql(view)},
        posted AS (SELECT l.*, CAST(sum(CASE WHEN {free} THEN quantity ELSE 0 END)
            OVER (ORDER BY event_time, seq, pos ROWS UNBOUNDED PRECEDING) AS BIGINT) AS on_hand
            FROM leg l WHERE place = {place})
        SELECT l.event_time, m.known_at, b.record_time AS recorded_at, s.name AS system, b.source, b.file, m.event_id,
            coalesce(CAST(m.kind AS VARCHAR), 'opening') AS kind, l.quantity, l.on_hand, p.place_id AS counterpart,
            l.lot, CAST(l.condition AS VARCHAR) AS condition, l.owner, m.document, m.order_id, m.line, m.shipment_id,
            m.reason, m.corrects, i.scale, i.unit, l.seq, l.pos
        FROM posted l JOIN item i ON i.code = l.item LEFT JOIN place p ON p.code = l.other
        LEFT JOIN (SELECT * FROM fact_movements WHERE item = {item}) m ON m.seq = l.seq AND m.pos = l.pos
        LEFT JOIN batch b ON b.seq = l.seq LEFT JOIN system s ON s.code = m.system {bound}
        ORDER BY l.event_time DESC, l.seq DESC, l.pos DESC {cut}""").to_arrow_table()


def recent_transfers(con: duckdb.DuckDBPyConnection, as_of: int, days: int) -> pa.Table:
    """`item_id, from_id, to_id` of transfers on the record since `days` before `as_of`, each once."""
    since = as_of - days * MICROSECONDS_PER_DAY
    member = member_sql(make_view(con))
    return con.sql(f"""SELECT DISTINCT item_id, f.place_id AS from_id, t.place_id AS to_id FROM ({member}) m
        JOIN item i ON i.code = m.item JOIN place f ON f.code = m.from_place JOIN place t ON t.code = m.to_place
        WHERE kind IN ('transfer_out', 'transfer_in') AND event_time > {since} ORDER BY ALL""").to_arrow_table()


def claims_of(con: duckdb.DuckDBPyConnection, item_id: str, location_id: str) -> pa.Table:
    """What was seen or stated of an item at a place, oldest first.

    `event_time, method, system, lot, quantity` (atomic), `event_id, scope, scale, unit`.
    """
    item = code_of(con, "item", "item_id", item_id)
    place = code_of(con, "place", "place_id", location_id, "location")
    return con.sql(f"""SELECT event_time, method, s.name AS system, lot, quantity, event_id, scope, i.scale, i.unit
        FROM fact_observations o JOIN system s ON s.code = o.system JOIN item i ON i.code = o.item
        WHERE o.item = {item} AND location_place = {place} ORDER BY event_time, method, s.name, lot""").to_arrow_table()
