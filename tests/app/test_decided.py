"""Approved recommendations as exchange tables, and how far they have been exported."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.faces.cli.main import main

DAY = 20_147  # 2025-02-28
FEED = {
    "items": "item_id,unit_cost,unit,scale\nA,2,each,0\n",
    "locations": "location_id,kind,latitude,longitude\nDC-1,dc,40.7,-74\nDC-2,dc,33.7,-84.4\nSUP,supplier,31.2,121.5\n",
    "policies": "item_id,location_id,policy,reorder_point,order_up_to\nA,DC-1,min_max,10,40\nA,DC-2,base_stock,,30\n",
    "orders": (
        "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,promised_at,status,system,updated_at\n"
        "PO-1,1,purchase,A,40,SUP,DC-1,2025-02-20T10:00:00Z,2025-03-20T17:00:00Z,confirmed,erp,2025-02-21T10:00:00Z\n"
        "PO-1,2,purchase,A,12,SUP,DC-2,2025-02-20T10:00:00Z,2025-02-27T17:00:00Z,open,erp,2025-02-20T10:00:00Z\n"
    ),
}
BASE = {"item_id": "A", "unit": "each", "scale": 0, "day": DAY, "from_id": None, "to_id": None, "order_id": None,
        "line": None, "details": {}, "from_date": None, "to_date": None, "current": 3, "proposed": 8}  # fmt: skip


def shown(id: str, kind: str, **values: Any) -> dict[str, Any]:
    return {**BASE, "id": id, "kind": kind, "location_id": "DC-1", **values}


TRANSFER = shown("t1", "transfer", quantity=5, from_id="DC-1", to_id="DC-2", from_date="2025-03-01")
SAFETY = shown("s1", "safety_stock", location_id="DC-2", quantity=5,
               details={"proposed_reorder_point": 15, "proposed_order_up_to": 35})  # fmt: skip
SOONER = shown("a1", "advance_order", quantity=40, order_id="PO-1", line="1", from_id="SUP", to_id="DC-1",
               from_date="2025-03-25", to_date="2025-03-18")  # fmt: skip
OVERDUE = {**SOONER, "id": "a2", "line": "2", "from_date": "2025-03-12", "to_date": "2025-03-09"}


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[TwinService]:
    create_twin(tmp_path / "shop")
    (tmp_path / "feed").mkdir()
    for name, text in FEED.items():
        (tmp_path / "feed" / f"{name}.csv").write_text(text, encoding="utf-8")
    with TwinService.open(tmp_path / "shop") as service:
        service.ingest(tmp_path / "feed")
        yield service


def decide(twin: TwinService, *entries: dict[str, Any], decision: str = "approve") -> None:
    for entry in entries:
        twin.ledger.decide(
            {"id": entry["id"], "decision": decision, "by": "Ana", "reason": "", "recommendation": entry}
        )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(stream)]


def test_each_kind_is_the_row_that_carries_it_out(twin: TwinService, tmp_path: Path):
    decide(twin, TRANSFER, SAFETY, SOONER, OVERDUE, shown("c1", "count", quantity=1))
    decide(twin, {**TRANSFER, "id": "t2"}, decision="reject")
    answer = twin.export_decisions(tmp_path / "out")
    assert answer["files"] == [{"file": "orders.csv", "rows": 3}, {"file": "policies.csv", "rows": 1}]
    assert (answer["approved"], [one["id"] for one in answer["left_out"]]) == (5, ["c1"])
    moved, sooner, overdue = rows(tmp_path / "out" / "orders.csv")
    assert moved == {"kind": "transfer", "item_id": "A", "quantity": "5", "unit": "each", "from_id": "DC-1",
                     "to_id": "DC-2", "ordered_at": "2025-03-01", "recommendation": "t1"}  # fmt: skip
    assert sooner == {"order_id": "PO-1", "line": "1", "kind": "purchase", "item_id": "A", "quantity": "40",
                      "unit": "each", "from_id": "SUP", "to_id": "DC-1", "ordered_at": "2025-02-20",
                      "requested_at": "2025-03-13", "status": "confirmed", "recommendation": "a1"}  # fmt: skip
    assert overdue["requested_at"] == "2025-03-09", "its promise has passed"
    assert rows(tmp_path / "out" / "policies.csv") == [
        {"item_id": "A", "location_id": "DC-2", "policy": "base_stock", "reorder_point": "15", "order_up_to": "35",
         "safety_stock": "8", "parameter_unit": "units", "recommendation": "s1"}
    ]  # fmt: skip


def test_what_was_exported_is_not_exported_again_unless_all_is_asked_for(twin: TwinService, tmp_path: Path):
    decide(twin, TRANSFER)
    assert twin.export_decisions(tmp_path / "one")["approved"] == 1
    assert twin.export_decisions(tmp_path / "none") == {
        "folder": str(tmp_path / "none"), "files": [], "approved": 0, "left_out": [],
    }  # fmt: skip
    decide(twin, SAFETY)
    assert [one["file"] for one in twin.export_decisions(tmp_path / "two")["files"]] == ["policies.csv"]
    assert twin.export_decisions(tmp_path / "all", everything=True)["approved"] == 2
    with pytest.raises(UsageError, match="not empty"):
        twin.export_decisions(tmp_path / "all")
    (twin.settings.root / "exports" / "decisions.json").write_text("{", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="--all"):
        twin.export_decisions(tmp_path / "new")


class Heard:
    tty = False

    def __init__(self) -> None:
        self.said, self.noted = "", ""

    def out(self, text: str) -> None:
        self.said += text

    def err(self, text: str) -> None:
        self.noted += text


def test_the_command(twin: TwinService, tmp_path: Path):
    decide(twin, TRANSFER, shown("c1", "count", quantity=1))
    twin.close()
    root = str(twin.settings.root)

    def call(*words: str) -> tuple[int, Heard]:
        heard = Heard()
        return main(["--twin", root, *words], output=heard), heard

    code, heard = call("export", "decisions", str(tmp_path / "out"))
    assert code == 0, heard.noted
    assert "orders.csv" in heard.said
    assert "c1" in heard.said
    code, heard = call("export", "decisions", str(tmp_path / "again"), "--json")
    assert json.loads(heard.said)["approved"] == 0
    for words in (("decisions",), ("one", "two")):
        code, heard = call("export", *words)
        assert (code, heard.noted.count("\n")) == (2, 1)
