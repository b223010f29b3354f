"""Feeds played live: every row is delivered once, in time, by the way of its source; stopped and resumed at will."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.app import playing
from stocktwin.app.playing import json_lines, play_world
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import EnvironmentFault, NotFoundError, UsageError
from stocktwin.world.play import Film, known_at, site_zones

TWIN = """\
[authority]
default = "erp"
[sources.erp]
folder = "feeds/erp"
[sources.wms]
folder = "feeds/wms"
"""


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moved(system: str, days: range) -> pa.Table:
    rows = [
        {
            "event_id": f"{system}-{day}", "event_time": instant(f"2025-01-{day:02d}T08:00"), "kind": "receipt",
            "item_id": "A", "quantity": day, "from_id": "S", "to_id": "DC", "system": system,
            "recorded_at": instant(f"2025-01-{day:02d}T09:00"),
        }
        for day in days
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "feeds" / "erp").mkdir(parents=True)
    (tmp_path / "feeds" / "wms").mkdir()
    (tmp_path / "twin.toml").write_text(TWIN, encoding="utf-8")
    erp = tmp_path / "feeds" / "erp"
    (erp / "items.csv").write_text("item_id,unit\nA,each\n", encoding="utf-8")
    (erp / "locations.csv").write_text("location_id,kind\nDC,dc\nS,supplier\n", encoding="utf-8")
    pq.write_table(moved("erp", range(1, 8)), erp / "movements.parquet")
    pq.write_table(moved("erp", range(8, 11)), erp / "movements-2025-01-08.parquet")
    pq.write_table(moved("wms", range(1, 11)), tmp_path / "feeds" / "wms" / "movements.parquet")
    return tmp_path


class Stand:
    """A server that is not there: facts go straight into the twin on the stage."""

    def __init__(self, stage: Path) -> None:
        self.stage = stage
        self.posted: list[tuple[str, str, int]] = []

    def __call__(self, address: str, lines: bytes | None = None) -> dict[str, Any]:
        if lines is None:
            return {}
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.posted.append((asked["source"], asked["table"], len(lines.splitlines())))
        with TwinService.open(self.stage) as twin:
            return twin.post_facts(lines, table=asked["table"], source=asked["source"])


@pytest.fixture
def stand(world: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand(world / "live")
    monkeypatch.setattr(playing, "ask", stand)
    monkeypatch.setattr(playing, "_check_server", lambda url, stage: None)
    return stand


class Time:
    """A clock that the waiting moves on."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.seconds, self.waits, self.stop_after = 0.0, 0, stop_after

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.waits += 1
        if self.waits > self.stop_after:
            raise KeyboardInterrupt
        self.seconds += seconds


def play(world: Path, time: Time, **more: Any) -> dict[str, Any]:
    given = {"speed": 2 * 86_400.0, "since": None, "days": None, "url": "http://x/", "say": lambda text: None} | more
    return play_world(world, clock=time.now, wait=time.wait, **given)


def test_every_row_comes_once_by_the_way_of_its_source(world: Path, stand: Stand) -> None:
    answer = play(world, Time(), since="2025-01-05T00:00Z")
    assert answer["rows"] == {"erp": 6, "wms": 6}
    assert not answer["stopped"]
    assert stand.posted == [("erp", "movements", 1)] * 6
    files = sorted((world / "live" / "inbox" / "wms").iterdir())
    assert sum(pq.read_table(path).num_rows for path in files) == 6
    with TwinService.open(world / "live") as twin:
        for path in files:
            twin.take_file(path)
        assert twin.stock(item="A", location="DC")["rows"][0]["on_hand"] == sum(range(1, 11))
        assert twin.stock(item="A", location="DC", book="wms")["rows"][0]["on_hand"] == sum(range(1, 11))
        assert twin.status()["duplicates"] == 0


def test_the_stage_begins_with_what_was_known_then(world: Path, stand: Stand) -> None:
    play(world, Time(stop_after=0), since="2025-01-05T00:00Z")
    with TwinService.open(world / "live") as twin:
        assert twin.stock(item="A", location="DC")["rows"][0]["on_hand"] == sum(range(1, 5))


def test_it_stops_and_goes_on_where_it_was(world: Path, stand: Stand) -> None:
    first = play(world, Time(stop_after=2), since="2025-01-05T00:00Z")
    assert first["stopped"]
    assert first["played_until"] == "2025-01-07T00:00:00Z"
    second = play(world, Time())
    assert second["rows"] == {"erp": 4, "wms": 4}
    assert sum(rows for _, _, rows in stand.posted) == 6
    with pytest.raises(UsageError, match="goes on where it was"):
        play(world, Time(), since="2025-01-05T00:00Z")


def test_the_erp_database_grows(world: Path, stand: Stand) -> None:
    def count() -> int:
        with sqlite3.connect(world / "live" / "feeds" / "erp_db" / "erp.sqlite") as con:
            found: int = con.execute("SELECT count(*) FROM material_document").fetchone()[0]
        con.close()
        return found

    play(world, Time(stop_after=0), since="2025-01-05T00:00Z")
    assert count() == 4
    play(world, Time())
    assert count() == 10


def test_a_moment_that_is_not_in_the_film_is_named(world: Path, stand: Stand) -> None:
    with pytest.raises(UsageError, match="2031-01-01"):
        play(world, Time(), since="2031-01-01")
    with pytest.raises(UsageError, match="--from"):
        play(world, Time(), since="yesterday")
    assert not (world / "live").exists()


def test_without_a_server_it_says_how_to_start_one(world: Path) -> None:
    with pytest.raises(EnvironmentFault, match="serve"):
        play(world, Time(), since="2025-01-05T00:00Z", url="http://127.0.0.1:9/")


def test_a_folder_without_feeds_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="feeds"):
        Film(tmp_path)


@pytest.mark.parametrize("cast", [lambda array: array, lambda array: array.cast(pa.string())])
def test_rows_are_dated_however_their_times_are_written(cast: Callable[[pa.Array], pa.Array]) -> None:
    zoned = cast(pa.array([instant("2025-01-01T00:00")], pa.timestamp("us", tz="UTC")))
    naive = cast(pa.array([datetime(2025, 1, 1)], pa.timestamp("us")))
    assert known_at(pa.table({"recorded_at": zoned}))[0] == known_at(pa.table({"event_time": naive}))[0]
    west = known_at(pa.table({"event_time": naive}), "America/New_York")[0]
    assert west - known_at(pa.table({"recorded_at": zoned}), "America/New_York")[0] == 5 * 3_600_000_000


def test_local_times_are_those_of_the_place_that_a_row_is_about() -> None:
    hour = 3_600_000_000
    rows = pa.table({
        "recorded_at": pa.array([datetime(2025, 1, 1)] * 6, pa.timestamp("us")),
        "kind": ["transfer_out", "transfer_in", "receipt", "receipt", "sale", "receipt"],
        "corrects": pa.array([None, None, None, "e1", None, None], pa.string()),
        "from_id": ["W1", "W1", "V9", "W2", "W2", "V9"],
        "to_id": ["W2", "W2", "W2", "V9", None, "W9"],
    })  # fmt: skip
    sites = {"W1": "America/New_York", "W2": "America/Los_Angeles"}
    late = (known_at(rows, "UTC", sites) - known_at(rows, "UTC")) // hour
    assert late.tolist() == [5, 8, 8, 8, 8, 0]


def test_a_film_knows_the_zones_of_places_by_the_names_of_each_source(world: Path) -> None:
    erp = world / "feeds" / "erp"
    (erp / "locations.csv").write_text("location_id,kind,timezone\nDC,dc,America/Denver\nS,supplier,\n", "utf-8")
    (erp / "crossref.csv").write_text(
        "system,kind,external_id,internal_id\nwms,location,W1,DC\nwms,item,1,A\n", "utf-8"
    )
    assert site_zones(world / "feeds") == {
        "erp": {"DC": "America/Denver"}, "wms": {"DC": "America/Denver", "W1": "America/Denver"}
    }  # fmt: skip


def test_json_lines_are_exact() -> None:
    table = pa.table({"quantity": pa.array(["1.250"]).cast(pa.decimal128(18, 3)), "lot": pa.nulls(1, pa.string()),
                      "event_time": pa.array([instant("2025-01-01T00:00")])})  # fmt: skip
    assert json.loads(json_lines(table)) == {"quantity": "1.250", "event_time": "2025-01-01T00:00:00+00:00"}
