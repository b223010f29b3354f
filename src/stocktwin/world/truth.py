"""What the twin must never see: true balances, true movements, true demand, and the labelled faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.balances import balances_of, stated_days
from stocktwin.world.clock import Clock, epoch_days
from stocktwin.world.delivery import Stutter
from stocktwin.world.design import Design
from stocktwin.world.encoding import Columns, Pieces, chosen, dates, instants, joined, quantities, where
from stocktwin.world.episodes import Episodes
from stocktwin.world.labels import (
    Labels,
    day_of,
    held_back,
    in_order,
    labels,
    misread,
    posting_labels,
    site_labels,
    unknown_names,
)
from stocktwin.world.life import Life
from stocktwin.world.movement_feed import KINDS, conditions, documents, ends, lot_texts
from stocktwin.world.order_feed import OrderBook
from stocktwin.world.outcomes import Outcome
from stocktwin.world.posting_faults import ERP, IOT, RFID, SYSTEMS, WMS, Cause
from stocktwin.world.postings import correction_second
from stocktwin.world.records import EFFECT, NEVER, UNREPORTED, Event, Reality, stacked, taken
from stocktwin.world.rfid import STRAY
from stocktwin.world.sensor_feed import Instruments
from stocktwin.world.state import WINDOWS
from stocktwin.world.troubles import NEVER_US

Ints = npt.NDArray[np.int64]

CAUSES: Final = {
    Event.THEFT: Cause.theft,
    Event.LOSS: Cause.unexplained_loss,
    Event.BULK_THEFT: Cause.bulk_theft,
    Event.DAMAGE: Cause.damage,
    Event.MISPLACED: Cause.misplacement,
}
"""How the labels call what made stock vanish."""


def truth_tables(life: Life) -> Iterator[tuple[str, Columns | Pieces]]:
    """The tables of the truth folder, by file name without its ending."""
    design, reality = life.design, life.reality
    stated = stated_days(reality.days, life.settings.stated_every)
    yield "truth/balances", balance_columns(design, reality, stated)
    yield "truth/movements", movement_columns(design, life.clock, reality, life.orders)
    yield "truth/demand", demand_columns(design, reality)
    yield "truth/faults", fault_columns(life)
    if life.settings.decisions:
        yield "truth/decisions", outcome_columns(reality.outcomes)


def outcome_columns(outcomes: Sequence[Outcome]) -> Columns:
    """What became of the decisions from outside."""
    types = {"row": pa.int64(), "day": pa.int64()}
    names = [field.name for field in fields(Outcome)]
    return {name: pa.array([getattr(one, name) for one in outcomes], types.get(name, pa.string())) for name in names}


def _shelf(design: Design, row: Ints) -> dict[str, pa.Array]:
    return {
        "item_id": chosen(design.items.item_id, design.item[row]),
        "location_id": chosen(design.dc_ids, design.dc[row]),
    }


def balance_columns(design: Design, reality: Reality, stated: Ints) -> Pieces:
    """Unrestricted stock at the end of the stated days, by lot where lots are kept."""
    for stock in balances_of(reality.events, len(design), stated):
        yield {
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


def fault_columns(life: Life) -> Columns:
    """The labels: `units` is what the fault makes the record show too much (negative: too little), from `start` until
    `end`, when the books were put right (null: still wrong at the end of the world). Faults of a whole site name no
    item and have no units; where `on_record` is false, the record is right all the same."""
    found = in_order(all_labels(life))
    design, clock = life.design, life.clock
    here = found.row >= 0
    item = np.where(here, design.item[found.row], -1)
    dc = np.where(here, design.dc[found.row], found.dc)
    scale = np.where(here, design.items.scale[item], 0)
    value = found.units * np.where(here, design.items.atom_cost[item], 0.0)
    ended = found.ended_us >= 0
    number = chosen([f"{k:05d}" for k in range(len(item))], np.arange(len(item)))
    return {
        "fault_id": joined(f"F{design.group}-", number),
        "cause": chosen([c.name for c in Cause], found.cause),
        "item_id": chosen(design.items.item_id, item),
        "location_id": chosen(design.dc_ids, dc),
        "start": dates(epoch_days(day_of(found.started_us, dc, clock))),
        "end": dates(epoch_days(day_of(found.ended_us, dc, clock)), ended),
        "units": quantities(found.units, scale),
        "value": pa.array(np.round(value, 2)),
        "lot": lot_texts(design.network, found.lot),
        "system": chosen(SYSTEMS, found.system),
        "document": life.documents.take(pa.array(found.event, mask=found.event < 0)),
        "on_record": pa.array(found.on_record == 1),
        "started_at": instants(found.started_us),
        "ended_at": instants(found.ended_us, ended),
    }


def all_labels(life: Life) -> Labels:
    """Everything that went wrong in a block; with the first block also what befell whole sites."""
    office = life.office
    parts = [vanished_labels(life), posting_labels(office), held_back(office)]
    told = office.postings(WMS)
    known = taken(told, told.recorded_us < life.troubles.changed_us)
    parts += [unknown_names(office, known, life.aliases), misread(office, told), instrument_labels(life.instruments)]
    if life.luck.block == 0:
        parts += [site_labels(office), delivery_labels(life)]
    return stacked(Labels, parts)


def vanished_labels(life: Life) -> Labels:
    """One for all that vanished from an item-location by one cause until it came to light."""
    gone, design = life.reality.vanished, life.design
    keys, first = np.unique(np.stack([gone.kind, gone.row, gone.end, gone.how]), axis=1, return_inverse=True)
    kind, row, end, how = keys
    units = np.bincount(first.reshape(-1), gone.quantity, len(row)).astype(np.int64)
    since = np.full(len(row), NEVER)
    np.minimum.at(since, first.reshape(-1), gone.since)
    cause = np.array([int(CAUSES.get(event, -1)) for event in Event])[kind]
    done = np.where(end < life.reality.days, end, 0)
    opened = np.array([WINDOWS[event][0] if event in WINDOWS else 0.0 for event in Event])
    second = np.where(how >= 0, correction_second(life.luck, done, row), int(opened[Event.FOUND] * 3600))
    ended = life.clock.instant(done, second, design.dc[row])
    started = life.clock.instant(since, (opened[kind] * 3600).astype(np.int64), design.dc[row])
    return labels(len(row), cause=cause, row=row, started_us=started, units=units,
                  ended_us=np.where(end < life.reality.days, ended, -1))  # fmt: skip


def instrument_labels(instruments: Instruments) -> Labels:
    """Of stray reads, dead scales and dead sensors in bins: the record is none the worse for them."""
    reads = instruments.doors
    at = np.flatnonzero(reads.sort == STRAY)
    event, office = reads.event[at], instruments.office
    stray = labels(len(at), cause=Cause.stray_read, row=reads.row[at], system=RFID, event=event,
                   started_us=office.instant(event), ended_us=office.instant(event), on_record=0,
                   units=EFFECT[office.events.kind[event]] * reads.quantity[at])  # fmt: skip
    both = ((instruments.scaled, instruments.dead), (instruments.binned, instruments.dead_bins))
    return stacked(Labels, [stray, *(_dead(instruments, rows[dead.thing], dead) for rows, dead in both)])


def _dead(instruments: Instruments, row: Ints, dead: Episodes) -> Labels:
    """Of sensors that said nothing for a while."""
    end = instruments.office.end_us[instruments.design.dc[row]]
    ended = np.where(dead.end_us < end, dead.end_us, -1)
    return labels(len(row), cause=Cause.silent_system, row=row, system=IOT, started_us=dead.start_us, ended_us=ended,
                  on_record=0)  # fmt: skip


def delivery_labels(life: Life) -> Labels:
    """Of interfaces that sent twice, in another order, or under other columns."""
    changed = life.troubles.changed_us
    parts = [labels(int(changed < NEVER_US), cause=int(Cause.schema_change), system=WMS, started_us=changed,
                    on_record=0)]  # fmt: skip
    for system in (ERP, WMS):
        stutter = Stutter.of(life.luck, life.clock, life.reality.days, SYSTEMS[system], life.rates)
        for cause, found in ((Cause.duplicate_delivery, stutter.twice), (Cause.reordered_delivery, stutter.mixed)):
            parts.append(labels(len(found), cause=cause, system=system, started_us=found.start_us,
                                ended_us=found.end_us, on_record=0))  # fmt: skip
    return stacked(Labels, parts)
