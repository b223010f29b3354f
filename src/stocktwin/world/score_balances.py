"""How far what the twin says is there lies from what is there, by day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]

TOLD: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("item_id", pa.string()),
        ("location_id", pa.string()),
        ("quantity", pa.float64()),
    ]
)
"""On hand in base units at the end of a day, as the twin gave it that evening. No row: it said nothing."""
KEYS: Final = ["date", "item_id", "location_id"]
EXACT: Final = 1e-6
"""Two quantities nearer than this are equal: the finest unit is a thousandth."""


def balance_error(truth: pa.Table, told: pa.Table, cost: Mapping[str, float]) -> dict[str, Any]:
    """Error of `told` (`TOLD`) against the true balances (the same columns, by lot or not) of the days it was told for.

    Keys: `mae` (mean |told − true| per item-location and day, base units), `bias` (mean of told − true), `wape`
    (Σ|told − true| ÷ Σ true), `exact` (share of item-locations and days told to the unit), `value` (mean over days of
    Σ|told − true| at unit cost; items without a cost are left out), `answered` (share of the true item-locations and
    days about which something was told; the others enter no other figure) and `by_day`, the same per date. Null where
    nothing can be said.

    >>> row = {"date": [0], "item_id": ["A"], "location_id": ["D"]}
    >>> truth, told = (pa.table(row | {"quantity": [q]}, schema=TOLD) for q in (10.0, 13.0))
    >>> balance_error(truth, told, {"A": 2.0})["value"]
    6.0
    """
    days, true, said, worth = _side_by_side(truth, told, cost)
    if not len(days):
        return {**_figures(true, said, worth, 1), "by_day": []}
    dates, at = np.unique(days, return_inverse=True)
    by_day = [
        {"date": pa.scalar(int(day), pa.int32()).cast(pa.date32()).as_py().isoformat()}
        | _figures(true[at == k], said[at == k], worth[at == k], 1)
        for k, day in enumerate(dates)
    ]
    return {**_figures(true, said, worth, len(dates)), "by_day": by_day}


def _side_by_side(
    truth: pa.Table, told: pa.Table, cost: Mapping[str, float]
) -> tuple[npt.NDArray[np.int32], Floats, Floats, Floats]:
    """Day, true quantity, told quantity (nan: nothing said) and unit cost (nan: none), per item-location and day."""
    asked = pc.unique(told.column("date"))
    stated = truth.filter(pc.is_in(truth.column("date"), asked))
    dated = told.filter(pc.is_in(told.column("date"), pc.unique(truth.column("date"))))
    both = _summed(stated, "true").join(_summed(dated, "told"), KEYS, join_type="full outer")
    worth = np.array([cost.get(item, np.nan) for item in both.column("item_id").to_pylist()], np.float64)
    return (
        np.asarray(both.column("date").cast(pa.int32()).to_numpy(), np.int32),
        np.asarray(pc.fill_null(both.column("true"), 0.0).to_numpy(), np.float64),
        np.asarray(pc.fill_null(both.column("told"), float("nan")).to_numpy(), np.float64),
        worth,
    )


def _summed(table: pa.Table, name: str) -> pa.Table:
    """Lots added up."""
    plain = table.select([*KEYS, "quantity"]).cast(TOLD)
    return plain.group_by(KEYS).aggregate([("quantity", "sum")]).rename_columns([*KEYS, name])


def _figures(true: Floats, said: Floats, worth: Floats, days: int) -> dict[str, float | None]:
    heard = ~np.isnan(said)
    error = said[heard] - true[heard]
    size = np.abs(error)
    valued = ~np.isnan(worth[heard])
    total = float(true[heard].sum())
    some = bool(heard.any())
    return {
        "mae": float(size.mean()) if some else None,
        "bias": float(error.mean()) if some else None,
        "wape": float(size.sum() / total) if total > 0 else None,
        "exact": float((size < EXACT).mean()) if some else None,
        "value": float((size * worth[heard])[valued].sum() / days) if valued.any() else None,
        "answered": float(heard.mean()) if len(heard) else None,
    }
