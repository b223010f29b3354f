"""Keeps the newest snapshot. After a batch only the columns of the items that it touched are read again.

Everything in a part follows from its frame and the facts of its items (`snapshot_query`), so the snapshot of the next
state is the old one with the touched items' columns read anew, provided that the frame still holds. Where it may not
(master data, rules, another authority, another day), or where much is touched, all is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.ledger import orders_query, snapshot_query
from stocktwin.ledger.books import make_view, rules_in_force
from stocktwin.ledger.days import local_day_number
from stocktwin.ledger.digest import hex_hash
from stocktwin.ledger.journal.protocol import RULES
from stocktwin.ledger.masters_query import MASTERS
from stocktwin.ledger.pairs import Ranks
from stocktwin.ledger.snapshot_query import Frame, Moment, Part
from stocktwin.ledger.splice import splice
from stocktwin.ledger.status_query import clock, last_event

if TYPE_CHECKING:
    import duckdb

    from stocktwin.domain.rules import Rules
    from stocktwin.tables.snapshot import Snapshot

FRAMING: Final = (*MASTERS, "units", "shipments")
"""Tables whose facts may change the frame, free parked facts, or change what is known of other items."""
TOUCHING: Final = {
    "movements": "SELECT item FROM fact_movements WHERE seq > {0}",
    "observations": "SELECT item FROM fact_observations WHERE seq > {0}",
    "orders": """SELECT item FROM fact_orders WHERE (system, order_id, line) IN
        (SELECT (system, order_id, line) FROM fact_orders WHERE seq > {0})""",
}
"""Codes of the items that facts of later batches change; an order line may have named another item before."""
MANY: Final = 0.2
"""Share of the items from which on reading everything is cheaper."""


@dataclass(frozen=True)
class Standing:
    """A snapshot, and what it was put together from."""

    snapshot: Snapshot
    frame: Frame
    part: Part
    happened: int | None
    """The twin's clock, if movements or observations tell it."""


class Snapshots:
    """The newest snapshot of a projection. Not safe to share between threads."""

    def __init__(self) -> None:
        self._standing: Standing | None = None

    def newest(self, con: duckdb.DuckDBPyConnection, *, currency: str, default: Rules, now: int) -> Snapshot:
        """The twin as it stands. `default` are the rules before any were journalled, `now` is its clock before any
        fact."""
        con.execute("BEGIN")
        try:
            self._standing = standing(con, self._standing, currency=currency, default=default, now=now)
        finally:
            con.execute("ROLLBACK")
        return self._standing.snapshot


def standing(
    con: duckdb.DuckDBPyConnection, old: Standing | None, *, currency: str, default: Rules, now: int
) -> Standing:
    """The newest state within a transaction; `old` itself where nothing was folded in since."""
    head, state = con.execute("SELECT seq, state FROM watermark").fetchall()[0]
    if old is not None and (old.snapshot.head, old.snapshot.currency) == (head, currency):
        return old
    timezone = rules_in_force(con, default=default).timezone
    tables = None if old is None else _changed_tables(con, old)
    since, known = (0, None) if old is None or tables is None else (old.snapshot.head, old.happened)
    happened = last_event(con, since, known)
    moment = Moment(clock(con, now) if happened is None else happened, currency, hex_hash(state), head)
    today = local_day_number(moment.as_of, timezone)
    touched = None
    if old is not None and tables is not None and (old.frame.timezone, old.frame.today) == (timezone, today):
        touched = _touched(con, old, tables)
    if old is None or tables is None or touched is None:
        frame = snapshot_query.read_frame(con, timezone, today)
        part = snapshot_query.read_part(con, frame)
        return Standing(snapshot_query.assemble(frame, part, moment), frame, part, happened)
    part = _spliced(con, old, touched, orders="orders" in tables) if touched else old.part
    return Standing(snapshot_query.assemble(old.frame, part, moment, old.snapshot), old.frame, part, happened)


def _changed_tables(con: duckdb.DuckDBPyConnection, old: Standing) -> set[str] | None:
    """Tables that later batches brought facts of; None where they bear on more than the items they name."""
    changes = con.execute("SELECT DISTINCT kind, table_name FROM batch WHERE seq > ?", [old.snapshot.head]).fetchall()
    tables = {table for _, table in changes}
    return None if tables & set(FRAMING) or any(kind == RULES for kind, _ in changes) else tables


def _touched(con: duckdb.DuckDBPyConnection, old: Standing, tables: set[str]) -> tuple[int, ...] | None:
    """Codes of the items that later facts are about; None where another authority counts now, or where many are."""
    if old.frame.view != make_view(con):
        return None
    if "orders" in tables and old.frame.authority != orders_query.authority_sql(con):
        return None
    asked = [select.format(old.snapshot.head) for table, select in TOUCHING.items() if table in tables]
    found = con.execute(f"SELECT DISTINCT item FROM ({' UNION ALL '.join(asked)})").fetchall() if asked else []
    return tuple(item for (item,) in found) if len(found) <= MANY * len(old.frame.masters["items"]) else None


def _spliced(con: duckdb.DuckDBPyConnection, old: Standing, touched: tuple[int, ...], *, orders: bool) -> Part:
    """The old part with the columns of the touched items read anew. Where there are no new orders and no receipts of
    any, no lead time has changed."""
    received = f"SELECT 1 FROM fact_movements WHERE seq > {old.snapshot.head} AND order_id IS NOT NULL LIMIT 1"
    arrived = orders or bool(con.execute(received).fetchall())
    new = snapshot_query.read_part(con, old.frame, touched, arrived=arrived)
    rank = Ranks.read(con, old.frame.keys, touched).item[list(touched)]
    return splice(old.part, new, np.sort(rank[rank >= 0]), arrived=arrived)
