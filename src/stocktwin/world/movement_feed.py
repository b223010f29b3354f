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
from stocktwin.world.encoding import Columns, chosen, dates, joined, quantities, where
from stocktwin.world.lots import NO_LOT, made_day, maker
from stocktwin.world.network import Network
from stocktwin.world.order_feed import OrderBook, day_texts
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS
from stocktwin.world.postings import CASE, FIRST, PALLET, PIECE, PUT_AWAY, REVERSAL, RIGHT, Postings, effects
from stocktwin.world.records import Counts, Event, Events, taken
from stocktwin.world.troubles import Troubles
from stocktwin.world.words import Words

Ints = npt.NDArray[np.int64]

KINDS: Final = ("adjustment", "receipt", "transfer_in", "status", "sale", "return", "scrap", "transfer_out", "scrap",
                "adjustment", "adjustment", "adjustment", "adjustment", "adjustment", "scrap", "adjustment",
                "adjustment", "scrap", "scrap", "adjustment", "status")  # fmt: skip
"""Movement kind of each `Event`."""
PREFIXES: Final = ("OB-", "GR-", "TR-", "INS-", "INV-", "RMA-", "INS-", "GI-", "SCR-", "USE-", "THF-", "LST-", "CNT-",
                   "BTH-", "DMG-", "MIS-", "FND-", "EXP-", "WOF-", "SRF-", "BIN-")  # fmt: skip
REASONS: Final = ("opening balance", None, None, "inspected, good", None, None, "inspected, bad", None,
                  "damaged in handling", "own use", "theft", "loss", "cycle count", "theft", "damage", "misplaced",
                  "found again", "expired", "damage found", "found again", "re-slotted")  # fmt: skip
SUFFIXES: Final = ("", "-2", "-R", "-3", "-P")
"""Of the event id, by role of the posting."""
BY_ORDER: Final = (Event.RECEIPT, Event.TRANSFER_IN, Event.TRANSFER_OUT)
PACKS: Final = (None, "case", "pallet")
COUNT_DELAY, BOOK_DELAY = 3 * MINUTE, 10 * MINUTE
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
    system: int, words: Words, design: Design, events: Events, orders: OrderBook, document: pa.Array,
    postings: Postings, named: Ints,
) -> Columns:  # fmt: skip
    """The `movements` table of one system, in its words. `named` is what each posting names its item by: a place in the
    words' items."""
    at = pa.array(postings.event)
    kind = np.where(postings.role == PUT_AWAY, Event.RESLOT, events.kind[postings.event])
    item, dc = design.item[postings.row], design.dc[postings.row]
    origin, destination = places(design, events, orders, postings)
    left, entered = (condition.take(at) for condition in conditions(events))
    line = np.where(np.isin(kind, BY_ORDER), events.line[postings.event], -1)
    of_line = pa.array(line, mask=line < 0)
    followed = pa.array((line >= 0) & orders.followed[line])
    order_id = orders.order_id.take(of_line)
    prefix = f"{SYSTEMS[system].upper()}-"
    doc = document.take(at)
    return {
        "event_id": joined(prefix, doc, chosen(SUFFIXES, postings.role)),
        "event_time": words.times(postings.event_us, dc),
        "kind": chosen(KINDS, kind),
        "item_id": chosen(words.items, named),
        "quantity": quantities(packs(design, postings), design.items.scale[item]),
        "unit": words.unit(where(postings.pack > PIECE, chosen(PACKS, postings.pack), chosen(design.items.unit, item))),
        "from_id": words.place(origin),
        "to_id": words.place(destination),
        "lot": lot_texts(design.network, postings.lot),
        "expiry": expiries(design, postings.row, postings.lot),
        "condition": left,
        "to_condition": entered,
        "document": doc,
        "order_id": order_id,
        "line": orders.line.take(of_line),
        "shipment_id": where(followed.to_numpy(zero_copy_only=False), orders.shipment_ids(np.maximum(line, 0)), None),
        "reason": _reasons(postings, kind),
        "system": chosen(SYSTEMS, np.full(len(item), system)),
        "corrects": joined(prefix, doc, chosen(SUFFIXES, postings.corrects)),
        "recorded_at": words.times(postings.recorded_us, dc),
    }


def places(design: Design, events: Events, orders: OrderBook, postings: Postings) -> tuple[pa.Array, pa.Array]:
    """Where goods left and went as it was posted: maybe to the wrong DC, and back where a posting is reversed."""
    origin, destination = (end.take(pa.array(postings.event)) for end in ends(design, events, orders))
    elsewhere = design.dc[postings.row] != design.dc[events.row[postings.event]]
    destination = where(elsewhere, chosen(design.dc_ids, design.dc[postings.row]), destination)
    here = postings.role == PUT_AWAY
    origin = where(here, chosen(design.dc_ids, design.dc[postings.row]), origin)
    back = postings.role == REVERSAL
    return where(back, destination, origin), where(back, origin, destination)


def packs(design: Design, postings: Postings) -> Ints:
    """Quantities in what they were counted in: pieces, cases or pallets, times the item's scale."""
    items, item = design.items, design.item[postings.row]
    case = items.case[item]
    pieces = np.select([postings.pack == CASE, postings.pack == PALLET], [case, case * items.cases_per_pallet[item]], 1)
    return np.asarray(postings.quantity // pieces)


def _reasons(postings: Postings, kind: Ints) -> pa.Array:
    usual = chosen(REASONS, kind)
    roles = chosen((None, None, "reversal of a wrong posting", "posted correctly", "put away"), postings.role)
    late = chosen((None, "late posting"), postings.late)
    special = where(np.isin(postings.role, (REVERSAL, RIGHT, PUT_AWAY)), roles, late)
    return where((postings.role != FIRST) | (postings.late == 1), special, usual)


def count_columns(
    design: Design, clock: Clock, counts: Counts, words: Words, troubles: Troubles, end_us: Ints
) -> Columns:
    """Cycle counts, as the warehouse reports them, before the end of the world at each DC."""
    dc = design.dc[counts.row]
    when = clock.instant(counts.day, counts.second, dc)
    when = when + troubles.skew(dc, when)
    recorded = troubles.heard(dc, when + COUNT_DELAY, np.zeros(len(when)))
    told = np.flatnonzero(recorded < end_us[dc])
    counts, when, recorded = taken(counts, told), when[told], recorded[told]
    shelf = chosen(design.shelf_texts, counts.row)
    ids = joined("WMS-CC-", day_texts(counts.day), "-", shelf, part_texts(counts.part))
    found = _observations(design, words, WMS, "cycle_count", ids, counts.row, counts.quantity, when, recorded)
    return found | {"lot": lot_texts(design.network, counts.lot)}


def book_columns(design: Design, clock: Clock, days: int, events: Events, postings: Postings, full: bool) -> Columns:
    """The ERP's own nightly levels: of what moved on its book since the night before, on the last night of a month of
    everything (where `full`). A negative one cannot be stated and is left out."""
    cut = clock.instant(np.arange(days)[:, None], BOOK_SECOND, np.arange(len(design.network.dcs))[None, :])
    row, night, level = nightly_levels(design, postings, events, cut, book_days(days) if full else [])
    stated = level >= 0
    row, night, level = row[stated], night[stated], level[stated]
    ids = joined("ERP-BOOK-", day_texts(night), "-", chosen(design.shelf_texts, row))
    when = cut[night, design.dc[row]]
    return _observations(design, Words(design.items.item_id), ERP, "erp_book", ids, row, level, when, when + BOOK_DELAY)


def nightly_levels(
    design: Design, postings: Postings, events: Events, cut: Ints, whole: list[int]
) -> tuple[Ints, Ints, Ints]:
    """(item-location, night, level on the book) of what a night finds changed, and of everything on the nights of
    `whole`; `cut[night, dc]` is when the picture is taken. By night, then item-location."""
    nights = len(cut)
    dc = design.dc[postings.row]
    moment = np.maximum(postings.event_us, postings.recorded_us)
    night = np.empty(len(moment), np.int64)
    for site in range(cut.shape[1]):
        night[dc == site] = np.searchsorted(cut[:, site], moment[dc == site])
    seen = np.flatnonzero(night < nights)
    key = postings.row[seen] * nights + night[seen]
    order = np.argsort(key, kind="stable")
    steps, first = np.unique(key[order], return_index=True)
    change = (effects(postings, events) * postings.quantity)[seen][order]
    level = np.cumsum(np.add.reduceat(change, first)) if len(steps) else change
    begins = np.searchsorted(steps // nights, np.arange(len(design)))
    before = np.concatenate([[0], level])[begins]
    every = (np.arange(len(design))[:, None] * nights + np.array(whole, np.int64)[None, :]).reshape(-1)
    asked = np.union1d(steps, every)
    at = np.searchsorted(steps, asked, side="right")
    row = asked // nights
    stated = np.where(at > begins[row], np.concatenate([[0], level])[at] - before[row], 0)
    order = np.lexsort((row, asked % nights))
    return row[order], (asked % nights)[order], stated[order]


def book_days(days: int) -> list[int]:
    """Last days of months.

    >>> book_days(60)
    [30, 58]
    """
    return [d for d in range(days) if (date_of(d) + timedelta(days=1)).day == 1]


def _observations(
    design: Design,
    words: Words,
    system: int,
    method: str,
    ids: pa.Array,
    row: Ints,
    level: Ints,
    when: Ints,
    recorded: Ints,
) -> Columns:
    item, dc = design.item[row], design.dc[row]
    zero = np.zeros(len(row), np.int64)
    return {
        "event_id": ids,
        "event_time": words.times(when, dc),
        "method": chosen((method,), zero),
        "item_id": chosen(words.items, item),
        "location_id": words.place(chosen(design.dc_ids, dc)),
        "quantity": quantities(level, design.items.scale[item]),
        "unit": words.unit(chosen(design.items.unit, item)),
        "scope": chosen(("complete",), zero),
        "system": chosen(SYSTEMS, zero + system),
        "recorded_at": words.times(recorded, dc),
    }
