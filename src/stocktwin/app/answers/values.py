"""Small conversions from columns to JSON values."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np

from stocktwin.domain.calendar import format_instant
from stocktwin.domain.quantity import from_atomic

DAY_ZERO = date(1970, 1, 1)


def iso(micros: int | None) -> str | None:
    """An instant as ISO 8601 in UTC; None stays None."""
    return None if micros is None else format_instant(int(micros))


def day(number: int) -> str:
    """A day number (days since 1970-01-01) as an ISO date.

    >>> day(1)
    '1970-01-02'
    """
    return (DAY_ZERO + timedelta(days=int(number))).isoformat()


def exact(atomic: int | None, scale: int) -> int | str | None:
    """An exact quantity: an integer, or a decimal string where the unit is divisible."""
    return None if atomic is None else from_atomic(int(atomic), int(scale))


def number(value: float | None, digits: int = 6) -> float | None:
    """A finite float rounded to `digits` significant places; nan and infinity are None (JSON has neither).

    >>> number(1234.56789, 3), number(float("nan"))
    (1230.0, None)
    """
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def numbers(values: Any, digits: int = 6) -> list[float | None]:
    """Many of them."""
    return [number(float(value), digits) for value in np.asarray(values, float)]


def plain_answer(value: dict[str, Any]) -> dict[str, Any]:
    """A whole answer of plain JSON values."""
    return {key: plain(entry) for key, entry in value.items()}


def plain(value: Any) -> Any:
    """NumPy scalars, arrays, tuples, dates and nan in a nested answer made plain JSON values."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value
