"""The forecast beside the simple ones, in one run: overall, by class of demand and by distance of the day.

Selection is by squared error, pinball loss and bias. MASE is shown because it is asked for; it is never used to choose:
on intermittent demand the all-zero forecast wins it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from stocktwin.analytics.accuracy import Sample, origins_of, sample_at
from stocktwin.analytics.classify import CLASSES, TRACKING_LIMIT, demand_class, tracking_signal
from stocktwin.analytics.demand import DemandForecast
from stocktwin.analytics.demand_fit import GRID, Panel
from stocktwin.analytics.peers import PEERS
from stocktwin.kernels.metrics import bias, coverage, pinball, rmsse, wape

Floats = npt.NDArray[np.float64]

OURS = "stocktwin"
HORIZONS = ((1, 7), (8, 14), (15, 28), (29, 90), (91, 730))
"""Days ahead that are scored together."""
Scored = dict[str, Any]


def compare(panel: Panel, forecast_at: Callable[[int], DemandForecast], origins: int, horizon: int) -> Scored:
    """`models`, `by_class` and `by_horizon`: figures of each model, mean over origins; `tracking` of ours.

    Every model is fitted again at each origin on the days before it. UsageError where the history is too short.
    """
    parts: dict[tuple[str, str, str], list[Scored]] = {}
    errors: dict[int, list[Floats]] = {}
    when = origins_of(panel, origins, horizon)
    for origin in when:
        forecast = forecast_at(origin)
        sample = sample_at(panel, forecast, horizon)
        for key, scored in _scored(panel, forecast, sample, horizon):
            parts.setdefault(key, []).append(scored)
        _keep_errors(errors, forecast, sample, horizon)
    tables: dict[str, list[Scored]] = {"models": [], "by_class": [], "by_horizon": []}
    for (table, part, model), figures in parts.items():
        label: Scored = {"models": {}, "by_class": {"class": part}, "by_horizon": {"days": part}}[table]
        tables[table].append(label | {"model": model} | _mean(figures))
    return tables | {"tracking": _tracking(errors, len(when))}


def _scored(
    panel: Panel, forecast: DemandForecast, sample: Sample, horizon: int
) -> Iterator[tuple[tuple[str, str, str], Scored]]:
    origin = forecast.first_day
    days = np.arange(origin, origin + horizon)
    start = np.maximum(panel.history.start, panel.history.first_day)[sample.rows] - panel.history.first_day
    kind = demand_class(panel.history, origin)[sample.rows]
    everything, all_days = np.ones(len(sample.rows), bool), slice(0, horizon)
    means = {OURS: forecast.mean(sample.rows, days)}
    means |= {name: peer(sample.past.astype(np.float64), start, horizon) for name, peer in PEERS.items()}
    daily = forecast.daily_quantiles(sample.rows, days, GRID)
    for name, mean in means.items():
        quantile = daily if name == OURS else None
        yield ("models", "", name), _figures(sample, mean, quantile, everything, all_days)
        for code, label in enumerate(CLASSES):
            if (kind == code).any():
                yield ("by_class", label, name), _figures(sample, mean, quantile, kind == code, all_days)
        for first, last in HORIZONS:
            if first <= horizon:
                span = slice(first - 1, min(last, horizon))
                label = f"{first}-{min(last, horizon)}"
                yield ("by_horizon", label, name), _figures(sample, mean, quantile, everything, span)


def _figures(
    sample: Sample, mean: Floats, quantile: Floats | None, chosen: npt.NDArray[np.bool_], days: slice
) -> Scored:
    """Figures of some series on some days; pinball and coverage where there are quantiles."""
    actual, told = sample.actual[chosen, days], mean[chosen, days]
    step = sample.step[chosen]
    figures: Scored = {
        "series": int(chosen.sum()),
        "rmsse": float(rmsse(actual, told, sample.square[chosen]).mean()),
        "mase": float((np.abs(actual - told).mean(1) / step).mean()),
        "wape": wape(actual, told),
        "bias": bias(actual, told),
        "total_wape": wape(actual.sum(1), told.sum(1)),
    }
    if quantile is not None:
        q = quantile[chosen, days]
        loss = np.mean([pinball(actual, q[:, :, k], p).mean(1) for k, p in enumerate(GRID)], axis=0)
        low, high = (int(np.argmin(np.abs(GRID - p))) for p in (0.1, 0.9))
        figures["scaled_pinball"] = float((loss / step).mean())
        figures["coverage_80"] = coverage(actual, q[:, :, low], q[:, :, high])
    return figures


def _keep_errors(errors: dict[int, list[Floats]], forecast: DemandForecast, sample: Sample, horizon: int) -> None:
    """Weekly errors of each series, origin after origin."""
    weeks = horizon // 7
    if weeks:
        days = np.arange(forecast.first_day, forecast.first_day + 7 * weeks)
        error = sample.actual[:, : 7 * weeks] - forecast.mean(sample.rows, days)
        for row, weekly in zip(sample.rows.tolist(), error.reshape(len(error), weeks, 7).sum(2), strict=True):
            errors.setdefault(row, []).append(weekly)


def _tracking(errors: dict[int, list[Floats]], origins: int) -> Scored:
    """Share of series whose tracking signal over all n weekly errors lies beyond 2.45 √n: told too low, too high."""
    whole = [np.concatenate(weeks) for weeks in errors.values() if len(weeks) == origins]
    if not whole:
        return {"series": 0, "limit": None, "too_low": None, "too_high": None}
    weekly = np.stack(whole)
    signal, limit = tracking_signal(weekly), TRACKING_LIMIT * float(np.sqrt(weekly.shape[1]))
    low, high = float((signal > limit).mean()), float((signal < -limit).mean())
    return {"series": len(whole), "limit": limit, "too_low": low, "too_high": high}


def _mean(figures: list[Scored]) -> Scored:
    """Mean over origins; the number of series is that of the last."""
    names = [name for name in figures[-1] if name != "series"]
    return {"series": figures[-1]["series"]} | {
        name: float(np.nanmean([one[name] for one in figures]))
        if not all(np.isnan(one[name]) for one in figures)
        else float("nan")
        for name in names
    }
