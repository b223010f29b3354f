"""What the twin must never see: true balances, true movements, true demand, and the labelled faults."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.clock import Clock, epoch_days
from stocktwin.world.design import Design
from stocktwin.world.encoding import Columns, chosen, dates, instants, joined, quantities, where
from stocktwin.world.life import Life
from stocktwin.world.movement_feed import KINDS, conditions, documents, ends
from stocktwin.world.order_feed import OrderBook
from stocktwin.world.posting_faults import SYSTEMS, Cause, PostingFaults, error_units
from stocktwin.world.records import UNREPORTED, Counts, Event, Events, Reality

Ints = npt.NDArray[np.int64]


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
    """Unrestricted stock at the end of some days, the last one included."""
    row = np.tile(np.arange(len(design)), len(reality.balance_days))
    day = np.repeat(reality.balance_days, len(design))
    return {
        "date": dates(epoch_days(day)),
        **_shelf(design, row),
        "lot": pa.nulls(len(row), pa.string()),
        "quantity": quantities(reality.balances.reshape(-1), design.items.scale[design.item[row]]),
    }


def movement_columns(design: Design, clock: Clock, reality: Reality, orders: OrderBook) -> dict[str, pa.Array]:
    """Every physical event, the unseen ones with their cause."""
    events = reality.events
    item = design.item[events.row]
    origin, destination = ends(design, events, orders)
    left, entered = conditions(events)
    unseen = np.isin(events.kind, UNREPORTED)
    causes = {Event.THEFT: Cause.theft.name, Event.LOSS: Cause.unexplained_loss.name}
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
    vanished = [_vanished(counts, cause) for counts in (reality.counts, reality.undiscovered) for cause in
                (Cause.theft, Cause.unexplained_loss)]  # fmt: skip
    posted = np.stack([faults.cause, events.row[faults.event], events.day[faults.event], faults.corrected_day,
                       error_units(events, faults), faults.system, faults.event])  # fmt: skip
    table = np.concatenate([*vanished, posted], axis=1)
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


def _vanished(counts: Counts, cause: Cause) -> Ints:
    amount, since = (counts.stolen, counts.stolen_since) if cause == Cause.theft else (counts.lost, counts.lost_since)
    at = np.flatnonzero(amount > 0)
    none = np.full(len(at), -1)
    return np.stack([np.full(len(at), int(cause)), counts.row[at], since[at], counts.corrected_day[at], amount[at],
                     none, none])  # fmt: skip
