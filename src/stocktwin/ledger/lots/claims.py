"""What the systems say of a lot, side by side: each book's totals, and documents under which they name other lots."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stocktwin.ledger.lots.book import LotBook

if TYPE_CHECKING:
    from stocktwin.ledger.lots.transforms import Batch


def book_totals(lots: LotBook, batch: Batch) -> list[dict[str, Any]]:
    """Per system that names the lot: what came in, what stands in our places, what is on lanes, what went to customers
    (atomic units)."""
    known = "" if lots.view.known_at is None else f"AND known_at <= {lots.view.known_at}"
    systems = lots.con.execute(
        f"""SELECT DISTINCT code, name FROM fact_movements JOIN system ON code = system
        WHERE item = ? AND (lot = ? OR to_lot = ?) {known} ORDER BY name""",
        [batch.item, batch.lot, batch.lot],
    )
    return [
        {
            "system": name,
            **_totals(LotBook(lots.con, replace(lots.view, system=code, authority=None), lots.places), batch),
        }
        for code, name in systems.fetchall()
    ]


def _totals(book: LotBook, batch: Batch) -> dict[str, int]:
    flow = book.flow(batch.item)
    came = 0
    for piece in book.netted(batch.item):
        outside = flow.left[piece.row] not in book.pooled
        if piece.to_lot == batch.lot and outside and flow.kind[piece.row] != "return":
            came += piece.quantity
    sums: dict[str, int] = defaultdict(int)
    for held in book.held(batch.item):
        if held.lot == batch.lot:
            sums[book.places[held.account[0]].group] += held.quantity
    return {"came_in": came, "on_hand": sums["stock"], "in_transit": sums["lane"], "delivered": sums["customer"]}


def disagreements(lots: LotBook, batch: Batch) -> list[dict[str, Any]]:
    """Documents under which one system names this lot and another system another one, net of corrections.

    `document, kind, time, system, lot, quantity, other_system, other_lot, other_quantity`.
    """
    told = _told(lots, batch)
    found = []
    for (document, kind), by_system in sorted(told.items()):
        time = max(time for _, time in by_system.values())
        named = {system: {lot: q for lot, q in lots_of.items() if q} for system, (lots_of, _) in by_system.items()}
        ours = {system: quantities.get(batch.lot or "", 0) for system, quantities in named.items()}
        for system in sorted(named):
            for other in sorted(named):
                short = ours[system] - ours[other]
                if short <= 0 or not named[other].keys() - {batch.lot}:
                    continue
                lot = min(named[other].keys() - {batch.lot}, key=str)
                found.append({"document": document, "kind": kind, "time": time, "system": system, "lot": batch.lot,
                              "quantity": ours[system], "other_system": other, "other_lot": lot,
                              "other_quantity": named[other][lot]})  # fmt: skip
    return found


_Told = dict[tuple[str, str], dict[str, tuple[dict[str, int], int]]]


def _told(lots: LotBook, batch: Batch) -> _Told:
    """(document, kind) → system → (lot → quantity net of corrections, time), of documents that name the lot."""
    bounds = [("event_time", lots.view.at), ("known_at", lots.view.known_at)]
    wheres = " ".join(f"AND {name} <= {value}" for name, value in bounds if value is not None)
    rows = lots.con.execute(
        f"""WITH m AS (SELECT * FROM fact_movements WHERE item = {batch.item}
            AND document IS NOT NULL AND coalesce(to_lot, lot) IS NOT NULL {wheres}),
        named AS (SELECT DISTINCT document, kind FROM m WHERE coalesce(to_lot, lot) = ?)
        SELECT m.document, CAST(m.kind AS VARCHAR), s.name, coalesce(m.to_lot, m.lot),
            CAST(sum(CASE WHEN o.event_id IS NOT NULL AND (m.from_place = o.to_place OR m.to_place = o.from_place)
                THEN -m.quantity ELSE m.quantity END) AS BIGINT), max(m.event_time)
        FROM m JOIN named ON named.document = m.document AND named.kind = m.kind JOIN system s ON s.code = m.system
        LEFT JOIN m o ON o.system = m.system AND o.event_id = m.corrects GROUP BY ALL""",
        [batch.lot],
    ).fetchall()
    told: _Told = defaultdict(dict)
    for document, kind, system, lot, quantity, time in rows:
        quantities, latest = told[document, kind].get(system, ({}, time))
        quantities[lot] = quantities.get(lot, 0) + quantity
        told[document, kind][system] = quantities, max(latest, time)
    return {key: by_system for key, by_system in told.items() if len(by_system) > 1}
