"""What the twin expected and what came: arrival windows of order lines, demand of the weeks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY

Floats = npt.NDArray[np.float64]

WINDOWS: Final = pa.schema(
    [
        ("asked_at", pa.int64()),  # µs
        ("order_id", pa.string()),
        ("line", pa.string()),
        ("q10", pa.int64()),
        ("q50", pa.int64()),
        ("q90", pa.int64()),
    ]
)
"""Arrival windows that the twin gave, at one or several origins."""
SPAN: Final = 2**32
"""More days than any calendar has."""
QUANTILES: Final = {"q10": 0.1, "q50": 0.5, "q90": 0.9}


def score_arrivals(windows: pa.Table, arrived: Mapping[tuple[str, str], int], until: int) -> dict[str, Any]:
    """Windows (`WINDOWS`) against the true arrivals, (order, line) → µs.

    The twin forecasts whole days since the order, rounded up, so an instant stands for the 24 hours that it ends.
    `coverage_80`: share of lines that came in the 24 hours of the 10 % instant or later and not after the 90 % one.
    `pinball_days`: mean pinball loss of the 10, 50 and 90 % instant, in such days. Only windows that had closed at
    `until` (µs, the end of what the truth knows) are scored, whether the line had come or not (else what comes early
    would count more); a line that had not come enters with an arrival at `until`, the least that it can be. `lines`
    of so many `orders` were scored, `unknown` were not.
    """
    rows = [row for row in windows.to_pylist() if row["q90"] < until]
    came = [arrived.get((row["order_id"], row["line"]), until) for row in rows]
    inside = [row["q10"] - DAY < when <= row["q90"] for row, when in zip(rows, came, strict=True)]
    losses = [
        _pinball(-((row[name] - when) // DAY), p)
        for row, when in zip(rows, came, strict=True)
        for name, p in QUANTILES.items()
    ]
    return {
        "coverage_80": float(np.mean(inside)) if inside else None,
        "pinball_days": float(np.mean(losses)) if losses else None,
        "lines": len(rows),
        "orders": len({row["order_id"] for row in rows}),
        "unknown": windows.num_rows - len(rows),
    }


def _pinball(miss: float, p: float) -> float:
    """Pinball loss of a quantile that was `miss` too low (Koenker & Bassett 1978).

    >>> _pinball(2, 0.9), _pinball(-2, 0.9)
    (1.8, 0.19999999999999996)
    """
    return p * miss if miss >= 0 else (p - 1) * miss


def score_demand(told: pa.Table, asked: pa.Table, probabilities: Mapping[str, float], last: int) -> dict[str, Any]:
    """Quantiles of demand sums against what customers asked for, served or not.

    `told`: `first_day` (days since 1970-01-01), `horizon`, `item_id`, `location_id` and one column a quantile;
    `asked`: `date`, `item_id`, `location_id`, `asked`. Horizons that end after day `last` are left out.
    `weighted_quantile_loss` = 2 · mean over the quantiles of Σ pinball ÷ Σ demand, sums over item-locations and
    origins (Makridakis et al. 2022, the M5 uncertainty track, weighted by units); null without demand.
    """
    true = _sums(told, asked)
    first, horizon = (np.asarray(told.column(name).to_numpy(), np.int64) for name in ("first_day", "horizon"))
    kept = first + horizon - 1 <= last
    losses = []
    for name, p in probabilities.items():
        miss = true[kept] - np.asarray(told.column(name).cast(pa.float64()).to_numpy(), np.float64)[kept]
        losses.append(float(np.where(miss >= 0, p * miss, (p - 1) * miss).sum()))
    total = float(true[kept].sum())
    return {
        "weighted_quantile_loss": 2 * float(np.mean(losses)) / total if losses and total > 0 else None,
        "sums": int(kept.sum()),
    }


def _sums(told: pa.Table, asked: pa.Table) -> Floats:
    """True demand over each row's horizon: the difference of two running sums of its item-location."""
    pairs = pa.concat_arrays([_pair(told), _pair(asked)]).dictionary_encode().indices
    code = np.asarray(pairs.to_numpy(zero_copy_only=False), np.int64)
    mine, theirs = code[: told.num_rows], code[told.num_rows :]
    place = theirs * SPAN + np.asarray(asked.column("date").cast(pa.int32()).to_numpy(), np.int64)
    order = np.argsort(place, kind="stable")
    quantity = np.asarray(asked.column("asked").cast(pa.float64()).to_numpy(), np.float64)
    running = np.concatenate([[0.0], np.cumsum(quantity[order])])
    first, horizon = (np.asarray(told.column(name).to_numpy(), np.int64) for name in ("first_day", "horizon"))
    low, high = (np.searchsorted(place[order], mine * SPAN + first + ahead) for ahead in (0, horizon))
    return np.asarray(running[high] - running[low])


def _pair(table: pa.Table) -> pa.Array:
    """Item and location as one text."""
    item, place = (table.column(name).cast(pa.string()).combine_chunks() for name in ("item_id", "location_id"))
    return pc.binary_join_element_wise(item, place, "\x1f")
