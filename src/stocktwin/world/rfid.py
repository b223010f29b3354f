"""RFID: tags on the cases of some items, read at dock doors and on shelves, never all of them, sometimes too many.

Pure functions of what happened; what is written down is made of it in `sensor_feed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws
from stocktwin.world.noise import bells, scattered, tallies
from stocktwin.world.records import Event, Events
from stocktwin.world.sensors import Readings
from stocktwin.world.stock_paths import StockPaths

Ints = npt.NDArray[np.int64]

DOOR_EVENTS: Final = (Event.RECEIPT, Event.TRANSFER_IN, Event.TRANSFER_OUT)
READ, AGAIN, STRAY = range(3)
"""What a row of a dock door is: tags of the document, some of them a second time, tags that only passed by."""
BAD_DOCUMENT: Final = 0.04
"""Share of the documents of which the reader misses many tags (wet or metal goods), and how many of them."""
BAD_SHARE: Final = 0.25
STRAY_MOST: Final = 3


@dataclass(frozen=True)
class DoorReads:
    """One row per document, item and door: the event (row of the events), what sort of read, tags read, the delay until
    it is recorded (µs), and for strays the item-location whose tags they are."""

    event: Ints
    sort: Ints
    row: Ints
    quantity: Ints
    delay_us: Ints


def tagged_items(luck: Draws, countable: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.bool_]:
    """Which items carry tags; only what is counted by the piece can."""
    return np.asarray(countable & (luck.uniform("tagged", len(countable)) < share))


def door_reads(
    luck: Draws, events: Events, tagged: npt.NDArray[np.bool_], rates: tuple[float, float, float]
) -> DoorReads:
    """What the doors read of the tagged item-locations (`tagged` by row); `rates` are those of reading a tag, of
    reading a document twice, and of strays."""
    read, again, stray = rates
    at = np.flatnonzero(np.isin(events.kind, DOOR_EVENTS) & tagged[events.row])
    key = (events.kind[at], events.row[at], events.line[at], events.day[at])
    quantity = seen(luck, "door", events.quantity[at], read, BAD_DOCUMENT, *key)
    chunks = [(at, np.full(len(at), READ), events.row[at], quantity)]
    twice = np.flatnonzero((scattered(luck, "door again", *key) < again) & (quantity > 0))
    some = 1 + np.floor(quantity[twice] * scattered(luck, "door again size", *key)[twice]).astype(np.int64)
    chunks.append((at[twice], np.full(len(twice), AGAIN), events.row[at[twice]], np.minimum(some, quantity[twice])))
    passing = np.flatnonzero(scattered(luck, "door stray", *key) < stray)
    chunks.append(_strays(luck, events, tagged, at[passing], tuple(part[passing] for part in key)))
    event, sort, row, quantity = (np.concatenate(part) for part in zip(*chunks, strict=True))
    told = (events.kind[event], events.row[event], events.day[event], sort)
    delay = 20 + 60 * sort + np.floor(40 * scattered(luck, "door delay", *told)).astype(np.int64)
    keep = quantity > 0
    return DoorReads(event[keep], sort[keep], row[keep], quantity[keep], delay[keep] * 1_000_000)


def _strays(
    luck: Draws, events: Events, tagged: npt.NDArray[np.bool_], at: Ints, key: tuple[Ints, ...]
) -> tuple[Ints, Ints, Ints, Ints]:
    """One to three tags of another tagged item of the same DC (rows are item × DCs + DC, so a step of whole items)."""
    candidates = np.flatnonzero(tagged)
    pick = np.floor(len(candidates) * scattered(luck, "stray item", *key)).astype(np.int64)
    row = candidates[pick] if len(candidates) else np.zeros(0, np.int64)
    size = 1 + np.floor(STRAY_MOST * scattered(luck, "stray size", *key)).astype(np.int64)
    other = row != events.row[at]
    return at[other], np.full(int(other.sum()), STRAY), row[other], size[other]


def shelf_reads(luck: Draws, paths: StockPaths, rows: Ints, times: tuple[Ints, Ints, Ints], read: float) -> Readings:
    """What a walk along the tagged shelves finds: a few tags are missed, never more is read than is there."""
    sensor, day, when = times
    row = rows[sensor]
    return Readings(row, day, when, seen(luck, "shelf", paths.at(row, when), read, 0.0, row, day))


def seen(luck: Draws, cause: str, there: Ints, read: float, bad: float, *keys: Ints) -> Ints:
    """Tags read of those that are there: each is missed with the same small chance, and of a share `bad` of the
    readings many are.

    Missed tags are Poisson (the binomial's limit for small chances), so that a few numbers tell it all.
    """
    poor = scattered(luck, f"{cause} bad", *keys) < bad
    missed = tallies(scattered(luck, f"{cause} missed", *keys), np.minimum(there * (1 - read), 30.0))
    many = np.where(there * (1 - read) > 30, np.rint(there * (1 - read) + bells(luck, f"{cause} many", *keys) *
                    np.sqrt(there * (1 - read))), missed)  # fmt: skip
    share = BAD_SHARE * scattered(luck, f"{cause} share", *keys)
    lost = np.where(poor, np.maximum(many, np.floor(there * share)), many).astype(np.int64)
    return np.asarray(np.clip(there - lost, 0, there))
