"""What only senses a part of the flow is no book: neither beside the record nor among what disagrees."""

from __future__ import annotations

from pathlib import Path

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService

FACTS = """\
{"table": "items", "item_id": "A", "unit_cost": 2}
{"table": "locations", "location_id": "W", "kind": "dc"}
{"table": "movements", "event_id": "1", "event_time": "2025-03-01T08:00:00Z", "kind": "receipt", "item_id": "A", \
"quantity": 50, "to_id": "W", "system": "erp"}
{"table": "movements", "event_id": "2", "event_time": "2025-03-02T08:00:00Z", "kind": "sale", "item_id": "A", \
"quantity": 45, "from_id": "W", "system": "erp"}
{"table": "movements", "event_id": "D1", "event_time": "2025-03-01T08:01:00Z", "kind": "receipt", "item_id": "A", \
"quantity": 49, "to_id": "W", "system": "%s"}
{"table": "observations", "event_id": "R1", "event_time": "2025-03-03T08:00:00Z", "method": "%s", "item_id": "A", \
"location_id": "W", "quantity": 5, "system": "%s"}
"""


def told(root: Path, system: str, method: str) -> tuple[dict[str, bool], list[str], int]:
    create_twin(root)
    settings = root / "twin.toml"
    settings.write_text(settings.read_text() + '\n[authority]\ndefault = "erp"\n')
    with TwinService.open(root) as twin:
        assert twin.post_facts(FACTS % (system, method, system))["accepted"] == 6
        books = twin.item_location("A", "W")["books"]
        disagree = twin.reconcile()
        return {book["system"]: book["complete"] for book in books}, disagree["systems"], disagree["total"]


def test_what_a_door_saw_pass_is_no_book(tmp_path: Path) -> None:
    assert told(tmp_path / "tags", "rfid", "rfid") == ({"erp": True, "rfid": False}, ["erp"], 0)


def test_what_a_warehouse_posts_is_its_book(tmp_path: Path) -> None:
    assert told(tmp_path / "posts", "wms", "wms_book") == ({"erp": True, "wms": True}, ["erp", "wms"], 1)
