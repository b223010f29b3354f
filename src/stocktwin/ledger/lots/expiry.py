"""When lots expire, and what of the stock has: condition `expired` by date, without anybody posting it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.domain.calendar import local_day
from stocktwin.ledger.currents import current_sql
from stocktwin.ledger.healing import healing
from stocktwin.ledger.lots.kept import Named, newest, twin_clock

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot


_Shelf = tuple[str, str, str | None]
"""Item, place, owner."""


@healing
def expire(ledger: Ledger, balances: pa.Table, now: int | None = None, known_at: int | None = None) -> pa.Table:
    """Balances (`balances.BALANCE_SCHEMA`) with the unrestricted stock of lots past their date in condition `expired`,
    by the local day of each place at an instant (else the twin's clock). Lots of which more left than came count
    against what expired of the item there, and so does stock without a lot that is below zero: what was issued under a
    wrong lot, or under none, does not expire a second time. The latter stands in rows of its own, without a lot."""
    import pyarrow as pa

    if balances.column("lot").null_count == len(balances):
        return balances
    con = ledger._projection.cursor()
    try:
        gone, drawn = _gone(ledger, con, balances, twin_clock(ledger, con) if now is None else now, known_at)
    finally:
        con.close()
    if not gone:
        return balances
    condition, quantity = (balances.column(name).to_pylist() for name in ("condition", "quantity"))
    for row in gone:
        condition[row] = "expired"
    for row, owed in drawn.items():
        quantity[row] += owed
    told = _with(_with(balances, "condition", condition), "quantity", quantity)
    owing = balances.take(pa.array(list(drawn), pa.int64()))
    owing = _with(_with(owing, "condition", ["expired"] * len(drawn)), "quantity", [-owed for owed in drawn.values()])
    return pa.concat_tables([told, owing]) if drawn else told


def _with(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """The table with other values in a column."""
    import pyarrow as pa

    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))


def _gone(
    ledger: Ledger, con: duckdb.DuckDBPyConnection, balances: pa.Table, now: int, known_at: int | None
) -> tuple[list[int], dict[int, int]]:
    """Rows of unrestricted stock whose lot has expired, where that is more than none in all; and rows without a lot
    below zero there, with how much of that the expired lots covered."""
    expiry = newest(ledger, con, "expiry").expiry if known_at is None else _known_then(con, known_at)
    today = _Today(con, ledger.rules(known_at).timezone, now)
    names = ("item_id", "location_id", "owner", "lot", "condition", "quantity")
    found, net = [], defaultdict[_Shelf, int](int)
    unnamed: dict[_Shelf, tuple[int, int]] = {}
    for row, values in enumerate(zip(*(balances.column(name).to_pylist() for name in names), strict=True)):
        item, place, owner, lot, condition, quantity = values
        if condition != "unrestricted":
            continue
        if lot is None:
            unnamed[item, place, owner] = row, quantity
            continue
        told = expiry.get((item, lot))
        if told is not None and told <= today.latest and told <= today.at(place):
            found.append((row, (item, place, owner)))
            net[item, place, owner] += quantity
    owed = {
        row: min(net[shelf], -quantity)
        for shelf, (row, quantity) in unnamed.items()
        if quantity < 0 and net.get(shelf, 0) > 0
    }
    return [row for row, shelf in found if net[shelf] > 0], owed


def _known_then(con: duckdb.DuckDBPyConnection, known_at: int) -> dict[Named, date]:
    rows = con.execute(f"""SELECT item_id, coalesce(to_lot, lot) AS named, min(expiry) FROM fact_movements
        JOIN item ON code = item WHERE expiry IS NOT NULL AND named IS NOT NULL AND known_at <= {known_at}
        GROUP BY ALL""").fetchall()
    return {(item, lot): expiry for item, lot, expiry in rows}


class _Today:
    """The local day of each place at an instant."""

    def __init__(self, con: duckdb.DuckDBPyConnection, timezone: str, now: int) -> None:
        rows = con.execute(f"SELECT location_id, timezone, cutoff FROM ({current_sql('locations')})").fetchall()
        self._default = local_day(now, timezone)
        self._days = {place: local_day(now, zone or timezone, cutoff) for place, zone, cutoff in rows}
        self.latest = max([self._default, *self._days.values()])

    def at(self, place: str) -> date:
        return self._days.get(place, self._default)


def unexpired(ledger: Ledger, snapshot: Snapshot) -> Snapshot:
    """The snapshot with on hand less what has expired."""
    import pyarrow.compute as pc

    balances = ledger.balances()
    with_lot = balances.filter(pc.is_valid(balances.column("lot")))
    if not len(with_lot):
        return snapshot
    kept = pc.is_in(balances.column("item_id"), pc.unique(with_lot.column("item_id")))
    told = balances.filter(pc.and_(kept, pc.equal(balances.column("condition"), "unrestricted")))
    gone = expire(ledger, told, snapshot.as_of)
    gone = gone.filter(pc.and_(pc.equal(gone.column("condition"), "expired"), pc.is_null(gone.column("owner"))))
    if not len(gone):
        return snapshot
    rows = snapshot.rows(
        _codes(gone, "item_id", snapshot.item_codes), _codes(gone, "location_id", snapshot.location_codes)
    )
    lost = np.zeros(len(snapshot), np.int64)
    np.add.at(lost, rows[rows >= 0], gone.column("quantity").to_numpy()[rows >= 0])
    return replace(snapshot, on_hand=snapshot.on_hand - lost)


def _codes(table: pa.Table, name: str, codes: Any) -> Any:
    texts: Iterable[str] = table.column(name).to_pylist()
    return np.array([codes.code(text) for text in texts], np.int32)
