"""What readers, scales and thermometers report, as columns of the exchange format; and the series of the outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.world.circumstances import Circumstances
from stocktwin.world.clock import MINUTE, SECOND, Clock, epoch_days
from stocktwin.world.design import Design
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import Columns, chosen, dates, instants, joined, quantities
from stocktwin.world.episodes import Episodes
from stocktwin.world.movement_feed import KINDS, SUFFIXES, ends
from stocktwin.world.network import Network
from stocktwin.world.order_feed import OrderBook, day_texts
from stocktwin.world.posting_faults import IOT, RFID, SYSTEMS
from stocktwin.world.postings import Office
from stocktwin.world.rates import Coverage, Rates
from stocktwin.world.records import Events, stacked
from stocktwin.world.rfid import DoorReads, door_reads, shelf_reads, tagged_items
from stocktwin.world.sensors import (
    Readings,
    bin_readings,
    choose_shelves,
    cold_rooms,
    dead_times,
    reading_times,
    scale_readings,
    without,
)
from stocktwin.world.signals import Series
from stocktwin.world.stock_paths import StockPaths
from stocktwin.world.words import Words, rfid_words

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BIN_HOUR: Final = 3.5
"""When sensors in bins tell what they see for the first time of the day."""
BIN_SIZE: Final = 2
"""What a bin holds, in order-up-to levels."""
WALK_HOUR: Final = 21.0
"""When somebody walks along the tagged shelves."""
MARKS: Final = ("", "-2", "-S")
"""Of the event id, by sort of read."""
SIGNAL: Final = pa.decimal128(12, 4)


@dataclass(frozen=True)
class Instruments:
    """The instruments in one block's part of the DCs. `happened` are all physical events, seen or not."""

    luck: Draws
    design: Design
    clock: Clock
    days: int
    happened: Events
    office: Office
    rates: Rates
    coverage: Coverage

    @cached_property
    def tagged(self) -> Flags:
        """Items that carry tags."""
        return tagged_items(self.luck, self.design.items.scale == 0, self.coverage.tagged_share)

    @cached_property
    def doors(self) -> DoorReads:
        """What the doors read and could pass on before the end."""
        rates, design = self.rates, self.design
        chances = (rates.read_rate, rates.duplicate_read, rates.stray_read)
        reads = door_reads(self.luck, self.office.events, self.tagged[design.item], chances)
        when = self.office.instant(reads.event)
        lost = self.office.troubles.silent(design.dc[reads.row], when)
        keep = ~lost & (when + reads.delay_us < self.office.end_us[design.dc[reads.row]])
        return DoorReads(*(getattr(reads, name)[keep] for name in DoorReads.__dataclass_fields__))

    @cached_property
    def scaled(self) -> Ints:
        """Item-locations that stand on scales: the dearest of each DC."""
        value = self.design.planned * self.design.items.atom_cost[self.design.item]
        return choose_shelves(value, self.design.dc, self.coverage.scales_per_dc)

    @cached_property
    def dead(self) -> Episodes:
        """When scales are dead; `thing` counts `scaled`."""
        return dead_times(self.luck, self.clock, self.design.dc[self.scaled], self.days, self.rates.dead_sensor)

    @cached_property
    def binned(self) -> Ints:
        """Item-locations in bins with a sensor: those of which most packs leave each DC, but for those on scales."""
        pace = self.design.planned / self.design.quantum
        pace = np.where(np.isin(np.arange(len(self.design)), self.scaled), -1.0, pace)
        return choose_shelves(pace, self.design.dc, self.coverage.bins_per_dc)

    @cached_property
    def dead_bins(self) -> Episodes:
        """When sensors in bins are dead; `thing` counts `binned`."""
        dc, yearly = self.design.dc[self.binned], self.rates.dead_sensor
        return dead_times(self.luck, self.clock, dc, self.days, yearly, "dead bin sensor")

    def bins(self) -> Readings:
        """Readings of the sensors in bins that were alive."""
        rows = self.binned
        times = reading_times(self.clock, self.design.dc[rows], self.days, 12, BIN_HOUR)
        found = bin_readings(self.luck, self._paths(rows), rows, times, BIN_SIZE * self.design.order_up_to[rows])
        gone = self.dead_bins.covering(np.searchsorted(rows, found.row), found.when_us) >= 0
        return self._heard(without(found, gone))

    def shelf_walks(self) -> Readings:
        """Readings of the tagged shelves, each once in so many days."""
        rows = np.flatnonzero(self.tagged[self.design.item])
        sensor, day, when = reading_times(self.clock, self.design.dc[rows], self.days, 24, WALK_HOUR)
        due = day % self.coverage.shelf_read_days == rows[sensor] % self.coverage.shelf_read_days
        times = (sensor[due], day[due], when[due])
        return self._heard(shelf_reads(self.luck, self._paths(rows), rows, times, self.rates.shelf_read_rate))

    def scales(self) -> Readings:
        """Readings of the scales that were alive."""
        rows = self.scaled
        times = reading_times(self.clock, self.design.dc[rows], self.days, self.coverage.scale_hours)
        found = scale_readings(
            self.luck, self._paths(rows), rows, times, self.rates.scale_noise, self.rates.scale_drift
        )
        return self._heard(without(found, self.dead.covering(times[0], times[2]) >= 0))

    def _paths(self, rows: Ints) -> StockPaths:
        happened = self.happened
        when = self.clock.instant(happened.day, happened.second, self.design.dc[happened.row])
        return StockPaths.of(happened, when, rows)

    def _heard(self, readings: Readings) -> Readings:
        return without(readings, self.office.troubles.silent(self.design.dc[readings.row], readings.when_us))


def door_columns(instruments: Instruments, orders: OrderBook, document: pa.Array) -> Columns:
    """The `movements` table of the readers: tags that went through a door, by document."""
    reads, design, events = instruments.doors, instruments.design, instruments.office.events
    when = instruments.office.instant(reads.event)
    order = np.lexsort((reads.sort, reads.event, when + reads.delay_us))
    at, row = pa.array(reads.event[order]), reads.row[order]
    origin, destination = ends(design, events, orders)
    doc = document.take(at)
    zero = np.zeros(len(row), np.int64)
    return {
        "event_id": joined("RFID-", doc, chosen(MARKS, reads.sort[order])),
        "event_time": instants(when[order]),
        "kind": chosen(KINDS, events.kind[reads.event[order]]),
        "item_id": chosen(rfid_words(design).items, design.item[row]),
        "quantity": quantities(reads.quantity[order], zero),
        "from_id": origin.take(at),
        "to_id": destination.take(at),
        "document": doc,
        "system": chosen(SYSTEMS, zero + RFID),
        "recorded_at": instants((when + reads.delay_us)[order]),
    }


def shelf_columns(instruments: Instruments) -> Columns:
    """The `observations` table of the readers."""
    return observation_columns(instruments.design, rfid_words(instruments.design), RFID, "rfid",
                               instruments.shelf_walks(), 5 * MINUTE)  # fmt: skip


def scale_columns(instruments: Instruments) -> Columns:
    """The `observations` table of the scales and the sensors in bins."""
    words = Words(instruments.design.items.item_id)
    found = stacked(Readings, [instruments.scales(), instruments.bins()])
    return observation_columns(instruments.design, words, IOT, "weight", found, 20 * SECOND)


def observation_columns(
    design: Design, words: Words, system: int, method: str, found: Readings, delay_us: int
) -> Columns:
    """Readings of levels, in the order in which they were taken."""
    order = np.lexsort((found.row, found.when_us))
    row, when = found.row[order], found.when_us[order]
    zero = np.zeros(len(row), np.int64)
    minute = (when // (60 * SECOND)) % 1440
    clock = chosen([f"{k // 60:02d}{k % 60:02d}" for k in range(1440)], minute)
    return {
        "event_id": joined(f"{SYSTEMS[system].upper()}-", day_texts(found.day[order]), "-", clock, "-",
                           chosen(design.shelf_texts, row)),
        "event_time": instants(when),
        "method": chosen((method,), zero),
        "item_id": chosen(words.items, design.item[row]),
        "location_id": chosen(design.dc_ids, design.dc[row]),
        "quantity": quantities(found.quantity[order], design.items.scale[design.item[row]]),
        "system": chosen(SYSTEMS, zero + system),
        "recorded_at": instants(when + delay_us),
    }  # fmt: skip


def cold_room_columns(luck: Draws, network: Network, around: Circumstances, days: int) -> Columns:
    """The `signals` table of the thermometers: mean and peak of each DC's cold room, by day."""
    outside = around.signals.temperature[:days, around.signals.region_of]
    mean, peak = cold_rooms(luck.shared, days, outside)
    series = [
        Series(name, values[:, d], location=dc.location_id)
        for name, values in (("cold_room_mean", mean), ("cold_room_peak", peak))
        for d, dc in enumerate(network.dcs)
    ]
    return signal_columns(series)


def signal_columns(series: Sequence[Series]) -> Columns:
    """Dated series as the `signals` table."""
    length = [len(one.values) for one in series]
    which = np.repeat(np.arange(len(series)), length)
    day = np.concatenate([np.arange(n) for n in length]) if series else np.zeros(0, np.int64)
    values = np.concatenate([one.values for one in series]) if series else np.zeros(0)
    whole = np.rint(values * 10_000).astype(np.int64)
    words = np.ascontiguousarray(np.stack([whole, whole >> 63], axis=1))
    return {
        "name": chosen([one.name for one in series], which),
        "date": dates(epoch_days(day)),
        "value": pa.Array.from_buffers(SIGNAL, len(whole), [None, pa.py_buffer(words)]),
        "category": chosen([one.category for one in series], which),
        "location_id": chosen([one.location for one in series], which),
        "region": chosen([one.region for one in series], which),
    }


__all__ = ["SUFFIXES", "Instruments", "cold_room_columns", "door_columns", "scale_columns", "shelf_columns",
           "signal_columns"]  # fmt: skip
