"""What comes next: demand ahead, its accuracy so far, arrival windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.app.answers.values import day, exact, iso, number, plain_answer
from stocktwin.domain.errors import NotFoundError

if TYPE_CHECKING:
    from stocktwin.app.model import Model

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")


def forecast(
    model: Model, *, item: str | None, location: str | None, horizon: int, limit: int | None
) -> dict[str, Any]:
    """Per item-location, the distribution of demand summed over the horizon (never a sum of daily quantiles)."""
    snapshot, ahead = model.snapshot, model.forecast
    rows = np.arange(len(snapshot))
    if item is not None:
        rows = rows[snapshot.item[rows] == _code(snapshot.item_codes.code(item), "item", item)]
    if location is not None:
        rows = rows[snapshot.location[rows] == _code(snapshot.location_codes.code(location), "location", location)]
    total, rows = len(rows), rows[:limit]
    quantiles = ahead.total_quantiles(rows, ahead.first_day, horizon, np.array(QUANTILES))
    mean = ahead.total_mean(rows, ahead.first_day, horizon)
    scale, units = snapshot.scale(), snapshot.items.column("unit").to_pylist()
    answers = []
    for at, row in enumerate(rows):
        code = int(snapshot.item[row])
        unit = 10.0 ** int(scale[code])
        answers.append(
            {
                "item_id": snapshot.item_codes.ids[code],
                "location_id": snapshot.location_codes.ids[int(snapshot.location[row])],
                "mean": number(mean[at] / unit),
                **{name: number(quantiles[at, q] / unit) for q, name in enumerate(NAMES)},
                "unit": units[code] or "each",
                "basis": ahead.basis_name(int(row)),
            }
        )
    return {"first_day": day(ahead.first_day), "horizon": horizon, "rows": answers, "total": total}


def accuracy(model: Model, *, horizon: int, origins: int) -> dict[str, Any]:
    """Rolling-origin backtest beside the seasonal naive forecast."""
    from stocktwin.analytics.accuracy import backtest

    return plain_answer(backtest(model.snapshot, origins=origins, horizon=horizon).to_dict())


def arrivals(model: Model, *, item: str | None, limit: int | None) -> dict[str, Any]:
    """10, 50 and 90 % arrival dates of each open replenishment line, given that it has not arrived yet."""
    snapshot = model.snapshot
    if item is not None:
        _code(snapshot.item_codes.code(item), "item", item)
    scale = snapshot.scale()
    rows = []
    for row in model.arrivals.to_pylist():
        if item is None or row["item_id"] == item:
            places = int(scale[snapshot.item_codes.code(row["item_id"])])
            row["open_quantity"] = exact(row["open_quantity"], places)
            rows.append(row | {key: iso(row[key]) for key in ("ordered_at", "q10", "q50", "q90")})
    return plain_answer({"rows": rows[:limit], "total": len(rows), "as_of": iso(snapshot.as_of)})


def _code(code: int, kind: str, name: str) -> int:
    if code < 0:
        raise NotFoundError(kind, name)
    return code
