"""Where the world is: four distribution centres in the US, two ports, three suppliers, and the lanes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

EARTH_RADIUS_KM: Final = 6371.0


@dataclass(frozen=True)
class Place:
    """One location. `short` goes into document numbers; `share` is a DC's part of national demand."""

    location_id: str
    short: str
    name: str
    kind: str
    latitude: float
    longitude: float
    timezone: str
    region: str = ""
    share: float = 0.0
    storage_capacity_m3: float | None = None


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

    @property
    def least(self) -> int:
        """Shortest possible lead time, days: nothing arrives before it was dispatched and driven."""
        return max(1, self.dispatch + 1, int(0.6 * self.mean))


DCS: Final = (
    Place("DC-ATLANTA", "ATL", "Atlanta distribution centre", "dc", 33.7490, -84.3880, "America/New_York",
          "Southeast", 0.25, 16_000.0),
    Place("DC-CHICAGO", "CHI", "Chicago distribution centre", "dc", 41.8781, -87.6298, "America/Chicago",
          "Midwest", 0.27, 18_000.0),
    Place("DC-NEWARK", "EWR", "Newark distribution centre", "dc", 40.7357, -74.1724, "America/New_York",
          "Northeast", 0.30, 20_000.0),
    Place("DC-RENO", "RNO", "Reno distribution centre", "dc", 39.5296, -119.8138, "America/Los_Angeles",
          "West", 0.18, 12_000.0),
)  # fmt: skip

PORTS: Final = (
    Place("PORT-LALB", "LAX", "Ports of Los Angeles and Long Beach", "port", 33.7395, -118.2610, "America/Los_Angeles"),
    Place("PORT-NYNJ", "NYC", "Port of New York and New Jersey", "port", 40.6840, -74.1470, "America/New_York"),
)

SUPPLIERS: Final = (
    Place("SUP-CLEVELAND", "CLE", "Great Lakes Supply, Cleveland OH", "supplier", 41.4993, -81.6944,
          "America/New_York"),
    Place("SUP-HAMBURG", "HAM", "Hanse Medizintechnik, Hamburg", "supplier", 53.5461, 9.9661, "Europe/Berlin"),
    Place("SUP-SHANGHAI", "SHA", "Pudong Industrial Trading, Shanghai", "supplier", 31.2304, 121.4737,
          "Asia/Shanghai"),
)  # fmt: skip

DOMESTIC: Final = 0
"""Index of the supplier that delivers by road."""

PORT_OF: Final = {"SUP-HAMBURG": 1, "SUP-SHANGHAI": 0}
SEA_DAYS: Final = {"SUP-HAMBURG": 14.0, "SUP-SHANGHAI": 20.0}
"""Days at sea, with waiting to load: liner schedules of 2024, rounded."""
MAKE_DAYS: Final = {"SUP-CLEVELAND": 2, "SUP-HAMBURG": 5, "SUP-SHANGHAI": 6}
"""Days from the order until the goods leave."""


def distance_km(a: Place, b: Place) -> float:
    """Great-circle distance (haversine).

    >>> round(distance_km(DCS[2], DCS[1]), -1)
    1130.0
    """
    lat_a, lat_b = np.radians([a.latitude, b.latitude])
    half_lat, half_lon = (lat_b - lat_a) / 2, np.radians(b.longitude - a.longitude) / 2
    h = np.sin(half_lat) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin(half_lon) ** 2
    return float(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h)))


def road_days(a: Place, b: Place) -> float:
    """Days on the road: 1.2 km of road per km of great circle, 850 km a day."""
    return round(1 + 1.2 * distance_km(a, b) / 850, 1)


def _road_lane(origin: Place, destination: Place, dispatch: int) -> Lane:
    mean = dispatch + road_days(origin, destination)
    km = distance_km(origin, destination)
    return Lane(origin.location_id, destination.location_id, "road", round(mean, 1), round(0.6 + 0.12 * mean, 1),
                dispatch, 0.02, round(60 + 0.25 * km, 2))  # fmt: skip


def _sea_lane(origin: Place, destination: Place) -> Lane:
    port = PORTS[PORT_OF[origin.location_id]]
    dispatch = MAKE_DAYS[origin.location_id]
    to_port = dispatch + SEA_DAYS[origin.location_id]
    mean = to_port + 3 + road_days(port, destination)
    return Lane(origin.location_id, destination.location_id, "sea", round(mean, 1), round(0.15 * mean, 1), dispatch,
                0.05, round(350 + 0.2 * distance_km(port, destination), 2), port.location_id, to_port)  # fmt: skip


def supply_lane(supplier: int, dc: int) -> Lane:
    """The lane by which a supplier delivers to a DC."""
    origin = SUPPLIERS[supplier]
    return _road_lane(origin, DCS[dc], MAKE_DAYS[origin.location_id]) if supplier == DOMESTIC else _sea_lane(
        origin, DCS[dc])  # fmt: skip


def transfer_lane(origin: int, destination: int) -> Lane:
    """The road between two DCs; goods leave the day the transfer is decided."""
    return _road_lane(DCS[origin], DCS[destination], 0)


def all_lanes() -> list[Lane]:
    """Every lane of the network."""
    supply = [supply_lane(s, d) for s in range(len(SUPPLIERS)) for d in range(len(DCS))]
    return supply + [transfer_lane(a, b) for a in range(len(DCS)) for b in range(len(DCS)) if a != b]
