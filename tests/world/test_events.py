"""Scripted events from a file to the truth: they act where they say, and what they say wrongly stops the build."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stocktwin.app.worlds import build_world, fork_world, step_world
from stocktwin.domain.errors import ConfigError
from stocktwin.world.life import live, scripted_words
from stocktwin.world.records import PURCHASE, Event
from stocktwin.world.settings import Settings

EVENTS = """
[[disruption]]
kind = "demand_scale"
item = "GLV-00001"
location = "DC-RENO"
factor = 0
start_day = 5

[[disruption]]
kind = "supplier_offline"
location = "SUP-CLEVELAND"
start_day = 8
days = 10
"""


def settings(tmp_path: Path, text: str, days: int = 20) -> Settings:
    path = tmp_path / "events.toml"
    path.write_text(text)
    return Settings.of("small", days, 7, None, path)


def test_events_act_where_they_say(tmp_path):
    scripted = settings(tmp_path, EVENTS)
    scripted.script.check(scripted_words(scripted))
    one, two = live(settings(tmp_path, ""), 0), live(scripted, 0)
    design = one.design
    row = design.items.item_id.index("GLV-00001") * 4 + design.dc_ids.index("DC-RENO")
    asked = [
        {(r, d, q) for r, d, q in zip(*(c.tolist() for c in (a.row, a.day, a.asked)), strict=True)}
        for a in (one.reality.asked, two.reality.asked)
    ]
    changed = asked[0] ^ asked[1]
    assert {r for r, _, _ in changed} == {row}
    assert min(d for _, d, _ in changed) >= 5
    lines = two.reality.lines
    cleveland = (lines.kind == PURCHASE) & (lines.source == 0)
    left = lines.shipped_day[cleveland]
    assert ((left < 8) | (left >= 18)).all()
    received = defaultdict(int)
    for life, name in ((one, "calm"), (two, "scripted")):
        events = life.reality.events
        mine = (events.kind == Event.RECEIPT) & (events.day >= 12) & (events.day < 18)
        source = life.reality.lines.source[events.line[mine]]
        received[name] = int((source == 0).sum())
    assert received["calm"] > 50 > received["scripted"]


@pytest.mark.parametrize(
    ("word", "said"),
    [('item = "GLV-99999"', "GLV-99999"), ('category = "gloves"', "gloves"), ('region = "Moon"', "Moon")],
)
def test_unknown_words_stop_the_build(tmp_path, word, said):
    wrong = settings(tmp_path, f'[[disruption]]\nkind = "demand_scale"\nfactor = 2\n{word}\n')
    with pytest.raises(ConfigError, match=said):
        wrong.script.check(scripted_words(wrong))


def test_published_signals_are_those_that_acted(world):
    table = pq.read_table(world.root / "feeds" / "signals" / "signals.parquet").to_pylist()
    assert {row["name"] for row in table} == {"temperature", "influenza", "promotion", "congestion"}
    assert len({row["date"] for row in table}) == world.days


def test_what_begins_after_the_last_day_is_said_until_the_world_comes_to_it(tmp_path):
    events = tmp_path / "events.toml"
    events.write_text(EVENTS)
    root = tmp_path / "world"
    later = {"kind": "supplier_offline", "start_date": "2025-01-09", "location": "SUP-CLEVELAND"}
    assert build_world(root, "small", 8, 7, events=events)["events_ahead"] == [later]
    assert fork_world(root, tmp_path / "copy", "2025-01-04")["events_ahead"] == [
        {"kind": "demand_scale", "start_date": "2025-01-06", "location": "DC-RENO", "item": "GLV-00001"},
        later,
    ]
    assert step_world(root, 1, None)["events_ahead"] == []
