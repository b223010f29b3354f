"""Late and back-dated facts, and what each of them changed: what was believed, and what is known now.

A balance at T as believed at D leaves out what was learned after D. Where accounts start empty and rules stay the same
it is a sum over postings by two times, so it is read once an item and added up here, for every late fact at two
moments: when it happened, and just before it was learned. `tests/ledger/test_late.py` holds both against
`Ledger.balances`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.rules import Rules
from stocktwin.ledger.balances import balances, code_of, stocking_sql
from stocktwin.ledger.books import View, legs_sql, make_view
from stocktwin.ledger.healing import healing
from stocktwin.ledger.learned import CLOCKS, SAYS, Heard, habits, history_sql, lag_sql, learned_sql, patience_sql

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.ledger import Ledger

Row = dict[str, Any]
Ints = npt.NDArray[np.int64]
ITEMS_AT_ONCE: Final = 500
_KIND: Final = {"movements": "kind", "observations": "method", "orders": "kind"}
_FROM: Final = {"movements": "from_place", "observations": "NULL", "orders": "from_place"}
_TO: Final = {"movements": "to_place", "observations": "location_place", "orders": "to_place"}
_ONLY_MOVEMENTS: Final = ("lot", "document", "corrects", "reason")


@dataclass(frozen=True)
class Wanted:
    """Which late facts: learned since an instant (µs), beyond a lag in hours, of an item, at a location."""

    since: int | None = None
    hours: float | None = None
    item: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Change:
    """What a late fact changed at a place of ours. Atomic units; µs."""

    place: int
    quantity: int
    """By how much it moved our unrestricted stock there."""
    event_time: int
    learned: int
    then: int
    """On hand when it had happened, as believed until it was learned."""
    now: int
    """The same moment, as known now."""
    until_then: int
    """On hand just before it was learned, as believed then."""
    until_now: int


@dataclass(frozen=True)
class Late:
    """Late facts, the latest learned first, each with its changes under `changes`; the systems' habits; what had to be
    assumed."""

    rows: list[Row]
    systems: list[Heard]
    assumed: list[str]


@healing
def late_facts(ledger: Ledger, wanted: Wanted) -> Late:
    """Every late fact and what it changed on the record. NotFoundError names an item or location that is not known."""
    con = ledger._projection.cursor()
    systems = habits(ledger)
    if not systems:
        return Late([], [], [])
    rows = con.sql(_late_sql(con, systems, wanted)).to_arrow_table().to_pylist()
    view = make_view(con)
    changes = _changes(con, systems, view, rows)
    for row in rows:
        row["changes"] = changes.get((row["seq"], row["pos"]), [])
    return Late(rows, systems, _assumed(con, systems, view))


@healing
def levels_around(ledger: Ledger, pairs: list[tuple[str, str, int]]) -> list[tuple[int, int] | None]:
    """Of each (item, location, record time) our unrestricted stock there then, as known then and as known now; None for
    a pair that is not known."""
    con = ledger._projection.cursor()

    def level(item: str, location: str, at: int, known_at: int | None) -> int:
        table = balances(con, at=at, known_at=known_at, item_id=item, location_id=location).to_pylist()
        return sum(row["quantity"] for row in table if row["condition"] == "unrestricted" and row["owner"] is None)

    found: list[tuple[int, int] | None] = []
    for item, location, at in pairs:
        try:
            found.append((level(item, location, at, at), level(item, location, at, None)))
        except NotFoundError:
            found.append(None)
    return found


def _late_sql(con: duckdb.DuckDBPyConnection, systems: list[Heard], wanted: Wanted) -> str:
    item = None if wanted.item is None else code_of(con, "item", "item_id", wanted.item)
    place = None if wanted.location is None else code_of(con, "place", "place_id", wanted.location, "location")
    parts = []
    for name in CLOCKS:
        wheres = [f"{lag_sql(systems, name)} > {patience_sql(systems, wanted.hours)}"]
        wheres += [] if wanted.since is None else [f"{learned_sql(systems, name)} >= {wanted.since}"]
        wheres += [] if item is None else [f"item = {item}"]
        wheres += [] if place is None else [f"{place} IN (coalesce({_FROM[name]}, -1), coalesce({_TO[name]}, -1))"]
        named = (name, *(column if name == "movements" else "NULL" for column in _ONLY_MOVEMENTS))
        extra = ", ".join(f"CAST({value} AS VARCHAR) AS {column}"
                          for column, value in zip(_ONLY_MOVEMENTS, named[1:], strict=True))  # fmt: skip
        order = "NULL AS order_id" if name == "observations" else "order_id"
        parts.append(f"""SELECT '{name}' AS "table", CAST({_KIND[name]} AS VARCHAR) AS kind, system, item, seq, pos,
            {_FROM[name]} AS from_place, {_TO[name]} AS to_place, quantity, {CLOCKS[name]} AS event_time, known_at,
            {SAYS[name]} AS source_recorded_at, {learned_sql(systems, name)} AS learned_at,
            {lag_sql(systems, name)} AS lag, {history_sql(systems, name)} AS history, {order}, {extra},
            {"NULL" if name == "orders" else "event_id"} AS event_id FROM fact_{name} WHERE {" AND ".join(wheres)}""")
    return f"""SELECT f.* EXCLUDE (system, item, from_place, to_place), s.name AS system, i.item_id, i.unit, i.scale,
        a.place_id AS from_id, z.place_id AS to_id, b.source, b.file, f.item
        FROM ({" UNION ALL ".join(parts)}) f JOIN system s ON s.code = f.system JOIN item i ON i.code = f.item
        LEFT JOIN place a ON a.code = f.from_place LEFT JOIN place z ON z.code = f.to_place
        LEFT JOIN batch b ON b.seq = f.seq ORDER BY learned_at DESC, f.seq DESC, f.pos DESC"""


def _changes(
    con: duckdb.DuckDBPyConnection, systems: list[Heard], view: View, rows: list[Row]
) -> dict[tuple[int, int], list[Change]]:
    """By batch and position of a late movement, what it changed at our places."""
    late = {(row["seq"], row["pos"]): row for row in rows if row["table"] == "movements"}
    items = sorted({row["item"] for row in late.values()})
    found: dict[tuple[int, int], list[Change]] = {}
    for some in _slices(items):
        for key, change in _changes_of(_postings(con, systems, replace(view, items=some)), late):
            found.setdefault(key, []).append(change)
    return found


def _slices(items: list[int]) -> Iterator[tuple[int, ...]]:
    left = iter(items)
    while some := tuple(islice(left, ITEMS_AT_ONCE)):
        yield some


def _postings(con: duckdb.DuckDBPyConnection, systems: list[Heard], view: View) -> dict[str, Ints]:
    """Postings that move our unrestricted stock, by item, place and time: columns as arrays. An opening was always
    known."""
    named = ", ".join(map(str, view.items or ()))
    table = con.sql(f"""WITH {legs_sql(view)}, known AS (
            SELECT seq, pos, {learned_sql(systems, "movements")} AS learned FROM fact_movements
            WHERE item IN ({named}))
        SELECT l.item, l.place, l.event_time, coalesce(l.seq, -1) AS seq, coalesce(l.pos, -1) AS pos,
            CAST(l.quantity AS BIGINT) AS quantity, coalesce(k.learned, {-(2**62)}) AS learned
        FROM leg l LEFT JOIN known k ON k.seq = l.seq AND k.pos = l.pos
        WHERE l.condition = 'unrestricted' AND l.owner IS NULL AND l.place IN ({stocking_sql(view.known_at)})
        ORDER BY l.item, l.place, l.event_time, l.seq, l.pos""").to_arrow_table()
    return {name: np.asarray(table.column(name).to_numpy(), np.int64) for name in table.column_names}


def _changes_of(posted: dict[str, Ints], late: dict[tuple[int, int], Row]) -> Iterator[tuple[tuple[int, int], Change]]:
    """The changes of late movements, an item-location at a time."""
    if not len(posted["item"]):
        return
    edge = (np.diff(posted["item"]) != 0) | (np.diff(posted["place"]) != 0)
    starts = [0, *(np.flatnonzero(edge) + 1).tolist(), len(posted["item"])]
    for first, last in pairwise(starts):
        here = {name: column[first:last] for name, column in posted.items()}
        keys = zip(here["seq"].tolist(), here["pos"].tolist(), strict=True)
        for at, key in enumerate(keys):
            if key in late:
                yield key, _change(here, at)


def _change(here: dict[str, Ints], at: int) -> Change:
    """What the posting in row `at` of an item-location's postings changed."""
    happened, learned = int(here["event_time"][at]), int(here["learned"][at])
    before = here["learned"] < learned
    by_then, until = here["event_time"] <= happened, here["event_time"] < learned

    def level(rows: npt.NDArray[np.bool_]) -> int:
        return int(here["quantity"][rows].sum())

    return Change(
        place=int(here["place"][at]),
        quantity=int(here["quantity"][at]),
        event_time=happened,
        learned=learned,
        then=level(by_then & before),
        now=level(by_then),
        until_then=level(until & before),
        until_now=level(until),
    )


def place_names(ledger: Ledger) -> dict[int, str]:
    """Code → id of every place."""
    rows = ledger._projection.cursor().execute("SELECT code, place_id FROM place").fetchall()
    return {int(code): str(name) for code, name in rows}


def _assumed(con: duckdb.DuckDBPyConnection, systems: list[Heard], view: View) -> list[str]:
    told = [
        f"{one.undated:,} of {one.system}'s facts of history without a time of recording: taken as learned "
        + (f"{one.usual / 3.6e9:.3g} hours after they happened" if one.usual else "when they happened")
        for one in systems
        if one.undated
    ]
    if len({_meaning(body) for (body,) in con.execute("SELECT DISTINCT body FROM rules").fetchall()}) > 1:
        told.append("what was believed is counted under the rules of today: the record has had others")
    if view.openings:
        told.append("openings count as always known")
    return told


def _meaning(body: str) -> str:
    """The part of a rule set that decides whose movements are the record, and how accounts open."""
    rules = Rules.from_json(body)
    return repr(
        (sorted(rules.authority.items()), sorted(rules.authority_by_location.items()), sorted(rules.opening.items()))
    )
