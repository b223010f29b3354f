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


def test_a_place_is_judged_by_the_share_of_what_is_asked_for_there(tmp_path: Path) -> None:
    movements = ("event_id", "event_time", "kind", "item_id", "quantity", "from_id", "to_id", "system")
    rows = [(f"O{item}", "2025-03-01T08:00Z", "receipt", item, "40", "", "W", "erp") for item in "ABCD"]
    rows += [(f"S{day}", f"2025-03-{day:02d}T09:00Z", "sale", "A", "2", "W", "", "erp") for day in range(2, 22)]
    rows += [(f"T{day}", f"2025-03-{day:02d}T09:00Z", "sale", "B", "1", "W", "", "erp") for day in range(2, 22)]
    (tmp_path / "feed").mkdir()
    text = "\n".join(",".join(row) for row in [movements, *rows])
    (tmp_path / "feed" / "movements.csv").write_text(text + "\n")
    (tmp_path / "feed" / "items.csv").write_text("item_id\nA\nB\nC\nD\n")
    (tmp_path / "feed" / "locations.csv").write_text("location_id,kind\nW,dc\n")
    create_twin(tmp_path / "twin")
    with TwinService.open(tmp_path / "twin") as twin:
        twin.ingest(tmp_path / "feed")
        answer = twin.overview()
    (place,) = answer["locations"]
    assert (place["item_locations"], place["demanded"], place["stockouts"]) == (4, 2, 1)
    assert place["short"] >= 1
    assert place["short_share"] == place["short"] / 2
    assert 0 < answer["thresholds"]["watch"] < answer["thresholds"]["short"] < 1


def test_stock_without_any_cost_has_no_value_rather_than_none_worth(tmp_path: Path) -> None:
    assert values(tmp_path / "unknown", "") == (None, None)
    assert values(tmp_path / "known", ', "unit_cost": 2') == (10, 10)
