"""What carriers and trackers tell of shipments: who left where and when (TMS), milestones (TMS), positions (GPS)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.clock import MINUTE, Clock
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import Columns, chosen, instants
from stocktwin.world.order_feed import OrderBook
from stocktwin.world.rates import Coverage, Rates
from stocktwin.world.telematics import MILESTONES, Journeys, Positions, milestones, pings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GATE_HOUR = 6
"""When a truck stands at the gate on the day of its arrival; receipts are booked later."""
DEGREES = pa.decimal128(9, 4)


def journeys_of(book: OrderBook, clock: Clock) -> tuple[Journeys, pa.Array]:
    """The shipments that have left, and their numbers."""
    lines, design = book.lines, book.design
    left = np.flatnonzero(book.followed & (book.shipped_us + 10 * MINUTE < book.end_us))
    numbers = book.shipment_ids(left).dictionary_encode()
    _, first = np.unique(numbers.indices.to_numpy(), return_index=True)
    at = left[first]
    dc = design.dc[lines.row[at]]
    transfer = book.is_transfer[at]
    arrives = clock.instant(lines.arrival_day[at], GATE_HOUR * 3600, dc)
    key = ((lines.day[at] * 2 + transfer) * 1000 + lines.source[at]) * 1000 + dc
    key += np.where(book.amended[at], lines.number[at], 0) * 10**10
    journeys = Journeys(transfer, lines.source[at], dc, key, book.shipped_us[at],
                        np.maximum(arrives, book.shipped_us[at] + 60 * MINUTE), book.end_us[at])  # fmt: skip
    return journeys, book.shipment_ids(at)


def milestone_columns(book: OrderBook, clock: Clock) -> Columns:
    """The `positions` table of the TMS: milestones."""
    journeys, numbers = journeys_of(book, clock)
    return position_columns(milestones(book.design.network, journeys), numbers)


def ping_columns(luck: Draws, book: OrderBook, clock: Clock, rates: Rates, coverage: Coverage) -> Columns:
    """The `positions` table of the trackers."""
    journeys, numbers = journeys_of(book, clock)
    found = pings(luck, book.design.network, journeys, rates.lost_ping, rates.dark_shipment, coverage.tracked_share)
    return position_columns(found, numbers)


def position_columns(found: Positions, numbers: pa.Array) -> Columns:
    """Positions in the order in which they were taken."""
    order = np.lexsort((found.shipment, found.when_us))
    return {
        "shipment_id": numbers.take(pa.array(found.shipment[order])),
        "event_time": instants(found.when_us[order]),
        "latitude": degrees(found.latitude[order]),
        "longitude": degrees(found.longitude[order]),
        "milestone": chosen(MILESTONES, found.milestone[order]),
    }


def degrees(values: Floats) -> pa.Array:
    """Exact decimals of four places, about ten metres.

    >>> degrees(np.array([12.34567])).to_pylist()
    [Decimal('12.3457')]
    """
    whole = np.rint(values * 10_000).astype(np.int64)
    words = np.stack([whole, whole >> 63], axis=1)
    return pa.Array.from_buffers(DEGREES, len(whole), [None, pa.py_buffer(np.ascontiguousarray(words))])
