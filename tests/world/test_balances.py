"""True balances: what the events add up to is what lies on the shelves, on each stated day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.world import balances
from stocktwin.world.advance import advance
from stocktwin.world.balances import balances_of, stated_days
from stocktwin.world.build import build
from stocktwin.world.life import live
from stocktwin.world.physics import run
from stocktwin.world.profile import PROFILES
from stocktwin.world.records import Balances, columns, stacked
from stocktwin.world.settings import FILE, Settings

DAYS = 45


@pytest.fixture(scope="module")
def life():
    return live(Settings("small", DAYS, 4), 0)


def rows(found: Balances) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(found, name).tolist() for name in ("row", "lot", "day", "quantity")), strict=True))


@pytest.mark.parametrize("every", [1, 7, 100])
def test_what_events_add_up_to_is_what_lies_on_the_shelves(life, every, monkeypatch):
    there = run(life.design, life.luck, DAYS, balance_every=every).balances
    monkeypatch.setattr(balances, "ROW_GROUP", 1000)  # so that there are several pieces
    pieces = list(balances_of(life.reality.events, len(life.design), stated_days(DAYS, every)))
    assert len(pieces) > 1
    told = [row for piece in pieces for row in rows(piece)]
    assert told == sorted(told)
    assert told == sorted(rows(there))
    assert {day for _, _, day, _ in told} == set(stated_days(DAYS, every).tolist())


def test_a_shelf_where_nothing_ever_was_is_empty_every_day(life):
    events = life.reality.events
    none = type(events)(**{name: np.zeros(0, np.int64) for name in type(events).__dataclass_fields__})
    told = stacked(Balances, list(balances_of(none, 3, np.array([1, 4]))))
    empty = columns(Balances, 6, day=np.array([1, 4] * 3), row=np.repeat(np.arange(3), 2), lot=-1, quantity=0)
    assert rows(told) == rows(empty)


def dates_of(folder: Path) -> set[int]:
    told = pq.read_table(folder / "truth/balances.parquet", columns=["date"])["date"].unique().to_pylist()
    return {(day - date(2025, 1, 1)) // timedelta(days=1) for day in told}


def test_balances_are_stated_daily_or_as_often_as_is_asked_for(tmp_path: Path):
    build(tmp_path / "daily", days=6)
    assert dates_of(tmp_path / "daily") == set(range(6))
    build(tmp_path / "now and then", days=6, balances_every=4)
    assert dates_of(tmp_path / "now and then") == {3, 5}
    advance(tmp_path / "now and then", days=3)
    assert dates_of(tmp_path / "now and then") == {3, 7, 8}
    with pytest.raises(UsageError, match="-1"):
        build(tmp_path / "never", days=6, balances_every=-1)
    assert not (tmp_path / "never").exists()


def test_worlds_that_were_built_before_there_was_a_choice_have_the_usual_one(tmp_path: Path):
    Settings("national", 5, balances_every=3).save(tmp_path)
    assert Settings.load(tmp_path).stated_every == 3
    raw = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    del raw["balances_every"]
    (tmp_path / FILE).write_text(json.dumps(raw), encoding="utf-8")
    assert Settings.load(tmp_path).stated_every == PROFILES["national"].balances_every
