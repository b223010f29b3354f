"""The network as data: its places, and how long and at what cost goods travel between them.

Supplier, DC and port are the indices of `Network.suppliers`, `dcs` and `ports` everywhere in the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.places import SEA_EXTRA, Place, Season, distance_km

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ROAD_SEASON: Final = (325, 365, 1.15)
"""Roads before the holidays."""


@dataclass(frozen=True)
class Lane:
    """How goods travel from `origin` to `destination`. `mean` and `sd` are days from order to receipt; `dispatch` days
    pass before the goods leave, `days_to_via` (from the order) before they are past the port."""

    origin: str
    destination: str
    mode: str
    mean: float
    sd: float
    dispatch: int
    cost_per_unit: float
    cost_per_shipment: float
    via: str | None = None
    days_to_via: float | None = None
    season: Season = ROAD_SEASON

    @property
    def least(self) -> int:
        """Shortest possible lead time, days: nothing arrives before it was dispatched and driven."""
        return max(1, self.dispatch + 1, int(0.6 * self.mean))


@dataclass(frozen=True)
class Timetable:
    """The figures of lanes as matrices [origin, destination]."""

    mean: Floats
    sd: Floats
    dispatch: Ints
    least: Ints
    season: Floats
    """[…, 3]: first and last day of the year of the congested season, and its factor."""

    @classmethod
    def of(cls, lanes: Sequence[Sequence[Lane]]) -> Timetable:
        """The figures of a matrix of lanes."""

        def floats(name: str) -> Floats:
            return np.array([[getattr(lane, name) for lane in row] for row in lanes], np.float64)

        return cls(floats("mean"), floats("sd"), floats("dispatch").astype(np.int64), floats("least").astype(np.int64),
                   floats("season"))  # fmt: skip

    def slow(self, day: int) -> Floats:
        """How much longer than usual every lane takes for what is ordered on a day."""
        first, last, factor = np.moveaxis(self.season, -1, 0)
        return np.where((first <= day % 365) & (day % 365 <= last), factor, 1.0)


@dataclass(frozen=True)
class Network:
    """Where the firm is and whom it buys from. `supply[supplier][dc]` and `transfers[dc][dc]` are lanes; the lane of a
    DC to itself is never used."""

    dcs: tuple[Place, ...]
    ports: tuple[Place, ...]
    suppliers: tuple[Place, ...]
    supply: tuple[tuple[Lane, ...], ...]
    transfers: tuple[tuple[Lane, ...], ...]

    @cached_property
    def supply_times(self) -> Timetable:
        """Lead times from suppliers to DCs."""
        return Timetable.of(self.supply)

    @cached_property
    def transfer_times(self) -> Timetable:
        """Lead times between DCs."""
        return Timetable.of(self.transfers)

    @cached_property
    def overseas(self) -> Flags:
        """Suppliers whose goods come by sea."""
        return np.array([bool(supplier.coast) for supplier in self.suppliers])

    @cached_property
    def domestic(self) -> Ints:
        """Suppliers that deliver by road."""
        return np.flatnonzero(~self.overseas)

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Regions in the order of their first DC."""
        return tuple(dict.fromkeys(dc.region for dc in self.dcs))

    @cached_property
    def region(self) -> Ints:
        """Region of each DC."""
        return np.array([self.regions.index(dc.region) for dc in self.dcs], np.int64)

    @cached_property
    def shares(self) -> Floats:
        """Weight of each DC in national demand, not normed."""
        return np.array([dc.share for dc in self.dcs])

    @cached_property
    def supplier_edges(self) -> Floats:
        """Upper ends of the suppliers' parts of [0, 1), the last left out."""
        weight = np.array([supplier.share for supplier in self.suppliers])
        return np.cumsum(weight / weight.sum())[:-1]

    def lanes(self) -> list[Lane]:
        """Every lane."""
        between = [lane for a, row in enumerate(self.transfers) for b, lane in enumerate(row) if a != b]
        return [lane for row in self.supply for lane in row] + between


def make_network(dcs: Sequence[Place], ports: Sequence[Place], suppliers: Sequence[Place]) -> Network:
    """Joins places by lanes: each supplier with each DC, overseas ones by the port that is quickest; DCs by road."""
    supply = tuple(tuple(_supply_lane(s, dc, ports) for dc in dcs) for s in suppliers)
    transfers = tuple(tuple(_transfer_lane(a, b) for b in dcs) for a in dcs)
    return Network(tuple(dcs), tuple(ports), tuple(suppliers), supply, transfers)


def road_days(a: Place, b: Place) -> float:
    """Days on the road: 1.2 km of road per km of great circle, 850 km a day."""
    return round(1 + 1.2 * distance_km(a, b) / 850, 1)


def _supply_lane(supplier: Place, dc: Place, ports: Sequence[Place]) -> Lane:
    if not supplier.coast:
        return _road_lane(supplier, dc, supplier.make_days)
    return min((_sea_lane(supplier, port, dc) for port in ports), key=lambda lane: lane.mean)


def _road_lane(origin: Place, destination: Place, dispatch: int) -> Lane:
    mean = dispatch + road_days(origin, destination)
    km = distance_km(origin, destination)
    return Lane(origin.location_id, destination.location_id, "road", round(mean, 1), round(0.6 + 0.12 * mean, 1),
                dispatch, 0.02, round(60 + 0.25 * km, 2))  # fmt: skip


def _transfer_lane(origin: Place, destination: Place) -> Lane:
    """Trucks go between the DCs anyway: a transfer pays for its part of one, some pallets of a partial load."""
    km = distance_km(origin, destination)
    return replace(_road_lane(origin, destination, 0), cost_per_shipment=round(18 + 0.015 * km, 2))


def _sea_lane(origin: Place, port: Place, destination: Place) -> Lane:
    to_port = origin.make_days + origin.sea_days + SEA_EXTRA[origin.coast, port.coast]
    mean = to_port + 3 + road_days(port, destination)
    return Lane(origin.location_id, destination.location_id, "sea", round(mean, 1), round(0.15 * mean, 1),
                origin.make_days, 0.05, round(350 + 0.2 * distance_km(port, destination), 2), port.location_id, to_port,
                port.season or ROAD_SEASON)  # fmt: skip
