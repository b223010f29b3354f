"""A textbook instance is an exchange folder: published (s, S) costs come out of `simulate baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.twin import Twin

INSTANCES = ((10, 6, 40, 35.022), (20, 14, 62, 49.173), (52, 44, 112, 72.246), (64, 55, 74, 78.402))
"""Mean, s, S, cost: Poisson demand, h = 1, p = 9, K = 64, zero lead time (Zheng & Federgruen 1991, table 1)."""


def instance(folder: Path, mean: int, s: int, S: int) -> Path:
    """Exchange tables of one instance; the papers' zero lead time is a lead time of one day here."""
    files = {
        "items": "item_id\nX\n",
        "locations": "location_id,kind\nDC,dc\nSUP,supplier\n",
        "lanes": "origin_id,destination_id,lead_time_days\nSUP,DC,1\n",
        "sourcing": "item_id,location_id,source_id\nX,DC,SUP\n",
        "demand": f"item_id,location_id,distribution,mean\nX,DC,poisson,{mean}\n",
        "policies": (
            "item_id,location_id,policy,reorder_point,order_up_to,shortage,holding_cost,backlog_cost,order_cost\n"
            f"X,DC,min_max,{s},{S},backlog,1,9,64\n"
        ),
    }
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


@pytest.mark.parametrize(("mean", "s", "S", "cost"), INSTANCES)
def test_published_long_run_costs(tmp_path: Path, mean: int, s: int, S: int, cost: float) -> None:
    with Twin.create(tmp_path / "twin") as twin:
        taken = twin.ingest(instance(tmp_path / "folder", mean, s, S))
        assert taken["quarantined"] == 0
        kpis: dict[str, Any] = twin.simulate("baseline", replications=100, horizon=4100, warmup=100)["baseline"]["kpis"]
    found = kpis["average_cost_per_day"]
    assert found["se"] < 0.1
    assert abs(found["mean"] - cost) < 3.5 * found["se"]
    assert kpis["fill_rate"]["mean"] > 0.8
    assert kpis["lost_sales_units"]["mean"] == 0
    assert kpis["on_hand_value"]["mean"] is None  # no unit cost is known: null, not nought


def test_without_demand_there_is_no_fill_rate(tmp_path: Path) -> None:
    folder = instance(tmp_path / "folder", 0, 6, 40)
    with Twin.create(tmp_path / "twin") as twin:
        twin.ingest(folder)
        kpis = twin.simulate("baseline", replications=5, horizon=50)["baseline"]["kpis"]
    assert kpis["fill_rate"]["mean"] is None
