"""The recall trace of a lot, as plain JSON values."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso
from stocktwin.domain.calendar import local_day

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.ledger.lots.trace import Trace
    from stocktwin.ledger.lots.transforms import Batch

Rows = list[dict[str, Any]]
STATES = {"stock": "on_hand", "lane": "in_transit", "customer": "delivered", "scrap": "scrapped", "loss": "lost",
          "transform": "used_up", "supplier": "returned_to_supplier"}  # fmt: skip
"""What standing at a place means for a lot."""


def trace_answer(
    ledger: Ledger,
    timezone: str,
    item: str,
    lot: str,
    *,
    direction: str,
    at: str | None,
    known_at: str | None,
    book: str | None,
    limit: int | None,
    after: str | None,
) -> dict[str, Any]:
    """Where a lot is, where it went, what it was made from and into, who received it; `limit` and `after` page the
    documents. NotFoundError names an unknown item, lot or system."""
    from stocktwin.ledger.lots.trace import trace

    at_us, known_us = moment(at, timezone, "at"), moment(known_at, timezone, "known_at")
    told = _Told(trace(ledger, item, lot, direction=direction, at=at_us, known_at=known_us, book=book), timezone)
    documents = told.documents()
    shown, following = page(documents, _document_key, name="trace", limit=limit, after=after)
    return {
        **told.lot(told.trace.batch),
        "description": told.trace.items[told.trace.batch.item].description,
        "direction": direction,
        "at": iso(at_us),
        "as_of": iso(told.trace.now),
        "known_at": iso(known_us),
        "book": book or "record",
        "issue_rule": told.trace.rule,
        "totals": told.totals(),
        "where": told.where(),
        "customers": told.customers(),
        "lots": told.lots(),
        "links": told.links(),
        "flows": told.flows(),
        "places": told.places(),
        "books": told.books(),
        "disagreements": told.disagreements(),
        "without_lot": told.without_lot(),
        "warnings": told.warnings(),
        "documents": shown,
        "total": len(documents),
        "next": following,
    }


def _document_key(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("time", "item_id", "lot", "kind", "system", "event_id", "from_id", "to_id")
    return tuple(row[name] or "" for name in names)


@dataclass
class _Reached:
    """What a customer got of a lot, atomic units."""

    delivered: int = 0
    returned: int = 0
    inferred: bool = False
    documents: set[str] = field(default_factory=set)
    times: list[int] = field(default_factory=list)

    def take(self, row: dict[str, Any]) -> None:
        """A movement brought it goods."""
        self.delivered += row["quantity"]
        self.inferred |= row["inferred"]
        self.documents.add(row["document"] or row["event_id"])
        self.times.append(row["time"])

    def give(self, row: dict[str, Any]) -> None:
        """A movement took goods from it: back, or because the delivery was cancelled."""
        if row["corrects"] is None:
            self.returned += row["quantity"]
        else:
            self.delivered -= row["quantity"]


class _Told:
    """A trace, told in ids, units and ISO times."""

    def __init__(self, trace: Trace, timezone: str) -> None:
        self.trace, self._timezone = trace, timezone

    def _exact(self, batch: Batch, atomic: int) -> int | str | None:
        return exact(atomic, self.trace.items[batch.item].scale)

    def _place(self, code: int) -> str:
        return self.trace.places[code].id

    def _name(self, batch: Batch) -> dict[str, Any]:
        return {"item_id": self.trace.items[batch.item].id, "lot": batch.lot}

    def lot(self, batch: Batch) -> dict[str, Any]:
        """A lot by name, with its expiry."""
        told = self.trace.expiries.get(batch, [])
        today = local_day(self.trace.now, self._timezone).isoformat()
        return {
            **self._name(batch),
            "unit": self.trace.items[batch.item].unit,
            "expiry": told[0] if told else None,
            "expiries": told,
            "expired": bool(told) and told[0] <= today,
        }

    def totals(self) -> dict[str, Any]:
        """How much of the lot itself is where, by what being there means."""
        batch, sums = self.trace.batch, defaultdict[str, int](int)
        for held in self.trace.held[batch]:
            group = self.trace.places[held.account[0]].group
            if group in STATES and (held.quantity > 0 or group in ("stock", "lane", "transform")):
                sums[STATES[group]] += held.quantity
            if held.quantity < 0 and group not in ("stock", "lane", "customer"):
                sums["came_in"] -= held.quantity
        names = ("came_in", *STATES.values())
        return {name: self._exact(batch, max(sums[name], 0) if name == "used_up" else sums[name]) for name in names}

    def where(self) -> Rows:
        """What stands where, of the lot and of all that was made of it: our places first, most first."""
        order = list(STATES)
        rows = []
        for step in self._forward():
            for held in self.trace.held[step.batch]:
                place = self.trace.places[held.account[0]]
                if place.group not in STATES or (held.quantity < 0 and place.group not in ("stock", "lane")):
                    continue
                rows.append((order.index(place.group), -held.quantity, place.id, {
                    **self._name(step.batch), "location_id": place.id, "name": place.name, "kind": place.kind,
                    "state": STATES[place.group], "condition": self.trace.conditions[step.batch, held.account],
                    "owner": held.account[2], "quantity": self._exact(step.batch, held.quantity),
                    "inferred": held.inferred, "last_movement": iso(held.last),
                }))  # fmt: skip
        return [row for *_, row in sorted(rows, key=lambda found: (*found[:3], *map(str, found[3].values())))]

    def _forward(self) -> list[Any]:
        return [step for step in self.trace.steps if step.relation != "made_from"]

    def customers(self) -> Rows:
        """Who received it, or is about to: most first."""
        sums: dict[tuple[int, Batch], _Reached] = defaultdict(_Reached)
        for row in self.trace.documents:
            left, into = self._customer(row["left"]), self._customer(row["into"])
            if into is not None and left != into:
                sums[into, row["batch"]].take(row)
            if left is not None and left != into:
                sums[left, row["batch"]].give(row)
        return self._customer_rows(sums)

    def _customer(self, code: int) -> int | None:
        """The customer that a place or lane belongs to."""
        place = self.trace.places[code]
        end = place if place.destination is None else self.trace.places[place.destination]
        return end.code if end.group == "customer" else None

    def _customer_rows(self, sums: dict[tuple[int, Batch], _Reached]) -> Rows:
        on_way: dict[tuple[int, Batch], int] = defaultdict(int)
        for batch, helds in self.trace.held.items():
            for held in helds:
                who = self._customer(held.account[0])
                if who is not None and self.trace.places[held.account[0]].kind == "lane":
                    on_way[who, batch] += held.quantity
        rows = [
            {
                "location_id": self._place(who),
                "name": self.trace.places[who].name,
                **self._name(batch),
                "quantity": self._exact(batch, entry.delivered),
                "returned": self._exact(batch, entry.returned),
                "in_transit": self._exact(batch, on_way.get((who, batch), 0)),
                "inferred": entry.inferred,
                "documents": len(entry.documents),
                "first": iso(min(entry.times, default=None)),
                "last": iso(max(entry.times, default=None)),
            }
            for (who, batch), entry in sums.items()
        ]
        return sorted(rows, key=lambda row: (-float(row["quantity"]), row["location_id"], row["item_id"], row["lot"]))

    def lots(self) -> Rows:
        """The tree of lots: this one, what was made of it, what it was made from."""
        return [
            {**self.lot(step.batch), "relation": step.relation, "level": step.level,
             "on_hand": self._exact(step.batch, self._standing(step.batch))}
            for step in self.trace.steps
        ]  # fmt: skip

    def _standing(self, batch: Batch) -> int:
        helds = self.trace.held[batch]
        return sum(held.quantity for held in helds if self.trace.places[held.account[0]].group == "stock")

    def links(self) -> Rows:
        """Which lot went into which."""
        return [
            {
                "from": {**self._name(link.source), "quantity": self._exact(link.source, link.used)},
                "to": {**self._name(link.made), "quantity": self._exact(link.made, link.quantity)},
                "document": link.document,
                "location_id": self._place(link.place),
                "time": iso(link.time),
                "certain": link.certain,
            }
            for link in sorted(self.trace.links, key=lambda link: (link.time, link.document or "", str(link)))
        ]

    def flows(self) -> Rows:
        """What went from where to where, net of cancellations, in order of time."""
        return [
            {**self._name(way.batch), "from_id": self._place(way.left), "to_id": self._place(way.into),
             "quantity": self._exact(way.batch, way.quantity), "movements": way.movements,
             "first": iso(way.first), "last": iso(way.last), "inferred": way.inferred}
            for way in self.trace.passages
        ]  # fmt: skip

    def places(self) -> Rows:
        """Every place on the ways; `role`: `stock`, `lane`, `customer`, `supplier`, or the name of a virtual place."""
        codes = {code for way in self.trace.passages for code in (way.left, way.into)}
        codes |= {held.account[0] for several in self.trace.held.values() for held in several}
        places = sorted((self.trace.places[code] for code in codes), key=lambda place: place.id)
        return [{"location_id": p.id, "name": p.name, "kind": p.kind, "role": p.group} for p in places]

    def documents(self) -> Rows:
        """Every movement of the lot and of what was made of it."""
        names = ("kind", "document", "order_id", "line", "shipment_id", "reason", "event_id", "corrects", "system",
                 "source", "file", "relation", "inferred")  # fmt: skip
        return [
            {
                "time": iso(row["time"]),
                **self._name(row["batch"]),
                "from_id": self._place(row["left"]),
                "to_id": self._place(row["into"]),
                "quantity": self._exact(row["batch"], row["quantity"]),
                **{name: row[name] for name in names},
            }
            for row in self.trace.documents
        ]

    def books(self) -> Rows:
        """What each system's own book says of the lot."""
        return [
            {name: self._exact(self.trace.batch, value) if isinstance(value, int) else value
             for name, value in row.items()} for row in self.trace.books
        ]  # fmt: skip

    def disagreements(self) -> Rows:
        """Documents under which systems name different lots."""
        return [
            {**row, "time": iso(row["time"]), "quantity": self._exact(self.trace.batch, row["quantity"]),
             "other_quantity": self._exact(self.trace.batch, row["other_quantity"])}
            for row in self.trace.disagreements
        ]  # fmt: skip

    def without_lot(self) -> Rows:
        """Stock of the item that no lot is known of, where this lot has been: it may be of it."""
        return [
            {"location_id": self._place(place), "quantity": self._exact(self.trace.batch, quantity)}
            for place, quantity in self.trace.without_lot
        ]

    def warnings(self) -> list[str]:
        """What a recall must not overlook."""
        trace = self.trace
        found = [
            f"{trace.items[batch.item].id} {batch.lot}: told to expire on {' and on '.join(told)}; the earliest counts"
            for batch, told in trace.expiries.items()
            if len(told) > 1
        ]
        found += [f"{document}: {text}" for document, text in trace.faults]
        if trace.unlinked:
            found.append(f"{trace.unlinked} transforms name no document: what they made, or of what, is not known")
        if trace.disagreements:
            found.append(f"systems name different lots in {len(trace.disagreements)} documents")
        if trace.without_lot:
            found.append("stock without a known lot stands where this lot has been; it may be of it")
        found += [
            f"{row['location_id']}: {str(row['quantity'])[1:]} more of {row['item_id']} {row['lot']} left than came"
            for row in self.where()
            if str(row["quantity"]).startswith("-")
        ]
        if trace.cut:
            found.append("the tree of lots is longer than is followed here")
        return found


COLUMNS = (
    *("time", "kind", "item_id", "lot", "from_id", "to_id", "quantity", "document", "order_id", "line", "shipment_id"),
    *("reason", "inferred", "relation", "system", "event_id", "corrects", "source", "file"),
)


def documents_csv(documents: Rows) -> str:
    """The movements of a trace as CSV with a header. A cell that a spreadsheet would run as a formula is made a text.

    >>> documents_csv([{"time": "2026-01-02T08:00:00Z", "lot": "=1+1", "quantity": 3}]).splitlines()[1]
    "2026-01-02T08:00:00Z,,,'=1+1,,,3,,,,,,,,,,,,"
    """
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in documents:
        writer.writerow([_safe(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def _safe(value: Any) -> Any:
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
