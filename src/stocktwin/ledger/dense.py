"""The fold into dense accounts: the same legs and openings as `books.legs_sql`, streamed as columns and added up by a
kernel. Bit for bit what the SQL sums, in a fifth of its time (docs/benchmarks.md).

Rows with neither lot, owner nor condition need four columns; the others bring those along. Openings come last: what was
posted up to an account's cut-off is moved to `unknown`, which is what would have happened to it at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.identity import CONDITIONS, UNKNOWN
from stocktwin.kernels.accounts import CLAIMED, FED, POSTED
from stocktwin.ledger.accounts import NEVER, PLACE, Accounts, Codes, Ints, keys_of
from stocktwin.ledger.booking import VIRTUAL_CODE
from stocktwin.ledger.books import ROUTABLE, View, levels_sql, member_sql, routed_sql

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

CHUNK: Final = 262_144
"""Rows of a chunk of the stream."""
ROWS_PER_ITEM: Final = 64
"""Accounts of an item that room is made for at once."""
AHEAD: Final = 4
"""Chunks read ahead of the kernel."""
_PLAIN = " AND ".join(
    [f"{name} IS NULL" for name in ("lot", "to_lot", "owner", "to_owner")]
    + [f"({name} IS NULL OR {name} = 'unrestricted')" for name in ("condition", "to_condition")]
    + ["kind <> 'return'"]
)
_CONDITION = "coalesce(enum_code(condition), 0)"
_SPECIAL = f"""lot, coalesce(to_lot, lot) AS to_lot, owner, coalesce(to_owner, owner) AS to_owner,
    CAST({_CONDITION} AS INTEGER) AS condition, CAST(coalesce(enum_code(to_condition), CASE WHEN kind = 'return'
    THEN {CONDITIONS.index("returned")} ELSE {_CONDITION} END) AS INTEGER) AS to_condition"""


@dataclass(frozen=True)
class Side:
    """Legs of one side of some movements, in the kernel's columns."""

    item: Codes
    key: Ints
    amount: Ints
    sign: int
    opens: npt.NDArray[np.bool_] | None
    """Whether the source opens with a snapshot; None where none does."""
    time: Ints | None

    def where(self, kept: npt.NDArray[np.bool_]) -> Side:
        """Some of the legs."""
        opens = None if self.opens is None else self.opens[kept]
        time = None if self.time is None else self.time[kept]
        return Side(self.item[kept], self.key[kept], self.amount[kept], self.sign, opens, time)

    def take_back(self, accounts: Accounts) -> None:
        """Takes legs away that were added."""
        accounts.post(self.item, self.key, self.amount, -self.sign, step=-1)

    def post(self, accounts: Accounts) -> None:
        """Adds the legs."""
        if self.opens is None:
            accounts.post(self.item, self.key, self.amount, self.sign)
            return
        for chosen, flags in ((self.opens, POSTED | FED), (~self.opens, POSTED)):
            if chosen.any():
                accounts.post(self.item[chosen], self.key[chosen], self.amount[chosen], self.sign, flags)


def fold(con: duckdb.DuckDBPyConnection, view: View) -> Accounts:
    """All accounts of a view."""
    items, moved = codes(con, "item"), con.execute("SELECT count(*) FROM fact_movements").fetchall()[0][0]
    accounts = Accounts(items, bool(view.openings), min(2 * moved, ROWS_PER_ITEM * items))
    fold_into(accounts, con, view)
    return accounts


def codes(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many codes of an `item` or a `place` there are: one more than the largest."""
    return int(con.execute(f"SELECT coalesce(max(code), -1) + 1 FROM {table}").fetchall()[0][0])


def fold_into(accounts: Accounts, con: duckdb.DuckDBPyConnection, view: View) -> None:
    """Adds the postings of a view to accounts that have none of its items yet."""
    accounts.know_items(codes(con, "item"))
    for side in legs(accounts, con, view, member_sql(view)):
        side.post(accounts)
    if view.openings:
        _open(accounts, con, view)


def legs(
    accounts: Accounts,
    con: duckdb.DuckDBPyConnection,
    view: View,
    members: str,
    *,
    timed: bool = False,
    few: bool = False,
    wheres: str = "true",
) -> Iterator[Side]:
    """The legs of the movements of a book (`members`, a SELECT) that fulfil a condition, lots and owners numbered.
    Where they are `few`, one question is quicker than one for each form of row."""
    columns = ["item", "left_place", "into_place", "quantity"] + (["event_time"] if timed else [])
    if view.openings:
        columns.append(f"source IN ({', '.join(map(str, view.openings))}) AS opens")
    kept = f"{wheres} AND NOT ({ROUTABLE})" if view.routed else wheres
    straight = f"(SELECT *, out_place AS left_place FROM ({members})) WHERE {kept}"
    asked = [(f"{straight} AND {_PLAIN}", False), (f"{straight} AND NOT ({_PLAIN})", True)]
    asked = [(straight, True)] if few else asked
    if view.routed:  # so few that all of them are taken as special
        asked.append((f"({routed_sql(f'({members})')}) WHERE {wheres}", True))
    for part, special in asked:
        wanted = ", ".join([*columns, _SPECIAL] if special else columns)
        for chunk in _stream(con, f"SELECT {wanted} FROM {part}"):
            yield from _sides(accounts, chunk, special)


def _sides(accounts: Accounts, chunk: pa.RecordBatch, special: bool) -> Iterator[Side]:
    names = chunk.schema.names
    item, amount = own(chunk, "item"), own(chunk, "quantity")
    time = own(chunk, "event_time") if "event_time" in names else None
    opens = chunk.column("opens").to_numpy(zero_copy_only=False) if "opens" in names else None
    for place, prefix, sign in (("left_place", "", -1), ("into_place", "to_", 1)):
        more: list[Ints] = []
        if special:
            more = [accounts.lots.numbers(chunk.column(f"{prefix}lot"))]
            more += [accounts.owners.numbers(chunk.column(f"{prefix}owner"))]
            more += [chunk.column(f"{prefix}condition").to_numpy()]
        yield Side(item, keys_of(chunk.column(place).to_numpy(), *more), amount, sign, opens, time)


def own(table: pa.RecordBatch | pa.Table, name: str) -> npt.NDArray[Any]:
    """A column without nulls as an array that a kernel may be given (Arrow's are read-only)."""
    return np.array(table.column(name).to_numpy(zero_copy_only=False))


def _stream(con: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    """Chunks of an answer, read by another thread while this one adds up."""
    ahead: Queue[pa.RecordBatch | BaseException | None] = Queue(AHEAD)
    stopped = threading.Event()

    def read() -> None:
        try:
            for chunk in con.sql(sql).to_arrow_reader(CHUNK):
                ahead.put(chunk)
                if stopped.is_set():
                    return
            ahead.put(None)
        except BaseException as error:  # it belongs to whoever asked
            ahead.put(error)

    reader = threading.Thread(target=read, name="ledger-stream", daemon=True)
    reader.start()
    try:
        while (chunk := ahead.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        stopped.set()
        while reader.is_alive():
            _drain(ahead)
            reader.join(0.01)


def _drain(queue: Queue[pa.RecordBatch | BaseException | None]) -> None:
    while not queue.empty():
        queue.get_nowait()


def _open(accounts: Accounts, con: duckdb.DuckDBPyConnection, view: View) -> None:
    """Opens accounts with their earliest level, and moves what was posted before it to `unknown`."""
    told = con.sql(levels_sql(view)).to_arrow_table()
    item, place = own(told, "item"), own(told, "place")
    key = keys_of(place)
    rows = accounts.find(item, key)
    flags = np.where(rows >= 0, accounts.columns.flags[rows], 0)
    claimed = own(told, "opens") & ((flags & POSTED) == 0)
    opened = ((flags & FED) > 0) & feedable(con)[place] | claimed
    unknown = int(keys_of([VIRTUAL_CODE[UNKNOWN]])[0])
    level, cut = (own(told, name) for name in ("level", "cut"))
    accounts.open(item[opened], key[opened], level[opened], cut[opened], unknown)
    alone = accounts.find(item[claimed], key[claimed])
    accounts.columns.flags[alone] |= CLAIMED
    if not opened.any():
        return
    until = f"event_time <= {int(cut[opened].max())}"
    for side in legs(accounts, con, view, member_sql(view), timed=True, wheres=until):
        assert side.time is not None
        accounts.redirect(side.item, side.key, side.amount, side.time, side.sign, unknown)


def feedable(con: duckdb.DuckDBPyConnection) -> npt.NDArray[np.bool_]:
    """By place code, whether its accounts may open with a level when something posts to them: real places."""
    rows = con.execute("SELECT code, NOT virtual AND origin IS NULL FROM place").fetchall()
    out = np.zeros(max(code for code, _ in rows) + 1, bool)
    for code, real in rows:
        out[code] = real
    return out


def unanchored(con: duckdb.DuckDBPyConnection, accounts: Accounts) -> Ints:
    """Rows (of the place alone) that should have opened with a level and did not."""
    if not accounts.opens:
        return np.zeros(0, np.int64)
    n = accounts.rows
    c = accounts.columns
    rows = np.flatnonzero(((c.flags[:n] & FED) > 0) & (c.cut[:n] == NEVER))
    return np.asarray(rows[feedable(con)[c.key[rows] >> PLACE]], np.int64)
