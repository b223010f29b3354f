"""Scripted events say when, where and how much; what they say wrongly is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from stocktwin.domain.errors import ConfigError, EnvironmentFault
from stocktwin.world import build
from stocktwin.world.script import Known, Script, load_events, parse_events

KNOWN = Known(
    suppliers=("SUP-A",), ports=("PORT-P",), dcs=("DC-X", "DC-Y"), regions=("West",), categories=("wound care",),
    items=frozenset({"WND-1"}),
)  # fmt: skip


def one(**table: object) -> Script:
    return parse_events({"disruption": [table]})


def test_a_closure_ends_when_it_ends():
    script = one(kind="location_closed", location="DC-X", start_day=3, days=4)
    assert [script.closed("DC-X", day) for day in (2, 3, 6, 7)] == [False, True, True, False]
    assert not script.closed("DC-Y", 4)
    assert script.reopens("DC-X", np.array([2, 3, 6, 7])).tolist() == [2, 7, 7, 7]
    assert script.reopens("DC-Y", np.array([4])).tolist() == [4]


def test_closures_in_a_row_are_one():
    tables = [{"kind": "port_closed", "location": "PORT-P", "start_day": s, "days": 3} for s in (5, 2)]
    assert parse_events({"disruption": tables}).reopens("PORT-P", np.array([1, 2, 5, 8])).tolist() == [1, 8, 8, 8]


def test_lanes_are_slowed_where_named():
    script = one(kind="lane_delay", origin="SUP-A", mode="sea", extra_days=6, start_day=10, days=5)
    assert script.extra_days("SUP-A", "DC-X", "sea", 10) == 6
    assert script.extra_days("SUP-A", "DC-Y", "sea", 14) == 6
    for lane, day in ((("SUP-A", "DC-X", "sea"), 15), (("SUP-A", "DC-X", "road"), 12), (("DC-X", "DC-Y", "sea"), 12)):
        assert script.extra_days(*lane, day) == 0


def test_planners_give_up_waiting():
    script = one(kind="supplier_offline", location="SUP-A", start_day=10, days=30, failover_after_days=7)
    assert [script.failed_over("SUP-A", day) for day in (10, 16, 17, 39, 40)] == [False, False, True, True, False]
    assert not one(kind="supplier_offline", location="SUP-A").failed_over("SUP-A", 500)


def test_days_may_be_dates_and_the_end_may_be_left_open():
    script = parse_events({"start": "2025-02-01", "disruption": [
        {"kind": "port_closed", "location": "PORT-P"},
        {"kind": "demand_scale", "factor": 0.5, "start_date": "2025-01-11", "days": 2},
    ]})  # fmt: skip
    closed, scaled = script.disruptions
    assert (closed.start, closed.acts(3000)) == (31, True)
    assert (scaled.start, scaled.end) == (10, 12)


def test_a_scenario_file_is_a_script(tmp_path):
    path = tmp_path / "strike.toml"
    path.write_text('name = "strike"\nhorizon_days = 90\n[[disruption]]\nkind = "port_closed"\nlocation = "PORT-P"\n')
    assert load_events(path).closed("PORT-P", 0)
    assert load_events(path).file == "strike.toml"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, r"disruption\[0\].kind: is missing"),
        ({"kind": "suplier_offline"}, "did you mean 'supplier_offline'"),
        ({"kind": "port_closed"}, r"disruption\[0\].location: is missing; port_closed needs it"),
        ({"kind": "port_closed", "location": "PORT-P", "factor": 2}, "unknown key of port_closed"),
        ({"kind": "port_closed", "location": ""}, "must be a text, not ''"),
        ({"kind": "port_closed", "location": "PORT-P", "days": 0}, "whole number from 1 to 36500, not 0"),
        ({"kind": "port_closed", "location": "PORT-P", "start_day": True}, "not True"),
        ({"kind": "port_closed", "location": "PORT-P", "start_date": "May"}, "ISO 8601 date, not 'May'"),
        (
            {"kind": "port_closed", "location": "PORT-P", "start_date": "2024-12-01", "days": 31},
            "before the world begins",
        ),
        ({"kind": "demand_scale", "factor": float("nan")}, "not nan"),
        ({"kind": "demand_scale", "factor": -1}, "number from 0 to 1000, not -1"),
        ({"kind": "lane_delay", "extra_days": 1.5}, "not 1.5"),
    ],
)
def test_what_is_wrong_is_named(table, said):
    with pytest.raises(ConfigError, match=said):
        one(**table)


def test_unknown_keys_and_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="change: unknown key"):
        parse_events({"change": []})
    with pytest.raises(ConfigError, match="must be"):
        parse_events({"disruption": "port_closed"})
    with pytest.raises(EnvironmentFault, match=r"nowhere\.toml"):
        load_events(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("[[disruption")
    with pytest.raises(ConfigError, match=r"bad\.toml: file: not TOML"):
        load_events(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "supplier_offline", "location": "DC-X"}, "unknown: 'DC-X'; known: SUP-A"),
        ({"kind": "port_closed", "location": "PORT-Q"}, "did you mean 'PORT-P'"),
        ({"kind": "lane_delay", "extra_days": 2, "destination": "SUP-A"}, r"disruption\[0\].destination"),
        ({"kind": "demand_scale", "factor": 2.0, "category": "wounds"}, r"disruption\[0\].category"),
        ({"kind": "demand_scale", "factor": 2.0, "item": "WND-2"}, r"disruption\[0\].item"),
        ({"kind": "demand_scale", "factor": 2.0, "region": "East"}, r"disruption\[0\].region"),
    ],
)
def test_words_the_world_does_not_know_are_refused(table, said):
    with pytest.raises(ConfigError, match=said):
        one(**table).check(KNOWN)


def test_known_words_pass():
    tables = [
        {"kind": "location_closed", "location": "DC-X"}, {"kind": "supplier_offline", "location": "SUP-A"},
        {"kind": "demand_scale", "factor": 2, "region": "West", "category": "wound care", "item": "WND-1"},
        {"kind": "lane_delay", "origin": "DC-X", "destination": "DC-Y", "mode": "road", "extra_days": 1},
    ]  # fmt: skip
    parse_events({"disruption": tables}).check(KNOWN)
    Script().check(KNOWN)


def test_a_place_that_the_world_does_not_have_is_named_with_its_file(tmp_path):
    script = tmp_path / "storms.toml"
    script.write_text('[[disruption]]\nkind = "location_closed"\nlocation = "DC-MARS"\ndays = 2\n', "utf-8")
    with pytest.raises(ConfigError, match=r"storms\.toml: disruption\[0\]\.location: unknown: 'DC-MARS'"):
        build(tmp_path / "world", days=2, events=script)
    assert not (tmp_path / "world").exists()
