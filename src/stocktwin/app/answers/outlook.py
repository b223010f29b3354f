"""What comes next: demand ahead, its accuracy so far, arrival windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import day, number, plain_answer
from stocktwin.domain.errors import NotFoundError

if TYPE_CHECKING:
    from stocktwin.app.model import Model

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")


def forecast(
    model: Model, *, item: str | None, location: str | None, horizon: int, limit: int | None, after: str | None
) -> dict[str, Any]:
    """Per item-location, the distribution of demand summed over the horizon (never a sum of daily quantiles)."""
    snapshot, ahead = model.snapshot, model.forecast
    rows = np.arange(len(snapshot))
    if item is not None:
        rows = rows[snapshot.item[rows] == _code(snapshot.item_codes.code(item), "item", item)]
    if location is not None:
        rows = rows[snapshot.location[rows] == _code(snapshot.location_codes.code(location), "location", location)]
    total = len(rows)

    def ids(row: int) -> tuple[str, str]:
        return snapshot.item_codes.ids[snapshot.item[row]], snapshot.location_codes.ids[snapshot.location[row]]

    shown, following = page(rows.tolist(), ids, name="forecast", limit=limit, after=after)
    rows = np.array(shown, np.int64)
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
    told = {"first_day": day(ahead.first_day), "horizon": horizon}
    return {**told, "rows": answers, "total": total, "next": following}


def accuracy(model: Model, *, horizon: int, origins: int) -> dict[str, Any]:
    """Rolling-origin backtest beside simple forecasts: overall, by class of demand and by distance of the day."""
    from stocktwin.analytics.accuracy import backtest
    from stocktwin.analytics.comparison import compare
    from stocktwin.analytics.demand import fit_at, panel_of

    snapshot = model.seen
    answer = backtest(snapshot, origins=origins, horizon=horizon).to_dict()
    told = compare(panel_of(snapshot), lambda origin: fit_at(snapshot, origin, horizon), origins, horizon)
    return plain_answer(answer | {"origin_days": [day(origin) for origin in answer["origins"]]} | told)


def _code(code: int, kind: str, name: str) -> int:
    if code < 0:
        raise NotFoundError(kind, name)
    return code
