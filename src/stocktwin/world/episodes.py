"""Stretches of time in which something is wrong at a whole site or interface: silence, a wrong clock, a dead sensor.

They are drawn per (thing, day) with their own keys, so a longer world has the same episodes and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import SECOND
from stocktwin.world.draws import Draws
from stocktwin.world.noise import scattered

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

YEAR: Final = 365.0
HOUR: Final = 3600 * SECOND


@dataclass(frozen=True)
class Episodes:
    """One row per episode: the thing it belongs to, its first day, its instants, a number in [0, 1) for its size."""

    thing: Ints
    day: Ints
    start_us: Ints
    end_us: Ints
    size: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.thing)

    def covering(self, thing: Ints, moment: Ints) -> Ints:
        """The row of the episode that each (thing, moment) lies in: the latest of several, −1 where there is none."""
        found = np.full(len(moment), -1, np.int64)
        for k in np.argsort(self.start_us, kind="stable").tolist():
            inside = (thing == self.thing[k]) & (moment >= self.start_us[k]) & (moment < self.end_us[k])
            found[inside] = k
        return found


def draw_episodes(
    luck: Draws,
    cause: str,
    midnight: Ints,
    yearly: float,
    hours: tuple[float, float],
    length_hours: tuple[float, float],
) -> Episodes:
    """Episodes of every thing: `midnight[day, thing]` gives the instants at which its days begin, one row per day of
    the world; `yearly` episodes of a thing and year, starting between two hours of the day, lasting evenly between two
    lengths. A new one may begin while another lasts."""
    days, things = midnight.shape
    day, thing = (axis.reshape(-1) for axis in np.meshgrid(np.arange(days), np.arange(things), indexing="ij"))
    hit = np.flatnonzero(scattered(luck, cause, day, thing) < yearly / YEAR)
    day, thing = day[hit], thing[hit]
    spread = [scattered(luck, f"{cause} {part}", day, thing) for part in ("start", "length", "size")]
    minutes = [
        np.floor((low + (high - low) * u) * 60)
        for (low, high), u in zip((hours, length_hours), spread[:2], strict=True)
    ]
    start = midnight[day, thing] + (minutes[0] * 60 * SECOND).astype(np.int64)
    return Episodes(thing, day, start, start + (minutes[1] * 60 * SECOND).astype(np.int64), spread[2])
