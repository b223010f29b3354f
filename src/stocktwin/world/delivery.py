"""How rows reach the twin: usually once and in the order in which they were recorded, now and then twice or shuffled.

It works on the row numbers of any feed, so it knows neither tables nor formats. Windows are shared by all blocks, so
that an interface that stutters does so for everything it carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import Clock
from stocktwin.world.draws import Draws
from stocktwin.world.episodes import Episodes, draw_episodes
from stocktwin.world.noise import scattered
from stocktwin.world.rates import Rates

Ints = npt.NDArray[np.int64]

HOURS: Final = (7.0, 13.0)
LENGTH_HOURS: Final = (1.0, 5.0)


@dataclass(frozen=True)
class Stutter:
    """When an interface sends twice what it recorded, and when it sends it in another order. Both end before the day
    does, so a world that goes on changes nothing that was already delivered."""

    twice: Episodes
    mixed: Episodes

    @classmethod
    def of(cls, luck: Draws, clock: Clock, days: int, interface: str, rates: Rates) -> Stutter:
        """The stutter of one interface, by the clock of the first DC."""
        midnight = clock.midnight[:days, :1]
        pairs = (("twice", rates.duplicate_delivery), ("mixed", rates.reordered_delivery))
        drawn = [draw_episodes(luck.shared, f"{interface} {word}", midnight, yearly, HOURS, LENGTH_HOURS)
                 for word, yearly in pairs]  # fmt: skip
        return cls(*drawn)


def delivered(recorded_us: Ints, stutter: Stutter, luck: Draws) -> Ints:
    """Row numbers in the order of delivery, those delivered twice named twice.

    A row recorded while the interface repeats itself comes again when that window ends; in a window of disorder rows
    come at random moments of it.
    """
    nothing = np.zeros(len(recorded_us), np.int64)
    again = stutter.twice.covering(nothing, recorded_us)
    repeated = np.flatnonzero(again >= 0)
    row = np.concatenate([np.arange(len(recorded_us)), repeated])
    when = np.concatenate([recorded_us, stutter.twice.end_us[again[repeated]]]).astype(np.float64)
    window = stutter.mixed.covering(nothing[row], recorded_us[row])
    mixed = np.flatnonzero((window >= 0) & (np.arange(len(row)) < len(recorded_us)))
    start, end = stutter.mixed.start_us[window[mixed]], stutter.mixed.end_us[window[mixed]]
    when[mixed] = start + (end - start) * scattered(luck, "disorder", recorded_us[row[mixed]], mixed)
    return row[np.argsort(when, kind="stable")]
