"""Several scenarios at once, the library's and a twin's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from stocktwin.app.answers.whatif import read_scenario
from stocktwin.domain.errors import NotFoundError
from stocktwin.simulation.compose import composed


def test_a_twins_own_scenario_joins_one_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    mine = tmp_path / "scenarios" / "mine.toml"
    mine.write_text('start = 5\n[[disruption]]\nkind = "recall"\nshare = 0.1\ndays = 2\n'
                    '[[disruption]]\nkind = "yield"\nshare = 0.9\nafter = 0\ndays = 3\n')  # fmt: skip
    both = read_scenario(tmp_path, "demand_surge + mine")
    assert both.name == "demand_surge+mine"
    assert [one.kind for one in both.disruptions] == ["demand_scale", "recall", "yield"]
    assert [(one.start_day, one.after) for one in both.disruptions] == [(7, None), (5, None), (0, 1)]
    assert both.last_days(20_000) == [34, 6, 9]
    assert read_scenario(tmp_path, f"demand_surge+{mine}").disruptions == both.disruptions
    less = read_scenario(tmp_path, {"base": "demand_surge+mine", "parameters": {"disruption[1].share": 0.5}})
    assert less.disruptions[1].share == 0.5


def test_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    for name in ("demand_surge+nobody", "nobody", "demand_surge+", "absent.toml", "demand_surge+absent.toml"):
        with pytest.raises(NotFoundError):
            read_scenario(tmp_path, name)


def test_the_longest_horizon_and_the_most_replications_hold() -> None:
    both = composed([{"name": "a", "horizon_days": 70}, {"horizon_days": 90, "replications": 5}, {"replications": 3}])
    assert (both["name"], both["horizon_days"], both["replications"]) == ("a + scenario + scenario", 90, 5)
