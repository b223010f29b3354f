"""The scorer: what a twin answered, held against the truth. The only door to `truth/` besides the world's own state.

It gets the twin's answers as Arrow tables and never asks the twin. What each figure means is said in docs/scoring.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY
from stocktwin.domain.calendar import to_micros
from stocktwin.domain.errors import UsageError
from stocktwin.world.score_balances import balance_error
from stocktwin.world.score_cases import BOOK, FOREVER, NOTHING, RECORD, Fault, score_cases
from stocktwin.world.score_outlook import score_arrivals, score_demand

FOLDER: Final = "truth"
TABLES: Final = ("balances", "movements", "demand", "faults")
UNRESTRICTED: Final = "unrestricted"


def has_truth(folder: Path) -> bool:
    """Whether a folder holds a world's truth."""
    return all((folder / FOLDER / f"{name}.parquet").is_file() for name in TABLES)


class Truth:
    """The truth folder of a world, read when asked for. UsageError where there is none."""

    def __init__(self, folder: Path) -> None:
        if not has_truth(folder):
            raise UsageError(f"no truth in {folder}: only a world built by `stocktwin world build` can be scored")
        self._folder = folder / FOLDER

    def _read(self, name: str, **options: Any) -> pa.Table:
        return pq.read_table(self._folder / f"{name}.parquet", **options)

    @cached_property
    def balances(self) -> pa.Table:
        """True stock at the end of the stated days."""
        return self._read("balances", columns=["date", "item_id", "location_id", "quantity"])

    @cached_property
    def days(self) -> list[int]:
        """The days (since 1970-01-01) whose balances are stated, in order."""
        column = self._read("balances", columns=["date"]).column("date")
        return sorted(int(day) for day in pc.unique(column.cast(pa.int32())).to_pylist())

    @cached_property
    def _labels(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._read("faults").to_pylist()
        return rows

    @cached_property
    def faults(self) -> list[Fault]:
        """The labels, times in µs: the instants `started_at` and `ended_at` where the label has them, else its days, of
        which the noon UTC starts a fault and the end ends it. An error that passed from one system to another has a
        label for each book; it counts once."""
        return [_fault(row) for row in once(self._labels)]

    @cached_property
    def arrivals(self) -> dict[tuple[str, str], int]:
        """(order, line) → when the last of it truly arrived, µs."""
        names = self._read("movements", columns=["kind"]).column("kind")
        moved = self._read("movements", columns=["event_time", "order_id", "line"])
        came = moved.filter(pc.is_in(names, pa.array(["receipt", "transfer_in"])))
        last: dict[tuple[str, str], int] = {}
        columns = (came.column("event_time").cast(pa.int64()), came.column("order_id"), came.column("line"))
        for when, order, line in zip(*(column.to_pylist() for column in columns), strict=True):
            if order is not None:
                last[order, str(line)] = max(when, last.get((order, str(line)), when))
        return last

    def demand(self) -> pa.Table:
        """What customers asked for, by day."""
        return self._read("demand", columns=["date", "item_id", "location_id", "asked"])

    def faults_at(self, item_id: str, location_id: str) -> list[dict[str, Any]]:
        """The labels of one item-location, those of its whole site included, oldest first: `cause`, `start`, `end`,
        `from_ms`, `to_ms` (null: still wrong), `units`, `value`, `system`, `document`, `on_record` (false: the record
        is right all the same) and `span` (the `Fault`)."""
        here = [r for r in self._labels if r["item_id"] in (None, item_id) and r["location_id"] == location_id]
        return sorted((_label(row) for row in here), key=lambda label: int(label["from_ms"]))

    def worst(self, limit: int) -> list[dict[str, Any]]:
        """The costliest labels of single item-locations."""
        mine = [_label(row) for row in self._labels if row["item_id"] and row["location_id"] and row["value"]]
        mine.sort(key=lambda label: (-abs(label["value"]), label["fault_id"]))
        return [{name: value for name, value in label.items() if name != "span"} for label in mine[:limit]]

    def on_hand(self, item_id: str, location_id: str) -> pa.Table:
        """`event_time` (µs), `quantity`: unrestricted stock of an item-location after each thing that truly happened
        to it, in base units."""
        moved = self._read("movements", filters=[("item_id", "=", item_id)])
        times = moved.column("event_time").cast(pa.int64()).to_pylist()
        changes = (effect(row, location_id) for row in moved.to_pylist())
        steps = [(when, change) for when, change in zip(times, changes, strict=True) if change]
        steps.sort()
        level = pa.array(np.cumsum([float(change) for _, change in steps]), pa.float64())
        return pa.table({"event_time": pa.array([when for when, _ in steps], pa.int64()), "quantity": level})


def effect(movement: Mapping[str, Any], location_id: str) -> Any:
    """What a true movement does to the unrestricted stock of a place, in base units.

    A transfer leaves its origin when it goes out and enters its destination when it comes in.

    >>> out = {"kind": "transfer_out", "from_id": "A", "to_id": "B", "quantity": 5, "condition": None}
    >>> [effect(out | {"to_condition": None}, place) for place in "AB"]
    [-5, 0]
    """
    left, entered = movement["condition"], movement["to_condition"] or movement["condition"]
    change = 0
    if movement["from_id"] == location_id and movement["kind"] != "transfer_in" and left in (None, UNRESTRICTED):
        change -= movement["quantity"]
    if movement["to_id"] == location_id and movement["kind"] != "transfer_out" and entered in (None, UNRESTRICTED):
        change += movement["quantity"]
    return change


def once(labels: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The labels without those of the same error in another book: cause, document, item and location are the same. The
    one of the record is kept.

    >>> row = {"cause": "digit_swap", "document": "GR-1", "item_id": "A", "location_id": "D", "on_record": False}
    >>> [label["system"] for label in once([row | {"system": "erp"}, row | {"system": "wms", "on_record": True}])]
    ['wms']
    """
    kept: dict[object, Mapping[str, Any]] = {}
    for number, row in enumerate(labels):
        same = tuple(row.get(name) for name in ("cause", "document", "item_id", "location_id", "lot"))
        key: object = number if row.get("document") is None else same
        if key not in kept or row.get("on_record"):
            kept[key] = row
    return list(kept.values())


def _fault(row: Mapping[str, Any]) -> Fault:
    start = _instant(row.get("started_at") or row["start"], DAY // 2)
    end = FOREVER if row["end"] is None else _instant(row.get("ended_at") or row["end"], DAY)
    return Fault(row["cause"], row["item_id"], row["location_id"], start, end, _wrong(row))


def _wrong(row: Mapping[str, Any]) -> str:
    """What a label makes wrong: a stray read, a sensor that is dead, a wrong clock make no balance wrong."""
    if row.get("on_record", True):
        return RECORD
    return BOOK if row["units"] and row["cause"] != "stray_read" else NOTHING


def _label(row: Mapping[str, Any]) -> dict[str, Any]:
    fault = _fault(row)
    names = ("fault_id", "cause", "item_id", "location_id", "start", "end", "system", "document")
    return {
        **{name: row.get(name) for name in names},
        "on_record": bool(row.get("on_record", True)),
        "from_ms": fault.start // 1000,
        "to_ms": None if fault.end == FOREVER else fault.end // 1000,
        "units": None if row["units"] is None else float(row["units"]),
        "value": row["value"],
        "span": fault,
    }


def _instant(value: Any, within: int) -> int:
    """Microseconds of a label's moment; a day counts from `within` microseconds after its midnight UTC."""
    if isinstance(value, datetime):
        return to_micros(value if value.tzinfo else value.replace(tzinfo=UTC))
    return int((value - date(1970, 1, 1)).days) * DAY + within


@dataclass(frozen=True)
class Answers:
    """What a twin answered while it was asked from `since` until `until` (µs). Tables that are None were not asked
    for: their figures are absent, not zero."""

    since: int
    until: int
    item_locations: int
    every: int = 1
    """Nights from one asking for anomalies to the next."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """Unit cost by item, for errors in money."""
    record: pa.Table | None = None
    """`score_balances.TOLD`."""
    books: Mapping[str, pa.Table] = field(default_factory=dict)
    tellings: pa.Table | None = None
    """`score_cases.TELLINGS`."""
    windows: pa.Table | None = None
    """`score_outlook.WINDOWS`."""
    forecasts: pa.Table | None = None
    """As `score_outlook.score_demand` takes them."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Quantile column of `forecasts` → its probability."""


def score(truth: Truth, answers: Answers) -> dict[str, Any]:
    """Every figure that the answers allow, as docs/scoring.md defines them; keys of layers that are not there yet (the
    belief) are absent."""
    out: dict[str, Any] = {}
    if answers.record is not None:
        out["record"] = balance_error(truth.balances, answers.record, answers.cost)
        out["books"] = {
            name: balance_error(truth.balances, told, answers.cost) for name, told in sorted(answers.books.items())
        }
    if answers.tellings is not None:
        period = {"since": answers.since, "until": answers.until, "item_locations": answers.item_locations}
        period["every"] = answers.every
        out |= score_cases(truth.faults, answers.tellings, **period)
    if answers.windows is not None:
        out["arrivals"] = score_arrivals(answers.windows, truth.arrivals, (truth.days[-1] + 1) * DAY)
    if answers.forecasts is not None:
        out["demand"] = score_demand(answers.forecasts, truth.demand(), answers.probabilities, truth.days[-1])
    return out
