"""Moments of a day's demand, and of demand over a protection interval, from a forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.demand import DemandForecast
from stocktwin.kernels.demand import SHAPE_COUNT, SHAPE_GAMMA, SHAPE_NORMAL
from stocktwin.kernels.inverse import DemandTables, demand_tables
from stocktwin.tables.schema import DISTRIBUTIONS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DemandMoments:
    """Demand of m item-locations in atomic units."""

    shape: Ints
    """[m] shape of a day (`kernels.demand`): count, gamma or normal."""
    mean: Floats
    """[m, 7] mean of a day per weekday, Monday first."""
    variance: Floats
    """[m, 7] variance of a day, the level being known."""
    level_cv: Floats
    """[m] relative standard deviation of the level of a whole replication."""

    @property
    def per_day(self) -> Floats:
        """[m] mean of a day over the week."""
        return np.asarray(self.mean.mean(axis=1))

    def over(self, days: Floats, days_sd: Floats | float = 0.0) -> tuple[Floats, Floats]:
        """[m] mean and standard deviation of demand over `days` days (of random length with sd `days_sd`):
        variance = days · σ² + (cv · days · μ)² + (μ · sd of days)²."""
        mean = self.per_day
        variance = days * self.variance.mean(axis=1) + (self.level_cv * days * mean) ** 2 + (mean * days_sd) ** 2
        return mean * days, np.sqrt(variance)

    def tables(self) -> DemandTables:
        """Demand tables of every item-location and weekday: table 7 i + weekday."""
        return demand_tables(*self._shapes(np.ones(len(self.shape), bool), 1.0))

    def _shapes(self, rows: npt.NDArray[np.bool_], noise: float) -> tuple[Ints, Floats, Floats]:
        return (
            np.repeat(self.shape[rows], 7).astype(np.int64),
            np.ascontiguousarray(self.mean[rows].ravel()),
            np.ascontiguousarray(self.variance[rows].ravel() * noise**2),
        )


def louder_tables(demand: DemandMoments, rows: npt.NDArray[np.bool_], noise: float) -> DemandTables:
    """The tables of all item-locations, then those of some with the standard deviation multiplied by `noise`."""
    plain, louder = demand._shapes(np.ones(len(rows), bool), 1.0), demand._shapes(rows, noise)
    shape, mean, variance = (np.concatenate([a, b]) for a, b in zip(plain, louder, strict=True))
    return demand_tables(shape.astype(np.int64), mean.astype(np.float64), variance.astype(np.float64))


def moments(forecast: DemandForecast, rows: Ints) -> DemandMoments:
    """The moments of some rows of a forecast: exactly the declared ones where demand is declared."""
    declared = forecast.declared_distribution[rows]
    phi = forecast.dispersion[rows]
    mean = np.maximum(forecast.level[rows, None] * forecast.weekday_index[forecast.group[rows]], 0.0)
    shape = np.full(len(rows), SHAPE_COUNT, np.int64)
    shape[declared == DISTRIBUTIONS.index("normal")] = SHAPE_NORMAL
    narrow = (declared == DISTRIBUTIONS.index("empirical")) & (phi < 0)
    shape[(declared == DISTRIBUTIONS.index("gamma")) | narrow] = SHAPE_GAMMA
    variance = mean * (1.0 + np.maximum(phi, 0.0))[:, None]
    continuous = shape != SHAPE_COUNT
    variance[continuous] = (forecast.declared_sd[rows][continuous] ** 2)[:, None]
    return DemandMoments(shape, mean, variance, np.where(declared >= 0, 0.0, forecast.level_cv[rows]))
