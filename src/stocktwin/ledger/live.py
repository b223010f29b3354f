"""The live state: every account of a book as dense columns, brought up to date by what came since.

It is derived, never truth: it carries the watermark and the view it was made under, and `verify` holds it against the
fold in SQL. A fact that only adds is added by a kernel. The items of facts that do more than that are added up anew,
whole, from their rows: receipts and shipments that may route one another, levels that may open an account, facts that
came free because of a name. Other rules, another authority or very many such items: everything is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.identity import CONDITIONS
from stocktwin.kernels.accounts import CLAIMED, FED
from stocktwin.ledger import backward, dense, live_file
from stocktwin.ledger.accounts import NEVER, PLACE, WHOLE, Accounts, Codes, Crowded, Ints, keys_of, parts_of
from stocktwin.ledger.books import OPENING_METHODS, ROUTABLE, View, make_view, member_sql
from stocktwin.ledger.dense import codes

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import numpy.typing as npt

    from stocktwin.ledger.journal.protocol import Journal

MANY: Final = 0.2
"""Share of the items from which on adding everything up anew is cheaper."""
KEPT_EVERY: Final = 256
"""Batches after which the file is written again."""
PLAIN_KINDS: Final = ("facts", "rules", "decision")
"""Kinds of batches whose effect on balances is known here."""


@dataclass
class Live:
    """The accounts of one book as of one batch."""

    accounts: Accounts
    view: View
    head: int
    hash: str
    places: int
    """Places that had a code."""
    order: Codes | None = None
    """Rows in the order of answers, of as many accounts as there were."""
    shown: tuple[Codes, list[pa.Array]] | None = None
    """Rows of the last answer and the columns of it that do not change."""


class LiveStates:
    """The live states of the record and of the books of systems, that of the record also in a file. Safe to share
    between threads."""

    journal: Journal | None = None
    """Tells what the file may continue."""

    def __init__(self, beside: Path | None = None, version: str = "") -> None:
        """`beside` is the projection's file, `version` names the code."""
        self.path = None if beside is None else beside.with_name(beside.name + live_file.SUFFIX)
        self._version = version
        self._lock = threading.RLock()
        self._states: dict[int | None, Live] = {}
        self._written = 0
        self._crowded = False

    def anew(self) -> LiveStates:
        """None yet, for a projection that is folded anew instead of a damaged one."""
        fresh = LiveStates(None, self._version)
        fresh.path, fresh.journal = self.path, self.journal
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        return fresh

    def keep(self, con: duckdb.DuckDBPyConnection) -> None:
        """Writes the record's live state to its file, unless it is there."""
        with self._lock:
            live = self._states.get(None)
            if live is None or self.path is None or live.head == self._written:
                return
            if live_file.write(con, live, self.path, self._version):
                self._written = live.head

    def held(self, con: duckdb.DuckDBPyConnection) -> list[int | None]:
        """Books (None: the record) whose live state is in memory or in the file."""
        with self._lock:
            filed = None not in self._states and self._read(con) is not None
            return [*([None] if filed else []), *self._states]

    def balances(
        self,
        con: duckdb.DuckDBPyConnection,
        system: int | None,
        stocking: str | None,
        at: int | None = None,
        known_at: int | None = None,
    ) -> pa.Table | None:
        """All accounts of a book, as `balances.balances` answers; None where keys cannot tell them apart. `stocking` is
        a SELECT of the codes of places that are shown."""
        if self._crowded:
            return None
        con.execute("BEGIN")
        try:
            if at is not None or known_at is not None:
                view = make_view(con, at=at, known_at=known_at, system=system)
                return answer(con, self._past(con, view), stocking)
            with self.standing(con, system) as live:
                return answer(con, live, stocking)
        except Crowded:
            self._crowded = True
            return None
        finally:
            con.execute("ROLLBACK")

    def unanchored(self, con: duckdb.DuckDBPyConnection) -> int | None:
        """How many accounts of the record should have opened with a level and did not; None as in `balances`."""
        if self._crowded:
            return None
        con.execute("BEGIN")
        try:
            with self.standing(con, None) as live:
                return len(dense.unanchored(con, live.accounts))
        except Crowded:
            self._crowded = True
            return None
        finally:
            con.execute("ROLLBACK")

    def _past(self, con: duckdb.DuckDBPyConnection, view: View) -> Live:
        """The accounts of a past view: from the live state where there is one and that is cheaper."""
        order, accounts = None, None
        with self._lock:
            if view.system in self._states or (view.system is None and self.path is not None and self.path.exists()):
                with self.standing(con, view.system) as live:
                    order, accounts = live.order, backward.as_of(con, live, view)
        return Live(accounts or dense.fold(con, view), view, 0, "", 0, order if accounts else None)

    @contextmanager
    def standing(self, con: duckdb.DuckDBPyConnection, system: int | None) -> Iterator[Live]:
        """The live state of a book within a transaction; nobody else changes it meanwhile."""
        with self._lock:
            old = self._states.pop(system, None)  # what is interrupted is not kept
            if old is None and system is None:
                old = self._read(con)
            live = newest(con, old, system)
            yield live
            self._states[system] = live
            if system is None and live.head - self._written >= KEPT_EVERY:
                self.keep(con)

    def _read(self, con: duckdb.DuckDBPyConnection) -> Live | None:
        if self.path is None or self.journal is None:
            return None
        live = live_file.read(con, self.path, self._version, make_view(con))
        batch = None if live is None else self.journal.batch(live.head)
        if live is None or batch is None or batch.hash != live.hash:
            return None
        self._written = live.head
        return live


def newest(con: duckdb.DuckDBPyConnection, old: Live | None, system: int | None = None) -> Live:
    """The live state of a book within a transaction; `old` is brought up to date in place where that is cheaper."""
    head, own_hash = con.execute("SELECT seq, hash FROM watermark").fetchall()[0]
    if old is not None and (old.head, old.hash) == (head, own_hash):
        return old
    view = make_view(con, system=system)
    if old is not None and continues(con, old, view) and _advance(con, old):
        old.head, old.hash, old.places = head, own_hash, codes(con, "place")
        return old
    return Live(dense.fold(con, view), view, head, own_hash, codes(con, "place"))


def continues(con: duckdb.DuckDBPyConnection, old: Live, view: View) -> bool:
    """Whether all that happened since is facts, under the same rules."""
    if replace(old.view, rules=view.rules) != view:
        return False
    kinds = con.execute(f"SELECT DISTINCT kind FROM batch WHERE seq > {old.head}").fetchall()
    return all(kind in PLAIN_KINDS for (kind,) in kinds)


def _advance(con: duckdb.DuckDBPyConnection, live: Live) -> bool:
    """Takes in what came later; whether that was worth it (else the state is spoilt)."""
    live.accounts.know_items(codes(con, "item"))
    members = f"SELECT * FROM ({member_sql(live.view)}) WHERE seq > {live.head}"
    items = _entangled(con, live, members)
    known = len(live.accounts.columns.start)
    if len(items) > max(MANY * known, 1):
        return False
    apart = np.zeros(known, bool)
    apart[items] = True
    plain = replace(live.view, routed=False)  # what may be routed is taken whole
    sides = list(dense.legs(live.accounts, con, plain, members, timed=bool(plain.openings), few=True))
    for side in sides if live.view.openings else []:
        apart[_reopening(con, live, side)] = True
    for side in sides:
        kept = ~apart[side.item]
        (side if kept.all() else side.where(kept)).post(live.accounts)
    whole = np.flatnonzero(apart).astype(np.int32)
    if len(whole):
        live.accounts.clear(whole)
        dense.fold_into(live.accounts, con, replace(live.view, items=tuple(whole.tolist())))
    return True


def _entangled(con: duckdb.DuckDBPyConnection, live: Live, members: str) -> npt.NDArray[np.int64]:
    """Codes of items of which later facts may do more than add, whatever is posted already."""
    asked = []
    if live.view.routed:
        asked.append(
            f"SELECT item FROM ({members}) WHERE {ROUTABLE} OR (kind = 'shipment' AND shipment_id IS NOT NULL)"
        )
    freed = con.execute(f"""SELECT min(record_time) FROM batch WHERE seq IN (SELECT seq FROM tally
        WHERE seq > {live.head} AND delivered = 0 AND accepted > 0)""").fetchall()[0][0]
    if freed is not None:  # rows keep the batch that brought them and are known since the one that freed them
        asked += [f"SELECT item FROM fact_{name} WHERE known_at >= {freed}" for name in ("movements", "observations")]
    found = con.execute(f"SELECT DISTINCT item FROM ({' UNION ALL '.join(asked)})").fetchall() if asked else []
    told = {item for (item,) in found} | (_opened(con, live) if live.view.openings else set())
    return np.array(sorted(told), np.int64)


def _opened(con: duckdb.DuckDBPyConnection, live: Live) -> set[int]:
    """Items of which later levels may open an account, or open it earlier."""
    methods = ", ".join(f"'{method}'" for method in OPENING_METHODS)
    own = "" if live.view.system is None else f"AND system = {live.view.system}"
    told = con.sql(f"""SELECT item, location_place AS place, event_time,
        source IN ({", ".join(map(str, live.view.openings))}) AS opens FROM fact_observations
        WHERE seq > {live.head} AND lot IS NULL AND method IN ({methods}) {own}""").to_arrow_table()
    item, key = dense.own(told, "item"), keys_of(dense.own(told, "place"))
    rows = live.accounts.find(item, key)
    c = live.accounts.columns
    cut = np.where(rows >= 0, c.cut[rows], NEVER)
    fed = np.where(rows >= 0, c.flags[rows] & FED, 0) > 0
    earlier = (cut != NEVER) & (dense.own(told, "event_time") <= cut)
    first = (cut == NEVER) & (fed | dense.own(told, "opens"))
    return set(item[earlier | first].tolist())


def _reopening(con: duckdb.DuckDBPyConnection, live: Live, side: dense.Side) -> Codes:
    """Items of which postings change what opens: the first of an opening source, the first to a place that only levels
    spoke of, and those up to the cut-off."""
    assert side.time is not None
    assert side.opens is not None
    c = live.accounts.columns
    rows = live.accounts.find(side.item, side.key & WHOLE)
    flags = np.where(rows >= 0, c.flags[rows], 0)
    late = side.time <= np.where(rows >= 0, c.cut[rows], NEVER)
    fresh = side.opens & ((flags & FED) == 0) & dense.feedable(con)[side.key >> PLACE]
    return np.unique(side.item[late | fresh | ((flags & CLAIMED) > 0)])


# ---- answers


def answer(con: duckdb.DuckDBPyConnection, live: Live, stocking: str | None) -> pa.Table:
    """The accounts of a live state in `balances.BALANCE_SCHEMA`, sorted."""
    from stocktwin.ledger.balances import BALANCE_SCHEMA

    items = con.sql("SELECT item_id, scale, unit FROM item ORDER BY code").to_arrow_table()
    places = con.sql("SELECT place_id FROM place ORDER BY code").to_arrow_table().column(0)
    rows = _shown(con, live, stocking, items.column("item_id"), places)
    if live.shown is None or not np.array_equal(live.shown[0], rows):
        live.shown = rows, _names(live.accounts, rows, items, places)
    item, place, lot, condition, owner, scale, unit = live.shown[1]
    quantity = pa.array(live.accounts.columns.quantity[rows])
    sure = pa.array(anchored(con, live.accounts, rows))
    return pa.table([item, place, lot, condition, owner, quantity, scale, unit, sure], BALANCE_SCHEMA)


def _names(accounts: Accounts, rows: Codes, items: pa.Table, places: pa.ChunkedArray) -> list[pa.Array]:
    """The columns of an answer that say what its rows are."""
    item = pa.array(accounts.columns.item[rows])
    place, lot, owner, condition = parts_of(accounts.columns.key[rows])
    return [
        _texts(items.column("item_id"), item),
        _texts(places, pa.array(place)),
        _named(accounts.lots.texts, lot),
        _texts(pa.chunked_array([list(CONDITIONS)]), pa.array(condition)),
        _named(accounts.owners.texts, owner),
        _texts(items.column("scale"), item),
        _texts(items.column("unit"), item),
    ]


def _shown(con: duckdb.DuckDBPyConnection, live: Live, stocking: str | None, *names: pa.ChunkedArray) -> Codes:
    """Rows that an answer shows, in its order. `names` are those of items and of places."""
    accounts = live.accounts
    if live.order is None or len(live.order) < accounts.rows:
        live.order = accounts.ordered(*map(_ranks, names))
    c, n = accounts.columns, accounts.rows
    shown = (c.legs[:n] > 0) & ((c.quantity[:n] != 0) | ((c.key[:n] & ~WHOLE) == 0))
    if stocking is not None:
        ours = np.zeros(len(names[1]), bool)
        ours[[code for (code,) in con.execute(stocking).fetchall()]] = True
        shown &= ours[c.key[:n] >> PLACE]
    return np.compress(shown[live.order], live.order)


def anchored(con: duckdb.DuckDBPyConnection, accounts: Accounts, rows: Codes) -> npt.NDArray[np.bool_]:
    """Whether the balances of rows are levels: their item and place opened, or did not have to."""
    lacking = np.zeros(accounts.rows + 1, bool)
    lacking[dense.unanchored(con, accounts)] = True
    if not lacking.any():
        return np.ones(len(rows), bool)
    c = accounts.columns
    return ~lacking[accounts.find(c.item[rows], c.key[rows] & WHOLE)]


def _ranks(names: pa.ChunkedArray) -> Ints:
    """By code, the place of its name among the sorted names."""
    out = np.empty(len(names), np.int64)
    out[np.asarray(pc.sort_indices(names))] = np.arange(len(names))
    return out


def _texts(names: pa.ChunkedArray, codes: pa.Array) -> pa.Array:
    return pc.take(names.combine_chunks(), codes)


def _named(texts: list[str | None], numbers: Ints) -> pa.Array:
    if not numbers.any():
        return pa.nulls(len(numbers), pa.string())
    return pc.take(pa.array(texts, pa.string()), pa.array(numbers))
