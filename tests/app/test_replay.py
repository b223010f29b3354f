"""A replayed twin knows at a moment what was recorded by then, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from stocktwin.app.replay import Replay, known_at
from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.errors import UsageError

TWIN = """\
name = "Two shelves"
[authority]
default = "erp"
[sources.erp]
folder = "erp"
[sources.wms]
folder = "wms"
"""
ITEMS = "item_id,unit,unit_cost\nA,each,2\n"
LOCATIONS = "location_id,kind,timezone\nDC,dc,UTC\n"
CROSSREF = "system,kind,external_id,internal_id\nwms,item,10001,A\nwms,location,W1,DC\n"
HEAD = "event_id,event_time,kind,item_id,quantity,from_id,to_id,system,recorded_at\n"
ERP = HEAD + (
    "E1,2025-01-01T08:00Z,adjustment,A,50,gain,DC,erp,2025-01-01T08:05Z\n"
    "E3,2025-01-02T10:00Z,sale,A,7,DC,customer,erp,2025-01-04T09:00Z\n"
    "E2,2025-01-02T09:00Z,sale,A,5,DC,customer,erp,2025-01-02T09:05Z\n"
)
WMS = HEAD + "W1,2025-01-02T09:00Z,sale,10001,5,W1,customer,wms,2025-01-02T09:01Z\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "twin.toml": TWIN, "erp/items.csv": ITEMS, "erp/locations.csv": LOCATIONS, "erp/crossref.csv": CROSSREF,
        "erp/movements.csv": ERP, "wms/movements.csv": WMS,
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def replay(root: Path) -> Iterator[Replay]:
    opened = Replay.open(root)
    yield opened
    opened.close()


def on_hand(replay: Replay, until: str, book: str | None = None) -> object:
    replay.advance(parse_instant(until))
    return replay.service.stock(item="A", location="DC", book=book)["rows"][0]["on_hand"]


def test_a_late_posting_is_unknown_until_it_is_recorded(replay: Replay) -> None:
    assert on_hand(replay, "2025-01-01T09:00Z") == 50
    assert on_hand(replay, "2025-01-02T12:00Z") == 45
    assert on_hand(replay, "2025-01-04T08:59Z") == 45
    assert on_hand(replay, "2025-01-04T09:00Z") == 38


def test_each_system_speaks_its_own_language(replay: Replay) -> None:
    assert on_hand(replay, "2025-01-05T00:00Z", book="wms") == -5
    assert replay.service.status()["quarantined"] == 0


def test_it_ends_where_the_twin_that_took_everything_at_once_ends(replay: Replay, root: Path) -> None:
    from stocktwin.app.usecases import TwinService

    for day in range(1, 6):
        replay.advance(parse_instant(f"2025-01-{day:02d}T23:00Z"))
    with TwinService.open(root) as twin:
        twin.ingest()
        assert replay.service.status()["state_hash"] == twin.status()["state_hash"]


def test_its_ends_are_those_of_the_feeds(replay: Replay) -> None:
    assert replay.first == parse_instant("2025-01-01T08:05Z") - 1
    assert replay.last == parse_instant("2025-01-04T09:00Z")


def test_feeds_without_facts_are_named(root: Path) -> None:
    for system in ("erp", "wms"):
        (root / system / "movements.csv").write_text(HEAD, encoding="utf-8")
    with pytest.raises(UsageError, match="no facts with a time"):
        Replay.open(root)


def test_what_has_no_record_time_is_known_when_it_happens() -> None:
    times = {"recorded_at": [5, None, None], "event_time": [1, 2, None]}
    assert known_at(pa.table({n: pa.array(v, pa.int64()) for n, v in times.items()})).tolist() == [5, 2, 0]
    dated = pa.table({"date": pa.array([2], pa.int32()).cast(pa.date32())})
    assert known_at(dated).tolist() == [2 * 86_400_000_000]
