"""A twin of two shelves scored night by night: what it said is what was known that night."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.app.scoring import score_world
from stocktwin.domain.errors import UsageError

TWIN = '[authority]\ndefault = "erp"\n[sources.erp]\nfolder = "erp"\n[sources.rfid]\nfolder = "rfid"\n'
TAGS = (
    "event_id,event_time,kind,item_id,quantity,to_id,system,recorded_at\n"
    "R1,2025-01-02T08:00Z,receipt,B,19,DC,rfid,2025-01-02T08:05Z\n"
)
SHELF = (
    "event_id,event_time,method,item_id,location_id,quantity,system,recorded_at\n"
    "R2,2025-01-02T09:00Z,rfid,B,DC,20,rfid,2025-01-02T09:00Z\n"
)
HEAD = "event_id,event_time,kind,item_id,quantity,from_id,to_id,system,recorded_at\n"
MOVEMENTS = HEAD + (
    "E1,2025-01-01T08:00Z,adjustment,A,50,gain,DC,erp,2025-01-01T08:05Z\n"
    "E2,2025-01-02T08:00Z,adjustment,B,20,gain,DC,erp,2025-01-02T08:05Z\n"
    "E3,2025-01-03T10:00Z,sale,A,5,DC,customer,erp,2025-01-05T12:00Z\n"
    "E4,2025-01-06T10:00Z,sale,B,1,DC,customer,erp,2025-01-06T10:05Z\n"
)
ORDERS = (
    "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,system,updated_at\n"
    "P1,1,purchase,A,10,S,DC,2025-01-02T08:00Z,erp,2025-01-02T08:00Z\n"
)
LANES = "origin_id,destination_id,mode,lead_time_days,lead_time_sd_days\nS,DC,road,3,0\n"
TRUE = {"A": (50, 50, 45, 45, 45, 45, 45), "B": (0, 20, 20, 20, 20, 19, 19)}
DAYS = [date(2025, 1, day) for day in range(1, 8)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("scored")
    texts = {
        "twin.toml": TWIN, "erp/movements.csv": MOVEMENTS, "erp/orders.csv": ORDERS, "erp/lanes.csv": LANES,
        "rfid/movements.csv": TAGS, "rfid/observations.csv": SHELF,
        "erp/items.csv": "item_id,unit,unit_cost\nA,each,2\nB,each,10\n",
        "erp/locations.csv": "location_id,kind\nDC,dc\nS,supplier\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    truth, here = tmp_path / "truth", {"location_id": "DC", "lot": None}
    write(truth / "balances.parquet", [
        {"date": day, "item_id": item, "quantity": Decimal(level), **here}
        for item, levels in TRUE.items() for day, level in zip(DAYS, levels, strict=True)
    ])  # fmt: skip
    write(truth / "demand.parquet", [{"date": DAYS[2], "item_id": "A", "location_id": "DC", "asked": Decimal(5)}])
    write(truth / "movements.parquet", [{"event_time": datetime(2025, 1, 5, 7, tzinfo=UTC), "kind": "receipt",
          "item_id": "A", "order_id": "P1", "line": "1"}])  # fmt: skip
    write(truth / "faults.parquet", [{"fault_id": "F1", "cause": "late_post", "item_id": "A", "location_id": "DC",
          "start": DAYS[2], "end": DAYS[4], "units": Decimal(5), "value": 10.0}])  # fmt: skip
    return tmp_path


@pytest.fixture(scope="module")
def scored(world: Path) -> dict[str, Any]:
    return score_world(world, days=4, every=1)


def test_each_night_is_judged_by_what_was_known_then(scored: dict[str, Any]) -> None:
    found = scored
    assert found["scored"] == {"first_day": "2025-01-03", "last_day": "2025-01-07", "nights": 5, "every": 1}
    assert [(night["date"], night["mae"]) for night in found["record"]["by_day"]] == [
        ("2025-01-03", 2.5), ("2025-01-04", 2.5), ("2025-01-05", 0.0), ("2025-01-06", 0.0), ("2025-01-07", 0.0),
    ]  # fmt: skip
    assert found["record"]["mae"] == 1.0
    assert found["record"]["value"] == 4.0, "5 pieces of A at 2 for two of five nights"
    assert found["record"]["exact"] == 0.8
    assert {name: book["mae"] for name, book in found["books"].items()} == {"erp": 1.0}, "what senses keeps no book"


def test_what_nobody_found_has_no_hours(scored: dict[str, Any]) -> None:
    assert scored["causes"]["late_post"] == {"precision": None, "recall": 0.0, "median_hours": None, "p90_hours": None}


def test_windows_of_open_lines_are_held_against_the_true_arrival(scored: dict[str, Any]) -> None:
    assert scored["arrivals"] == {"coverage_80": 1.0, "pinball_days": 0.0, "lines": 1, "orders": 1, "unknown": 0}


def test_the_belief_is_absent_until_there_is_one(scored: dict[str, Any]) -> None:
    assert "belief" not in scored


@pytest.mark.parametrize("days", [0, 6, 700])
def test_a_period_that_does_not_fit_is_named(world: Path, days: int) -> None:
    with pytest.raises(UsageError, match=str(days)):
        score_world(world, days=days)


def test_rare_askings_tell_of_anomalies_later_and_of_balances_the_same(world: Path, scored: dict[str, Any]) -> None:
    rare = score_world(world, days=4, every=3)
    assert rare["scored"]["every"] == 3
    assert (rare["record"], rare["arrivals"], rare["demand"]) == tuple(
        scored[name] for name in ("record", "arrivals", "demand")
    )
    with pytest.raises(UsageError, match="--every"):
        score_world(world, days=4, every=0)
