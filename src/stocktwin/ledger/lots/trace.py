"""Where a lot is, where it went, from which lots it was made, and what was made of it: the recall trace.

Everything is read from the facts of the items concerned, which lie together in the projection; no index is kept.
Quantities are atomic, times µs. What rests on lots that no movement named is marked `inferred`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.ledger.balances import book_code, code_of
from stocktwin.ledger.books import make_view
from stocktwin.ledger.healing import healing
from stocktwin.ledger.lots.attribution import Account, Piece
from stocktwin.ledger.lots.book import Held, Item, LotBook
from stocktwin.ledger.lots.flow import OPENING, Flow, Place
from stocktwin.ledger.lots.transforms import MIDDLE, Batch, Link, Making, faults_of, links_of, makings

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger

DIRECTIONS: Final = ("both", "forward", "back")
MOST_LOTS: Final = 400
"""Lots that a trace follows; a bigger tree is cut, and says so."""


class Passage(NamedTuple):
    """What went from one place to another of a lot, net of what was cancelled."""

    batch: Batch
    left: int
    into: int
    quantity: int
    movements: int
    first: int
    last: int
    inferred: bool


class Step(NamedTuple):
    """A lot in the tree of lots."""

    batch: Batch
    relation: str
    """`self`, `made_into` or `made_from`."""
    level: int


@dataclass
class Trace:
    """Everything about one lot."""

    batch: Batch
    now: int
    """The instant that is spoken of: `at`, else the twin's clock."""
    steps: list[Step]
    links: list[Link]
    passages: list[Passage]
    held: dict[Batch, list[Held]]
    documents: list[dict[str, Any]]
    without_lot: list[tuple[int, int]]
    """(place, quantity) of stock of the item that has no lot, at places where this lot has been."""
    unlinked: int
    """Transforms of these lots that share no document with others, so that nobody can say what became of them."""
    faults: list[tuple[str, str]]
    """(document, what does not add up in it)."""
    cut: bool
    books: list[dict[str, Any]] = field(default_factory=list)
    disagreements: list[dict[str, Any]] = field(default_factory=list)
    items: dict[int, Item] = field(default_factory=dict)
    places: dict[int, Place] = field(default_factory=dict)
    expiries: dict[Batch, list[str]] = field(default_factory=dict)
    conditions: dict[tuple[Batch, Account], str] = field(default_factory=dict)
    """Condition of what is held, by date."""
    rule: str = "fefo"


@healing
def trace(
    ledger: Ledger,
    item_id: str,
    lot: str,
    *,
    direction: str = "both",
    at: int | None = None,
    known_at: int | None = None,
    book: str | None = None,
) -> Trace:
    """The trace of a lot on the record, or in the book of a system. NotFoundError names an item, lot or system that the
    twin does not know."""
    from stocktwin.ledger.lots.claims import book_totals, disagreements
    from stocktwin.ledger.lots.kept import newest, twin_clock

    if direction not in DIRECTIONS:
        raise UsageError(f"direction: one of {', '.join(DIRECTIONS)}, not {direction!r}")
    con = ledger._projection.cursor()
    try:
        item = code_of(con, "item", "item_id", item_id)
        system = None if book is None else book_code(con, book)
        view = make_view(con, at=at, known_at=known_at, system=system, item=item)
        kept = newest(ledger, con, "transforms")
        lots = LotBook(con, view, items_of=lambda documents: kept.items_of(con, documents))
        batch = Batch(item, lot)
        if not _known(lots, batch):
            raise NotFoundError("lot", f"{lot} of {item_id}")
        now = at if at is not None else twin_clock(ledger, con)
        found = _follow(lots, batch, direction, now)
        found.books = [] if system is not None else book_totals(lots, batch)
        found.disagreements = disagreements(lots, batch)
        return found
    finally:
        con.close()


def _known(lots: LotBook, batch: Batch) -> bool:
    """Whether any system has ever named the lot."""
    rows = lots.con.execute(
        "SELECT 1 FROM fact_movements WHERE item = ? AND (lot = ? OR to_lot = ?) LIMIT 1",
        [batch.item, batch.lot, batch.lot],
    ).fetchall()
    return bool(rows)


def _follow(lots: LotBook, batch: Batch, direction: str, now: int) -> Trace:
    tree = _Tree(lots)
    steps = [Step(batch, "self", 0)]
    if direction != "back":
        steps += tree.spread(batch, "made_into")
    if direction != "forward":
        steps += tree.spread(batch, "made_from")
    shown = {step.batch: step for step in reversed(steps)}
    links = [link for link in tree.links.values() if link.source in shown and link.made in shown]
    passages = [passage for step in shown.values() for passage in _passages(lots, step.batch)]
    upstream = {step.batch for step in shown.values() if step.relation == "made_from"}
    held = {batch: _held(lots, batch) for batch in shown}
    return Trace(
        batch, now, steps, links, _leading_to(passages, upstream, links), held,
        [row for step in shown.values() if step.relation != "made_from" for row in _documents(lots, step)],
        _without_lot(lots, batch), tree.unlinked, tree.faults(), tree.cut,
        items={step.batch.item: lots.item(step.batch.item) for step in shown.values()},
        places=lots.places,
        expiries={b: [d.isoformat() for d in lots.expiries(b.item).get(b.lot or "", [])] for b in shown},
        conditions={
            (batch, one.account): lots.condition(batch.item, one.account, batch.lot, now)
            for batch, several in held.items() for one in several
        },
        rule=lots.view.rules.issue,
    )  # fmt: skip


class _Tree:
    """The lots that are tied to each other by transforms, level by level."""

    def __init__(self, lots: LotBook) -> None:
        self._lots = lots
        self._makings: dict[str, Making] = {}
        self.links: dict[tuple[Batch, Batch, str | None, int], Link] = {}
        self.unlinked = 0
        self.cut = False

    def spread(self, start: Batch, relation: str) -> list[Step]:
        """The lots made of a lot, of those, and so on; or those it was made from."""
        forward, found, level, edge = relation == "made_into", {start}, 0, [start]
        steps: list[Step] = []
        while edge:
            level += 1
            following = dict.fromkeys(self._next(edge, forward))
            edge = [batch for batch in following if batch not in found]
            if len(found) + len(edge) > MOST_LOTS:
                self.cut, edge = True, edge[: MOST_LOTS - len(found)]
            found.update(edge)
            steps += [Step(batch, relation, level) for batch in edge]
        return steps

    def faults(self) -> list[tuple[str, str]]:
        """What does not add up in the documents that were met."""
        return [(name, text) for name, making in sorted(self._makings.items()) for text in faults_of(making)]

    def _next(self, batches: list[Batch], forward: bool) -> Iterator[Batch]:
        documents = {document for batch in batches for document in self._documents(batch, forward)}
        self._makings |= {making.document: making for making in makings(self._lots, documents - self._makings.keys())}
        wanted = set(batches)
        met = [link for name in sorted(documents) for link in links_of(self._makings[name])]
        met += [link for batch in batches for link in _direct(self._lots, batch)]
        for link in met:
            near, far = (link.source, link.made) if forward else (link.made, link.source)
            if near in wanted and far.lot is not None:
                self.links[link.source, link.made, link.document, link.place] = link
                yield far

    def _documents(self, batch: Batch, forward: bool) -> set[str]:
        """Documents under which a lot went into others, or came out."""
        flow, found = self._lots.flow(batch.item), set()
        for piece in self._lots.pieces(batch.item):
            end, lot = (flow.into, piece.lot) if forward else (flow.left, piece.to_lot)
            if lot == batch.lot and end[piece.row] == MIDDLE and flow.kind[piece.row] == "transform":
                document = flow.document[piece.row]
                if document is None:
                    self.unlinked += 1
                else:
                    found.add(document)
        return found


def _direct(lots: LotBook, batch: Batch) -> Iterator[Link]:
    """Movements in which a lot became another one by itself: a relabelled or repacked lot."""
    flow = lots.flow(batch.item)
    total: dict[tuple[str, str, str | None, int], list[int]] = {}
    for piece in lots.netted(batch.item):
        if piece.lot is None or piece.to_lot is None or piece.lot == piece.to_lot:
            continue
        if batch.lot in (piece.lot, piece.to_lot):
            key = (piece.lot, piece.to_lot, flow.document[piece.row], flow.into[piece.row])
            sums = total.setdefault(key, [0, 0, 1])
            sums[0] += piece.quantity
            sums[1] = max(sums[1], flow.time[piece.row])
            sums[2] &= not piece.inferred
    for (lot, to_lot, document, place), (quantity, time, certain) in total.items():
        if quantity > 0:
            source, made = Batch(batch.item, lot), Batch(batch.item, to_lot)
            yield Link(source, made, quantity, quantity, document, place, time, bool(certain))


def _passages(lots: LotBook, batch: Batch) -> list[Passage]:
    """The ways that a lot took, each once, in order of time."""
    flow = lots.flow(batch.item)
    met: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    for piece in lots.netted(batch.item):
        if batch.lot in (piece.lot, piece.to_lot) and flow.left[piece.row] != flow.into[piece.row]:
            met[flow.left[piece.row], flow.into[piece.row]].append(piece)
    found = [_passage(flow, batch, ends, pieces) for ends, pieces in met.items()]
    return sorted((way for way in found if way.quantity > 0), key=lambda way: (way.first, way.left, way.into))


def _passage(flow: Flow, batch: Batch, ends: tuple[int, int], pieces: list[Piece]) -> Passage:
    times = [flow.time[piece.row] for piece in pieces]
    rows = len({piece.row for piece in pieces if piece.quantity > 0})
    quantity = sum(piece.quantity for piece in pieces)
    return Passage(batch, *ends, quantity, rows, min(times), max(times), any(piece.inferred for piece in pieces))


def _leading_to(passages: list[Passage], upstream: set[Batch], links: list[Link]) -> list[Passage]:
    """Of the lots it was made from, only the ways that led to where they were used."""
    kept: set[Passage] = {way for way in passages if way.batch not in upstream}
    for batch in upstream:
        ways = [way for way in passages if way.batch == batch]
        reached = {link.place for link in links if link.source == batch} | {MIDDLE}
        while True:
            more = {way for way in ways if way not in kept and way.into in reached}
            if not more:
                break
            kept |= more
            reached |= {way.left for way in more}
    return [way for way in passages if way in kept]


def _held(lots: LotBook, batch: Batch) -> list[Held]:
    return [held for held in lots.held(batch.item) if held.lot == batch.lot]


def _without_lot(lots: LotBook, batch: Batch) -> list[tuple[int, int]]:
    been = {place for way in _passages(lots, batch) for place in (way.left, way.into)}
    total: dict[int, int] = defaultdict(int)
    for held in lots.held(batch.item):
        if held.lot is None and held.account[0] in been and held.account[0] in lots.pooled:
            total[held.account[0]] += held.quantity
    return sorted((place, quantity) for place, quantity in total.items() if quantity > 0)


def _documents(lots: LotBook, step: Step) -> list[dict[str, Any]]:
    """Every movement of a lot, oldest first, as it was told."""
    flow, batch = lots.flow(step.batch.item), step.batch
    parts: dict[int, list[Piece]] = defaultdict(list)
    for piece in lots.pieces(batch.item):
        if batch.lot in (piece.lot, piece.to_lot):
            parts[piece.row].append(piece)
    details = _details(lots, batch.item, [row for row in parts if flow.kind[row] != OPENING])
    return [
        {
            "batch": batch,
            "relation": step.relation,
            "time": flow.time[row],
            "kind": flow.kind[row],
            "left": flow.left[row],
            "into": flow.into[row],
            "quantity": sum(piece.quantity for piece in parts[row]),
            "inferred": any(piece.inferred for piece in parts[row]),
            "document": flow.document[row],
            "event_id": flow.event_id[row],
            "corrects": flow.corrects[row],
            **details.get((flow.seq[row], flow.pos[row]), _NO_DETAILS),
        }
        for row in sorted(parts)
    ]


_DETAILS: Final = ("order_id", "line", "shipment_id", "reason", "system", "source", "file", "known_at")
_NO_DETAILS: Final = dict.fromkeys(_DETAILS)


def _details(lots: LotBook, item: int, rows: list[int]) -> dict[tuple[int, int], dict[str, Any]]:
    """What else was told of some movements of an item."""
    import pyarrow as pa

    flow = lots.flow(item)
    asked = {name: pa.array([getattr(flow, name)[row] for row in rows], pa.int32()) for name in ("seq", "pos")}
    lots.con.register("asked_rows", pa.table(asked))
    try:
        found = lots.con.execute(f"""SELECT m.seq, m.pos, order_id, line, shipment_id, reason, s.name, b.source, b.file,
            known_at FROM fact_movements m JOIN asked_rows USING (seq, pos) JOIN system s ON s.code = m.system
            JOIN batch b ON b.seq = m.seq WHERE m.item = {item}""").fetchall()
    finally:
        lots.con.unregister("asked_rows")
    return {(row[0], row[1]): dict(zip(_DETAILS, row[2:], strict=True)) for row in found}
