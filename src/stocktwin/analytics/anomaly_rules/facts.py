"""The evidence as arrays: codes in place of strings, signs in place of ends, what was taken back marked as such."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.analytics.anomaly_rules.model import DAY, HOUR, MINUTE, Thresholds
from stocktwin.domain.identity import STOCKING_KINDS, TRANSIT_SEPARATOR
from stocktwin.domain.quantity import from_atomic
from stocktwin.tables.codes import Codes
from stocktwin.tables.evidence import Evidence
from stocktwin.tables.schema import SENSED
from stocktwin.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEAVES = ("sale", "scrap", "transfer_out", "shipment")
ENTERS = ("receipt", "transfer_in", "return")
UNSURE = ("status", "return", "transform")
"""Kinds whose effect on unrestricted stock depends on conditions."""


def movement_fact(row: dict[str, Any]) -> dict[str, Any]:
    """A movement as evidence: what is filled of it."""
    names = ("system", "event_id", "event_time", "kind", "from_id", "to_id", "quantity", "document", "order_id", "line")
    kept = {name: row[name] for name in (*names, "reason") if row[name] is not None}
    return {"fact": "movement"} | kept


def observation_fact(row: dict[str, Any]) -> dict[str, Any]:
    """A claim about a level as evidence."""
    names = ("system", "event_id", "event_time", "method", "quantity", "record_balance", "book_balance")
    return {"fact": "observation"} | {name: row[name] for name in names if row[name] is not None}


def order_fact(row: dict[str, Any]) -> dict[str, Any]:
    """An order line as evidence."""
    names = ("system", "order_id", "line", "quantity_received", "received_at", "status")
    kept = {name: row[name] for name in names if row[name] is not None}
    return {"fact": "order", "quantity_ordered": row["quantity"]} | kept


@dataclass(frozen=True)
class Movements:
    """Movements as arrays, rows as in the evidence; only those at a location of ours have `place` ≥ 0."""

    table: pa.Table
    item: Ints
    place: Ints
    effect: Ints
    """+1 into the place, −1 out of it."""
    quantity: Ints
    time: Ints
    known_at: Ints
    system: Ints
    kind: Ints
    ends: Ints
    document: Ints
    """−1 where there is none; so are order, line."""
    order: Ints
    line: Ints
    on_record: Flags
    settled: Flags
    """Taken back, or a taking back: not evidence of anything any more."""
    amended: Flags
    """Settled, or beside a settled one under the same document: the counterpart may be long ago."""
    mending: Flags
    """Amended postings and adjustments: what puts a record right."""
    systems: tuple[str, ...]
    kinds: tuple[str, ...]

    def fact(self, row: int) -> dict[str, Any]:
        """One movement as evidence."""
        return movement_fact(self.row(row))

    def row(self, row: int) -> dict[str, Any]:
        """One movement, all columns."""
        found: dict[str, Any] = self.table.slice(row, 1).to_pylist()[0]
        return found

    @cached_property
    def order_lines(self) -> dict[int, tuple[str, str]]:
        """Row → (order, line) of the movements that name one."""
        rows = np.flatnonzero(self.order >= 0)
        named = self.table.select(["order_id", "line"]).take(pa.array(rows))
        return dict(
            zip(rows.tolist(), zip(*(column.to_pylist() for column in named.columns), strict=True), strict=True)
        )

    @cached_property
    def by_pair(self) -> dict[tuple[int, ...], Ints]:
        """(item, place) → rows, in time order."""
        ours = np.flatnonzero(self.place >= 0)
        ours = ours[np.lexsort((self.time[ours], self.place[ours], self.item[ours]))]
        return groups(ours, self.item[ours], self.place[ours])

    def kind_name(self, row: int) -> str:
        """Kind of one movement."""
        return str(self.kinds[self.kind[row]])

    def system_name(self, row: int) -> str:
        """System of one movement."""
        return str(self.systems[self.system[row]])


@dataclass(frozen=True)
class Facts:
    """All that the rules look at."""

    evidence: Evidence
    snapshot: Snapshot
    thresholds: Thresholds
    movements: Movements
    lag: dict[str, int]
    """System → how long after an event it is usually recorded there (99 %), µs."""

    @classmethod
    def of(cls, evidence: Evidence, snapshot: Snapshot, thresholds: Thresholds) -> Facts:
        """Prepares the evidence."""
        movements = _movements(evidence.movements, snapshot)
        return cls(evidence, snapshot, thresholds, movements, _usual_lags(movements, thresholds))

    @cached_property
    def sensing(self) -> frozenset[str]:
        """Systems that read tags or weigh: what they post is what they happened to see, never all of it."""
        seen = self.evidence.observations
        return frozenset(seen.filter(pc.is_in(seen["method"], pa.array(SENSED)))["system"].unique().to_pylist())

    @cached_property
    def orders(self) -> dict[tuple[str, str, int], dict[str, Any]]:
        """(order, line, item) → order line."""
        rows = self.evidence.orders.to_pylist()
        code = self.snapshot.item_codes.code
        return {(row["order_id"], row["line"], code(row["item_id"])): row for row in rows}

    @cached_property
    def packs(self) -> dict[int, frozenset[int]]:
        """Item → whole pack factors of its units."""
        found: dict[int, set[int]] = {}
        for row in self.evidence.units.to_pylist():
            factor = round(row["factor"] or 0)
            if factor > 1 and abs(factor - row["factor"]) < 1e-9:
                found.setdefault(self.snapshot.item_codes.code(row["item_id"]), set()).add(factor)
        return {item: frozenset(factors) for item, factors in found.items()}

    def factors(self, item: int) -> frozenset[int]:
        """Pack factors to try for an item."""
        return self.packs.get(item, frozenset()) | frozenset(self.thresholds.pack_factors)

    @property
    def longest_lag(self) -> int:
        """The longest usual delay of any system, µs."""
        return max(self.lag.values(), default=round(self.thresholds.default_lag_days * DAY))

    def said(self, item: int, quantity: int | None) -> str:
        """A quantity as it is written in the item's unit."""
        return str(from_atomic(quantity or 0, int(self.scales[item])))

    @cached_property
    def scales(self) -> Ints:
        """Decimal places by item code."""
        return self.snapshot.scale()

    def item_id(self, item: int) -> str:
        """Id of an item code."""
        return self.snapshot.item_codes.ids[item]

    def location_id(self, place: int) -> str:
        """Id of a location code."""
        return self.snapshot.location_codes.ids[place]


def groups(rows: Ints, *keys: Ints) -> dict[tuple[int, ...], Ints]:
    """Rows by their keys; rows of one key keep their order and must stand together."""
    if not len(rows):
        return {}
    new = np.ones(len(rows), bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    begin = np.flatnonzero(new)
    parts = np.split(rows, begin[1:])
    return {tuple(int(key[at]) for key in keys): part for at, part in zip(begin, parts, strict=True)}


def dense(*columns: Ints) -> Ints:
    """One dense code per distinct combination."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        low = int(column.min(initial=0))
        width = int(column.max(initial=0)) - low + 1
        code = np.unique(code * width + (column - low), return_inverse=True)[1].astype(np.int64).ravel()
    return code


def encoded(column: pa.ChunkedArray, codes: Codes | None = None) -> tuple[Ints, tuple[str, ...]]:
    """Codes of a text column (−1 for null) and their names; with `codes`, theirs (−1 where unknown)."""
    array = column.combine_chunks().dictionary_encode()
    index = np.asarray(array.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    names = tuple(array.dictionary.to_pylist())
    if codes is None:
        return index, names
    mapped = np.append(codes.encode(names).astype(np.int64), -1)
    return mapped[index], codes.ids


def _movements(table: pa.Table, snapshot: Snapshot) -> Movements:
    kind, kinds = encoded(table.column("kind"))
    system, systems = encoded(table.column("system"))
    place, effect = _places(table, snapshot, kind, kinds)
    document = encoded(table.column("document"))[0]
    settled, amended = _settled(table, document)
    adjustment = np.isin(kind, [k for k, name in enumerate(kinds) if name in ("adjustment", "scrap")])
    return Movements(
        table=table,
        item=encoded(table.column("item_id"), snapshot.item_codes)[0],
        place=place,
        effect=effect,
        quantity=_int(table, "quantity"),
        time=_int(table, "event_time"),
        known_at=_int(table, "known_at"),
        system=system,
        kind=kind,
        ends=dense(encoded(table.column("from_id"))[0], encoded(table.column("to_id"))[0]),
        document=document,
        order=encoded(table.column("order_id"))[0],
        line=encoded(table.column("line"))[0],
        on_record=np.asarray(table.column("on_record").fill_null(False).to_numpy(zero_copy_only=False), bool),
        settled=settled,
        amended=amended,
        mending=adjustment | amended,
        systems=systems,
        kinds=kinds,
    )


def _places(table: pa.Table, snapshot: Snapshot, kind: Ints, kinds: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Which location of ours a movement changes, and in which direction (−1 and 0 where none).

    Ends may be named as the places themselves or as the lane between them.
    """
    ours = np.array([name in STOCKING_KINDS for name in snapshot.locations.column("kind").to_pylist()] + [False])
    ends = []
    for column, part in (("from_id", 0), ("to_id", -1)):
        code, names = encoded(table.column(column))
        plain = snapshot.location_codes.encode([name.split(TRANSIT_SEPARATOR)[part] for name in names])
        found = np.append(plain.astype(np.int64), -1)[code]
        ends.append(np.where(ours[found], found, -1))
    origin, destination = ends
    leaves = np.isin(kind, [k for k, name in enumerate(kinds) if name in LEAVES])
    enters = np.isin(kind, [k for k, name in enumerate(kinds) if name in ENTERS])
    inward = (destination >= 0) & ~(leaves & (origin >= 0)) & ((origin < 0) | enters)
    place = np.where(inward, destination, origin)
    return place, np.where(place < 0, 0, np.where(inward, 1, -1))


def _settled(table: pa.Table, document: Ints) -> tuple[Flags, Flags]:
    """Movements that correct another or are corrected by one; and these with all of their documents."""
    correction = np.asarray(table.column("corrects").is_valid(), bool)
    if not correction.any():
        return correction, correction
    taken_back = set(_names(table.filter(pa.array(correction)), "corrects"))
    settled = correction | np.array([name in taken_back for name in _names(table, "event_id")], bool)
    return settled, settled | ((document >= 0) & np.isin(document, document[settled & (document >= 0)]))


def _names(table: pa.Table, column: str) -> list[str]:
    """System and event id as one text per row."""
    parts = table.column("system").fill_null(""), table.column(column).fill_null("")
    return list(pc.binary_join_element_wise(*parts, "\x1f").to_pylist())


def _int(table: pa.Table, column: str) -> Ints:
    return np.asarray(table.column(column).fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _usual_lags(movements: Movements, thresholds: Thresholds) -> dict[str, int]:
    """How late each system is, from record times; where these only say when history was loaded, the default."""
    out = {}
    low, high = HOUR, round(thresholds.longest_lag_days * DAY)
    for code, name in enumerate(movements.systems):
        delay = (movements.known_at - movements.time)[movements.system == code]
        loaded = not len(delay) or float(np.median(delay)) > 2 * DAY
        usual = thresholds.default_lag_days * DAY if loaded else float(np.quantile(delay, 0.99))
        out[name] = int(min(max(usual, low), high))
    return out


def resolution(times: Ints) -> int:
    """The step in which a system tells time: a day, a minute or a second (µs)."""
    if len(np.unique(times % DAY)) <= 4 and len(times) > 4:
        return DAY
    return MINUTE if not (times % MINUTE).any() else MINUTE // 60
