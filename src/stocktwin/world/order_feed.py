"""Orders as the ERP tells them, one row per version of a line, and the shipments it follows (sea freight, transfers).
What the world has decided but not yet done is not told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.clock import MINUTE, Clock, date_of
from stocktwin.world.design import Design
from stocktwin.world.encoding import chosen, instants, joined, quantities, where
from stocktwin.world.goods_receipts import GoodsReceipts
from stocktwin.world.places import Place
from stocktwin.world.postings import Office
from stocktwin.world.records import TRANSFER, Amendments, Event, Events, Lines

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HOUR: Final = 3600
PURCHASE_HOUR, TRANSFER_HOUR, CONFIRM_HOUR, SHIP_HOUR, PROMISE_HOUR, NOTICE_HOUR = 20, 12, 11, 17, 12, 9
ANSWER_HOUR: Final = 16
"""When the supplier's answer to a changed line is entered."""
DELAY_NOTICE: Final = 3
"""Days of delay from which a carrier says so, that many days before the promise runs out."""
CARRIERS: Final = {"": "Interstate Freight", "east": "Nordsee Reederei", "west": "Pacific Star Line"}
"""By the coast that a supplier ships to; by road where there is none."""
STATUSES: Final = ("open", "confirmed", "shipped", "closed", "cancelled")
OPEN, CONFIRMED, SHIPPED, CLOSED, CANCELLED = range(5)


@dataclass(frozen=True)
class OrderBook:
    """Order lines with their ids and instants. `received_us` is −1 while nothing has arrived."""

    design: Design
    lines: Lines
    order_id: pa.Array
    line: pa.Array
    from_id: pa.Array
    to_id: pa.Array
    ordered_us: Ints
    shipped_us: Ints
    promised_us: Ints
    """As first promised."""
    last_promise_us: Ints
    """As promised when it is shipped."""
    notice_us: Ints
    confirmed_us: Ints
    new_promise_us: Ints
    received_us: Ints
    end_us: Ints
    """Per line: when the world ends where it is received."""
    cancelled: Ints
    """Per line: what was cancelled by decision."""
    delayed: Flags
    """Lines that come so late that somebody says so."""
    amended: Flags
    """Lines that were changed after they were placed: they travel by themselves."""
    amendments: Amendments
    answered_us: Ints
    """Per amendment: when it is told,"""
    amended_promise_us: Ints
    """and the promise from then on,"""
    amended_asked_us: Ints
    """and the day asked for by then, −1 where none was."""
    receipts: GoodsReceipts
    """What the ERP has posted of the lines."""

    @property
    def is_transfer(self) -> Flags:
        """Lines that move goods between DCs."""
        return np.asarray(self.lines.kind == TRANSFER)

    @property
    def followed(self) -> Flags:
        """Lines whose goods travel as a shipment with a number."""
        by_sea = self.design.network.overseas[np.where(self.is_transfer, 0, self.lines.source)]
        return np.asarray((self.is_transfer | by_sea) & (self.cancelled < self.lines.quantity))

    def shipment_ids(self, at: Ints) -> pa.Array:
        """Numbers of the shipments of some lines."""
        order, line = (ids.take(pa.array(at)) for ids in (self.order_id, self.line))
        return where(self.amended[at], joined("SH-", order, "-", line), joined("SH-", order))


def order_book(
    design: Design, clock: Clock, lines: Lines, events: Events, amendments: Amendments, office: Office
) -> OrderBook:
    """Gives every line its number and its instants."""
    network, dc = design.network, design.dc[lines.row]
    asked = np.where(amendments.asked_day >= 0, amendments.asked_day, 0)
    transfer = lines.kind == TRANSFER

    def at(day: Ints, hour: int | Ints) -> Ints:
        return clock.instant(day, np.asarray(hour) * HOUR, dc)

    received = np.full(len(dc), -1, np.int64)
    arrived = np.flatnonzero(np.isin(events.kind, (Event.RECEIPT, Event.TRANSFER_IN)))
    row = events.row[arrived]
    promised, cancelled = lines.promised_day.copy(), np.zeros(len(dc), np.int64)
    promised[amendments.line], cancelled[amendments.line] = amendments.promised_day, amendments.cancelled
    received[events.line[arrived]] = clock.instant(events.day[arrived], events.second[arrived], design.dc[row])
    return OrderBook(
        design=design,
        lines=lines,
        order_id=order_ids(design, lines),
        line=pa.array(lines.number).cast(pa.string()),
        from_id=where(transfer, _names(network.dcs, np.where(transfer, lines.source, 0)),
                      _names(network.suppliers, np.where(transfer, 0, lines.source))),
        to_id=_names(network.dcs, dc),
        ordered_us=at(lines.day, np.where(transfer, TRANSFER_HOUR, PURCHASE_HOUR)),
        shipped_us=at(lines.shipped_day, SHIP_HOUR) + np.where(transfer, 30, 0) * MINUTE,
        promised_us=at(lines.promised_day, PROMISE_HOUR),
        last_promise_us=at(promised, PROMISE_HOUR),
        notice_us=at(np.maximum(lines.shipped_day + 1, promised - DELAY_NOTICE), NOTICE_HOUR),
        confirmed_us=at(lines.day + 1, CONFIRM_HOUR),
        new_promise_us=at(lines.arrival_day, PROMISE_HOUR),
        received_us=received,
        end_us=office.end_us[dc],
        cancelled=cancelled,
        delayed=lines.arrival_day - promised >= DELAY_NOTICE,
        amended=np.isin(np.arange(len(dc)), amendments.line),
        amendments=amendments,
        answered_us=clock.instant(amendments.day, ANSWER_HOUR * HOUR, dc[amendments.line]),
        amended_promise_us=clock.instant(amendments.promised_day, PROMISE_HOUR * HOUR, dc[amendments.line]),
        amended_asked_us=np.where(
            amendments.asked_day >= 0, clock.instant(asked, PROMISE_HOUR * HOUR, dc[amendments.line]), -1
        ),
        receipts=GoodsReceipts.of(office, lines, received),
    )  # fmt: skip


def order_ids(design: Design, lines: Lines) -> pa.Array:
    """`PO-250106-SHA-ATL`: day, who delivers, who receives, the buyer group where there are several (`…-B07`); `TO-…`
    for transfers."""
    network, transfer = design.network, lines.kind == TRANSFER
    source = where(transfer, _shorts(network.dcs, np.where(transfer, lines.source, 0)),
                   _shorts(network.suppliers, np.where(transfer, 0, lines.source)))  # fmt: skip
    prefix = chosen(("PO-", "TO-"), lines.kind)
    return joined(
        prefix, day_texts(lines.day), "-", source, "-", _shorts(network.dcs, design.dc[lines.row]), design.group
    )


def day_texts(day: Ints) -> pa.Array:
    """Days as `yymmdd`."""
    last = int(day.max()) if len(day) else 0
    return chosen([f"{date_of(d):%y%m%d}" for d in range(last + 1)], day)


def _names(places: tuple[Place, ...], at: Ints) -> pa.Array:
    return chosen([place.location_id for place in places], at)


def _shorts(places: tuple[Place, ...], at: Ints) -> pa.Array:
    return chosen([place.short for place in places], at)


def order_columns(book: OrderBook) -> dict[str, pa.Array]:
    """The `orders` table: the versions of every line that the world has lived to see."""
    lines, transfer, amended = book.lines, book.is_transfer, book.amendments
    going = book.cancelled < lines.quantity
    every = np.ones(len(lines.row), bool)
    arrived = book.received_us >= 0
    late = book.delayed & book.followed & ~transfer
    ends = np.where(late, book.new_promise_us, book.last_promise_us)
    none, posted = np.zeros(len(lines.row), np.int64), book.receipts
    short = np.maximum(lines.quantity - posted.posted, 0)
    never, asked = none - 1, none - 1
    asked[amended.line] = book.amended_asked_us
    steps = [  # status, lines, when told, lines that have a promise by then, promise, cancelled, received, asked for
        (OPEN, every, book.ordered_us + 5 * MINUTE, transfer, book.promised_us, none, none, never),
        (CONFIRMED, ~transfer, book.confirmed_us, every, book.promised_us, none, none, never),
        (SHIPPED, going, book.shipped_us + 10 * MINUTE, every, book.last_promise_us, book.cancelled, none, asked),
        (SHIPPED, late, book.notice_us, every, book.new_promise_us, book.cancelled, none, asked),
        (CLOSED, arrived, posted.closed_us, every, ends, short, posted.posted, asked),
        (CLOSED, arrived & (posted.right_us >= 0), posted.right_us, every, ends, lines.quantity - lines.received,
         lines.received, asked),
    ]  # fmt: skip
    gone = amended.cancelled == lines.quantity[amended.line]
    told = book.answered_us < book.end_us[amended.line]
    parts = [tuple(column[told] for column in (
        amended.line, np.where(gone, CANCELLED, CONFIRMED), book.answered_us, np.ones(len(gone), bool),
        book.amended_promise_us, amended.cancelled, 0 * amended.cancelled, book.amended_asked_us))]  # fmt: skip
    for status, concerned, when, promised, *said in steps:
        in_time = ~arrived | (when < book.received_us) | (status == CLOSED)
        rows = np.flatnonzero(concerned & in_time & (when < book.end_us))
        parts.append((rows, np.full(len(rows), status), when[rows], promised[rows], *(one[rows] for one in said)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[0], columns[2]))
    return _version_columns(book, *(column[order] for column in columns))


def _version_columns(
    book: OrderBook, at: Ints, status: Ints, updated: Ints, promised: Flags, promise: Ints, cancelled: Ints,
    received: Ints, asked: Ints,
) -> dict[str, pa.Array]:  # fmt: skip
    design, lines = book.design, book.lines
    item = design.item[lines.row[at]]
    scale = design.items.scale[item]
    closed = status == CLOSED
    take = pa.array(at)
    return {
        "order_id": book.order_id.take(take),
        "line": book.line.take(take),
        "kind": chosen(("purchase", "transfer"), lines.kind[at]),
        "item_id": chosen(design.items.item_id, item),
        "quantity": quantities(lines.quantity[at], scale),
        "unit": chosen(design.items.unit, item),
        "from_id": book.from_id.take(take),
        "to_id": book.to_id.take(take),
        "ordered_at": instants(book.ordered_us[at]),
        "requested_at": instants(asked, asked >= 0),
        "promised_at": instants(promise, promised),
        "shipped_at": instants(book.shipped_us[at], closed | (status == SHIPPED)),
        "received_at": instants(book.received_us[at], closed),
        "quantity_received": quantities(received, scale),
        "quantity_cancelled": quantities(cancelled, scale),
        "status": chosen(STATUSES, status),
        "system": chosen(("erp",), np.zeros(len(at), np.int64)),
        "updated_at": instants(updated),
    }


def shipment_columns(book: OrderBook) -> dict[str, pa.Array]:
    """The `shipments` table: one row when a line's goods leave, one more when they arrive."""
    left = np.flatnonzero(book.followed & (book.shipped_us + 10 * MINUTE < book.end_us))
    there = left[book.received_us[left] >= 0]
    at = np.concatenate([left, there])
    arrived = np.repeat([False, True], [len(left), len(there)])
    recorded = np.where(arrived, book.received_us[at] + 45 * MINUTE, book.shipped_us[at] + 10 * MINUTE)
    order = np.lexsort((at, recorded))
    at, arrived, recorded = at[order], arrived[order], recorded[order]
    design, lines = book.design, book.lines
    item = design.item[lines.row[at]]
    scale = design.items.scale[item]
    take = pa.array(at)
    by_sea = ~book.is_transfer[at]
    carriers = [CARRIERS[supplier.coast] for supplier in design.network.suppliers]
    return {
        "shipment_id": book.shipment_ids(at),
        "origin_id": book.from_id.take(take),
        "destination_id": book.to_id.take(take),
        "departed_at": instants(book.shipped_us[at]),
        "promised_at": instants(book.last_promise_us[at]),
        "arrived_at": instants(book.received_us[at], arrived),
        "order_id": book.order_id.take(take),
        "line": book.line.take(take),
        "item_id": chosen(design.items.item_id, item),
        "quantity": quantities(lines.quantity[at] - book.cancelled[at], scale),
        "quantity_received": quantities(lines.received[at], scale, arrived),
        "mode": chosen(("road", "sea"), by_sea.astype(np.int64)),
        "carrier": where(
            by_sea, chosen(carriers, np.where(by_sea, lines.source[at], 0)), chosen((CARRIERS[""],), at * 0)
        ),
        "recorded_at": instants(recorded),
    }
