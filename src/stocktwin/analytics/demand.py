"""Demand as a distribution for every item-location: fitted, pooled where young, or as declared.

The demand of a day with mean m = level × weekday index is negative binomial with variance m(1 + φ); the level itself is
uncertain with relative standard deviation `level_cv`, the same draw for all days of a horizon. Sums over days therefore
have variance Σ m(1 + φ) + (level_cv · Σ m)²: quantiles of single days are never added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.analytics.censored import censored_days
from stocktwin.analytics.demand_fit import GRID, RATE_EDGES, Calibration, OriginFit, Panel, calibrate, fit_origin
from stocktwin.domain.errors import UsageError
from stocktwin.kernels.demand import SHAPE_COUNT, SHAPE_GAMMA, SHAPE_NORMAL, demand_quantiles
from stocktwin.tables.schema import DISTRIBUTIONS
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64] | slice

BASES = ("none", "history", "pooled", "declared")
"""What a forecast rests on; `basis` holds positions in this list."""
NONE, HISTORY, POOLED, DECLARED = range(4)
YOUNG_DAYS = 28
"""A shorter history is shrunk to the mean of its category and location."""
POOL_CV = (0.5, 1.5)
"""Bounds of the relative spread of levels within a pool."""


@dataclass(frozen=True)
class DemandForecast:
    """Demand of n item-locations, rows as in the snapshot it was fitted on; quantities in atomic units."""

    first_day: int
    """Day 0 of the forecast: the day after the last day of history (days since 1970-01-01)."""
    level: Floats
    """[n] mean per day at weekday index 1."""
    group: npt.NDArray[np.int32]
    """[n] row of `weekday_index`."""
    weekday_index: Floats
    """[groups, 7], Monday first, mean 1; the last row is flat (declared demand)."""
    dispersion: Floats
    """[n] φ: the variance of a day with mean m is m(1 + φ); 0 is Poisson, below 0 only for declared shapes."""
    level_cv: Floats
    """[n] relative standard deviation of the level over the horizon; 0 where declared."""
    basis: npt.NDArray[np.int8]
    """[n] position in `BASES`."""
    declared_distribution: npt.NDArray[np.int8]
    """[n] position in `tables.schema.DISTRIBUTIONS`; −1 where nothing is declared."""
    declared_sd: Floats
    """[n] declared standard deviation of a day; 0 where nothing is declared."""
    rate_class: npt.NDArray[np.int8]
    """[n] row of `calibration`; −1: nominal probabilities."""
    calibration: Floats
    """[classes, len(GRID)] probability to use for a daily quantile of nominal probability `GRID`."""
    horizon_days: int
    """Horizon for which `level_cv` was measured."""
    origins: tuple[int, ...]
    """Past origins on which it was measured (days); empty: defaults."""

    def __len__(self) -> int:
        return len(self.level)

    def basis_name(self, row: int) -> str:
        """What the forecast of a row rests on, in a word of `BASES`."""
        return BASES[int(self.basis[row])]

    def mean(self, rows: Rows, days: npt.ArrayLike) -> Floats:
        """[rows, days] mean demand on each of `days` (days since 1970-01-01)."""
        weekday = (np.asarray(days, np.int64) + 3) % 7
        return np.asarray(self.level[rows, None] * self.weekday_index[self.group[rows]][:, weekday])

    def daily_quantiles(self, rows: Rows, days: npt.ArrayLike, probabilities: npt.ArrayLike) -> Floats:
        """[rows, days, q] quantiles of single days, calibrated on past origins. Do not add them up."""
        mean = self.mean(rows, days)
        level = np.atleast_1d(np.asarray(probabilities, np.float64))
        _check_probabilities(level)
        used = self._calibrated(level)[self.rate_class[rows]]
        spread = self._spread(rows, mean, 1, (self.basis[rows] == POOLED)[:, None])
        shape = np.broadcast_to(self._shape(rows)[:, None], mean.shape)
        grid = np.broadcast_to(used[:, None, :], (*mean.shape, len(level)))
        flat = demand_quantiles(shape.ravel(), mean.ravel(), spread.ravel(), grid.reshape(-1, len(level)))
        return flat.reshape(*mean.shape, len(level))

    def total_mean(self, rows: Rows, first_day: int, horizon: int) -> Floats:
        """[rows] mean of the sum over `horizon` days from `first_day`."""
        return np.asarray(self.level[rows] * (self.weekday_index @ _weekdays(first_day, horizon))[self.group[rows]])

    def total_variance(self, rows: Rows, first_day: int, horizon: int) -> Floats:
        """[rows] variance of that sum: Σ m(1 + φ) + (level_cv · Σ m)²."""
        mean = self.total_mean(rows, first_day, horizon)
        return np.asarray(mean * (1 + self.dispersion[rows]) + (self.level_cv[rows] * mean) ** 2)

    def total_quantiles(self, rows: Rows, first_day: int, horizon: int, probabilities: npt.ArrayLike) -> Floats:
        """[rows, q] quantiles of the sum over `horizon` days from `first_day` (0 days: zeros)."""
        mean = self.total_mean(rows, first_day, horizon)
        level = np.atleast_1d(np.asarray(probabilities, np.float64))
        _check_probabilities(level)
        spread = self._spread(rows, mean, horizon, np.ones(len(mean), bool))
        return demand_quantiles(self._shape(rows), mean, spread, level)

    def _spread(self, rows: Rows, mean: Floats, days: int, uncertain: npt.NDArray[np.bool_]) -> Floats:
        """φ (with the level's uncertainty mixed in where `uncertain`) of counts, standard deviation of other shapes."""
        down = (slice(None),) + (None,) * (mean.ndim - 1)
        count = self.dispersion[rows][down] + np.where(uncertain, self.level_cv[rows][down] ** 2, 0) * mean
        other = self.declared_sd[rows][down] * np.sqrt(days)
        return np.asarray(np.where(self._shape(rows)[down] == SHAPE_COUNT, np.maximum(count, 0), other))

    def _shape(self, rows: Rows) -> npt.NDArray[np.int64]:
        declared = self.declared_distribution[rows]
        shape = np.full(len(declared), SHAPE_COUNT, np.int64)
        shape[declared == DISTRIBUTIONS.index("normal")] = SHAPE_NORMAL
        narrow = (declared == DISTRIBUTIONS.index("empirical")) & (self.dispersion[rows] < 0)
        shape[(declared == DISTRIBUTIONS.index("gamma")) | narrow] = SHAPE_GAMMA
        return shape

    def _calibrated(self, probability: Floats) -> Floats:
        """[classes + 1, q]: probabilities to use for the nominal ones; the last row is the nominal ones themselves."""
        ends = np.concatenate([[0.0], GRID, [1.0]])
        used = [np.interp(probability, ends, np.concatenate([[0.0], row, [1.0]])) for row in self.calibration]
        return np.stack([*used, probability])


def fit_demand(snapshot: Snapshot, *, horizon_days: int = 90) -> DemandForecast:
    """The demand of every item-location of a snapshot, day 0 being the day after `snapshot.today`.

    Histories shorter than four weeks are shrunk to the mean of their category and location (`pooled`), with a wide
    level uncertainty; without any sale there is no demand (`none`); a `demand` row holds exactly (`declared`): no
    weekday shape, no uncertainty of the level. UsageError where the horizon is not positive.
    """
    return fit_at(snapshot, snapshot.today + 1, horizon_days)


def fit_at(snapshot: Snapshot, origin: int, horizon_days: int) -> DemandForecast:
    """`fit_demand` as it would have been on the morning of day `origin`: later sales are not looked at."""
    if horizon_days < 1:
        raise UsageError(f"a horizon is at least one day: {horizon_days}")
    panel = panel_of(snapshot)
    fit = fit_origin(panel, origin)
    forecast = forecast_of(panel, fit, calibrate(panel, origin, horizon_days), horizon_days)
    _pool_young(snapshot, panel, fit, forecast)
    _declare(snapshot, forecast)
    return forecast


def panel_of(snapshot: Snapshot) -> Panel:
    """The sales histories, grouped by location and category."""
    category = _codes(snapshot.items, "category")[snapshot.item]
    location = snapshot.location.astype(np.int64)
    key, group = np.unique(location * (category.max(initial=0) + 1) + category, return_inverse=True)
    parent = (key // (category.max(initial=0) + 1)).astype(np.int32)
    unit = 10.0 ** -snapshot.scale()[snapshot.item].astype(np.float64)
    return Panel(snapshot.sales, group.astype(np.int32), parent, unit, censored_days(snapshot))


def forecast_of(panel: Panel, fit: OriginFit, calibration: Calibration, horizon_days: int) -> DemandForecast:
    """The forecast of a fit at its origin, before pooling and declared demand. Its arrays are new."""
    n = len(fit.rows)
    sold = _sold_before(panel, fit)
    return DemandForecast(
        first_day=fit.origin,
        level=np.where(sold, fit.level, 0.0),
        group=panel.group[fit.rows],
        weekday_index=np.vstack([fit.weekday_index, np.ones(7)]),
        dispersion=fit.dispersion.copy(),
        level_cv=np.where(sold, calibration.level_cv[fit.rate_class], 0.0),
        basis=np.where(sold, HISTORY, NONE).astype(np.int8),
        declared_distribution=np.full(n, -1, np.int8),
        declared_sd=np.zeros(n),
        rate_class=fit.rate_class.astype(np.int8),
        calibration=calibration.probability,
        horizon_days=horizon_days,
        origins=calibration.origins,
    )


def _sold_before(panel: Panel, fit: OriginFit) -> npt.NDArray[np.bool_]:
    history = panel.history
    begin, filled = history.offsets[fit.rows], history.offsets[fit.rows + 1] > history.offsets[fit.rows]
    first = np.full(len(fit.rows), np.iinfo(np.int32).max, np.int64)
    first[filled] = history.days[begin[filled]]
    return np.asarray(first < fit.origin)


def _pool_young(snapshot: Snapshot, panel: Panel, fit: OriginFit, forecast: DemandForecast) -> None:
    """Shrinks levels with less than four weeks behind them to a pool's mean; the less history, the more.

    The pool is the first of (location, category), category, location, everything, each within one unit of measure, that
    holds grown-up series; a twin that has none yet pools what there is.
    """
    sold = forecast.basis == HISTORY
    young = sold & (fit.days < YOUNG_DAYS)
    if not young.any():
        return
    grown = sold & ~young if (sold & ~young).any() else sold
    base = forecast.level * panel.unit
    unit = _codes(snapshot.items, "unit")[snapshot.item]
    category = _codes(snapshot.items, "category")[snapshot.item]
    location = snapshot.location.astype(np.int64)
    mean, cv = np.full(len(base), np.nan), np.full(len(base), np.nan)
    zero = np.zeros_like(unit)
    for key in ((unit, location, category), (unit, zero, category), (unit, location, zero), (unit, zero, zero)):
        pool_mean, pool_cv = _pool(np.stack(key, 1), base, grown)
        missing = np.isnan(mean)
        mean[missing], cv[missing] = pool_mean[missing], pool_cv[missing]
    weight = fit.days / (fit.days + YOUNG_DAYS)
    known = young & ~np.isnan(mean)
    pooled = np.where(known, weight * base + (1 - weight) * np.nan_to_num(mean), base) / panel.unit
    forecast.level[young] = pooled[young]
    between = (1 - weight) * np.clip(np.nan_to_num(cv, nan=POOL_CV[1]), *POOL_CV)
    forecast.level_cv[young] = np.hypot(forecast.level_cv, between)[young]
    forecast.basis[young] = POOLED
    forecast.rate_class[young] = -1


def _pool(key: npt.NDArray[np.int64], value: Floats, used: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and relative standard deviation of the used values with the same key, at every row (NaN: none)."""
    _, at = np.unique(key, axis=0, return_inverse=True)
    at = at.ravel()
    groups = int(at.max(initial=0)) + 1
    count = np.bincount(at[used], minlength=groups).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at[used], value[used], groups) / count
        variance = np.bincount(at[used], value[used] ** 2, groups) / count - mean**2
        cv = np.sqrt(np.maximum(variance, 0)) / np.maximum(mean, 1e-12)
    return mean[at], cv[at]


def _declare(snapshot: Snapshot, forecast: DemandForecast) -> None:
    """Puts declared demand in place of the forecast, in atomic units. A missing sd is that of a Poisson."""
    row = np.asarray(snapshot.demand.column("row").to_numpy(zero_copy_only=False), np.int64)
    keep = row >= 0
    row = row[keep]
    scale = 10.0 ** snapshot.scale()[snapshot.item[row]].astype(np.float64)
    mean = _floats(snapshot.demand, "mean")[keep] * scale
    sd = _floats(snapshot.demand, "sd")[keep] * scale
    names = [DISTRIBUTIONS.index(name) for name in snapshot.demand.column("distribution").to_pylist()]
    shape = np.array(names, np.int8)[keep]
    sd = np.where(np.isnan(sd) | (shape == DISTRIBUTIONS.index("poisson")), np.sqrt(mean), sd)
    phi = sd**2 / np.maximum(mean, 1e-300) - 1.0
    count = (shape == DISTRIBUTIONS.index("poisson")) | (shape == DISTRIBUTIONS.index("negative_binomial"))
    forecast.level[row] = mean
    forecast.group[row] = len(forecast.weekday_index) - 1
    forecast.dispersion[row] = np.where(count, np.maximum(np.where(np.abs(phi) < 1e-12, 0, phi), 0), phi)
    forecast.level_cv[row] = 0.0
    forecast.basis[row] = DECLARED
    forecast.declared_distribution[row] = shape
    forecast.declared_sd[row] = sd
    forecast.rate_class[row] = -1


def _weekdays(first_day: int, horizon: int) -> Floats:
    """How many of each weekday there are in `horizon` days from `first_day`."""
    return np.bincount((np.arange(first_day, first_day + horizon) + 3) % 7, minlength=7).astype(np.float64)


def _codes(table: pa.Table, column: str) -> npt.NDArray[np.int64]:
    """Dense codes of a text column (null is a value of its own)."""
    text = np.array([value or "" for value in table.column(column).to_pylist()], dtype=object)
    if not len(text):
        return np.zeros(0, np.int64)
    return np.unique(text.astype(str), return_inverse=True)[1].astype(np.int64)


def _floats(table: pa.Table, column: str) -> Floats:
    return np.array(table.column(column).to_numpy(zero_copy_only=False), np.float64)


def _check_probabilities(level: Floats) -> None:
    if len(level) and not (level.min() > 0 and level.max() < 1):
        raise UsageError(f"probabilities lie between 0 and 1: {level.tolist()}")


__all__ = ["BASES", "RATE_EDGES", "DemandForecast", "fit_at", "fit_demand", "forecast_of", "panel_of"]
