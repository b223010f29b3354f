"""The world's time: day 0 is 2025-01-01 everywhere, hours are local to a DC, instants are UTC microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.domain.calendar import to_micros, zone
from stocktwin.world.network import Network

Ints = npt.NDArray[np.int64]

START: Final = date(2025, 1, 1)
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
EPOCH_DAY: Final = (START - date(1970, 1, 1)).days


def date_of(day: int) -> date:
    """Calendar date of a day of the world.

    >>> date_of(364)
    datetime.date(2025, 12, 31)
    """
    return START + timedelta(days=day)


def epoch_days(day: Ints) -> npt.NDArray[np.int32]:
    """Days since 1970-01-01, as Arrow's date32 counts them."""
    return (day + EPOCH_DAY).astype(np.int32)


@dataclass(frozen=True)
class Clock:
    """`midnight[day, dc]`: the instant from which a DC's seconds of that day count. It is taken from noon, so the hours
    before a change of summer time are an hour off; nothing happens in them."""

    midnight: Ints

    @classmethod
    def of(cls, days: int, network: Network) -> Clock:
        """The clock of a world of that many days, with some slack for what is still to come."""
        zones = sorted({dc.timezone for dc in network.dcs})
        rows = [[_midnight(date_of(day), timezone) for timezone in zones] for day in range(days + 400)]
        return cls(np.array(rows, np.int64)[:, [zones.index(dc.timezone) for dc in network.dcs]])

    def instant(self, day: Ints | int, second: Ints | int, dc: Ints | int) -> Ints:
        """UTC microseconds of a local second of a day at a DC."""
        return np.asarray(self.midnight[day, dc] + np.asarray(second, np.int64) * SECOND)


def _midnight(day: date, timezone: str) -> int:
    noon = datetime.combine(day, time(12), tzinfo=zone(timezone))
    return to_micros(noon) - 12 * 3600 * SECOND
