"""What the firm does not decide: outside signals, scripted events, how often things go wrong. The same for all blocks
of a world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.network import Network
from stocktwin.world.places import Place
from stocktwin.world.rates import Rates
from stocktwin.world.script import Known, Script
from stocktwin.world.signals import Signals, make_signals

Flags = npt.NDArray[np.bool_]

AHEAD: Final = 120
"""Days past the end of the world for which queues at ports are known, so that orders know when they arrive."""


@dataclass(frozen=True)
class Circumstances:
    """What surrounds the firm."""

    signals: Signals
    script: Script
    rates: Rates

    @classmethod
    def of(
        cls, luck: Draws, network: Network, days: int, script: Script | None = None, rates: Rates | None = None
    ) -> Circumstances:
        """The circumstances of a world that lives for `days` days; what they are on a day does not depend on it."""
        signals = make_signals(luck.shared, network.dcs, network.ports, days + AHEAD)
        return cls(signals, script or Script(), rates or Rates())

    def open_dcs(self, network: Network, day: int) -> Flags:
        """Which DCs work on a day."""
        return np.array([not self.script.closed(dc.location_id, day) for dc in network.dcs])


def words_of(network: Network, items: Iterable[str] | None = None) -> Known:
    """The words that a script of this network may use; items are not checked where they are not given."""

    def ids(places: tuple[Place, ...]) -> tuple[str, ...]:
        return tuple(place.location_id for place in places)

    return Known(
        suppliers=ids(network.suppliers),
        ports=ids(network.ports),
        dcs=ids(network.dcs),
        regions=network.regions,
        categories=tuple(family.category for family in FAMILIES),
        items=None if items is None else frozenset(items),
    )
