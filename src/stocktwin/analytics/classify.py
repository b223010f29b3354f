"""What kind of demand an item-location has, in the field's classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stocktwin.tables.history import History

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "none")
"""Syntetos, Boylan & Croston (2005), J. Operational Research Society 56: by how often and how evenly it sells."""
ADI_CUT, CV2_CUT = 1.32, 0.49
ABC = ("A", "B", "C")
ABC_SHARES = (0.80, 0.95)
XYZ = ("X", "Y", "Z")
XYZ_CUTS = (0.5, 1.0)
LIFE = ("new", "mature", "dying", "dead")
NEW_DAYS, RECENT_DAYS, DEAD_DAYS = 90, 90, 365
DYING_SHARE = 0.25
TRACKING_LIMIT = 2.45
"""× √n: beyond it lies the tracking signal of one unbiased forecast in twenty (mean |error| = 0.8 σ, normal errors)."""


def demand_class(history: History, origin: int, days: int = 364) -> Codes:
    """[n] position in `CLASSES`, from the last `days` before `origin`.

    ADI is the mean number of days between days with demand, CV² the squared coefficient of variation of the quantities
    on such days.
    """
    row, _, quantity = _window(history, origin - days, origin)
    n = len(history)
    busy = np.bincount(row, minlength=n).astype(np.float64)
    mean = np.bincount(row, quantity, n) / np.maximum(busy, 1)
    square = np.bincount(row, quantity**2, n) / np.maximum(busy, 1)
    cv2 = np.maximum(square - mean**2, 0) / np.maximum(mean**2, 1e-300)
    begin = np.maximum(np.maximum(history.start.astype(np.int64), history.first_day), origin - days)
    adi = np.maximum(origin - begin, 1) / np.maximum(busy, 1e-300)
    kind = 2 * (adi >= ADI_CUT) + (cv2 >= CV2_CUT)
    return np.where(busy > 0, kind, len(CLASSES) - 1).astype(np.int8)


def abc_class(value: npt.ArrayLike) -> Codes:
    """[n] position in `ABC`: those that make 80 % of the value, the next 15 %, the rest (nothing and unknown are C).

    >>> abc_class([80.0, 10.0, 6.0, 4.0, 0.0]).tolist()
    [0, 1, 1, 2, 2]
    """
    worth = np.nan_to_num(np.asarray(value, np.float64))
    order = np.argsort(-worth, kind="stable")
    total = float(worth.sum())
    before = np.concatenate([[0.0], np.cumsum(worth[order])[:-1]])
    out = np.full(len(worth), 2, np.int8)
    if total > 0:
        rank = np.searchsorted(np.array(ABC_SHARES) * total, before, side="right")
        out[order] = np.where(worth[order] > 0, rank, 2)
    return out


def xyz_class(history: History, origin: int, weeks: int = 26) -> Codes:
    """[n] position in `XYZ`: coefficient of variation of weekly demand below 0.5, below 1, beyond (or no demand)."""
    row, day, quantity = _window(history, origin - 7 * weeks, origin)
    n = len(history)
    cell = row * weeks + (day - (origin - 7 * weeks)) // 7
    weekly = np.bincount(cell, quantity, n * weeks).reshape(n, weeks)
    mean = weekly.mean(1)
    cv = weekly.std(1) / np.maximum(mean, 1e-300)
    return np.where(mean > 0, np.digitize(cv, XYZ_CUTS), 2).astype(np.int8)


def life_cycle(history: History, origin: int) -> Codes:
    """[n] position in `LIFE`: first seen less than 90 days ago; nothing sold for a year; sold in the last 90 days less
    than a quarter of its rate in the year before; else mature. What was there when history began is not new."""
    n = len(history)
    recent = np.bincount(_window(history, origin - RECENT_DAYS, origin)[0], minlength=n)
    row, _, quantity = _window(history, origin - DEAD_DAYS, origin)
    year, sold = np.bincount(row, minlength=n), np.bincount(row, quantity, n)
    row, _, quantity = _window(history, origin - RECENT_DAYS, origin)
    late = np.bincount(row, quantity, n) / RECENT_DAYS
    begin = np.maximum(history.start.astype(np.int64), history.first_day)
    before_days = np.maximum(origin - RECENT_DAYS - np.maximum(begin, origin - DEAD_DAYS), 1)
    earlier = (sold - late * RECENT_DAYS) / before_days
    out = np.full(n, LIFE.index("mature"), np.int8)
    out[(year > 0) & (late < DYING_SHARE * earlier)] = LIFE.index("dying")
    out[(recent == 0) & (year == 0)] = LIFE.index("dead")
    new = (origin - history.start < NEW_DAYS) & (history.start > history.first_day + 7)
    out[new] = LIFE.index("new")
    return out


def tracking_signal(errors: npt.ArrayLike) -> Floats:
    """Σ errors ÷ mean |error| along the last axis; 0 where there was none.

    >>> tracking_signal([[1.0, 1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0, 0.0]]).tolist()
    [5.0, 0.0]
    """
    error = np.asarray(errors, np.float64)
    return np.asarray(error.sum(-1) / np.maximum(np.abs(error).mean(-1), 1e-300))


def _window(
    history: History, first: int, end: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Row, day and quantity of everything sold on first … end − 1."""
    row = np.repeat(np.arange(len(history)), np.diff(history.offsets))
    inside = (history.days >= first) & (history.days < end) & (history.quantity > 0)
    return row[inside], history.days[inside].astype(np.int64), history.quantity[inside].astype(np.float64)
