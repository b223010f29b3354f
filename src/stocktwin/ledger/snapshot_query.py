"""Builds the `Snapshot`: master data as it stands, dense columns per item-location, demand history, orders.

A snapshot is a frame (what master data and rules say) and parts (what movements, observations and orders of some items
say). All of a part follows from the frame and the facts of its items; so one part can be read anew and put in place of
the old (`splice`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger import orders_query, sales_query
from stocktwin.ledger.balances import account_sql
from stocktwin.ledger.books import View, make_view, member_sql
from stocktwin.ledger.days import local_day_number
from stocktwin.ledger.masters_query import MASTERS, Masters, masters
from stocktwin.ledger.pairs import Ints, Keys, Ranks, ints, rows_of, total
from stocktwin.tables.history import History, history_from_rows
from stocktwin.tables.snapshot import LEAD_TIME_SCHEMA, OPEN_ORDER_SCHEMA, Snapshot

if TYPE_CHECKING:
    import duckdb

MEMBER: Final = """seq, pos, event_time, kind, system, source, item, quantity, from_place, to_place,
    out_place, into_place, lot, to_lot, condition, to_condition, owner, to_owner, order_id, line, shipment_id,
    corrects"""
"""What is read of a movement."""
BY_ITEM_LOCATION: Final = ("sourcing", "policies", "demand")
ORDER_KEY: Final = ("order_id", "line", "system")
"""Order of open lines: each has its own place in it. Lead times are sorted by all of their columns."""


@dataclass(frozen=True)
class Frame:
    """What a snapshot rests on that no movement, observation or order changes by itself."""

    masters: Masters
    view: View
    authority: str
    """Whose order lines count, as an SQL condition."""
    timezone: str
    today: int

    @cached_property
    def keys(self) -> Keys:
        """The keys of its items and locations."""
        return Keys.of(self.masters)


@dataclass(frozen=True)
class Part:
    """The columns of some items: the same names as in `Snapshot`."""

    item: npt.NDArray[np.int32]
    location: npt.NDArray[np.int32]
    on_hand: Ints
    anchored: npt.NDArray[np.bool_]
    in_transit: Ints
    sales: History
    open_orders: pa.Table
    lead_times: pa.Table


@dataclass(frozen=True)
class Moment:
    """The state that a snapshot is of."""

    as_of: int
    currency: str
    state_hash: str
    head: int


def snapshot(
    con: duckdb.DuckDBPyConnection, *, currency: str, as_of: int, timezone: str, state_hash: str, head: int
) -> Snapshot:
    """The twin as it stands, on the record."""
    con.execute("BEGIN")
    try:
        frame = read_frame(con, timezone, local_day_number(as_of, timezone))
        return assemble(frame, read_part(con, frame), Moment(as_of, currency, state_hash, head))
    finally:
        con.execute("ROLLBACK")


def read_frame(con: duckdb.DuckDBPyConnection, timezone: str, today: int) -> Frame:
    """Master data and rules as they stand."""
    return Frame(masters(con, today), make_view(con), orders_query.authority_sql(con), timezone, today)


def read_part(
    con: duckdb.DuckDBPyConnection, frame: Frame, items: tuple[int, ...] | None = None, *, arrived: bool = True
) -> Part:
    """The columns of all items, or of those with some codes; without lead times unless something `arrived`."""
    view = replace(frame.view, items=items)
    con.execute(f"CREATE OR REPLACE TEMP TABLE member AS SELECT {MEMBER} FROM ({member_sql(view)})")
    ranks = Ranks.read(con, frame.keys, items)
    orders_query.make_lines(con, frame.authority, items)
    sales_query.make_days(con, _places(frame, ranks), frame.timezone, items)
    accounts = con.sql(_accounts_sql(view)).to_arrow_table()
    stock, transit = accounts.filter(pc.invert(accounts["moving"])), accounts.filter(accounts["moving"])
    sales, seen = sales_query.sales_days(con), sales_query.first_seen(con, items)
    open_orders = _recoded(orders_query.open_orders(con), ranks, OPEN_ORDER_SCHEMA)
    lead_times = (
        _recoded(orders_query.lead_times(con), ranks, LEAD_TIME_SCHEMA) if arrived else LEAD_TIME_SCHEMA.empty_table()
    )
    keys = _all_keys(frame, ranks, items, (stock, transit, sales, seen), open_orders)
    item, location = ranks.keys.split(keys)
    stocked = rows_of(ranks.of(stock), keys)
    return Part(
        item=item,
        location=location,
        on_hand=total(stocked, stock.column("quantity"), len(keys)),
        anchored=_anchored(stocked, stock, len(keys)),
        in_transit=total(rows_of(ranks.of(transit), keys), transit.column("quantity"), len(keys)),
        sales=_history(ranks, keys, sales, seen, frame.today),
        open_orders=in_order(open_orders, ORDER_KEY),
        lead_times=in_order(lead_times),
    )


def assemble(frame: Frame, part: Part, moment: Moment, before: Snapshot | None = None) -> Snapshot:
    """The snapshot of a frame and the part of all items. `before`, of the same frame, lends its master tables where it
    has the same rows."""
    keys = frame.keys.of_ranks(part.item.astype(np.int64), part.location.astype(np.int64))
    lines = part.open_orders
    ours = lines.filter(pc.is_in(lines.column("kind"), pa.array(orders_query.OURS)))
    due = _due(lines.filter(pc.equal(lines.column("kind"), "sales")), moment.as_of)
    same = before is not None and _same_rows(before, part)
    return Snapshot(
        **vars(moment),
        today=frame.today,
        timezone=frame.timezone,
        **({name: getattr(before, name) for name in MASTERS} if same else _with_rows(frame, keys)),
        **vars(part),
        on_order=total(rows_of(frame.keys.of_lines(ours, "to_id"), keys), ours.column("open_quantity"), len(keys)),
        backlog=total(rows_of(frame.keys.of_lines(due, "from_id"), keys), due.column("open_quantity"), len(keys)),
    )


def _same_rows(before: Snapshot, part: Part) -> bool:
    return np.array_equal(before.item, part.item) and np.array_equal(before.location, part.location)


def _with_rows(frame: Frame, keys: Ints) -> Masters:
    found = dict(frame.masters)
    for name in BY_ITEM_LOCATION:
        row = rows_of(frame.keys.of_ids(found[name]), keys)
        found[name] = found[name].append_column("row", pa.array(row, pa.int32()))
    return found


def in_order(table: pa.Table, columns: tuple[str, ...] = ()) -> pa.Table:
    """A table sorted by some columns, else by all; null last."""
    return table.sort_by([(name, "ascending") for name in columns or table.column_names]).combine_chunks()


def _places(frame: Frame, ranks: Ranks) -> sales_query.Places:
    """Code, time zone and cut-off of every stocking location."""
    rank = ranks.place[ranks.place >= 0]
    told = frame.masters["locations"].select(["timezone", "cutoff"]).take(pa.array(rank)).to_pylist()
    stocking = frame.keys.stocking[rank]
    coded = zip(np.flatnonzero(ranks.place >= 0).tolist(), told, stocking, strict=True)
    return [(code, place["timezone"], place["cutoff"]) for code, place, ours in coded if ours]


def _accounts_sql(view: View) -> str:
    """By item and place, what is there (our unrestricted stock) and, `moving`, what is on lanes towards it."""
    accounts = account_sql(view, [f"place IN ({_STOCKING} UNION SELECT code FROM place WHERE {_LANE})"], "member")
    free = "condition = 'unrestricted' AND owner IS NULL"
    return f"""SELECT item, coalesce(destination, place) AS place, {_LANE} AS moving, bool_and(anchored) AS anchored,
        CAST(coalesce(sum(quantity) FILTER ({_LANE} OR ({free})), 0) AS BIGINT) AS quantity
        FROM ({accounts}) JOIN place ON code = place GROUP BY ALL"""


_STOCKING: Final = "SELECT place FROM day_of"
_LANE: Final = "destination IS NOT NULL"


def _all_keys(
    frame: Frame, ranks: Ranks, items: tuple[int, ...] | None, coded: tuple[pa.Table, ...], lines: pa.Table
) -> Ints:
    """Sorted keys of all item-locations (of some items) that anything is known of."""
    found = [ranks.of(table) for table in coded] + [ranks.keys.of_lines(lines, end) for end in ("from_id", "to_id")]
    wanted = None if items is None else ranks.keys.items.take(pa.array(_ranked(ranks, items)))
    for table in (frame.masters[name] for name in BY_ITEM_LOCATION):
        mine = table if wanted is None else table.filter(pc.is_in(table.column("item_id"), wanted))
        found.append(ranks.keys.of_ids(mine))
    keys = np.unique(np.concatenate(found))
    return keys[keys >= 0]


def _ranked(ranks: Ranks, items: tuple[int, ...]) -> Ints:
    rank = ranks.item[list(items)]
    return rank[rank >= 0]


def _anchored(rows: Ints, stock: pa.Table, n: int) -> npt.NDArray[np.bool_]:
    out = np.ones(n, bool)
    out[rows[rows >= 0]] = stock.column("anchored").to_numpy()[rows >= 0]
    return out


def _due(lines: pa.Table, as_of: int) -> pa.Table:
    asked = pc.coalesce(lines.column("requested_at"), lines.column("ordered_at"))
    return lines.filter(pc.less_equal(asked, pa.scalar(as_of, pa.int64())))


def _history(ranks: Ranks, keys: Ints, sales: pa.Table, seen: pa.Table, today: int) -> History:
    start = np.full(len(keys), today, np.int32)
    rows = rows_of(ranks.of(seen), keys)
    start[rows[rows >= 0]] = np.minimum(ints(seen.column("day"))[rows >= 0], today)
    row, day, quantity = rows_of(ranks.of(sales), keys), ints(sales.column("day")), ints(sales.column("quantity"))
    kept = (row >= 0) & (day <= today)
    row, quantity = row[kept], quantity[kept]
    days: npt.NDArray[np.int32] = day[kept].astype(np.int32)
    np.minimum.at(start, row, days)
    return history_from_rows(len(keys), row, days, quantity, start, first_day(start, today), today)


def first_day(start: npt.NDArray[np.int32], today: int) -> int:
    """The first day of any history."""
    return int(min(start.min(initial=today), today))


def _recoded(table: pa.Table, ranks: Ranks, schema: pa.Schema) -> pa.Table:
    """`item` as row number of the snapshot's items."""
    rank = ranks.item[ints(table.column("item"))]
    return table.set_column(table.column_names.index("item"), "item", pa.array(rank, pa.int32())).cast(schema)
