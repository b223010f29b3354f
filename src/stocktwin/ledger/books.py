"""Books and the record: which movements count, and the postings they make.

Every system's facts fold into its own book. The record takes each kind of movement, per location if need be, from the
system that the rules in force declare. All of it is derived from the final set of facts when asked, so that no order of
delivery can matter: a receipt leaves the lane its shipment was posted onto, whichever was told first; an opening
replaces what happened before it, whenever it was counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stocktwin.domain.identity import UNKNOWN
from stocktwin.domain.rules import Rules
from stocktwin.ledger.booking import VIRTUAL_CODE
from stocktwin.tables.schema import MOVEMENT_KINDS

if TYPE_CHECKING:
    import duckdb

OPENING_METHODS = ("cycle_count", "erp_book", "wms_book")
"""Observations that can open an account, the better one first where two share a cut-off."""


@dataclass(frozen=True)
class Authority:
    """Whose movements make the record, as codes: per kind, and where a location declares otherwise."""

    by_kind: dict[str, int]
    by_site: tuple[tuple[str, int, int], ...]
    """(kind, place code, system code)."""
    everything: bool
    """Whether that is simply every movement."""


@dataclass(frozen=True)
class View:
    """What is asked: a book, up to an event time, as known at a record time; None means now, all, the record."""

    rules: Rules
    at: int | None = None
    known_at: int | None = None
    system: int | None = None
    items: tuple[int, ...] | None = None
    """Codes of the items that are asked about."""
    authority: Authority | None = None
    openings: tuple[int, ...] = field(default=())
    """Codes of the sources whose accounts open with a snapshot."""
    routed: bool = True
    """Whether there are shipments that receipts may come out of."""


def make_view(
    con: duckdb.DuckDBPyConnection,
    *,
    at: int | None = None,
    known_at: int | None = None,
    system: int | None = None,
    item: int | None = None,
) -> View:
    """The view under the rules that were in force at `known_at`."""
    rules = rules_in_force(con, known_at)
    reporters = _reporters(con, known_at)
    opening = [name for name, how in rules.opening.items() if how == "snapshot"]
    codes = [code for code, name in con.execute("SELECT code, name FROM source").fetchall() if name in opening]
    authority = None if system is not None else _authority(con, rules, reporters)
    items = None if item is None else (item,)
    return View(rules, at, known_at, system, items, authority, tuple(codes), "shipment" in reporters)


def rules_in_force(con: duckdb.DuckDBPyConnection, known_at: int | None = None, default: Rules | None = None) -> Rules:
    """The rules as they stood at a record time; the defaults before any were journalled."""
    until = 2**63 - 1 if known_at is None else known_at
    found = con.execute("SELECT body FROM rules WHERE record_time <= ? ORDER BY seq DESC LIMIT 1", [until]).fetchall()
    return Rules.from_json(found[0][0]) if found else default or Rules()


def reporters(con: duckdb.DuckDBPyConnection, known_at: int | None = None) -> dict[str, tuple[str, ...]]:
    """Movement kind → systems that report it, as known at a record time."""
    return _reporters(con, known_at)


def _reporters(con: duckdb.DuckDBPyConnection, known_at: int | None) -> dict[str, tuple[str, ...]]:
    until = 2**63 - 1 if known_at is None else known_at
    rows = con.execute(
        """SELECT DISTINCT CAST(kind AS VARCHAR) AS kind, name FROM reporter JOIN system ON code = reporter.system
        WHERE known_at <= ? ORDER BY kind, name""",
        [until],
    ).fetchall()
    found: dict[str, tuple[str, ...]] = {}
    for kind, name in rows:
        found[kind] = (*found.get(kind, ()), name)
    return found


def _authority(con: duckdb.DuckDBPyConnection, rules: Rules, reporting: dict[str, tuple[str, ...]]) -> Authority:
    systems = {name: code for code, name in con.execute("SELECT code, name FROM system").fetchall()}
    places = {name: code for code, name in con.execute("SELECT code, place_id FROM place").fetchall()}

    def code(kind: str, location: str) -> int:
        system = rules.system_of(kind, location, reporting.get(kind, ()))
        return -1 if system is None else int(systems.get(system, -1))

    by_kind = {kind: code(kind, "") for kind in MOVEMENT_KINDS}
    by_site = [
        (kind, places[location], code(kind, location))
        for location in rules.authority_by_location
        for kind in MOVEMENT_KINDS
        if location in places and code(kind, location) != by_kind[kind]
    ]
    lone = all(
        names == (name,) for kind, names in reporting.items() for name, c in systems.items() if c == by_kind[kind]
    )
    trusted = all(by_kind[kind] >= 0 for kind in reporting)
    return Authority(by_kind, tuple(by_site), everything=lone and trusted and not by_site)


def member_sql(view: View) -> str:
    """SELECT of the movements that belong to the book."""
    wheres = _bounds(view)
    if view.items is not None:
        wheres.append(of_items(view.items))
    join = ""
    if view.system is not None:
        wheres.append(f"m.system = {view.system}")
    elif view.authority is not None and not view.authority.everything:
        cases = " ".join(f"WHEN '{kind}' THEN {code}" for kind, code in view.authority.by_kind.items())
        who = f"CASE m.kind {cases} END"
        if view.authority.by_site:
            rows = ", ".join(
                f"(CAST('{k}' AS movement_kind), {place}, {code})" for k, place, code in view.authority.by_site
            )
            join = f" LEFT JOIN (VALUES {rows}) said(kind, site, system) ON said.kind = m.kind AND said.site = m.site"
            who = f"coalesce(said.system, {who})"
        wheres.append(f"m.system = {who}")
    where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
    return f"SELECT m.* FROM fact_movements m{join}{where}"


def _bounds(view: View) -> list[str]:
    wheres = [] if view.at is None else [f"event_time <= {view.at}"]
    return wheres if view.known_at is None else [*wheres, f"known_at <= {view.known_at}"]


def of_items(items: tuple[int, ...] | None) -> str:
    """SQL condition on the column `item`.

    >>> of_items((3, 5)), of_items(None)
    ('item IN (3, 5)', 'true')
    """
    return "true" if items is None else f"item IN ({', '.join(map(str, items)) or 'NULL'})"


def legs_sql(view: View, members: str | None = None) -> str:
    """A WITH list that ends in `leg`: the two postings of every movement of the book, and its openings. `members` is a
    relation that already holds the movements of the book.

    `leg(seq, pos, event_time, item, place, other, lot, condition, owner, quantity)`, quantity signed, in atomic units;
    `opening(item, place, cut, level)` and `fed(item, place)` for accounts that open with a snapshot.
    """
    parts = [f"member AS ({f'FROM {members}' if members else member_sql(view)})", f"booked AS ({_booked_sql(view)})"]
    parts += _opening_parts(view) if view.openings else _NO_OPENINGS
    return ",\n".join([*parts, f"leg AS ({_leg_sql(view)})"])


ROUTABLE = "kind = 'receipt' AND shipment_id IS NOT NULL"
"""Movements that may leave the lane of their shipment."""


def _booked_sql(view: View) -> str:
    """Movements with the place they leave: a receipt of posted goods leaves their lane."""
    if not view.routed:
        return "SELECT *, out_place AS left_place FROM member"
    return f"""SELECT *, out_place AS left_place FROM member WHERE NOT ({ROUTABLE})
        UNION ALL {routed_sql("member")}"""


def routed_sql(member: str) -> str:
    """SELECT of the receipts among the movements of a book, which have shipment notes, with the place they leave."""
    key = "shipment_id, item, to_place"
    posted = f"""SELECT {key}, from_place, into_place, place_id FROM {member} s JOIN place ON place.code = into_place
        WHERE kind = 'shipment' AND shipment_id IS NOT NULL"""
    route = f"""WITH posted AS MATERIALIZED ({posted})
        SELECT {key}, from_place, min(into_place) AS lane FROM posted GROUP BY {key}, from_place
        UNION ALL SELECT {key}, -1, arg_min(into_place, place_id) FROM posted GROUP BY {key}"""
    receipts = f"SELECT * FROM {member} WHERE {ROUTABLE}"
    return f"""SELECT m.*, coalesce(route.lane, m.out_place) AS left_place FROM ({receipts}) m
        LEFT JOIN ({route}) route ON route.shipment_id = m.shipment_id AND route.item = m.item
        AND route.to_place = m.to_place AND route.from_place = coalesce(m.from_place, -1)"""


def recent_sql(view: View, since: int) -> str:
    """SELECT of `item, place, quantity`: what was posted to unrestricted stock after an event time (µs); openings are
    left out."""
    members = f"({member_sql(view)})"
    routed = f"UNION ALL SELECT * FROM ({routed_sql(members)}) WHERE event_time > {since}" if view.routed else ""
    straight = f"NOT ({ROUTABLE})" if view.routed else "true"
    plain = replace(view, openings=())
    return f"""WITH booked AS (SELECT *, out_place AS left_place FROM {members}
            WHERE event_time > {since} AND {straight} {routed}), leg AS ({_leg_sql(plain)})
        SELECT item, place, CAST(sum(quantity) AS BIGINT) AS quantity FROM leg WHERE condition = 'unrestricted'
        GROUP BY item, place HAVING sum(quantity) <> 0"""


_NO_OPENINGS = [
    "opening AS (SELECT 0 AS item, 0 AS place, CAST(0 AS BIGINT) AS cut, CAST(0 AS BIGINT) AS level WHERE false)",
    "fed AS (SELECT 0 AS item, 0 AS place WHERE false)",
]


_RANK = " ".join(f"WHEN '{method}' THEN {rank}" for rank, method in enumerate(OPENING_METHODS))
_BEST = f"(event_time, CASE method {_RANK} END, name, event_id)"


def _claim_sql(view: View) -> str:
    """SELECT of the complete levels that may open accounts of the book, with the name of their system."""
    wheres = [*_bounds(view), "lot IS NULL", "(scope IS NULL OR scope = 'complete')"]
    wheres.append(f"method IN ({', '.join(repr(method) for method in OPENING_METHODS)})")
    wheres += [] if view.system is None else [f"o.system = {view.system}"]
    wheres += [] if view.items is None else [of_items(view.items)]
    return f"""SELECT o.*, name FROM fact_observations o JOIN system ON system.code = o.system
        WHERE {" AND ".join(wheres)}"""


def levels_sql(view: View) -> str:
    """SELECT of `item, place, cut, level, opens`: the earliest complete level of each item and place, and whether any
    came from a source that opens with a snapshot."""
    opens = f"bool_or(source IN ({', '.join(map(str, view.openings))}))"
    return f"""SELECT item, location_place AS place, min(event_time) AS cut, arg_min(quantity, {_BEST}) AS level,
        {opens} AS opens FROM ({_claim_sql(view)}) GROUP BY item, location_place"""


def _opening_parts(view: View) -> list[str]:
    """The earliest complete level of each account whose movements, else whose observations, come from a source that
    opens with a snapshot. A system's own book opens with its own observations only."""
    sources = ", ".join(map(str, view.openings))
    return [
        """ends AS (SELECT item, left_place AS place, source FROM booked
            UNION ALL SELECT item, into_place, source FROM booked)""",
        f"claim AS ({_claim_sql(view)})",
        f"""fed AS (SELECT DISTINCT item, place FROM ends JOIN place p ON p.code = place
            WHERE source IN ({sources}) AND NOT p.virtual AND p.origin IS NULL
            UNION SELECT DISTINCT item, location_place FROM claim WHERE source IN ({sources})
            AND (item, location_place) NOT IN (SELECT DISTINCT (item, place) FROM ends))""",
        f"""opening AS (SELECT item, location_place AS place, min(event_time) AS cut,
            arg_min(quantity, {_BEST}) AS level FROM claim
            WHERE (item, location_place) IN (SELECT (item, place) FROM fed) GROUP BY item, location_place)""",
    ]


def _leg_sql(view: View) -> str:
    unknown = VIRTUAL_CODE[UNKNOWN]
    left = "seq, pos, event_time, item, left_place AS place, into_place AS other, lot, "
    entered = "seq, pos, event_time, item, into_place AS place, left_place AS other, coalesce(to_lot, lot) AS lot, "
    condition = "coalesce(condition, 'unrestricted')"
    to_condition = f"coalesce(to_condition, CASE WHEN kind = 'return' THEN 'returned' ELSE {condition} END)"
    legs = f"""SELECT {left}{condition} AS condition, owner, -quantity AS quantity FROM booked UNION ALL
        SELECT {entered}{to_condition} AS condition, coalesce(to_owner, owner) AS owner, quantity FROM booked"""
    if not view.openings:
        return legs
    opened = "CAST(NULL AS INTEGER) AS seq, CAST(NULL AS INTEGER) AS pos, cut AS event_time, item, "
    plain = (
        "CAST(NULL AS VARCHAR) AS lot, CAST('unrestricted' AS condition) AS condition, CAST(NULL AS VARCHAR) AS owner, "
    )
    return f"""SELECT legs.* REPLACE (CASE WHEN event_time <= cut THEN {unknown} ELSE legs.place END AS place)
        FROM ({legs}) legs LEFT JOIN opening ON opening.item = legs.item AND opening.place = legs.place
        UNION ALL SELECT {opened}place, {unknown} AS other, {plain}level AS quantity FROM opening
        UNION ALL SELECT {opened}{unknown} AS place, place AS other, {plain}-level AS quantity FROM opening"""
