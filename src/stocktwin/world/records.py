"""What really happened, as columns: events, order lines, counts, what was asked for. No system, no feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from stocktwin.world.outcomes import Outcome

Ints = npt.NDArray[np.int64]
Record = TypeVar("Record")


class Event(IntEnum):
    """Kinds of physical event."""

    OPENING = 0
    RECEIPT = 1
    TRANSFER_IN = 2
    RESTOCK = 3
    """Returned goods found good: they go back to unrestricted stock."""
    SALE = 4
    RETURN = 5
    DISPOSAL = 6
    """Returned goods found bad."""
    TRANSFER_OUT = 7
    SCRAP = 8
    INTERNAL_USE = 9
    THEFT = 10
    LOSS = 11
    COUNT_CORRECTION = 12
    """Not physical: what the books give up when a count finds less than they say."""
    BULK_THEFT = 13
    DAMAGE = 14
    """Broken, and nobody has written it down so far."""
    MISPLACED = 15
    """Put where nobody looks for it."""
    FOUND = 16
    """Misplaced goods turn up before the books have given them up."""
    EXPIRED = 17
    """Thrown away on the day of expiry."""
    WRITE_OFF = 18
    """Not physical: what the books give up when somebody comes across the damage."""
    SURFACED = 19
    """Misplaced goods turn up that the books have given up."""
    RESLOT = 20
    """Goods are moved to another bin of the same DC."""


EFFECT: Final = np.array([1, 1, 1, 1, -1, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, -1, -1, 1, 0], np.int64)
"""What one unit of each kind does to unrestricted stock."""

VANISHING: Final = (Event.THEFT, Event.LOSS, Event.BULK_THEFT, Event.DAMAGE, Event.MISPLACED)
"""What makes stock vanish without a word."""
UNREPORTED: Final = (*VANISHING, Event.FOUND)
PURCHASE, TRANSFER = 0, 1
NEVER: Final = 2**40
"""A day after every end."""


@dataclass(frozen=True)
class Events:
    """One row per event and lot. `second` of the local day; `line` is a row of `Lines` or −1; `ref_day` the day of the
    sale that a return belongs to, of the count that a correction follows, else the day itself; `lot` as in `lots`, −1
    without; `part` 0, 1, 2 … where one act concerns several lots."""

    day: Ints
    second: Ints
    kind: Ints
    row: Ints
    quantity: Ints
    line: Ints
    ref_day: Ints
    lot: Ints
    part: Ints


@dataclass(frozen=True)
class Lines:
    """One row per order line: what was decided and what became of it. `source` is a supplier, or the DC that a transfer
    leaves; `row` the item-location that receives."""

    kind: Ints
    row: Ints
    source: Ints
    day: Ints
    quantity: Ints
    received: Ints
    shipped_day: Ints
    promised_day: Ints
    arrival_day: Ints
    number: Ints
    """Line number within its order."""


@dataclass(frozen=True)
class Counts:
    """One row per cycle count and lot: what was there, and the day on which the books are put right (it may lie after
    the end of the world). Lots that should be there and are not are counted as 0."""

    day: Ints
    second: Ints
    row: Ints
    lot: Ints
    part: Ints
    quantity: Ints
    corrected_day: Ints


@dataclass(frozen=True)
class Vanished:
    """One row per quantity that left a shelf unseen: what became of it (`kind`), since when the books are too high, on
    which day they are right again (`end`, NEVER while they are not), by which kind of correction (`how`, −1 where the
    goods came back by themselves) and, for a count, on which day that was (`ref_day`)."""

    kind: Ints
    row: Ints
    lot: Ints
    quantity: Ints
    since: Ints
    end: Ints
    how: Ints
    ref_day: Ints


@dataclass(frozen=True)
class Balances:
    """Unrestricted stock at the end of a day, one row per item-location and lot there; one of 0 where there is none."""

    day: Ints
    row: Ints
    lot: Ints
    quantity: Ints


@dataclass(frozen=True)
class Asked:
    """One row per item-location and day with demand; what was not served is lost."""

    day: Ints
    row: Ints
    asked: Ints
    served: Ints


@dataclass(frozen=True)
class Revisions:
    """One row per item-location whose settings became others: on `day` (by the planners: at its end), to what."""

    day: Ints
    row: Ints
    reorder_point: Ints
    order_up_to: Ints
    review_days: Ints
    base_stock: Ints


@dataclass(frozen=True)
class Amendments:
    """One row per change of an order line after it was placed: which (`line`, a row of `Lines`), on which day, what was
    promised then, how much of it had been cancelled by then, and which day it had been asked for last (−1: none)."""

    line: Ints
    day: Ints
    promised_day: Ints
    cancelled: Ints
    asked_day: Ints


@dataclass(frozen=True)
class Reality:
    """A whole run."""

    days: int
    events: Events
    lines: Lines
    counts: Counts
    asked: Asked
    vanished: Vanished
    balances: Balances
    revisions: Revisions
    amendments: Amendments
    outcomes: tuple[Outcome, ...] = ()
    """What became of the decisions from outside."""


def columns(record: type[Record], size: int, /, **given: npt.NDArray[Any] | int) -> Record:
    """A record of `size` rows; single numbers are repeated."""
    return record(**{name: np.broadcast_to(np.asarray(value, np.int64), (size,)) for name, value in given.items()})


def stacked(kind: type[Record], chunks: Sequence[Record]) -> Record:
    """Chunks under each other, as one record."""
    empty = [np.zeros(0, np.int64)]
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: np.concatenate([getattr(chunk, name) for chunk in chunks] or empty) for name in names})


def taken(record: Record, at: npt.NDArray[Any]) -> Record:
    """The rows of a record at these places (indices or flags)."""
    names = [field.name for field in fields(record)]  # type: ignore[arg-type]
    return type(record)(**{name: getattr(record, name)[at] for name in names})
