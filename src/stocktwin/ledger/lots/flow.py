"""The movements of one item in a book, each a row with the account it leaves and the account it enters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from stocktwin.domain.identity import STOCKING_KINDS
from stocktwin.ledger.booking import VIRTUAL_CODE
from stocktwin.ledger.books import View, legs_sql, of_items
from stocktwin.ledger.currents import current_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

OPENING = "opening"
"""Kind of the posting that opens an account with a counted level; it has no event id."""


class Place(NamedTuple):
    """Somewhere stock can be."""

    code: int
    id: str
    kind: str
    """Kind of location, `lane`, or `virtual`."""
    name: str | None
    timezone: str | None
    cutoff: str | None
    origin: int | None
    """Of a lane: code of the place at its beginning."""
    destination: int | None

    @property
    def pooled(self) -> bool:
        """Whether stock stands here that can be drawn: our locations, and lanes; the outside has no end of it."""
        return self.kind in STOCKING_KINDS or self.kind == "lane"

    @property
    def group(self) -> str:
        """What standing there means: `stock`, `lane`, `customer`, `supplier`, or the name of a virtual place."""
        if self.kind == "virtual":
            return self.id
        return "stock" if self.kind in STOCKING_KINDS else self.kind


@dataclass(frozen=True)
class Flow:
    """Columns of equal length, one row per movement, in canonical order: event time, then what brings stock before what
    takes it, then system and event id. No order of delivery matters to it."""

    item: int
    time: list[int]
    left: list[int]
    into: list[int]
    lot: list[str | None]
    to_lot: list[str | None]
    condition: list[str]
    to_condition: list[str]
    owner: list[str | None]
    to_owner: list[str | None]
    quantity: list[int]
    """Atomic units, ≥ 0."""
    kind: list[str]
    system: list[int]
    event_id: list[str | None]
    corrects: list[str | None]
    document: list[str | None]
    seq: list[int]
    """Batch, −1 for an opening; with `pos` what finds the rest of the fact again."""
    pos: list[int]

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def corrected(self) -> list[int]:
        """Row that each row corrects, −1 where it corrects none that is here."""
        at = {(system, event): row for row, (system, event) in enumerate(zip(self.system, self.event_id, strict=True))}
        return [
            -1 if told is None else at.get((system, told), -1)
            for system, told in zip(self.system, self.corrects, strict=True)
        ]


def load_flow(con: duckdb.DuckDBPyConnection, view: View, item: int) -> Flow:
    """The movements of an item in the book that `view` asks for."""
    return load_flows(con, view, (item,))[item]


def load_flows(con: duckdb.DuckDBPyConnection, view: View, items: tuple[int, ...]) -> dict[int, Flow]:
    """The movements of each of some items in the book that `view` asks for."""
    found = con.sql(_flow_sql(replace(view, items=items))).to_arrow_table()
    names = {"time": "event_time", "left": "left_at", "into": "into_at"}
    columns = [name for name in Flow.__dataclass_fields__ if name != "item"]
    values = {name: found.column(names.get(name, name)).to_pylist() for name in columns}
    code = found.column("item").to_numpy()
    cuts = {item: (int(code.searchsorted(item)), int(code.searchsorted(item, side="right"))) for item in items}
    return {
        item: Flow(item, **{name: values[name][low:high] for name in columns}) for item, (low, high) in cuts.items()
    }


def _flow_sql(view: View) -> str:
    """SELECT of the columns of `Flow`, by item, in canonical order."""
    virtual = max(VIRTUAL_CODE.values())
    rank = f"""CASE WHEN o.place <= {virtual} THEN 0 WHEN into_lane.origin IS NOT NULL THEN 1
        WHEN out_lane.origin IS NOT NULL THEN 2 WHEN i.place > {virtual} THEN 3 ELSE 4 END"""
    return f"""WITH {legs_sql(view)},
        entered AS (SELECT * FROM leg WHERE seq IS NOT NULL AND quantity >= 0),
        departed AS (SELECT * FROM leg WHERE seq IS NOT NULL AND quantity < 0),
        moved AS (SELECT i.item, o.place AS left_at, i.place AS into_at, o.lot, i.lot AS to_lot, o.condition,
            i.condition AS to_condition, o.owner, i.owner AS to_owner, i.quantity, i.event_time, i.seq, i.pos,
            {rank} AS rank
            FROM departed o JOIN entered i USING (seq, pos) LEFT JOIN place out_lane ON out_lane.code = o.place
            LEFT JOIN place into_lane ON into_lane.code = i.place
            UNION ALL SELECT item, other, place, lot, lot, condition, condition, owner, owner, quantity, event_time,
            -1, -1, 0 FROM leg WHERE seq IS NULL AND place > {virtual})
        SELECT moved.*, coalesce(CAST(m.kind AS VARCHAR), '{OPENING}') AS kind, coalesce(m.system, -1) AS system,
            m.event_id, m.corrects, m.document
        FROM moved LEFT JOIN (SELECT * FROM fact_movements WHERE {of_items(view.items)}) m
            ON m.seq = moved.seq AND m.pos = moved.pos LEFT JOIN system s ON s.code = m.system
        ORDER BY moved.item, moved.event_time, rank, s.name NULLS FIRST, m.event_id NULLS FIRST, left_at, into_at"""


def load_places(con: duckdb.DuckDBPyConnection, known_at: int | None) -> dict[int, Place]:
    """Every place by its code, with the master data known at a record time."""
    rows = con.execute(f"""SELECT code, place_id, CASE WHEN virtual THEN 'virtual' WHEN origin IS NOT NULL THEN 'lane'
        ELSE coalesce(l.kind, '') END, name, timezone, cutoff, origin, destination
        FROM place LEFT JOIN ({current_sql("locations", known_at)}) l ON l.location_id = place_id""").fetchall()
    return {row[0]: Place(*row) for row in rows}


def pooled(places: Mapping[int, Place]) -> frozenset[int]:
    """Codes of the places where stock stands that can be drawn."""
    return frozenset(code for code, place in places.items() if place.pooled)
