"""Movements and observations of each system as columns of the exchange format."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.domain.identity import CUSTOMER, GAIN, LOSS, SCRAP
from stocktwin.world.clock import MINUTE, Clock, date_of, epoch_days
from stocktwin.world.design import Design
from stocktwin.world.encoding import chosen, dates, instants, joined, quantities, where
from stocktwin.world.lots import NO_LOT, made_day, maker
from stocktwin.world.network import Network
from stocktwin.world.order_feed import OrderBook, day_texts
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS
from stocktwin.world.postings import FIRST, REVERSAL, RIGHT, Postings, book
from stocktwin.world.records import Counts, Event, Events

Ints = npt.NDArray[np.int64]

KINDS: Final = ("adjustment", "receipt", "transfer_in", "status", "sale", "return", "scrap", "transfer_out", "scrap",
                "adjustment", "adjustment", "adjustment", "adjustment", "adjustment", "scrap", "adjustment",
                "adjustment", "scrap", "scrap", "adjustment")  # fmt: skip
"""Movement kind of each `Event`."""
PREFIXES: Final = ("OB-", "GR-", "TR-", "INS-", "INV-", "RMA-", "INS-", "GI-", "SCR-", "USE-", "THF-", "LST-", "CNT-",
                   "BTH-", "DMG-", "MIS-", "FND-", "EXP-", "WOF-", "SRF-")  # fmt: skip
REASONS: Final = ("opening balance", None, None, "inspected, good", None, None, "inspected, bad", None,
                  "damaged in handling", "own use", "theft", "loss", "cycle count", "theft", "damage", "misplaced",
                  "found again", "expired", "damage found", "found again")  # fmt: skip
SUFFIXES: Final = ("", "-2", "-R", "-3")
"""Of the event id, by role of the posting."""
BOOK_SECOND: Final = 20 * 3600 + 1800
"""When the ERP takes its nightly picture of the books."""


def documents(design: Design, events: Events, orders: OrderBook) -> pa.Array:
    """Document number of each event: by order line for what moves by order, else by day and item-location; further
    lots of the same act get a number behind it."""
    by_line = events.line >= 0
    line = pa.array(np.where(by_line, events.line, 0), mask=~by_line)
    of_order = joined(orders.order_id.take(line), "-", orders.line.take(line))
    shelf = chosen(design.shelf_texts, events.row)
    act = where(by_line, of_order, joined(day_texts(events.ref_day), "-", shelf))
    return joined(chosen(PREFIXES, events.kind), act, part_texts(events.part))


def part_texts(part: Ints) -> pa.Array:
    """What marks the second and further lots of one act.

    >>> part_texts(np.array([0, 1])).to_pylist()
    ['', '-L2']
    """
    return chosen(["", *(f"-L{k + 1}" for k in range(1, int(part.max(initial=0)) + 1))], part)


def lot_texts(network: Network, lot: Ints) -> pa.Array:
    """Lots as `L250106-SHA`: day made, who made it; null where there is none."""
    none = lot == NO_LOT
    day = np.where(none, 0, made_day(lot))
    first, last = int(day.min(initial=0)), int(day.max(initial=0))
    days = chosen([f"{date_of(k):%y%m%d}" for k in range(first, last + 1)], np.where(none, -1, day - first))
    return joined("L", days, "-", chosen([place.short for place in network.suppliers], np.where(none, -1, maker(lot))))


def expiries(design: Design, row: Ints, lot: Ints) -> pa.Array:
    """Day of expiry of lots of some item-locations; null where there is none."""
    kept = lot != NO_LOT
    return dates(epoch_days(np.where(kept, made_day(lot) + design.shelf_life[row], 0)), kept)


def ends(design: Design, events: Events, orders: OrderBook) -> tuple[pa.Array, pa.Array]:
    """Where each event's goods left and where they went."""
    here = chosen(design.dc_ids, design.dc[events.row])
    kind = events.kind
    by_line = np.isin(kind, (Event.RECEIPT, Event.TRANSFER_IN, Event.TRANSFER_OUT))
    line = pa.array(np.where(by_line, events.line, 0), mask=~by_line)
    fixed_from = {Event.OPENING: GAIN, Event.RETURN: CUSTOMER, Event.FOUND: GAIN, Event.SURFACED: GAIN}
    lost = (Event.INTERNAL_USE, Event.THEFT, Event.LOSS, Event.COUNT_CORRECTION, Event.BULK_THEFT, Event.MISPLACED)
    scrapped = (Event.DISPOSAL, Event.SCRAP, Event.DAMAGE, Event.EXPIRED, Event.WRITE_OFF)
    fixed_to = {Event.SALE: CUSTOMER, **dict.fromkeys(lost, LOSS), **dict.fromkeys(scrapped, SCRAP)}
    return (
        where(by_line, orders.from_id.take(line), _ends(kind, fixed_from, here)),
        where(by_line, orders.to_id.take(line), _ends(kind, fixed_to, here)),
    )


def _ends(kind: Ints, fixed: dict[Event, str], here: pa.Array) -> pa.Array:
    names = chosen([fixed.get(event) for event in Event], kind)
    return where(np.isin(kind, list(fixed)), names, here)


def conditions(events: Events) -> tuple[pa.Array, pa.Array]:
    """Condition that the goods left and entered; null where it is unrestricted and stays so."""
    left = chosen(("returned",), np.zeros(len(events.row), np.int64))
    from_returned = np.isin(events.kind, (Event.RESTOCK, Event.DISPOSAL))
    entered = chosen(
        [{Event.RETURN: "returned", Event.RESTOCK: "unrestricted"}.get(event) for event in Event], events.kind
    )
    return where(from_returned, left, None), entered


def movement_columns(
    system: int, design: Design, events: Events, orders: OrderBook, document: pa.Array, postings: Postings
) -> dict[str, pa.Array]:
    """The `movements` table of one system."""
    at = pa.array(postings.event)
    kind = events.kind[postings.event]
    item = design.item[events.row[postings.event]]
    origin, destination = (end.take(at) for end in ends(design, events, orders))
    left, entered = (condition.take(at) for condition in conditions(events))
    back = postings.role == REVERSAL
    origin, destination = where(back, destination, origin), where(back, origin, destination)
    line = np.where(
        np.isin(kind, (Event.RECEIPT, Event.TRANSFER_IN, Event.TRANSFER_OUT)), events.line[postings.event], -1
    )
    of_line = pa.array(line, mask=line < 0)
    followed = pa.array((line >= 0) & orders.followed[line])
    cases = postings.in_cases == 1
    pieces = np.where(cases, postings.quantity // design.items.case[item], postings.quantity)
    order_id = orders.order_id.take(of_line)
    prefix = f"{SYSTEMS[system].upper()}-"
    doc = document.take(at)
    return {
        "event_id": joined(prefix, doc, chosen(SUFFIXES, postings.role)),
        "event_time": instants(postings.event_us),
        "kind": chosen(KINDS, kind),
        "item_id": chosen(design.items.item_id, item),
        "quantity": quantities(pieces, design.items.scale[item]),
        "unit": where(cases, chosen(("case",), np.zeros(len(item), np.int64)), chosen(design.items.unit, item)),
        "from_id": origin,
        "to_id": destination,
        "lot": lot_texts(design.network, events.lot[postings.event]),
        "expiry": expiries(design, events.row[postings.event], events.lot[postings.event]),
        "condition": left,
        "to_condition": entered,
        "document": doc,
        "order_id": order_id,
        "line": orders.line.take(of_line),
        "shipment_id": where(followed.to_numpy(zero_copy_only=False), joined("SH-", order_id), None),
        "reason": _reasons(postings, kind),
        "system": chosen(SYSTEMS, np.full(len(item), system)),
        "corrects": joined(prefix, doc, chosen(SUFFIXES, postings.corrects)),
        "recorded_at": instants(postings.recorded_us),
    }


def _reasons(postings: Postings, kind: Ints) -> pa.Array:
    usual = chosen(REASONS, kind)
    roles = chosen((None, None, "reversal of a wrong posting", "posted correctly"), postings.role)
    late = chosen((None, "late posting"), postings.late)
    special = where(np.isin(postings.role, (REVERSAL, RIGHT)), roles, late)
    return where((postings.role != FIRST) | (postings.late == 1), special, usual)


def count_columns(design: Design, clock: Clock, counts: Counts) -> dict[str, pa.Array]:
    """Cycle counts, as the warehouse reports them."""
    when = clock.instant(counts.day, counts.second, design.dc[counts.row])
    shelf = chosen(design.shelf_texts, counts.row)
    ids = joined("WMS-CC-", day_texts(counts.day), "-", shelf, part_texts(counts.part))
    found = _observations(design, WMS, "cycle_count", ids, counts.row, counts.quantity, when, 3)
    return found | {"lot": lot_texts(design.network, counts.lot)}


def book_columns(design: Design, clock: Clock, days: int, events: Events, postings: Postings) -> dict[str, pa.Array]:
    """The ERP's own level of every item-location on the last night of each month. A negative one cannot be stated and
    is left out."""
    none = np.zeros(0, np.int64)
    rows, levels, moments, nights = [none], [none], [none], [none]
    for day in book_days(days):
        cut = clock.instant(np.full(len(design.network.dcs), day), BOOK_SECOND, np.arange(len(design.network.dcs)))
        level = book(postings, events, design, cut)
        at = np.flatnonzero(level >= 0)
        rows.append(at)
        levels.append(level[at])
        moments.append(cut[design.dc[at]])
        nights.append(np.full(len(at), day))
    row = np.concatenate(rows)
    shelf = chosen(design.shelf_texts, row)
    ids = joined("ERP-BOOK-", day_texts(np.concatenate(nights)), "-", shelf)
    return _observations(design, ERP, "erp_book", ids, row, np.concatenate(levels), np.concatenate(moments), 10)


def book_days(days: int) -> list[int]:
    """Last days of months.

    >>> book_days(60)
    [30, 58]
    """
    return [d for d in range(days) if (date_of(d) + timedelta(days=1)).day == 1]


def _observations(
    design: Design, system: int, method: str, ids: pa.Array, row: Ints, level: Ints, when: Ints, delay: int
) -> dict[str, pa.Array]:
    item = design.item[row]
    zero = np.zeros(len(row), np.int64)
    return {
        "event_id": ids,
        "event_time": instants(when),
        "method": chosen((method,), zero),
        "item_id": chosen(design.items.item_id, item),
        "location_id": chosen(design.dc_ids, design.dc[row]),
        "quantity": quantities(level, design.items.scale[item]),
        "unit": chosen(design.items.unit, item),
        "scope": chosen(("complete",), zero),
        "system": chosen(SYSTEMS, zero + system),
        "recorded_at": instants(when + delay * MINUTE),
    }
