"""Evidence for the anomaly rules: every system's movements and claims, with what the record and the books said then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.ledger.books import View, legs_sql, make_view, member_sql
from stocktwin.ledger.currents import current_sql
from stocktwin.tables.evidence import (
    MOVEMENT_EVIDENCE,
    OBSERVATION_EVIDENCE,
    ORDER_EVIDENCE,
    UNIT_EVIDENCE,
    Evidence,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def evidence(con: duckdb.DuckDBPyConnection, as_of: int, days: int) -> Evidence:
    """The facts of the last `days` before `as_of`, sorted by item and time."""
    since = as_of - days * MICROSECONDS_PER_DAY
    con.execute("BEGIN")
    try:
        return Evidence(
            as_of, since, _movements(con, since), _observations(con, since), _orders(con, since), _units(con)
        )
    finally:
        con.execute("ROLLBACK")


def _movements(con: duckdb.DuckDBPyConnection, since: int) -> pa.Table:
    """Movements with the places they booked; `on_record` where their system is the authority."""
    member = member_sql(make_view(con))
    return (
        con.sql(f"""
SELECT s.name AS system, event_id, event_time, known_at, CAST(kind AS VARCHAR) AS kind, item_id, f.place_id AS from_id,
    t.place_id AS to_id, quantity, document, order_id, line, reason, corrects,
    (m.seq, m.pos) IN (SELECT (seq, pos) FROM ({member}) WHERE event_time >= {since}) AS on_record
FROM fact_movements m JOIN item i ON i.code = m.item JOIN system s ON s.code = m.system
    JOIN place f ON f.code = m.out_place JOIN place t ON t.code = m.into_place
WHERE event_time >= {since} ORDER BY item_id, event_time, s.name, event_id""")
        .to_arrow_table()
        .cast(MOVEMENT_EVIDENCE)
    )


def _observations(con: duckdb.DuckDBPyConnection, since: int) -> pa.Table:
    """Claims with the unrestricted balance of the record and of the claimant's own book at their cut-off."""
    record = make_view(con)
    posting = [code for (code,) in con.execute("SELECT DISTINCT system FROM reporter ORDER BY system").fetchall()]
    con.execute(f"""CREATE OR REPLACE TEMP TABLE claim AS SELECT o.*, name FROM fact_observations o
        JOIN system ON system.code = o.system WHERE event_time >= {since}""")
    con.execute(f"""CREATE OR REPLACE TEMP TABLE claim_balance AS {_balance_sql(record, -1, "claim")}""")
    for system in posting:
        view = replace(record, system=system, authority=None)
        own = f"(FROM claim WHERE system = {system})"
        con.execute(f"INSERT INTO claim_balance {_balance_sql(view, system, own)}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE unanchored AS {_unanchored_sql(record)}")
    return (
        con.sql(f"""
SELECT c.name AS system, c.event_id, c.event_time, c.method, i.item_id, p.place_id AS location_id, c.lot, c.quantity,
    coalesce(r.balance, 0) AS record_balance,
    CASE WHEN c.system IN ({", ".join(map(str, posting)) or "NULL"}) THEN coalesce(b.balance, 0) END AS book_balance,
    (c.item, c.location_place) NOT IN (SELECT (item, place) FROM unanchored) AS anchored
FROM claim c JOIN item i ON i.code = c.item JOIN place p ON p.code = c.location_place
    LEFT JOIN claim_balance r ON r.key = c.key AND r.book = -1
    LEFT JOIN claim_balance b ON b.key = c.key AND b.book = c.system
ORDER BY i.item_id, c.event_time, c.name, c.event_id""")
        .to_arrow_table()
        .cast(OBSERVATION_EVIDENCE)
    )


def _balance_sql(view: View, book: int, claims: str) -> str:
    """`key, book, balance`: running balance of each claimed account just after the claim's cut-off, by ASOF join.

    A claim about a lot is held against that lot, one without against all lots together.
    """
    whole, by_lot = (_running_sql(lot) for lot in ("", "lot"))
    asked = "c.item = r.item AND c.location_place = r.place"
    return f"""WITH {legs_sql(view)},
ours AS (SELECT item, place, lot, event_time, quantity FROM leg WHERE condition = 'unrestricted' AND owner IS NULL
    AND (item, place) IN (SELECT (item, location_place) FROM {claims})),
whole AS ({whole}), by_lot AS ({by_lot})
SELECT c.key, {book} AS book, r.balance FROM {claims} c ASOF JOIN whole r ON {asked} AND c.event_time >= r.event_time
    WHERE c.lot IS NULL
UNION ALL SELECT c.key, {book} AS book, r.balance FROM {claims} c ASOF JOIN by_lot r
    ON {asked} AND c.lot = r.lot AND c.event_time >= r.event_time"""


def _running_sql(lot: str) -> str:
    account = f"item, place{', lot' if lot else ''}"
    return f"""SELECT {account}, event_time, CAST(sum(sum(quantity)) OVER (PARTITION BY {account} ORDER BY event_time)
        AS BIGINT) AS balance FROM ours GROUP BY {account}, event_time"""


def _unanchored_sql(view: View) -> str:
    return f"""WITH {legs_sql(view)}
        SELECT item, place FROM fed WHERE (item, place) NOT IN (SELECT (item, place) FROM opening)"""


def _orders(con: duckdb.DuckDBPyConnection, since: int) -> pa.Table:
    return (
        con.sql(f"""
SELECT s.name AS system, order_id, line, kind, item_id, f.place_id AS from_id, t.place_id AS to_id, quantity,
    quantity_received, ordered_at, promised_at, received_at, coalesce(status, 'open') AS status
FROM ({current_sql("orders")}) o JOIN item i ON i.code = o.item JOIN system s ON s.code = o.system
    LEFT JOIN place f ON f.code = o.from_place LEFT JOIN place t ON t.code = o.to_place
WHERE coalesce(received_at, updated_at, ordered_at) >= {since} OR ordered_at >= {since}
    OR coalesce(status, 'open') NOT IN ('closed', 'cancelled')
ORDER BY item_id, ordered_at, order_id, line""")
        .to_arrow_table()
        .cast(ORDER_EVIDENCE)
    )


def _units(con: duckdb.DuckDBPyConnection) -> pa.Table:
    units = con.sql("SELECT item_id, unit, num / den AS factor FROM unit_factor ORDER BY item_id, unit")
    return units.to_arrow_table().cast(UNIT_EVIDENCE)
