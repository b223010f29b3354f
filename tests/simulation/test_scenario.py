"""Scenarios: what a file may say, what it means, and what is said about one that is wrong."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.domain.errors import NotFoundError, ScenarioError
from stocktwin.simulation.scenario import (
    CHANGE_KINDS,
    DISRUPTION_KINDS,
    Change,
    Disruption,
    Scenario,
    describe_library,
    library_names,
    library_text,
    load_scenario,
    parse_scenario,
)

AS_OF = date(2026, 11, 20)
AS_OF_DAY = (AS_OF - date(1970, 1, 1)).days
OFFLINE = {"kind": "supplier_offline", "location": "SUP-01"}
SURGE = {"kind": "demand_scale", "factor": 1.3}
SAFETY = {"kind": "safety_stock", "factor": 1.4}
DESIGN_SAMPLE = """
name = "primary supplier offline for three weeks"
start = "2026-12-01"
horizon_days = 120
replications = 200
[[disruption]]
kind = "supplier_offline"
location = "SUP-01"
start_day = 7
days = 21
[[change]]
kind = "safety_stock"
category = "critical"
factor = 1.4
"""


def one(disruption: dict[str, Any], **top: Any) -> Disruption:
    """The disruption of a scenario that has only this one."""
    (found,) = parse_scenario({**top, "disruption": [disruption]}).disruptions
    return found


def refusal(raw: dict[str, Any]) -> ScenarioError:
    """The error a scenario is refused with."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(raw, "mine")
    return caught.value


def test_the_sample_of_the_design() -> None:
    assert parse_scenario(tomllib.loads(DESIGN_SAMPLE), "mine") == Scenario(
        name="mine",
        title="primary supplier offline for three weeks",
        horizon_days=120,
        replications=200,
        disruptions=(Disruption("supplier_offline", location="SUP-01", start_day=7, days=21),),
        changes=(Change("safety_stock", category="critical", factor=1.4),),
    )


def test_json_means_the_same_and_null_is_not_given() -> None:
    raw = tomllib.loads(DESIGN_SAMPLE)
    through_json = json.loads(json.dumps(raw))
    through_json["description"] = through_json["disruption"][0]["probability"] = through_json["change"][0]["add"] = None
    assert parse_scenario(through_json) == parse_scenario(raw)


def test_nothing_said_is_the_baseline() -> None:
    nothing = parse_scenario({})
    assert nothing == Scenario("scenario", "scenario")
    assert not nothing.acts
    assert nothing.last_day(AS_OF_DAY) == 0
    assert parse_scenario({"disruption": [SURGE]}).acts
    assert parse_scenario({"change": [SAFETY]}).acts


def test_every_key_reaches_its_field() -> None:
    assert one(
        {
            **OFFLINE,
            "start_day": 3,
            "start_window": 4,
            "days_low": 5,
            "days_high": 9,
            "probability": 0.25,
            "failover_after_days": 6,
        }
    ) == Disruption(
        "supplier_offline",
        location="SUP-01",
        start_day=3,
        start_window=4,
        days_low=5,
        days_high=9,
        probability=0.25,
        failover_after_days=6,
    )
    lane = {"kind": "lane_delay", "origin": "A", "destination": "B", "mode": "sea", "extra_days": 10, "days": 45}
    assert one(lane) == Disruption("lane_delay", origin="A", destination="B", mode="sea", extra_days=10, days=45)
    selectors = {"item": "I", "category": "C", "location": "L", "region": "R"}
    for kind in ("demand_scale", "demand_variability"):
        assert one({"kind": kind, "factor": 2, **selectors}) == Disruption(kind, factor=2.0, **selectors)
    assert one({"kind": "location_closed", "location": "DC", "days": 2}) == Disruption(
        "location_closed", location="DC", days=2
    )


@pytest.mark.parametrize("kind", CHANGE_KINDS)
@pytest.mark.parametrize(("how", "amount"), [("factor", 0.5), ("value", 40), ("add", -3)])
def test_every_change(kind: str, how: str, amount: float) -> None:
    selectors = {"item": "I", "location": "L", "category": "C", "criticality": "high"}
    raw = {"kind": kind, how: amount, "from_day": 5, **selectors}
    (change,) = parse_scenario({"change": [raw]}).changes
    assert dataclasses.asdict(change) == {"factor": None, "value": None, "add": None, **raw}
    assert isinstance(getattr(change, how), float)


@pytest.mark.parametrize(
    ("start", "day", "calendar"),
    [(None, 0, None), (9, 9, None), ("2026-12-01", 0, date(2026, 12, 1)), (date(2026, 12, 1), 0, date(2026, 12, 1))],
)
def test_start_holds_for_every_disruption_without_its_own(start: Any, day: int, calendar: date | None) -> None:
    both = parse_scenario({"start": start, "disruption": [OFFLINE, {**SURGE, "start_day": 3}]}).disruptions
    assert [(found.start_day, found.start_date) for found in both] == [(day, calendar), (3, None)]


def test_a_disruption_may_have_its_own_date() -> None:
    found = one({**OFFLINE, "start_date": "2026-12-24"}, start=5)
    assert (found.start_day, found.start_date) == (0, date(2026, 12, 24))


@pytest.mark.parametrize(
    ("when", "first", "last"),
    [
        ({}, 0, 0),
        ({"days": 1}, 0, 0),
        ({"days": 21, "start_day": 7}, 7, 27),
        ({"days": 21, "start_day": 7, "start_window": 10}, 7, 37),
        ({"days_low": 7, "days_high": 21, "start_day": 10, "start_window": 10}, 10, 40),
        ({"start_day": 30}, 30, 30),
        ({"start_date": "2026-11-20", "days": 5}, 0, 4),
        ({"start_date": "2026-12-01", "days": 10}, 11, 20),
        ({"start_date": "2026-11-18", "days": 10}, -2, 7),
        ({"start_date": "2026-01-01", "days": 10}, -323, 0),
        ({"days": 0, "start_day": 5}, 5, 4),
        ({"days": 10, "probability": 0.0}, 0, 9),
    ],
)
def test_first_and_last_day(when: dict[str, Any], first: int, last: int) -> None:
    scenario = parse_scenario({"disruption": [{**OFFLINE, **when}]})
    assert scenario.disruptions[0].first_day(AS_OF_DAY) == first
    assert scenario.last_day(AS_OF_DAY) == last


def test_the_last_day_is_that_of_the_disruption_that_ends_last() -> None:
    raw = {"disruption": [{**OFFLINE, "days": 5}, {**SURGE, "start_day": 4, "days": 30}, {**SURGE, "start_day": 8}]}
    assert parse_scenario(raw).last_day(AS_OF_DAY) == 33


def _with(disruption: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"disruption": [{**disruption, **keys}]}


def _changed(**keys: Any) -> dict[str, Any]:
    return {"change": [{"kind": "safety_stock", **keys}]}


LANE = {"kind": "lane_delay", "extra_days": 1}


@pytest.mark.parametrize(
    ("raw", "key", "said"),
    [
        ({"horizon": 5}, "horizon", "'horizon_days'"),
        ({"name": 5}, "name", "5"),
        ({"name": " "}, "name", "' '"),
        ({"horizon_days": 0}, "horizon_days", "not 0"),
        ({"horizon_days": "120"}, "horizon_days", "'120'"),
        ({"replications": -1}, "replications", "-1"),
        ({"replications": True}, "replications", "True"),
        ({"start": "tomorrow"}, "start", "'tomorrow'"),
        ({"start": -3}, "start", "-3"),
        ({"start": 2.5}, "start", "2.5"),
        ({"start": True}, "start", "True"),
        (tomllib.loads("start = 2026-12-01T08:00:00"), "start", "2026"),
        ({"disruption": OFFLINE}, "disruption", "array"),
        ({"disruption": ["supplier_offline"]}, "disruption[0]", "'supplier_offline'"),
        ({"disruption": [OFFLINE, {}]}, "disruption[1].kind", "missing"),
        (_with({"kind": "supplier_ofline"}), "disruption[0].kind", "'supplier_offline'"),
        (_with({"kind": 3}), "disruption[0].kind", "3"),
        (_with({"kind": "supplier_offline"}), "disruption[0].location", "missing"),
        (_with({"kind": "port_closed"}), "disruption[0].location", "missing"),
        (_with({"kind": "location_closed"}), "disruption[0].location", "missing"),
        (_with({"kind": "lane_delay"}), "disruption[0].extra_days", "missing"),
        (_with({"kind": "demand_scale"}), "disruption[0].factor", "missing"),
        (_with({"kind": "demand_variability"}), "disruption[0].factor", "missing"),
        (_with(OFFLINE, dais=21), "disruption[0].dais", "'days'"),
        (_with(OFFLINE, factor=0.5), "disruption[0].factor", "supplier_offline"),
        (_with(SURGE, mode="sea"), "disruption[0].mode", "demand_scale"),
        (_with(OFFLINE, days=-1), "disruption[0].days", "-1"),
        (_with(OFFLINE, days=7.0), "disruption[0].days", "7.0"),
        (_with(OFFLINE, days=10**6), "disruption[0].days", "1000000"),
        (_with(OFFLINE, days="21"), "disruption[0].days", "'21'"),
        (_with(OFFLINE, start_day=-7), "disruption[0].start_day", "-7"),
        (_with(OFFLINE, start_window=-1), "disruption[0].start_window", "-1"),
        (_with(OFFLINE, failover_after_days=-1), "disruption[0].failover_after_days", "-1"),
        (_with(OFFLINE, start_date="2026-02-30"), "disruption[0].start_date", "2026-02-30"),
        (_with(OFFLINE, start_date=5), "disruption[0].start_date", "5"),
        (_with(OFFLINE, start_day=1, start_date="2026-12-01"), "disruption[0].start_date", "2026-12-01"),
        (_with(OFFLINE, days_low=3), "disruption[0].days_high", "missing"),
        (_with(OFFLINE, days_high=3), "disruption[0].days_low", "missing"),
        (_with(OFFLINE, days_low=9, days_high=3), "disruption[0].days_low", "not 9"),
        (_with(OFFLINE, days=4, days_low=3, days_high=5), "disruption[0].days", "(4)"),
        (_with(OFFLINE, location=""), "disruption[0].location", "''"),
        (_with(OFFLINE, location=["A"]), "disruption[0].location", "['A']"),
        (_with(OFFLINE, location="port-busiest"), "disruption[0].location", "port_closed"),
        (_with(SURGE, location="primary-largest"), "disruption[0].location", "supplier_offline"),
        (_with(OFFLINE, probability=1.01), "disruption[0].probability", "1.01"),
        (_with(OFFLINE, probability=-0.1), "disruption[0].probability", "-0.1"),
        (_with(OFFLINE, probability="likely"), "disruption[0].probability", "'likely'"),
        (_with(SURGE, factor=-0.5), "disruption[0].factor", "-0.5"),
        (_with(SURGE, factor=float("nan")), "disruption[0].factor", "nan"),
        (_with(SURGE, factor=float("inf")), "disruption[0].factor", "inf"),
        (_with(SURGE, factor=True), "disruption[0].factor", "True"),
        (_with(LANE, extra_days=-2), "disruption[0].extra_days", "-2"),
        ({"change": [{"kind": "safety"}]}, "change[0].kind", "'safety'"),
        (_changed(), "change[0].factor", "missing"),
        (_changed(factor=2, value=3), "change[0].value", "only one"),
        (_changed(value=3, add=1), "change[0].add", "only one"),
        (_changed(factor=-1), "change[0].factor", "-1"),
        (_changed(value=-1), "change[0].value", "-1"),
        (_changed(add=float("-inf")), "change[0].add", "-inf"),
        (_changed(factor=2, from_day=-1), "change[0].from_day", "-1"),
        (_changed(factor=2, region="north"), "change[0].region", "known: "),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_value(raw: dict[str, Any], key: str, said: str) -> None:
    error = refusal(raw)
    assert error.key == key
    assert str(error).startswith(f"scenario mine: {key}: ")
    assert said in str(error)


@pytest.mark.parametrize("raw", [[], "baseline", 5])
def test_a_scenario_is_a_table(raw: Any) -> None:
    assert "must be a table" in str(refusal(raw))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(DISRUPTION_KINDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "start", "disruption", "change", "kind", "location", "days", "factor", "add"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_comes_is_a_scenario_or_a_scenario_error(raw: Any) -> None:
    try:
        scenario = parse_scenario(raw)
    except ScenarioError:
        return
    assert scenario.last_day(AS_OF_DAY) >= 0
    assert isinstance(hash(scenario), int)


def test_the_library_has_its_scenarios_and_describes_them() -> None:
    assert library_names()[0] == "baseline"
    described = {entry["name"]: entry for entry in describe_library()}
    assert list(described) == list(library_names())
    for name, entry in described.items():
        assert set(entry) == {"name", "title", "description", "parameters"}
        assert entry["title"] != name
        assert len(entry["description"]) > 80


@pytest.mark.parametrize(
    ("name", "expected", "last"),
    [
        ("supplier_outage", Disruption("supplier_offline", location="primary-largest", start_day=7, days=21), 27),
        (
            "port_strike",
            Disruption(
                "port_closed",
                location="port-busiest",
                probability=0.7,
                start_day=10,
                start_window=10,
                days_low=7,
                days_high=21,
            ),
            40,
        ),
        ("demand_variability", Disruption("demand_variability", factor=1.5), 0),
        ("demand_surge", Disruption("demand_scale", factor=1.3, start_day=7, days=28), 34),
        ("lane_delay", Disruption("lane_delay", mode="sea", extra_days=10, days=45), 44),
    ],
)
def test_what_the_library_means(name: str, expected: Disruption, last: int) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.disruptions == (expected,)
    assert scenario.changes == ()
    assert scenario.last_day(AS_OF_DAY) == last


def test_the_baseline_changes_nothing() -> None:
    assert not load_scenario("baseline").acts


@pytest.mark.parametrize("name", ["baseline", "port_strike"])
def test_the_text_of_the_library_is_a_file_to_start_from(tmp_path: Path, name: str) -> None:
    mine = tmp_path / f"{name}.toml"
    mine.write_text(library_text(name), encoding="utf-8")
    assert load_scenario(mine) == load_scenario(str(mine)) == load_scenario(name)


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_a_file_of_ones_own(tmp_path: Path, prefix: bytes) -> None:
    path = tmp_path / "winter outage.toml"
    path.write_bytes(prefix + DESIGN_SAMPLE.replace("\n", "\r\n").encode())
    assert load_scenario(path) == parse_scenario(tomllib.loads(DESIGN_SAMPLE), "winter outage")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = \nstart = 7", "line 1"),
        (b'name = "caf\xe9"', "byte 11"),
        (b"start = " + b"9" * 5000, "not TOML"),
        (b"start = " + b"[" * 100_000, "not TOML"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=f"scenario broken: file: .*{said}"):
        load_scenario(path)


def test_a_name_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no scenario called 'suplier_outage'; did you mean 'supplier_outage'\?"):
        load_scenario("suplier_outage")
    with pytest.raises(NotFoundError, match="known: baseline, cyber_blackout, "):
        library_text("xyz")
    for absent in (tmp_path / "absent.toml", tmp_path, "", "../library/baseline", "\0.toml"):
        with pytest.raises(NotFoundError) as caught:
            load_scenario(absent)
        assert caught.value.name == str(absent)


def test_only_toml_files_are_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("name = 'x'", encoding="utf-8")
    with pytest.raises(NotFoundError):
        load_scenario(secret)
