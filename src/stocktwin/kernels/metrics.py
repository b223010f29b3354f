"""How good a forecast was, in NumPy. Rows are series, columns are days.

Mean absolute scaled error is left out on purpose: on intermittent demand the all-zero forecast wins it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pinball(actual: npt.ArrayLike, quantile: npt.ArrayLike, probability: npt.ArrayLike) -> Floats:
    """Pinball (quantile) loss, element by element: p·(y − q) where y ≥ q, else (1 − p)·(q − y).

    >>> pinball([10.0, 0.0], [8.0, 8.0], 0.9).round(9).tolist()
    [1.8, 0.8]
    """
    error = np.asarray(actual, np.float64) - np.asarray(quantile, np.float64)
    p = np.asarray(probability, np.float64)
    return np.asarray(np.maximum(p * error, (p - 1) * error))


def rmsse(actual: npt.ArrayLike, forecast: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    """Root mean squared scaled error of each series; `scale` is the mean squared one-day step of its past (M5 guide).

    >>> rmsse([[3.0, 1.0]], [[1.0, 1.0]], [2.0]).tolist()
    [1.0]
    """
    error = np.asarray(actual, np.float64) - np.asarray(forecast, np.float64)
    return np.asarray(np.sqrt((error * error).mean(axis=-1) / np.asarray(scale, np.float64)))


def wape(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Σ|y − f| ÷ Σy over everything; NaN where nothing was demanded.

    >>> wape([2.0, 2.0], [1.0, 3.0])
    0.5
    """
    y = np.asarray(actual, np.float64)
    total = float(y.sum())
    return float(np.abs(y - np.asarray(forecast, np.float64)).sum()) / total if total > 0 else float("nan")


def bias(actual: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Σ(f − y) ÷ Σy: positive when the forecast is too high; NaN where nothing was demanded.

    >>> bias([2.0, 2.0], [1.0, 1.0])
    -0.5
    """
    y = np.asarray(actual, np.float64)
    total = float(y.sum())
    return float((np.asarray(forecast, np.float64) - y).sum()) / total if total > 0 else float("nan")


def coverage(actual: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> float:
    """Share of values inside [low, high], both ends included; NaN of nothing.

    >>> coverage([1.0, 5.0], [0.0, 0.0], [2.0, 2.0])
    0.5
    """
    y = np.asarray(actual, np.float64)
    return float(((y >= np.asarray(low)) & (y <= np.asarray(high))).mean()) if y.size else float("nan")
