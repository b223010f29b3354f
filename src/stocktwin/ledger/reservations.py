"""Reservations: open order lines that ask for our stock, derived from the facts (decision 0009).

    pending   ordered − cancelled − posted > 0: it reserves that much where the line is to be delivered from
    posted    movements that name the line have taken it, or the line says that it was shipped or closed
    void      cancelled
    expired   its `expires_at` (an attribute of the line) has passed and something was still pending

Available = on hand − reserved. Nothing is adjusted: another version of the line, a sale that names it, or time changes
what is derived. A reserved quantity is never negative; available is, where more is promised than there is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from stocktwin.domain.calendar import parse_instant
from stocktwin.ledger import status_query
from stocktwin.ledger.balances import code_of, stocking_sql
from stocktwin.ledger.books import View, make_view, member_sql, rules_in_force
from stocktwin.ledger.healing import healing
from stocktwin.ledger.orders_query import authority_sql

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
PENDING, POSTED, VOID, EXPIRED = STATES = ("pending", "posted", "void", "expired")
POSTS: Final = {"sales": ("sale",), "transfer": ("transfer_out", "shipment")}
"""Kinds of movement that post a reservation, by kind of order line."""
GONE: Final = ("shipped", "part_received", "closed")
"""States of a line in which nothing of it is left to be taken."""
EXPIRES: Final = "expires_at"
_FAR: Final = 2**62


@healing
def reservations(
    ledger: Ledger,
    *,
    at: int | None = None,
    known_at: int | None = None,
    item_id: str | None = None,
    location_id: str | None = None,
) -> tuple[list[Row], list[str]]:
    """Every sales and transfer line of ours as of `at` (µs; now without it), as known at a record time,
    with its `state`, what is `pending` and what was `posted` of it (atomic units), those to be served first at first;
    and what of them cannot be read. NotFoundError names an unknown item or location."""
    con = ledger._projection.cursor()
    moment = _now(con, ledger._clock.now()) if at is None else at
    item = None if item_id is None else code_of(con, "item", "item_id", item_id)
    place = None if location_id is None else code_of(con, "place", "place_id", location_id, "location")
    view = make_view(con, at=moment, known_at=known_at, item=item)
    rows = con.sql(_lines_sql(con, view, moment, place)).to_arrow_table().to_pylist()
    timezone, problems = rules_in_force(con, known_at).timezone, []
    for row in rows:
        row["expires_at"], problem = _expiry(row, timezone)
        problems += [problem] if problem else []
        row["state"], row["pending"] = state_of(row, moment)
    return rows, problems


def _now(con: duckdb.DuckDBPyConnection, wall: int) -> int:
    """The twin's clock, or, where orders have changed since the last movement, the latest of those changes."""
    told = con.execute("SELECT max(greatest(ordered_at, coalesce(updated_at, ordered_at))) FROM fact_orders").fetchall()
    clock = status_query.clock(con, wall)
    return max(clock, min(told[0][0] or clock, wall))


def state_of(row: Row, moment: int) -> tuple[str, int]:
    """State of an order line at a moment, and how much it reserves.

    >>> line = {"quantity": 10, "cancelled": 0, "posted": 4, "status": "part_shipped", "expires_at": None}
    >>> state_of(line, 0), state_of({**line, "posted": 10}, 0), state_of({**line, "expires_at": 5}, 5)
    (('pending', 6), ('posted', 0), ('expired', 0))
    """
    left = row["quantity"] - row["cancelled"] - row["posted"]
    if row["status"] == "cancelled" or row["cancelled"] >= row["quantity"]:
        return VOID, 0
    if left <= 0 or row["status"] in GONE:
        return POSTED, 0
    if row["expires_at"] is not None and row["expires_at"] <= moment:
        return EXPIRED, 0
    return PENDING, left


def _expiry(row: Row, timezone: str) -> tuple[int | None, str | None]:
    """When a line's reservation ends, and what is wrong about what it says."""
    text = json.loads(row.pop("attributes") or "{}").get(EXPIRES)
    if not text:
        return None, None
    try:
        return parse_instant(str(text), timezone, end_of_day=True), None
    except ValueError as error:
        return None, f"order {row['order_id']} line {row['line']}: {EXPIRES}: {error}"


def _lines_sql(con: duckdb.DuckDBPyConnection, view: View, moment: int, place: int | None) -> str:
    """The version of each line that stood at the moment, with what was posted of it until then.

    Of a lone row that was updated later only what was ordered is known then.
    """
    wheres = [authority_sql(con), f"o.kind IN {tuple(POSTS)}", f"ordered_at <= {moment}"]
    wheres += [] if view.known_at is None else [f"known_at <= {view.known_at}"]
    wheres += [] if view.items is None else [f"item IN ({', '.join(map(str, view.items))})"]
    here = f"from_place IN ({stocking_sql(view.known_at)})" if place is None else f"from_place = {place}"
    told, kinds = (
        f"coalesce(updated_at, ordered_at) <= {moment}",
        " OR ".join(
            f"(o.kind = '{kind}' AND m.kind IN ({', '.join(map(repr, posts))}))" for kind, posts in POSTS.items()
        ),
    )
    return f"""WITH member AS ({member_sql(view)}),
        version AS (SELECT o.*, count(*) OVER (PARTITION BY system, order_id, line) AS versions FROM fact_orders o
            WHERE {" AND ".join(wheres)}),
        standing AS (SELECT *, {told} AS whole FROM version WHERE {told} OR versions = 1
            QUALIFY row_number() OVER (PARTITION BY system, order_id, line
                ORDER BY coalesce(updated_at, {-_FAR}) DESC, last_seq DESC, last_pos DESC) = 1),
        mine AS (SELECT * FROM standing WHERE {here}),
        taken AS (SELECT o.system, o.order_id, o.line,
                sum(CASE WHEN m.into_place = o.from_place THEN -m.quantity ELSE m.quantity END) AS posted
            FROM mine o JOIN member m ON m.order_id = o.order_id AND m.line = o.line AND m.item = o.item
                AND ({kinds}) GROUP BY ALL)
        SELECT order_id, line, o.kind, s.name AS system, i.item_id, f.place_id AS location_id, t.place_id AS to_id,
            o.quantity, CASE WHEN whole THEN coalesce(o.quantity_cancelled, 0) ELSE 0 END AS cancelled,
            CAST(greatest(coalesce(posted, 0), 0) AS BIGINT) AS posted, ordered_at, requested_at,
            CASE WHEN whole THEN promised_at END AS promised_at, customer_priority,
            CASE WHEN shipped_at <= {moment} THEN 'shipped' WHEN whole THEN coalesce(o.status, 'open') ELSE 'open' END
                AS status, i.unit, i.scale, o.attributes
        FROM mine o JOIN system s ON s.code = o.system JOIN item i ON i.code = o.item
        JOIN place f ON f.code = o.from_place LEFT JOIN place t ON t.code = o.to_place
        LEFT JOIN taken USING (system, order_id, line)
        ORDER BY i.item_id, f.place_id, customer_priority NULLS LAST, coalesce(requested_at, ordered_at), ordered_at,
            order_id, line, s.name"""
