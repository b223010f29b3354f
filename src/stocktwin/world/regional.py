"""What neighbouring places have in common: daily series that remember yesterday and resemble those of places near by.

Used for weather, congestion and moods of demand. The value of a day does not depend on how many days follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws

Floats = npt.NDArray[np.float64]

EARTH_RADIUS_KM: Final = 6371.0


class Where(Protocol):
    """Anything with a position, degrees."""

    @property
    def latitude(self) -> float: ...

    @property
    def longitude(self) -> float: ...


def distances_km(places: Sequence[Where]) -> Floats:
    """Great-circle distances between all places (haversine).

    >>> from types import SimpleNamespace as P
    >>> distances_km([P(latitude=0.0, longitude=0.0), P(latitude=0.0, longitude=90.0)]).round().tolist()
    [[0.0, 10008.0], [10008.0, 0.0]]
    """
    lat = np.radians([place.latitude for place in places])
    lon = np.radians([place.longitude for place in places])
    half_lat, half_lon = (lat[:, None] - lat) / 2, (lon[:, None] - lon) / 2
    h = np.sin(half_lat) ** 2 + np.cos(lat)[:, None] * np.cos(lat) * np.sin(half_lon) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1))))


def correlated(
    luck: Draws, cause: str, places: Sequence[Where], days: int, *, memory: float, reach_km: float
) -> Floats:
    """Series of mean 0 and standard deviation 1, shape (days, places).

    First-order autoregressive in time (correlation `memory` from day to day), exponential in space (correlation
    exp(−distance ÷ `reach_km`) between two places on one day).
    """
    near = np.exp(-distances_km(places) / reach_km)
    root = np.linalg.cholesky(near + 1e-9 * np.eye(len(places)))
    fresh = np.array([luck.stream(cause, day).standard_normal(len(places)) for day in range(days)]) @ root.T
    series = np.array(fresh, np.float64)
    for day in range(1, days):
        series[day] = memory * series[day - 1] + np.sqrt(1 - memory**2) * fresh[day]
    return series
