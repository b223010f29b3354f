"""What the twin must never see: true balances, true movements, true demand, and the labelled faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.clock import Clock, epoch_days
from stocktwin.world.design import Design
from stocktwin.world.encoding import Columns, chosen, dates, instants, joined, quantities, where
from stocktwin.world.life import Life
from stocktwin.world.movement_feed import KINDS, conditions, documents, ends, lot_texts
from stocktwin.world.order_feed import OrderBook
from stocktwin.world.posting_faults import SYSTEMS, Cause, PostingFaults, error_units
from stocktwin.world.records import NEVER, UNREPORTED, Event, Events, Reality, Vanished

Ints = npt.NDArray[np.int64]

CAUSES: Final = {
    Event.THEFT: Cause.theft,
    Event.LOSS: Cause.unexplained_loss,
    Event.BULK_THEFT: Cause.bulk_theft,
    Event.DAMAGE: Cause.damage,
    Event.MISPLACED: Cause.misplacement,
}
"""How the labels call what made stock vanish."""


def truth_tables(life: Life) -> Iterator[tuple[str, Columns]]:
    """The tables of the truth folder, by file name without its ending."""
    design, reality = life.design, life.reality
    yield "truth/balances", balance_columns(design, reality)
    yield "truth/movements", movement_columns(design, life.clock, reality, life.orders)
    yield "truth/demand", demand_columns(design, reality)
    yield "truth/faults", fault_columns(design, reality, life.events, life.faults, life.documents)


def _shelf(design: Design, row: Ints) -> dict[str, pa.Array]:
    return {
        "item_id": chosen(design.items.item_id, design.item[row]),
        "location_id": chosen(design.dc_ids, design.dc[row]),
    }


def balance_columns(design: Design, reality: Reality) -> dict[str, pa.Array]:
    """Unrestricted stock at the end of some days, the last one included, by lot where lots are kept."""
    stock = reality.balances
    return {
        "date": dates(epoch_days(stock.day)),
        **_shelf(design, stock.row),
        "lot": lot_texts(design.network, stock.lot),
        "quantity": quantities(stock.quantity, design.items.scale[design.item[stock.row]]),
    }


def movement_columns(design: Design, clock: Clock, reality: Reality, orders: OrderBook) -> dict[str, pa.Array]:
    """Every physical event, the unseen ones with their cause."""
    events = reality.events
    item = design.item[events.row]
    origin, destination = ends(design, events, orders)
    left, entered = conditions(events)
    unseen = np.isin(events.kind, UNREPORTED)
    causes = {Event.FOUND: Cause.misplacement.name} | {event: cause.name for event, cause in CAUSES.items()}
    document = documents(design, events, orders)
    of_line = pa.array(np.where(events.line >= 0, events.line, 0), mask=events.line < 0)
    return {
        "movement_id": joined("T-", document),
        "event_time": instants(clock.instant(events.day, events.second, design.dc[events.row])),
        "kind": chosen(KINDS, events.kind),
        "item_id": chosen(design.items.item_id, item),
        "quantity": quantities(events.quantity, design.items.scale[item]),
        "from_id": origin,
        "to_id": destination,
        "lot": lot_texts(design.network, events.lot),
        "condition": left,
        "to_condition": entered,
        "document": where(unseen, None, document),
        "order_id": orders.order_id.take(of_line),
        "line": orders.line.take(of_line),
        "cause": chosen([causes.get(event) for event in Event], events.kind),
    }


def demand_columns(design: Design, reality: Reality) -> dict[str, pa.Array]:
    """What customers asked for and what they got; the rest was lost."""
    asked = reality.asked
    scale = design.items.scale[design.item[asked.row]]
    return {
        "date": dates(epoch_days(asked.day)),
        **_shelf(design, asked.row),
        "asked": quantities(asked.asked, scale),
        "served": quantities(asked.served, scale),
    }


def fault_columns(
    design: Design, reality: Reality, events: Events, faults: PostingFaults, document: pa.Array
) -> dict[str, pa.Array]:
    """The labels: `units` is what the fault makes the record show too much (negative: too little), from `start` until
    `end`, the day the books were put right (null: still wrong at the end of the world)."""
    posted = np.stack([faults.cause, events.row[faults.event], events.day[faults.event], faults.corrected_day,
                       error_units(events, faults), faults.system, faults.event])  # fmt: skip
    table = np.concatenate([_vanished(reality.vanished), posted], axis=1)
    cause, row, start, end, units, system, event = table[:, np.lexsort((table[0], table[1], table[2]))]
    scale = design.items.scale[design.item[row]]
    value = units * design.items.atom_cost[design.item[row]]
    ended = end < reality.days
    return {
        "fault_id": joined(f"F{design.group}-", chosen([f"{k:05d}" for k in range(len(row))], np.arange(len(row)))),
        "cause": chosen([c.name for c in Cause], cause),
        **_shelf(design, row),
        "start": dates(epoch_days(start)),
        "end": dates(epoch_days(np.where(ended, end, 0)), ended),
        "units": quantities(units, scale),
        "value": pa.array(np.round(value, 2)),
        "system": chosen(SYSTEMS, system),
        "document": document.take(pa.array(event, mask=event < 0)),
    }


def _vanished(gone: Vanished) -> Ints:
    """One label for all that vanished from an item-location by one cause until it came to light."""
    keys, first = np.unique(np.stack([gone.kind, gone.row, gone.end]), axis=1, return_inverse=True)
    kind, row, end = keys
    units = np.bincount(first.reshape(-1), gone.quantity, len(row)).astype(np.int64)
    since = np.full(len(row), NEVER)
    np.minimum.at(since, first.reshape(-1), gone.since)
    cause = np.array([int(CAUSES.get(event, -1)) for event in Event])[kind]
    none = np.full(len(row), -1)
    return np.stack([cause, row, since, end, units, none, none])
