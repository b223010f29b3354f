"""What really happened, as columns: events, order lines, counts, what was asked for. No system, no feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

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


EFFECT: Final = np.array([1, 1, 1, 1, -1, 0, 0, -1, -1, -1, -1, -1, -1], np.int64)
"""What one unit of each kind does to unrestricted stock."""

UNREPORTED: Final = (Event.THEFT, Event.LOSS)
PURCHASE, TRANSFER = 0, 1


@dataclass(frozen=True)
class Events:
    """One row per event. `second` of the local day; `line` is a row of `Lines` or −1; `ref_day` the day of the sale
    that a return belongs to, of the count that a correction follows, else the day itself."""

    day: Ints
    second: Ints
    kind: Ints
    row: Ints
    quantity: Ints
    line: Ints
    ref_day: Ints


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
    """One row per cycle count: what was there, how much had vanished unseen since when, and the day on which the books
    are put right (it may lie after the end of the world)."""

    day: Ints
    second: Ints
    row: Ints
    quantity: Ints
    stolen: Ints
    stolen_since: Ints
    lost: Ints
    lost_since: Ints
    corrected_day: Ints


@dataclass(frozen=True)
class Asked:
    """One row per item-location and day with demand; what was not served is lost."""

    day: Ints
    row: Ints
    asked: Ints
    served: Ints


@dataclass(frozen=True)
class Reality:
    """A whole run: `balances[k]` is unrestricted stock at the end of `balance_days[k]`."""

    days: int
    events: Events
    lines: Lines
    counts: Counts
    asked: Asked
    undiscovered: Counts
    """What had vanished unseen when the world ended; its `day` means nothing."""
    balance_days: Ints
    balances: Ints


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
