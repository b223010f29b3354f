"""How good the forecast is: rolling origins beside the seasonal naive forecast, on nothing but what was known then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.demand import DECLARED, DemandForecast, fit_at, forecast_of, panel_of
from stocktwin.analytics.demand_fit import GRID, MINIMUM_HISTORY, SCORED, Panel, calibrate, fit_origin
from stocktwin.domain.errors import UsageError
from stocktwin.kernels.metrics import bias, coverage, pinball, rmsse, wape
from stocktwin.tables.history import history_from_rows
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]

SEASON = 7
NAIVE_WINDOW = 112
"""Days whose week-on-week steps give the naive forecast its spread."""
SCORED_SERIES = 40_000
"""More series than this are scored by an even sample."""
_SCORED_AT = [int(np.argmin(np.abs(GRID - p))) for p in SCORED]
_LOW, _HIGH, _TOP = (int(np.argmin(np.abs(GRID - p))) for p in (0.1, 0.9, 0.975))


@dataclass(frozen=True)
class Scores:
    """One method on one or several origins. NaN where it cannot be said (nothing demanded)."""

    rmsse: float
    """Root mean squared scaled error, mean over series (by weight: `weighted_rmsse`)."""
    weighted_rmsse: float
    wape: float
    """Σ|y − f| ÷ Σy of single days."""
    bias: float
    """Σ(f − y) ÷ Σy."""
    total_wape: float
    """The same as `wape` for sums over the horizon."""
    scaled_pinball: float
    """Pinball loss of nine quantiles ÷ mean absolute one-day step of the past, mean over series."""
    day_coverage: float
    """Share of days inside the 80 % window (zeros fill it: above 0.8 on intermittent demand by nature)."""
    total_coverage: float
    """Share of horizon sums inside their 80 % window."""
    total_below_975: float
    total_wql: float
    """Weighted quantile loss of horizon sums: 2 · mean pinball of nine quantiles ÷ mean sum."""


@dataclass(frozen=True)
class Accuracy:
    """A backtest: scores averaged over origins, and each origin's own."""

    horizon: int
    origins: tuple[int, ...]
    """First forecast days (days since 1970-01-01)."""
    series: int
    """Series scored at the last origin."""
    forecast: Scores
    naive: Scores
    by_origin: tuple[tuple[Scores, Scores], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: horizon, origins, series, and the scores of the forecast and of the naive one."""
        return {
            "horizon": self.horizon,
            "origins": list(self.origins),
            "series": self.series,
            "forecast": asdict(self.forecast),
            "seasonal_naive": asdict(self.naive),
        }


def backtest(snapshot: Snapshot, origins: int = 3, horizon: int = 28) -> Accuracy:
    """Scores the forecast at up to `origins` origins, `horizon` days apart, the last ending with the history.

    At each origin everything is fitted again on the days before it. Declared demand is not a forecast and is left out.
    UsageError where the history is too short for one origin.
    """
    if origins < 1 or horizon < 1:
        raise UsageError(f"a backtest needs origins ≥ 1 and horizon ≥ 1: {origins}, {horizon}")
    panel = panel_of(snapshot)
    return backtest_panel(panel, lambda origin: fit_at(snapshot, origin, horizon), origins, horizon)


def backtest_matrix(
    values: npt.ArrayLike,
    start: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    first_day: int,
    origins: int = 3,
    horizon: int = 28,
    weight: npt.ArrayLike | None = None,
) -> Accuracy:
    """`backtest` on a plain matrix [series, days]; `start` is each series' first day as a column, `group` its pool."""
    panel = panel_of_matrix(values, start, group, first_day)

    def forecast_at(origin: int) -> DemandForecast:
        return forecast_of(panel, fit_origin(panel, origin), calibrate(panel, origin, horizon), horizon)

    weights = None if weight is None else np.asarray(weight, np.float64)
    return backtest_panel(panel, forecast_at, origins, horizon, weights)


def panel_of_matrix(values: npt.ArrayLike, start: npt.ArrayLike, group: npt.ArrayLike, first_day: int) -> Panel:
    """A panel of whole quantities in base units from a dense matrix."""
    dense = np.asarray(values)
    row, column = np.nonzero(dense)
    days = (column + first_day).astype(np.int32)
    begins = (np.asarray(start) + first_day).astype(np.int32)
    last = first_day + dense.shape[1] - 1
    quantity = dense[row, column].astype(np.int64)
    history = history_from_rows(len(dense), row.astype(np.int64), days, quantity, begins, first_day, last)
    code = np.unique(np.asarray(group), return_inverse=True)[1].astype(np.int32)
    return Panel(history, code, np.zeros(int(code.max(initial=-1)) + 1, np.int32), np.ones(len(dense)))


def backtest_panel(
    panel: Panel,
    forecast_at: Callable[[int], DemandForecast],
    origins: int,
    horizon: int,
    weight: Floats | None = None,
) -> Accuracy:
    """Scores `forecast_at(origin)` and the seasonal naive forecast at rolling origins."""
    when = origins_of(panel, origins, horizon)
    weights = np.ones(len(panel)) if weight is None else weight
    scored = [_score(panel, forecast_at(origin), horizon, weights) for origin in when]
    by_origin = tuple((ours, naive) for ours, naive, _ in scored)
    return Accuracy(
        horizon, tuple(when), scored[-1][2], _average([pair[0] for pair in by_origin]),
        _average([pair[1] for pair in by_origin]), by_origin,
    )  # fmt: skip


def origins_of(panel: Panel, origins: int, horizon: int) -> list[int]:
    """First forecast days, `horizon` apart, the last ending with the history; UsageError where it is too short."""
    end = panel.history.last_day + 1
    when = [end - horizon * (k + 1) for k in range(origins)]
    when = sorted(origin for origin in when if origin - panel.history.first_day > MINIMUM_HISTORY)
    if not when:
        days = end - panel.history.first_day
        raise UsageError(f"a backtest of {horizon} days needs {MINIMUM_HISTORY + horizon + 1} days of history: {days}")
    return when


@dataclass(frozen=True)
class Sample:
    """The series scored at an origin: what was known and what came."""

    rows: npt.NDArray[np.int64]
    past: npt.NDArray[np.float32]
    """[rows, days] from the first day of history to the day before the origin."""
    square: Floats
    """Mean squared one-day step of the past."""
    step: Floats
    """Mean absolute one-day step of the past."""
    actual: Floats
    """[rows, horizon]."""


def sample_at(panel: Panel, forecast: DemandForecast, horizon: int) -> Sample:
    """An even sample of the series old enough to be scored, without those of declared demand."""
    origin = forecast.first_day
    begins = np.maximum(panel.history.start, panel.history.first_day)
    rows = np.flatnonzero((origin - begins > MINIMUM_HISTORY) & (forecast.basis != DECLARED))
    rows = rows[:: max(1, -(-len(rows) // SCORED_SERIES))]
    past = panel.history.dense(rows, panel.history.first_day, origin - 1)
    square, step = _one_day_steps(past, begins[rows] - panel.history.first_day)
    good = (square > 0) & (step > 0)
    actual = panel.history.dense(rows[good], origin, origin + horizon - 1).astype(np.float64)
    return Sample(rows[good], past[good], square[good], step[good], actual)


def _score(panel: Panel, forecast: DemandForecast, horizon: int, weight: Floats) -> tuple[Scores, Scores, int]:
    origin = forecast.first_day
    sample = sample_at(panel, forecast, horizon)
    rows = sample.rows
    days = np.arange(origin, origin + horizon)
    total = forecast.total_quantiles(rows, origin, horizon, GRID)
    daily = forecast.daily_quantiles(rows, days, GRID)
    scale = (sample.square, sample.step, weight[rows])
    ours = _scores(sample.actual, forecast.mean(rows, days), daily, total, scale)
    del daily
    return ours, _scores(sample.actual, *_seasonal_naive(sample.past, horizon), scale), len(rows)


def _one_day_steps(past: npt.NDArray[np.float32], start: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Mean squared and mean absolute one-day step of each series since it began."""
    seen = np.arange(1, past.shape[1])[None, :] > start[:, None]
    steps = np.where(seen, np.diff(past, axis=1), 0).astype(np.float64)
    count = np.maximum(seen.sum(1), 1)
    return (steps * steps).sum(1) / count, np.abs(steps).sum(1) / count


def _scores(actual: Floats, mean: Floats, daily: Floats, total: Floats, scale: tuple[Floats, Floats, Floats]) -> Scores:
    if not len(actual):
        return Scores(*[float("nan")] * 10)
    square, step, weight = scale
    errors = rmsse(actual, mean, square)
    sums = actual.sum(1)
    loss = np.mean([pinball(actual, daily[:, :, k], GRID[k]).mean(1) for k in _SCORED_AT], axis=0)
    total_loss = np.mean([pinball(sums, total[:, k], GRID[k]).mean() for k in _SCORED_AT])
    return Scores(
        rmsse=float(errors.mean()),
        weighted_rmsse=float((errors * weight).sum() / weight.sum()),
        wape=wape(actual, mean),
        bias=bias(actual, mean),
        total_wape=wape(sums, mean.sum(1)),
        scaled_pinball=float((loss / step).mean()),
        day_coverage=coverage(actual, daily[:, :, _LOW], daily[:, :, _HIGH]),
        total_coverage=coverage(sums, total[:, _LOW], total[:, _HIGH]),
        total_below_975=float((sums <= total[:, _TOP]).mean()),
        total_wql=float(2 * total_loss / sums.mean()) if sums.mean() > 0 else float("nan"),
    )


def _seasonal_naive(past: npt.NDArray[np.float32], horizon: int) -> tuple[Floats, Floats, Floats]:
    """Last week again: means, daily quantiles and quantiles of the sum, normal with the week-on-week spread.

    A step of k weeks has variance kσ²; the k-th innovation of a weekday enters the sum as often as that weekday is
    still to come. Hyndman & Athanasopoulos, Forecasting: Principles and Practice, section 5.5.
    """
    last = past[:, -SEASON:].astype(np.float64)
    place = np.arange(horizon) % SEASON
    mean = last[:, place]
    window = past[:, -NAIVE_WINDOW:].astype(np.float64)
    sigma = np.sqrt(((window[:, SEASON:] - window[:, :-SEASON]) ** 2).mean(1))
    z = np.array([NormalDist().inv_cdf(p) for p in GRID])
    weeks = np.sqrt(1 + np.arange(horizon) // SEASON)
    daily = mean[:, :, None] + sigma[:, None, None] * weeks[None, :, None] * z
    counts = np.bincount(place, minlength=SEASON)
    spread = np.sqrt(sum(float((np.arange(1, n + 1) ** 2).sum()) for n in counts))
    total = mean.sum(1)[:, None] + sigma[:, None] * spread * z
    return mean, np.maximum(daily, 0), np.maximum(total, 0)


def _average(scores: list[Scores]) -> Scores:
    names = list(asdict(scores[0]))
    return Scores(**{name: float(np.mean([getattr(score, name) for score in scores])) for name in names})
