"""How long goods are under way: each lane's own luck of the day, the supplier's habits and holidays, queues at the
port, the customs, the season on the road, and what is scripted. Everything ordered on one lane on one day travels
together, in all blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.circumstances import AHEAD, Circumstances
from stocktwin.world.draws import Draws
from stocktwin.world.network import Lane, Network, Timetable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SLOWNESS: Final = (0.94, 1.10)
"""What a supplier really takes, relative to what its lanes declare."""
UNSTEADINESS: Final = (0.7, 1.4)
"""Standard deviation of what it takes, relative to what its lanes declare."""
HOLIDAYS: Final = {"Asia/": (28, 42), "Europe/": (216, 230)}
"""Time zone of a supplier → first and last day of the year on which nothing leaves: the lunar new year as in 2025, and
the second and third week of August."""
HELD: Final = 0.04
"""Share of what comes by sea that the customs keep,"""
HOLD_DAYS: Final = (7, 25)
"""and for how long, shortest and longest."""
DRAIN_DAYS: Final = 4
"""Most days by which goods that waited at a closed place come later than its reopening."""


@dataclass(frozen=True)
class Journeys:
    """Days on which what is decided today leaves and arrives, [origin, destination]."""

    leaves: Ints
    arrives: Ints


@dataclass(frozen=True)
class LeadTimes:
    """The lead times of a world."""

    luck: Draws
    network: Network
    around: Circumstances
    slowness: Floats
    """Of each supplier; it stands in no master data,"""
    unsteadiness: Floats
    """nor does this."""
    via: Ints
    """Port of each supply lane, −1 by road."""
    to_via: Ints
    """Days from the order until the goods are past it."""

    @classmethod
    def of(cls, luck: Draws, network: Network, around: Circumstances) -> LeadTimes:
        """The lead times of a network in some circumstances."""
        draws = luck.shared.stream("habits").random((2, len(network.suppliers)))
        (a, b), (c, d) = SLOWNESS, UNSTEADINESS
        ports = (None, *around.signals.ports)
        via = [[ports.index(lane.via) - 1 for lane in row] for row in network.supply]
        to_via = [[min(AHEAD, round(lane.days_to_via or 0)) for lane in row] for row in network.supply]
        slowness, unsteadiness = a + (b - a) * draws[0], c + (d - c) * draws[1]
        return cls(luck.shared, network, around, slowness, unsteadiness, np.array(via), np.array(to_via))

    def from_suppliers(self, day: int) -> Journeys:
        """Journeys of what is ordered on a day: gamma around the lane's mean times the supplier's slowness, longer in
        its season or while the port is congested; later by the wait for the supplier or the port."""
        return self._shipped(day, day + self.network.supply_times.dispatch)

    def rescheduled(self, day: int, supplier: int, dc: int, leaves: int) -> tuple[int, int]:
        """When what was ordered on a day leaves and arrives, of the same luck, if it is to leave on another day."""
        planned = np.full_like(self.network.supply_times.dispatch, leaves)
        journeys = self._shipped(day, planned)
        return int(journeys.leaves[supplier, dc]), int(journeys.arrives[supplier, dc])

    def _shipped(self, day: int, planned: Ints) -> Journeys:
        """Journeys of what is ordered on a day and is to be shipped on the days `planned`."""
        times, suppliers, script = self.network.supply_times, self.network.suppliers, self.around.script
        drawn = _drawn(self.luck, "supply", times, day, self.unsteadiness[:, None]) * self.slowness[:, None]
        take = np.maximum(times.least, np.rint(drawn * self._slow(day)).astype(np.int64))
        rested = np.stack([_after_holiday(s.timezone, row) for s, row in zip(suppliers, planned, strict=True)])
        leaves = np.stack([script.reopens(s.location_id, row) for s, row in zip(suppliers, rested, strict=True)])
        late = leaves - (day + times.dispatch) + _drain(self.luck, "supplier", leaves > rested, day)
        late += _delays(self.around, self.network.supply, leaves)
        late += self._waits(day + late, day) + self._held(day)
        return Journeys(leaves, self._received(day + take + late))

    def between_dcs(self, day: int) -> Journeys:
        """Journeys of what is moved between DCs on a day."""
        times = self.network.transfer_times
        take = np.rint(_drawn(self.luck, "transfer", times, day) * times.slow(day)).astype(np.int64)
        leaves = day + times.dispatch
        late = _delays(self.around, self.network.transfers, leaves)
        return Journeys(leaves, self._received(day + np.maximum(times.least, take) + late))

    def _slow(self, day: int) -> Floats:
        """By sea what the port's queue is on the day the goods should pass it, by road what the season is."""
        queue = self.around.signals.congestion[day + self.to_via, np.maximum(self.via, 0)]
        return np.where(self.via >= 0, queue, self.network.supply_times.slow(day))

    def _waits(self, start: Ints, day: int) -> Ints:
        """Days that goods wait before a closed port; `start` is the day they were ordered plus all delay so far."""
        passes = start + self.to_via
        wait = np.zeros_like(start)
        for k, port in enumerate(self.around.signals.ports):
            wait = np.where(self.via == k, self.around.script.reopens(port, passes) - passes, wait)
        return np.asarray(wait + _drain(self.luck, "port", wait > 0, day))

    def _held(self, day: int) -> Ints:
        """Days for which the customs keep what is ordered on a day."""
        u = self.luck.stream("customs", day).random((2, *self.via.shape))
        low, high = HOLD_DAYS
        held = (u[0] < HELD) & (self.via >= 0)
        return np.where(held, (low + (high - low) * u[1]).astype(np.int64), 0)

    def _received(self, arrives: Ints) -> Ints:
        """A closed DC takes nothing in."""
        columns = [self.around.script.reopens(dc.location_id, arrives[:, d]) for d, dc in enumerate(self.network.dcs)]
        return np.stack(columns, axis=1)


def _drawn(luck: Draws, cause: str, times: Timetable, day: int, wider: Floats | float = 1.0) -> Floats:
    shape = (times.mean / (times.sd * wider)) ** 2
    return np.asarray(luck.stream(f"lead {cause}", day).standard_gamma(shape) / shape * times.mean)


def _after_holiday(timezone: str, day: Ints) -> Ints:
    for zone, (first, last) in HOLIDAYS.items():
        if timezone.startswith(zone):
            of_year = day % 365
            return np.where((of_year >= first) & (of_year <= last), day + last + 1 - of_year, day)
    return day


def _drain(luck: Draws, cause: str, waited: npt.NDArray[np.bool_], day: int) -> Ints:
    """What has waited does not get through all at once."""
    wait = luck.stream(f"drain {cause}", day).integers(0, DRAIN_DAYS + 1, waited.shape)
    return np.asarray(np.where(waited, wait, 0))


def _delays(around: Circumstances, lanes: tuple[tuple[Lane, ...], ...], leaves: Ints) -> Ints:
    extra = np.zeros_like(leaves)
    if around.script.of("lane_delay"):
        for (s, d), day in np.ndenumerate(leaves):
            lane = lanes[s][d]
            extra[s, d] = around.script.extra_days(lane.origin, lane.destination, lane.mode, int(day))
    return extra
