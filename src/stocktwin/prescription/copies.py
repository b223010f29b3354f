"""Item-locations each in a world of its own: copies of all that belong to its item, in which only it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stocktwin.kernels.network import COLUMN, Lines, OpenLines
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.trials import line_costs, whole_with

if TYPE_CHECKING:
    from stocktwin.simulation.compile import Compiled
    from stocktwin.simulation.run import Run

BATCH: Final = 500
"""Item-locations of one sweep."""


@dataclass(frozen=True)
class Worlds:
    """Some item-locations with their copies, one line each."""

    places: Ints
    """[line] item-location (index into `Compiled.rows`)."""
    owner: Ints
    """[line] whose world it belongs to."""
    own: Ints
    """[world] its line of the item-location that is changed."""

    @classmethod
    def of(cls, compiled: Compiled, places: Ints) -> Worlds:
        """One world for each of some item-locations."""
        whole = [whole_with(compiled, places[at : at + 1]) for at in range(len(places))]
        sizes = np.array([len(one) for one in whole], np.int64)
        return cls(np.concatenate(whole), np.repeat(np.arange(len(whole)), sizes), np.cumsum(sizes) - sizes)


@dataclass(frozen=True)
class Lived:
    """Per world and replication: what all its lines cost, and what was asked for and served at its own place."""

    cost: Floats
    demand: Floats
    served: Floats

    @property
    def fill_rate(self) -> Floats:
        """[world] units served from stock when asked for ÷ units asked for; nan without demand."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.served.sum(axis=1) / self.demand.sum(axis=1))


def batches(places: Ints) -> Iterator[Ints]:
    """Some item-locations, `BATCH` at a time."""
    for at in range(0, len(places), BATCH):
        yield places[at : at + BATCH]


def live_worlds(run: Run, worlds: Worlds, lines: Lines, opened: OpenLines) -> Lived:
    """Lives the worlds as the lines say."""
    units = run.sweep(worlds.places, lines, opened, worlds.owner)[0]
    cost = np.zeros((len(worlds.own), units.shape[2]))
    np.add.at(cost, worlds.owner, line_costs(run.compiled, units, worlds.places))
    demand, served = (units[worlds.own, COLUMN[name]].astype(np.float64) for name in ("demand", "served"))
    return Lived(cost, demand, served)
