"""The overview says what is known, and of what is not known nothing."""

from __future__ import annotations

from pathlib import Path

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService

FACTS = """\
{"table": "items", "item_id": "A"%s}
{"table": "locations", "location_id": "W", "kind": "dc"}
{"table": "movements", "event_id": "1", "event_time": "2025-03-01T08:00:00Z", "kind": "receipt", "item_id": "A", \
"quantity": 5, "to_id": "W", "system": "erp"}
"""


def values(root: Path, cost: str) -> tuple[object, object]:
    create_twin(root)
    with TwinService.open(root) as twin:
        assert twin.post_facts(FACTS % cost)["accepted"] == 3
        answer = twin.overview()
        return answer["kpis"]["on_hand_value"], answer["locations"][0]["on_hand_value"]


def test_stock_without_any_cost_has_no_value_rather_than_none_worth(tmp_path: Path) -> None:
    assert values(tmp_path / "unknown", "") == (None, None)
    assert values(tmp_path / "known", ', "unit_cost": 2') == (10, 10)
