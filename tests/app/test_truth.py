"""Truth, record and books side by side: what only senses keeps no book; what harms no record is not mistaken."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService

FACTS = """\
{"table": "items", "item_id": "A", "unit_cost": 2}
{"table": "locations", "location_id": "W", "kind": "dc"}
{"table": "movements", "event_id": "1", "event_time": "2025-03-01T08:00:00Z", "kind": "receipt", "item_id": "A", \
"quantity": 50, "to_id": "W", "system": "erp"}
{"table": "movements", "event_id": "D1", "event_time": "2025-03-01T08:01:00Z", "kind": "receipt", "item_id": "A", \
"quantity": 49, "to_id": "W", "system": "rfid"}
{"table": "observations", "event_id": "R1", "event_time": "2025-03-01T09:00:00Z", "method": "rfid", "item_id": "A", \
"location_id": "W", "quantity": 50, "system": "rfid"}
{"table": "observations", "event_id": "C1", "event_time": "2025-03-09T08:00:00Z", "method": "cycle_count", \
"item_id": "A", "location_id": "W", "quantity": 40, "system": "wms"}
"""


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def label(number: int, cause: str, on_record: bool) -> dict[str, Any]:
    place = {"item_id": "A", "location_id": "W", "start": date(2025, 3, 8), "end": None}
    return {"fault_id": f"F{number}", "cause": cause, **place, "units": Decimal(10 * on_record), "system": None,
            "value": 20.0 * on_record, "document": None, "on_record": on_record}  # fmt: skip


def movement(day: int, kind: str, quantity: int, origin: str, destination: str) -> dict[str, Any]:
    when = datetime(2025, 3, day, 8, tzinfo=UTC)
    return {"event_time": when, "kind": kind, "item_id": "A", "quantity": Decimal(quantity), "from_id": origin,
            "to_id": destination, "condition": None, "to_condition": None, "order_id": None, "line": None}  # fmt: skip


def test_truth_beside_record_and_books(tmp_path: Path) -> None:
    create_twin(tmp_path)
    settings = tmp_path / "twin.toml"
    settings.write_text(settings.read_text() + '\n[authority]\ndefault = "erp"\n')
    truth = tmp_path / "truth"
    write(
        truth / "movements.parquet", [movement(1, "receipt", 50, "S", "W"), movement(8, "adjustment", 10, "W", "loss")]
    )
    write(truth / "faults.parquet", [label(1, "damage", True), label(2, "stray_read", False)])
    for name in ("balances", "demand"):
        write(truth / f"{name}.parquet", [{"date": date(2025, 3, 9), "item_id": "A", "location_id": "W"}])
    with TwinService.open(tmp_path) as twin:
        twin.post_facts(FACTS)
        shown = twin.truth("A", "W")
    assert {one["name"]: one["last"] for one in shown["series"]} == {"truth": 40, "record": 50, "erp": 50}
    assert [entry["kind"] for entry in shown["anomalies"]] == ["record_against_count"]
    told = {fault["cause"]: (fault["on_record"], fault["found"], fault["told_as"]) for fault in shown["faults"]}
    assert told == {"damage": (True, False, "record_against_count"), "stray_read": (False, False, None)}
