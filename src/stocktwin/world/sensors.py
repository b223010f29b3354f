"""Scales under shelves and thermometers in cold rooms: noise, drift, sensors that die and are replaced.

Pure functions of what happened; what is written down is made of it in `sensor_feed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import Clock
from stocktwin.world.draws import Draws
from stocktwin.world.episodes import Episodes, draw_episodes
from stocktwin.world.noise import bells, scattered
from stocktwin.world.stock_paths import StockPaths

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HOUR: Final = 3600
DEAD_HOURS: Final = (5 * 24.0, 40 * 24.0)
SILENT_WINDOW: Final = (6.0, 20.0)
DRIFT_DAYS: Final = 180.0
"""Days between two calibrations: drift grows as a random walk and starts again."""
BIN_STEPS: Final = 1000
"""Heights that a sensor in a bin tells apart: a millimetre of a metre, as optical ones do;"""
BIN_NOISE: Final = 0.4
"""and the standard deviation of what it says, in such steps."""
COLD_ROOM: Final = 5.0
"""Degrees Celsius that a cold room is set to: the middle of 2 to 8, the range of the EU's guidelines on good
distribution practice."""
WARMING: Final = 0.03
"""Degrees in the room per degree outside above 15."""
DOOR_OPEN: Final = 0.015
"""Chance of a door left open, per room and day: some degrees more for part of the day."""


@dataclass(frozen=True)
class Readings:
    """One row per reading of a level: of which item-location, when, and what the instrument said, atomic units."""

    row: Ints
    day: Ints
    when_us: Ints
    quantity: Ints


def choose_shelves(value: Floats, dc: Ints, per_dc: int) -> Ints:
    """The `per_dc` rows of most value in each DC: what is worth a scale.

    >>> choose_shelves(np.array([1.0, 5.0, 3.0, 2.0]), np.array([0, 0, 0, 1]), 2).tolist()
    [1, 2, 3]
    """
    order = np.lexsort((-value, dc))
    first = np.searchsorted(dc[order], dc[order])
    return np.sort(order[np.arange(len(order)) - first < per_dc])


def reading_times(clock: Clock, dc: Ints, days: int, hours: int, first_hour: float = 0.5) -> tuple[Ints, Ints, Ints]:
    """(index of the sensor, day, instant) of every reading, sensor by sensor: at `first_hour`, and every `hours`."""
    per_day = np.arange(int(np.ceil((24 - first_hour) / hours)))
    sensor, day, turn = (
        axis.reshape(-1) for axis in np.meshgrid(np.arange(len(dc)), np.arange(days), per_day, indexing="ij")
    )
    second = ((first_hour + turn * hours) * HOUR).astype(np.int64)
    return sensor, day, clock.instant(day, second, dc[sensor])


def dead_times(luck: Draws, clock: Clock, dc: Ints, days: int, yearly: float, cause: str = "dead sensor") -> Episodes:
    """When each sensor says nothing until it is replaced."""
    return draw_episodes(luck, cause, clock.midnight[:days][:, dc], yearly, (0.0, 24.0), DEAD_HOURS)


def scale_readings(
    luck: Draws, paths: StockPaths, rows: Ints, times: tuple[Ints, Ints, Ints], noise: float, drift: float
) -> Readings:
    """What scales under `rows` say, in whole quanta of one atomic unit: the level with drift and noise, never below 0.

    Drift is a slow wave of each scale whose amplitude has the given standard deviation after a year uncalibrated.
    """
    sensor, day, when = times
    row = rows[sensor]
    level = paths.at(row, when)
    pull = bells(luck, "scale drift", row, day // int(DRIFT_DAYS)) * drift * np.sqrt((day % DRIFT_DAYS) / 365.0)
    shake = bells(luck, "scale noise", row, when // 1_000_000) * noise
    said = np.rint(level * (1 + pull + shake)).astype(np.int64)
    return Readings(row, day, when, np.maximum(said, 0))


def bin_readings(luck: Draws, paths: StockPaths, rows: Ints, times: tuple[Ints, Ints, Ints], full: Ints) -> Readings:
    """What sensors in bins say that hold `full` each: the height of what lies there, in steps of a thousandth, some of
    them one too high or low. A bin with more than it holds tells nothing: some lies beside it."""
    sensor, day, when = times
    row, step = rows[sensor], np.maximum(full // BIN_STEPS, 1)[sensor]
    level = paths.at(row, when)
    shake = BIN_NOISE * bells(luck, "bin sensor", row, when // 1_000_000)
    said = np.maximum(np.rint(level / step + shake).astype(np.int64), 0) * step
    return without(Readings(row, day, when, said), level > full[sensor])


def cold_rooms(luck: Draws, days: int, outside: Floats) -> tuple[Floats, Floats]:
    """Mean and highest temperature of a cold room per DC and day, °C; `outside[day, dc]` is the weather."""
    day, dc = np.meshgrid(np.arange(days), np.arange(outside.shape[1]), indexing="ij")
    mean = COLD_ROOM + 0.25 * bells(luck, "cold room", day, dc) + WARMING * np.maximum(outside - 15, 0)
    door = scattered(luck, "door", day, dc) < DOOR_OPEN
    peak = 0.6 + 0.3 * np.abs(bells(luck, "cold room peak", day, dc))
    peak = peak + np.where(door, 1.5 + 5 * scattered(luck, "door long", day, dc), 0.0)
    return np.round(mean + np.where(door, 0.2, 0.0), 2), np.round(mean + peak, 2)


def without(readings: Readings, gone: npt.NDArray[np.bool_]) -> Readings:
    """The readings that were not lost."""
    keep = ~gone
    return Readings(readings.row[keep], readings.day[keep], readings.when_us[keep], readings.quantity[keep])
