"""The history of an account: every fact that moved or stated it, with where it came from and what corrects it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.ipc

from stocktwin.ledger.balances import book_code, code_of, stocking_sql
from stocktwin.ledger.books import View, legs_sql, make_view
from stocktwin.ledger.healing import healing
from stocktwin.ledger.learned import past

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.journal.protocol import Journal
    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
Spot = tuple[int, int, int, str, bool]
"""Where a fact stands in the order of a history: event time, batch, position, place, whether it enters."""
_SPOT: Final = """{'at': event_time, 'seq': coalesce(seq, -1), 'pos': coalesce(pos, -1), 'place': place_id,
    'enters': coalesce(quantity > 0, false)}"""
_COLUMNS: Final = """CASE WHEN l.stated IS NOT NULL THEN 'observations' WHEN l.seq IS NULL THEN 'opening'
        ELSE 'movements' END AS "table",
    coalesce(CAST(m.kind AS VARCHAR), CAST(o.method AS VARCHAR), 'opening') AS kind,
    coalesce(m.event_id, o.event_id) AS event_id, l.event_time, coalesce(m.known_at, o.known_at) AS known_at,
    b.record_time AS recorded_at, coalesce(m.recorded_at, o.recorded_at) AS source_recorded_at, s.name AS system,
    b.source, b.file, l.seq AS batch, l.pos, l.place_id AS location_id, p.place_id AS counterpart, l.lot,
    CAST(l.condition AS VARCHAR) AS condition, l.owner, l.quantity, l.stated, l.balance, l.on_hand, m.document,
    m.order_id, m.line AS order_line, m.shipment_id, m.reason, o.scope, m.corrects, i.scale, i.unit"""
_LINKED: Final = "event_id, CAST(kind AS VARCHAR) AS kind, quantity, event_time, known_at, document, reason"
"""What is told of a fact that corrects another, or is corrected by one."""


@dataclass(frozen=True)
class Account:
    """Which facts are asked for: those of an item, narrowed down. None narrows nothing."""

    item: str
    location: str | None = None
    """A location, a lane `A→B` or a virtual place; None: all places whose stock is ours, and the lanes."""
    lot: str | None = None
    condition: str | None = None
    owner: str | None = None
    book: str | None = None
    """A system's own book; None: the record."""


@dataclass(frozen=True)
class Times:
    """Which facts are asked for: those that happened in since … at, as known at a record time, or as `learned_by` an
    instant. µs; None bounds nothing."""

    since: int | None = None
    at: int | None = None
    known_at: int | None = None
    learned_by: int | None = None


@healing
def history_of(
    ledger: Ledger, account: Account, times: Times, limit: int | None = None, before: Spot | None = None
) -> tuple[list[Row], int]:
    """The facts of an account, newest first, at most `limit` of those before a spot; and how many there are in all.

    Quantities are atomic, with the item's `scale`. `quantity` is signed; an observation has none, but its level in
    `stated`. `balance` is that of the account (place, lot, condition, owner) after the fact, `on_hand` our unrestricted
    stock at the place. `corrects` and `corrected_by` tell the linked facts. NotFoundError names an item, place or
    system that is not known.
    """
    with past(ledger, times.learned_by) as (con, learned):
        known = min((bound for bound in (times.known_at, learned) if bound is not None), default=None)
        item = code_of(con, "item", "item_id", account.item)
        system = None if account.book is None else book_code(con, account.book)
        view = make_view(con, at=times.at, known_at=known, system=system, item=item)
        told = _told_sql(con, account, view, item)
        names = {"lot": account.lot, "condition": account.condition, "owner": account.owner, "since": times.since}
        given = {name: value for name, value in names.items() if value is not None}
        total = int(con.execute(f"{told}, {_wanted(given)} SELECT count(*) FROM wanted", given).fetchall()[0][0])
        rows = con.sql(_page_sql(told, item, given, limit, before), params=given).to_arrow_table().to_pylist()
        _link(con, rows, item, view)
    _locate(ledger.journal, rows)
    return rows, total


@healing
def levels_of(ledger: Ledger, item_id: str, location_id: str | None, times: Times) -> list[tuple[int, int]]:
    """(event time, our unrestricted stock from then on) of an item at a place, or at all our places together, oldest
    first; atomic units."""
    with past(ledger, times.learned_by) as (con, learned):
        known = min((bound for bound in (times.known_at, learned) if bound is not None), default=None)
        view = make_view(con, at=times.at, known_at=known, item=code_of(con, "item", "item_id", item_id))
        here = f"IN ({stocking_sql(known)})"
        if location_id is not None:
            here = f"= {code_of(con, 'place', 'place_id', location_id, 'location')}"
        rows = con.execute(f"""WITH {legs_sql(view)}, moved AS (SELECT event_time, sum(quantity) AS quantity FROM leg
                WHERE place {here} AND condition = 'unrestricted' AND owner IS NULL GROUP BY event_time)
            SELECT event_time, CAST(sum(quantity) OVER (ORDER BY event_time ROWS UNBOUNDED PRECEDING) AS BIGINT)
            FROM moved ORDER BY event_time""").fetchall()
    return [(int(at), int(level)) for at, level in rows]


def spot(row: Row) -> Spot:
    """The place of a row of `history_of` in its order."""
    seq, pos = (-1 if row[name] is None else int(row[name]) for name in ("batch", "pos"))
    return int(row["event_time"]), seq, pos, str(row["location_id"]), (row["quantity"] or 0) > 0


def _told_sql(con: duckdb.DuckDBPyConnection, account: Account, view: View, item: int) -> str:
    """A WITH list that ends in `run`: postings and observations with their running balances."""
    place = None if account.location is None else code_of(con, "place", "place_id", account.location, "location")
    ours = f"IN ({stocking_sql(view.known_at)} UNION SELECT code FROM place WHERE origin IS NOT NULL)"
    here = ours if place is None else f"= {place}"
    seen = [f"item = {item}", f"location_place {here}"]
    seen += [] if view.system is None else [f"system = {view.system}"]
    seen += [] if view.known_at is None else [f"known_at <= {view.known_at}"]
    seen += [] if view.at is None else [f"event_time <= {view.at}"]
    order = "ORDER BY event_time, seq NULLS FIRST, pos, quantity ROWS UNBOUNDED PRECEDING"
    free = "condition = 'unrestricted' AND owner IS NULL"
    return f"""WITH {legs_sql(view)},
        told AS (SELECT seq, pos, event_time, item, place, other, lot, condition, owner, quantity,
                CAST(NULL AS BIGINT) AS stated FROM leg WHERE place {here}
            UNION ALL SELECT seq, pos, event_time, item, location_place, NULL, lot, 'unrestricted', NULL, NULL, quantity
            FROM fact_observations WHERE {" AND ".join(seen)}),
        run AS (SELECT told.*, place.place_id, {_SPOT} AS spot,
            CAST(sum(coalesce(quantity, 0)) OVER (PARTITION BY place, lot, condition, owner {order}) AS BIGINT)
                AS balance,
            CAST(sum(CASE WHEN {free} THEN coalesce(quantity, 0) ELSE 0 END) OVER (PARTITION BY place {order})
                AS BIGINT) AS on_hand
            FROM told JOIN place ON place.code = told.place)"""


def _wanted(given: dict[str, Any]) -> str:
    """The part of a WITH list that narrows `run` down to what is asked for."""
    tests = [f"event_time >= ${name}" if name == "since" else f"{name} = ${name}" for name in given]
    return f"wanted AS (SELECT * FROM run{' WHERE ' + ' AND '.join(tests) if tests else ''})"


def _page_sql(told: str, item: int, given: dict[str, Any], limit: int | None, before: Spot | None) -> str:
    """The whole query of a page. What it binds is added to `given` after the tests are made."""
    wanted, behind = _wanted(given), ""
    if before is not None:
        names = ("at", "seq", "pos", "place", "enters")
        given |= {f"before_{name}": value for name, value in zip(names, before, strict=True)}
        fields = ", ".join(f"'{name}': $before_{name}" for name in names)
        behind = f"WHERE spot < {{{fields}}}"
    cut = "" if limit is None else f"LIMIT {int(limit)}"
    return f"""{told}, {wanted},
        page AS (SELECT * FROM wanted {behind} ORDER BY spot DESC {cut})
        SELECT {_COLUMNS} FROM page l JOIN item i ON i.code = l.item LEFT JOIN place p ON p.code = l.other
        LEFT JOIN (SELECT * FROM fact_movements WHERE item = {item}) m
            ON l.stated IS NULL AND m.seq = l.seq AND m.pos = l.pos
        LEFT JOIN (SELECT * FROM fact_observations WHERE item = {item}) o
            ON l.stated IS NOT NULL AND o.seq = l.seq AND o.pos = l.pos
        LEFT JOIN batch b ON b.seq = l.seq LEFT JOIN system s ON s.code = coalesce(m.system, o.system)
        ORDER BY l.spot DESC"""


def _link(con: duckdb.DuckDBPyConnection, rows: list[Row], item: int, view: View) -> None:
    """Puts beside each fact the one that it `corrects` and those that it is `corrected_by`, as far as they are known;
    a link to a fact that is not is its bare event id."""
    ids = sorted({str(row[name]) for row in rows for name in ("event_id", "corrects") if row[name] is not None})
    bounds = [f"item = {item}", *([] if view.known_at is None else [f"known_at <= {view.known_at}"])]
    found = con.execute(
        f"""SELECT s.name, corrects, {_LINKED} FROM fact_movements m JOIN system s ON s.code = m.system
        WHERE {" AND ".join(bounds)} AND (event_id IN (SELECT unnest($ids)) OR corrects IN (SELECT unnest($ids)))
        ORDER BY event_time, seq, pos""",
        {"ids": ids or [""]},
    ).fetchall()
    names = [part.rpartition(" ")[2] for part in _LINKED.split(", ")]
    facts = {(system, told[0]): dict(zip(names, told, strict=True)) for system, _, *told in found}
    later: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for system, corrects, *told in found:
        if corrects is not None:
            later[system, corrects].append(dict(zip(names, told, strict=True)))
    for row in rows:
        named = (row["system"], row["corrects"])
        row["corrects"] = None if row["corrects"] is None else facts.get(named, {"event_id": row["corrects"]})
        row["corrected_by"] = later.get((row["system"], row["event_id"]), []) if row["event_id"] else []


def _locate(journal: Journal, rows: list[Row]) -> None:
    """Row and line of each fact in the file that brought it, as far as the journal still has its batch."""
    batches: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        row |= {"row": None, "line": None}
        if row["batch"] is not None:
            batches[row["batch"]].append(row)
    for seq, mine in batches.items():
        places = source_rows(journal, seq)
        for row in mine:
            row |= {name: _at(column, row["pos"]) for name, column in places.items()}


def source_rows(journal: Journal, seq: int) -> dict[str, pa.ChunkedArray]:
    """Columns `row` and `line` of the facts of a batch, as far as their reader knew them; none where the batch has lost
    its blob."""
    batch = journal.batch(seq)
    data = None if batch is None else journal.blob(batch.header.same_as or seq)
    if data is None:
        return {}
    schema = pa.ipc.open_stream(pa.BufferReader(data)).schema
    wanted = [name for name in ("_row", "_line") if name in schema.names]
    options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in wanted])
    facts = pa.ipc.open_stream(pa.BufferReader(data), options=options).read_all()
    return {name.removeprefix("_"): facts.column(name) for name in wanted}


def _at(column: pa.ChunkedArray, pos: int) -> int | None:
    value: int | None = column[pos].as_py() if 0 <= pos < len(column) else None
    return value
