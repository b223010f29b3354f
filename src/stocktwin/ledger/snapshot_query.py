"""Builds the `Snapshot`: master data as it stands, dense columns per item-location, demand history, orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger import orders_query, sales_query
from stocktwin.ledger.balances import account_sql, stocking_sql
from stocktwin.ledger.books import View, legs_sql, make_view, member_sql
from stocktwin.ledger.currents import current_table
from stocktwin.ledger.days import local_day_number
from stocktwin.tables.history import History, history_from_rows
from stocktwin.tables.schema import TABLES, ColumnType
from stocktwin.tables.snapshot import LEAD_TIME_SCHEMA, OPEN_ORDER_SCHEMA, Snapshot

if TYPE_CHECKING:
    import duckdb

Ints = npt.NDArray[np.int64]
MASTERS: Final = ("items", "locations", "lanes", "sourcing", "policies", "demand")


@dataclass(frozen=True)
class _Codes:
    """The projection's codes → row numbers of the sorted items and locations (−1: not in the snapshot)."""

    item: Ints
    place: Ints
    stocking: npt.NDArray[np.bool_]
    """By place code: whether stock there is ours."""
    places: int


def snapshot(
    con: duckdb.DuckDBPyConnection, *, currency: str, as_of: int, timezone: str, state_hash: str, head: int
) -> Snapshot:
    """The twin as it stands, on the record."""
    con.execute("BEGIN")
    try:
        return _build(con, currency, as_of, timezone, state_hash, head)
    finally:
        con.execute("ROLLBACK")


def _build(
    con: duckdb.DuckDBPyConnection, currency: str, as_of: int, timezone: str, state_hash: str, head: int
) -> Snapshot:
    masters = {name: master(con, name) for name in MASTERS}
    masters["items"] = _with_units(masters["items"])
    today = local_day_number(as_of, timezone)
    masters["sourcing"] = _in_force(masters["sourcing"], today)
    codes = _codes(con, masters)
    view = make_view(con)
    con.execute(f"CREATE OR REPLACE TEMP TABLE member AS {_slim(view)}")
    orders_query.make_lines(con, "SELECT * FROM member")
    sales_query.make_days(con, timezone)
    stock = con.sql(_stock_sql(view)).to_arrow_table()
    transit = con.sql(_transit_sql(view)).to_arrow_table()
    orders, lead_times = orders_query.open_orders(con), orders_query.lead_times(con)
    sales = sales_query.sales_days(con, "SELECT * FROM member")
    seen = sales_query.first_seen(con, "SELECT * FROM member")
    lines = con.sql(
        "SELECT item, kind, from_place, to_place, open_quantity, requested_at, ordered_at FROM open_line"
    ).to_arrow_table()

    pairs = _Pairs(codes, masters, stock, transit, sales, seen, lines)
    for name in ("sourcing", "policies", "demand"):
        masters[name] = masters[name].append_column("row", pa.array(pairs.of_ids(masters[name]), pa.int32()))
    return Snapshot(
        as_of=as_of,
        today=today,
        timezone=timezone,
        currency=currency,
        state_hash=state_hash,
        head=head,
        **masters,
        item=pairs.item.astype(np.int32),
        location=pairs.location.astype(np.int32),
        on_hand=pairs.total(stock, "quantity"),
        anchored=_anchored(pairs, stock),
        in_transit=pairs.total(transit, "quantity"),
        on_order=pairs.total(_lines(lines, ("purchase", "transfer"), "to_place"), "open_quantity"),
        backlog=pairs.total(_due(_lines(lines, ("sales",), "from_place"), as_of), "open_quantity"),
        sales=_history(pairs, sales, seen, today),
        open_orders=_recoded(orders, codes).cast(OPEN_ORDER_SCHEMA),
        lead_times=_recoded(lead_times, codes).cast(LEAD_TIME_SCHEMA),
    )


def master(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """Current master data as `Snapshot` has it: decimals as float64, sorted by key."""
    table = TABLES[name]
    facts = current_table(con, name).select([column.name for column in table.columns])
    fields = [
        pa.field(column.name, pa.float64() if _is_decimal(column.type) else column.arrow) for column in table.columns
    ]
    return facts.cast(pa.schema(fields)).sort_by([(key, "ascending") for key in table.key])


def _is_decimal(kind: ColumnType) -> bool:
    return kind in (ColumnType.DECIMAL, ColumnType.LEVEL, ColumnType.QUANTITY)


def _with_units(items: pa.Table) -> pa.Table:
    for name, default in (("unit", "each"), ("scale", 0)):
        at = items.column_names.index(name)
        items = items.set_column(at, name, pc.fill_null(items.column(name), default))
    return items


def _in_force(sourcing: pa.Table, today: int) -> pa.Table:
    """Sourcing rows valid today, the one that began last where several of one source are."""
    day = pa.scalar(today, pa.int32()).cast(pa.date32())
    begun = pc.fill_null(pc.less_equal(sourcing.column("valid_from"), day), True)
    going = pc.fill_null(pc.greater_equal(sourcing.column("valid_to"), day), True)
    valid = sourcing.filter(pc.and_(begun, going))
    if not valid.num_rows:
        return valid
    keys = list(zip(*(valid.column(n).to_pylist() for n in ("item_id", "location_id", "source_id")), strict=True))
    began = [-(10**9) if value is None else value for value in valid.column("valid_from").cast(pa.int32()).to_pylist()]
    last = {key: number for number, key in sorted(enumerate(keys), key=lambda pair: began[pair[0]])}
    return valid.take(pa.array(sorted(last.values()), pa.int64()))


def _codes(con: duckdb.DuckDBPyConnection, masters: dict[str, pa.Table]) -> _Codes:
    items = _ranks(con.execute("SELECT code, item_id FROM item").fetchall(), masters["items"].column("item_id"))
    places = con.execute("SELECT code, place_id FROM place").fetchall()
    stocking = np.zeros(len(places), bool)
    stocking[[code for (code,) in con.execute(stocking_sql()).fetchall()]] = True
    return _Codes(
        items, _ranks(places, masters["locations"].column("location_id")), stocking, masters["locations"].num_rows
    )


def _ranks(named: list[tuple[int, str]], ids: pa.ChunkedArray) -> Ints:
    rank = {name: number for number, name in enumerate(ids.to_pylist())}
    ranks = np.full(len(named), -1, np.int64)
    for code, name in named:
        ranks[code] = rank.get(name, -1)
    return ranks


def _slim(view: View) -> str:
    return f"SELECT * FROM ({member_sql(view)})"


def _stock_sql(view: View) -> str:
    """Every stocked account, by item and place: our unrestricted quantity, and whether it is anchored."""
    accounts = account_sql(view, [f"place IN ({stocking_sql()})"])
    free = "condition = 'unrestricted' AND owner IS NULL"
    return f"""SELECT item, place, CAST(coalesce(sum(quantity) FILTER ({free}), 0) AS BIGINT) AS quantity,
        bool_and(anchored) AS anchored FROM ({accounts}) GROUP BY item, place"""


def _transit_sql(view: View) -> str:
    return f"""WITH {legs_sql(view)}
        SELECT item, p.destination AS place, CAST(sum(quantity) AS BIGINT) AS quantity FROM leg
        JOIN place p ON p.code = leg.place WHERE p.destination IS NOT NULL GROUP BY item, p.destination"""


class _Pairs:
    """The item-locations of the snapshot, and sums onto them."""

    def __init__(self, codes: _Codes, masters: dict[str, pa.Table], *found: pa.Table) -> None:
        self._codes = codes
        self._names = {
            "item_id": {name: n for n, name in enumerate(masters["items"].column("item_id").to_pylist())},
            "location_id": {name: n for n, name in enumerate(masters["locations"].column("location_id").to_pylist())},
        }
        self._stocking = np.zeros(codes.places, bool)
        kept = codes.stocking & (codes.place >= 0)
        self._stocking[codes.place[kept]] = True
        coded = [self._keys(table, side) for table in found for side in ("place", "from_place", "to_place")]
        named = [self._named(masters[name]) for name in ("sourcing", "policies", "demand")]
        keys = np.unique(np.concatenate([*coded, *named]))
        self.keys = keys[keys >= 0]
        places = max(codes.places, 1)
        self.item, self.location = self.keys // places, self.keys % places

    def _keys(self, table: pa.Table, side: str) -> Ints:
        if side not in table.column_names:
            return np.zeros(0, np.int64)
        item, place = (_ints(table.column(name)) for name in ("item", side))
        known = (place >= 0) & (item >= 0)
        row, location = self._codes.item[item * known], self._codes.place[place * known]
        return self._key(np.where(known, row, -1), np.where(known, location, -1))

    def _named(self, table: pa.Table) -> Ints:
        item, location = (
            np.array([self._names[name].get(value, -1) for value in table.column(name).to_pylist()], np.int64)
            for name in ("item_id", "location_id")
        )
        return self._key(item, location)

    def _key(self, item: Ints, location: Ints) -> Ints:
        known = (item >= 0) & (location >= 0)
        ours = known & self._stocking[location * known] if len(self._stocking) else np.zeros(len(item), bool)
        return np.where(ours, item * self._codes.places + location, -1)

    def _find(self, keys: Ints) -> Ints:
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        found = (keys >= 0) & (self.keys[at] == keys) if len(self.keys) else np.zeros(len(keys), bool)
        return np.where(found, at, -1)

    def of_ids(self, table: pa.Table) -> Ints:
        """Rows of a master table's (item_id, location_id); −1 where the location keeps no stock of ours."""
        return self._find(self._named(table))

    def of_codes(self, table: pa.Table, side: str = "place") -> Ints:
        """Rows of a table of codes."""
        return self._find(self._keys(table, side))

    def total(self, table: pa.Table, column: str, side: str = "place") -> Ints:
        """Sum of a column onto the rows."""
        rows = self.of_codes(table, side)
        out = np.zeros(len(self.keys), np.int64)
        np.add.at(out, rows[rows >= 0], _ints(table.column(column))[rows >= 0])
        return out


def _ints(column: pa.ChunkedArray) -> Ints:
    return np.asarray(pc.fill_null(column, -1).to_numpy(), np.int64)


def _anchored(pairs: _Pairs, stock: pa.Table) -> npt.NDArray[np.bool_]:
    out = np.ones(len(pairs.keys), bool)
    rows = pairs.of_codes(stock)
    out[rows[rows >= 0]] = stock.column("anchored").to_numpy()[rows >= 0]
    return out


def _lines(lines: pa.Table, kinds: tuple[str, ...], side: str) -> pa.Table:
    """Open lines of some kinds, `place` being the end that counts."""
    chosen = lines.filter(pc.is_in(lines.column("kind"), pa.array(kinds)))
    return chosen.append_column("place", chosen.column(side))


def _due(lines: pa.Table, as_of: int) -> pa.Table:
    asked = pc.coalesce(lines.column("requested_at"), lines.column("ordered_at"))
    return lines.filter(pc.less_equal(asked, pa.scalar(as_of, pa.int64())))


def _history(pairs: _Pairs, sales: pa.Table, seen: pa.Table, today: int) -> History:
    start = np.full(len(pairs.keys), today, np.int32)
    rows = pairs.of_codes(seen)
    start[rows[rows >= 0]] = np.minimum(_ints(seen.column("day"))[rows >= 0], today)
    row, day, quantity = pairs.of_codes(sales), _ints(sales.column("day")), _ints(sales.column("quantity"))
    kept = (row >= 0) & (day <= today)
    row, quantity = row[kept], quantity[kept]
    days: npt.NDArray[np.int32] = day[kept].astype(np.int32)
    np.minimum.at(start, row, days)
    first = int(min(start.min(initial=today), today))
    return history_from_rows(len(pairs.keys), row, days, quantity, start, first, today)


def _recoded(table: pa.Table, codes: _Codes) -> pa.Table:
    """`item` as row number of the snapshot's items."""
    at = table.column_names.index("item")
    return table.set_column(at, "item", pa.array(codes.item[_ints(table.column("item"))], pa.int32()))
