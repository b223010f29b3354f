"""Sales orders: at some shelves customers order in writing, so the ERP knows what was asked for, not only what left.

Elsewhere demand shows as sales alone. An order that could not be served in full is closed short: the rest is lost, but
it was asked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.identity import CUSTOMER
from stocktwin.world.clock import MINUTE, Clock
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import Columns, chosen, instants, joined, quantities, where
from stocktwin.world.order_feed import CLOSED, OPEN, STATUSES, day_texts
from stocktwin.world.postings import Postings
from stocktwin.world.records import Asked, Event, Events, taken

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ORDERED, REQUESTED, SETTLED = 8 * 3600, 19 * 3600, 19 * 3600 + 1800
"""Seconds of the local day: when orders are in, by when they were asked for, when what became of them is entered."""
SHARE: Final = 0.2
SHARE_OF_MANY: Final = 0.05
"""Part of the item-locations at which customers order in writing; of a firm of several blocks."""
LINE: Final = "1"


def written(design: Design, luck: Draws) -> Flags:
    """The item-locations at which everything is asked for by sales order."""
    share = SHARE_OF_MANY if design.group else SHARE
    return np.asarray(luck.uniform("sales orders", len(design)) < share)


def sales_order_columns(design: Design, luck: Draws, clock: Clock, asked: Asked, end_us: Ints) -> Columns:
    """The `orders` rows of the sales orders: one version when a line comes in, one in the evening."""
    asked = taken(asked, written(design, luck)[asked.row])
    dc = design.dc[asked.row]
    told = [clock.instant(asked.day, second, dc) + 5 * MINUTE for second in (ORDERED, SETTLED)]
    at = np.tile(np.arange(len(dc)), 2)
    status = np.repeat([OPEN, CLOSED], len(dc))
    updated = np.concatenate(told)
    kept = np.flatnonzero(updated < end_us[dc[at]])
    kept = kept[np.lexsort((at[kept], updated[kept]))]
    asked, status, updated = taken(asked, at[kept]), status[kept], updated[kept]
    dc, item, closed = design.dc[asked.row], design.item[asked.row], status == CLOSED
    scale, zero = design.items.scale[item], np.zeros(len(asked.row), np.int64)
    return {
        "order_id": order_ids(design, asked.day, asked.row),
        "line": chosen((LINE,), zero),
        "kind": chosen(("sales",), zero),
        "item_id": chosen(design.items.item_id, item),
        "quantity": quantities(asked.asked, scale),
        "unit": chosen(design.items.unit, item),
        "from_id": chosen(design.dc_ids, dc),
        "to_id": chosen((CUSTOMER,), zero),
        "ordered_at": instants(clock.instant(asked.day, ORDERED, dc)),
        "requested_at": instants(clock.instant(asked.day, REQUESTED, dc)),
        "quantity_received": quantities(np.where(closed, asked.served, 0), scale),
        "status": chosen(STATUSES, status),
        "system": chosen(("erp",), zero),
        "updated_at": instants(updated),
    }


def order_ids(design: Design, day: Ints, row: Ints) -> pa.Array:
    """`SO-250106-000042`: day, item-location."""
    return joined("SO-", day_texts(day), "-", chosen(design.shelf_texts, row))


def with_sales_orders(columns: Columns, design: Design, luck: Draws, events: Events, sent: Postings) -> Columns:
    """Movements of which the sales name the sales order that they serve."""
    kind, row = events.kind[sent.event], events.row[sent.event]
    serves = (kind == Event.SALE) & written(design, luck)[row]
    ids = order_ids(design, events.day[sent.event], row)
    line = chosen((LINE,), np.where(serves, 0, -1))
    return {
        **columns,
        "order_id": pc.coalesce(columns["order_id"], where(serves, ids, None)),
        "line": pc.coalesce(columns["line"], line),
    }
