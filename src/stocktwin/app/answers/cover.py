"""Too much and too little: the lists of excess and of stock-out risk, with money."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stocktwin.app.answers.ahead import chosen_rows, write_blocks
from stocktwin.app.answers.values import exact, iso, number

if TYPE_CHECKING:
    from stocktwin.app.model import Model
    from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]


def excess(
    model: Model, *, item: str | None, location: str | None, limit: int | None, out: Path | None
) -> dict[str, Any]:
    """Item-locations with more than their economic cover, most money first."""
    from stocktwin.analytics import excess as rules

    snapshot = model.snapshot
    found = rules.excess(snapshot, model.forecast, model.lead_times, model.arrivals)
    rows = chosen_rows(snapshot, item, location)
    rows = rows[found.excess[rows] > 0]
    rows = _ranked(snapshot, rows, found.value, found.excess)
    numbers = {
        "inbound": found.inbound,
        "order_up_to": found.order_up_to,
        "demand_q95": found.demand_q95,
        "moq": found.moq,
        "cover": found.cover,
        "excess": found.excess,
    }
    exempt = {"young_item": int(found.young.sum()), "opening_unknown": int((~snapshot.anchored).sum())}
    return _answer(model, rows, numbers, {"value": found.value}, limit, out) | {"left_out": exempt}


def risk(
    model: Model, *, item: str | None, location: str | None, limit: int | None, out: Path | None
) -> dict[str, Any]:
    """Item-locations at least 10 % likely to run out before an order placed today could arrive, most money first."""
    from stocktwin.analytics import excess as rules

    snapshot = model.snapshot
    found = rules.risk(snapshot, model.forecast, model.lead_times, model.arrivals)
    rows = chosen_rows(snapshot, item, location)
    rows = rows[found.at_risk[rows]]
    rows = _ranked(snapshot, rows, found.value, found.probability)
    numbers = {"inbound": found.inbound, "expected_shortage": found.shortage}
    plain = {"days": found.days, "probability": found.probability, "value": found.value}
    unsaid = {
        "no_demand_or_source": int((np.isnan(found.probability) & snapshot.anchored).sum()),
        "opening_unknown": int((~snapshot.anchored).sum()),
    }
    return _answer(model, rows, numbers, plain, limit, out) | {"threshold": rules.RISK_THRESHOLD, "left_out": unsaid}


def _ranked(snapshot: Snapshot, rows: npt.NDArray[np.int64], value: Floats, other: Floats) -> npt.NDArray[np.int64]:
    """Most money first, what has no price after it, each by the other figure."""
    money = np.nan_to_num(value[rows], nan=-1.0)
    return rows[np.lexsort((rows, -other[rows], -money))]


def _answer(
    model: Model,
    rows: npt.NDArray[np.int64],
    quantities: dict[str, npt.NDArray[Any]],
    plain: dict[str, npt.NDArray[Any]],
    limit: int | None,
    out: Path | None,
) -> dict[str, Any]:
    """Counts, money and the rows; all of them in a file where one is asked for."""
    snapshot = model.snapshot
    value = plain["value"][rows]
    missing = np.unique(snapshot.item[rows[np.isnan(value)]])
    answer = {
        "as_of": iso(snapshot.as_of),
        "items": len(np.unique(snapshot.item[rows])),
        "item_locations": len(rows),
        "value": None if len(missing) else number(float(value.sum()), 12),
        "value_known": number(float(np.nansum(value)), 12),
        "currency": snapshot.currency,
        "without_price": [snapshot.item_codes.ids[code] for code in missing],
        "total": len(rows),
    }
    if out is None:
        shown = rows[:limit]
        return answer | {"rows": [_row(snapshot, row, quantities, plain) for row in shown.tolist()]}
    return answer | {"file": str(out), "rows_written": _written(snapshot, rows, quantities, plain, out)}


def _row(
    snapshot: Snapshot, row: int, quantities: dict[str, npt.NDArray[Any]], plain: dict[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    code = int(snapshot.item[row])
    places = int(snapshot.scale()[code])
    shown = {
        "item_id": snapshot.item_codes.ids[code],
        "location_id": snapshot.location_codes.ids[snapshot.location[row]],
    }
    shown["on_hand"] = exact(int(snapshot.on_hand[row]), places)
    figures = {name: number(float(values[row]) / 10**places) for name, values in quantities.items()}
    return shown | figures | {name: number(float(values[row])) for name, values in plain.items()}


def _written(
    snapshot: Snapshot,
    rows: npt.NDArray[np.int64],
    quantities: dict[str, npt.NDArray[Any]],
    plain: dict[str, npt.NDArray[Any]],
    out: Path,
) -> int:
    import pyarrow as pa

    unit = 10.0 ** snapshot.scale()[snapshot.item[rows]].astype(np.float64)
    columns: dict[str, Any] = {
        "item_id": _taken(snapshot.item_codes.ids, snapshot.item[rows]),
        "location_id": _taken(snapshot.location_codes.ids, snapshot.location[rows]),
        "on_hand": snapshot.on_hand[rows] / unit,
    }
    columns |= {name: values[rows] / unit for name, values in quantities.items()}
    columns |= {name: values[rows].astype(float) for name, values in plain.items()}
    kinds = {name: pa.string() if name.endswith("_id") else pa.float64() for name in columns}
    table = pa.table({name: pa.array(values, kinds[name], from_pandas=True) for name, values in columns.items()})
    return write_blocks([table], table.schema, out)


def _taken(names: Iterable[str], codes: npt.NDArray[np.int32]) -> list[str]:
    known = list(names)
    return [known[code] for code in codes.tolist()]
