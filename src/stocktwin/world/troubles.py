"""What ails a whole site's systems: silence, and a clock that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import MINUTE, Clock
from stocktwin.world.draws import Draws
from stocktwin.world.episodes import Episodes, draw_episodes
from stocktwin.world.rates import Rates

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SILENT_HOURS: Final = (3.0, 48.0)
SKEWED_HOURS: Final = (72.0, 240.0)
SKEW_MINUTES: Final = (3, 24)
"""Least and most by which a clock is wrong. Not more: goods come in before nine and the first sale is at half past, so
that an order of events that is only a wrong clock's cannot make stock negative."""
NEVER_US: Final = 2**62
"""An instant that never comes."""
BACKLOG_MINUTES: Final = 30
"""How long it takes until all that was held back has arrived."""


@dataclass(frozen=True)
class Troubles:
    """Episodes of the DCs (`thing` is the DC); the same for all blocks."""

    silence: Episodes
    skewed: Episodes
    changed_us: int
    """Instant from which the WMS writes its movements under other column names; NEVER_US where it does not."""

    @classmethod
    def of(cls, luck: Draws, clock: Clock, days: int, rates: Rates) -> Troubles:
        """The troubles of all DCs."""
        midnight = clock.midnight[:days]
        silence = draw_episodes(luck.shared, "silence", midnight, rates.silent_system, (4.0, 20.0), SILENT_HOURS)
        skewed = draw_episodes(luck.shared, "clock skew", midnight, rates.clock_skew, (0.0, 6.0), SKEWED_HOURS)
        change = draw_episodes(
            luck.shared, "schema change", midnight[:, :1], rates.schema_change, (8.0, 18.0), (1.0, 2.0)
        )
        return cls(silence, skewed, int(change.start_us.min(initial=NEVER_US)))

    def skew(self, dc: Ints, moment: Ints) -> Ints:
        """Microseconds by which the clock of a DC's warehouse is ahead (negative: behind)."""
        minutes = np.append(skew_minutes(self.skewed.size), 0)
        return minutes[self.skewed.covering(dc, moment)] * MINUTE

    def heard(self, dc: Ints, moment: Ints, place: Floats) -> Ints:
        """When what is recorded at a moment gets out: then, or after the silence at its `place` of the backlog. What
        comes out into another silence waits again."""
        for _ in range(3):
            silent = self.silence.covering(dc, moment)
            end = np.append(self.silence.end_us, 0)[silent]
            after = end + np.floor(place * BACKLOG_MINUTES * 60).astype(np.int64) * (MINUTE // 60)
            moment = np.where(silent >= 0, after, moment)
        return moment

    def silent(self, dc: Ints, moment: Ints) -> npt.NDArray[np.bool_]:
        """Whether a DC's systems say nothing at a moment."""
        return np.asarray(self.silence.covering(dc, moment) >= 0)


def skew_minutes(size: Floats) -> Ints:
    """Minutes by which a clock is ahead, from a number in [0, 1): the lower half is behind.

    >>> skew_minutes(np.array([0.0, 0.4999, 0.5, 0.9999])).tolist()
    [-3, -24, 3, 24]
    """
    low, high = SKEW_MINUTES
    part = np.floor((size % 0.5) * 2 * (high - low + 1)).astype(np.int64) + low
    return np.where(size < 0.5, -part, part)
