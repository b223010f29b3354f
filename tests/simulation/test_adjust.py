"""The parameters of a scenario: what they are, and other values for them."""

from __future__ import annotations

from typing import Any

import pytest

from stocktwin.domain.errors import ScenarioError
from stocktwin.simulation.adjust import adjusted, parameters_of
from stocktwin.simulation.scenario import describe_scenario, load_scenario


def test_other_parameters_are_other_values_of_the_text() -> None:
    assert describe_scenario("supplier_outage")["parameters"] == {
        "location": "primary-largest",
        "start_day": 7,
        "days": 21,
    }
    longer = load_scenario("supplier_outage", {"days": 28, "failover_after_days": 5})
    (disruption,) = longer.disruptions
    assert (disruption.days, disruption.failover_after_days, disruption.start_day) == (28, 5, 7)
    assert longer.title.endswith("(days 28, failover_after_days 5)")
    assert load_scenario("supplier_outage", {}) == load_scenario("supplier_outage")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dayz": 3}, r"disruption\[0\]\.dayz: unknown key.*did you mean 'days'"),
        ({"days": "soon"}, r"disruption\[0\]\.days: must be a whole number.*'soon'"),
        ({"kind": "port_closed"}, "kind: no such parameter"),
        ({"start": 3}, r"disruption\[0\]\.start: unknown key"),
        ({"change[0].factor": 2}, r"change\[0\]\.factor: no such parameter.*location, start_day, days"),
    ],
)
def test_a_parameter_that_is_none_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario("supplier_outage", parameters)


def test_a_key_of_several_tables_goes_by_its_path() -> None:
    raw = {
        "start": 3,
        "disruption": [{"kind": "demand_scale", "factor": 2, "days": 4}, {"kind": "lane_delay", "days": 5}],
    }
    assert parameters_of(raw) == {"start": 3, "factor": 2, "disruption[0].days": 4, "disruption[1].days": 5}
    changed = adjusted(raw, {"disruption[1].days": 9, "start": 1}, "x")
    assert (changed["start"], [one["days"] for one in changed["disruption"]]) == (1, [4, 9])
    assert raw["start"] == 3, "the scenario that was given stays as it was"
    with pytest.raises(ScenarioError, match=r"days: no such parameter.*disruption\[0\]\.days"):
        adjusted(raw, {"days": 9}, "x")
