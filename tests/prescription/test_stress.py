"""How to prepare for a scenario: safety stock under it, and what to order before a closure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from stocktwin.app.twin import Twin
from stocktwin.domain.errors import UsageError
from stocktwin.prescription.preposition import COVERS, preposition
from stocktwin.prescription.stress import safety_stock_under
from stocktwin.simulation.scenario import Scenario, load_scenario, parse_scenario


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """Two items in one warehouse, 10 a day each, 5 days from SUP by sea (2 to the port): A has a target, B prices."""
    folder = tmp_path_factory.mktemp("feed")
    files = {
        "items": "item_id,unit_cost,unit_price,criticality\nA,2,5,high\nB,2,50,\n",
        "locations": "location_id,kind\nDC,dc\nSUP,supplier\nPORT,port\n",
        "lanes": "origin_id,destination_id,mode,lead_time_days,lead_time_sd_days,via,days_to_via\n"
        "SUP,DC,sea,5,0,PORT,2\n",
        "sourcing": "item_id,location_id,source_id,mode\nA,DC,SUP,sea\nB,DC,SUP,sea\n",
        "demand": "item_id,location_id,distribution,mean,sd\n"
        "A,DC,negative_binomial,10,6\nB,DC,negative_binomial,10,6\n",
        "policies": "item_id,location_id,policy,reorder_point,order_up_to,service_target,service_type\n"
        "A,DC,min_max,60,100,0.98,fill_rate\nB,DC,min_max,60,100,,\n",
        "movements": "event_id,event_time,kind,item_id,quantity,to_id,system\n"
        "1,2025-03-01T08:00:00Z,receipt,A,100,DC,erp\n2,2025-03-01T08:00:00Z,receipt,B,100,DC,erp\n",
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    with Twin.create(tmp_path_factory.mktemp("twins") / "twin") as made:
        assert made.ingest(folder)["quarantined"] == 0
        yield made


def prepared(twin: Twin, scenario: Scenario, **more: Any) -> dict[str, dict[str, Any]]:
    model = twin.service.model
    answer = safety_stock_under(model.snapshot, model.forecast, model.compiled, scenario, **more).to_dict()
    return {row["item_id"]: row for row in answer["rows"]}


def ahead(twin: Twin, **when: Any) -> dict[str, Any]:
    model = twin.service.model
    raw = {"disruption": [{"kind": "port_closed", "location": "PORT", **when}]}
    return preposition(model.snapshot, model.forecast, model.compiled, parse_scenario(raw, "strike")).to_dict()


def test_twice_the_variability_asks_for_more_and_the_closed_form_says_about_how_much(twin: Twin) -> None:
    rows = prepared(twin, load_scenario("demand_variability", {"factor": 2.0}))
    assert set(rows) == {"A", "B"}
    for row in rows.values():
        assert row["scenario"]["safety_stock"] > row["baseline"]["safety_stock"]
        forms = row["scenario"]["closed_form"], row["baseline"]["closed_form"]
        assert forms[0] > 1.5 * forms[1] > 0
    assert rows["A"]["scenario"]["fill_rate"] > 0.97  # chosen on other luck: 0.98 ± what 60 replications leave open
    assert rows["A"]["scenario"]["fill_rate_now"] < rows["A"]["scenario"]["fill_rate"]
    assert rows["B"]["scenario"]["cost"] < rows["B"]["scenario"]["cost_now"]


def test_the_same_twin_and_seed_give_the_same_answer_and_a_timed_scenario_starts_from_the_live_twin(twin: Twin) -> None:
    model = twin.service.model
    outage = load_scenario("supplier_outage", {"start_day": 5, "days": 10})
    told = [safety_stock_under(model.snapshot, model.forecast, model.compiled, outage, item="B").to_dict()
            for _ in range(2)]  # fmt: skip
    assert told[0] == told[1]
    assert told[0]["starts_from"] == "the live twin"
    (row,) = told[0]["rows"]
    assert row["scenario"]["safety_stock"] >= row["baseline"]["safety_stock"]  # a lost sale costs 48


def test_nothing_to_prepare_for_is_refused(twin: Twin) -> None:
    with pytest.raises(UsageError, match="no disruption"):
        prepared(twin, load_scenario("baseline"))
    with pytest.raises(UsageError, match="item nobody"):
        prepared(twin, load_scenario("demand_variability"), item="nobody")
    model = twin.service.model
    with pytest.raises(UsageError, match="closes no supplier or port"):
        preposition(model.snapshot, model.forecast, model.compiled, load_scenario("demand_surge"))


def test_a_certain_strike_far_enough_away_is_stocked_up_for(twin: Twin) -> None:
    """Shut for 15 days from day 20 on: what is at the port then would have come on day 23, so ready by then."""
    answer = ahead(twin, start_day=20, days=15)
    assert answer["probability"] == 1.0
    ready = (date(1970, 1, 1) + timedelta(days=twin.service.model.compiled.first_day + 23)).isoformat()
    for row in answer["rows"]:
        assert row["possible"]
        assert row["ready_by"] == ready
        assert row["days_of_demand"] in COVERS
        assert row["fill_rate"] >= row["fill_rate_without"]
        assert row["cvar_95"] >= row["cost"]
    most = max(answer["rows"], key=lambda row: row["units"])
    assert most["units"] > 0
    assert {one["criticality"] for one in answer["classes"]} == {"high", None}


def test_a_strike_that_may_begin_before_the_goods_have_passed_is_said_to_be_too_late_for(twin: Twin) -> None:
    answer = ahead(twin, start_day=2, start_window=5, days=15, probability=0.5)
    assert answer["impossible"] == 2
    for row in answer["rows"]:
        assert not row["possible"]
        assert row["units"] == 0
        assert row["statement"].startswith("too late: ordered today it passes on")
        assert row["cost"] == row["cost_without"]
    assert 0.3 < answer["probability"] < 0.7
    assert np.isfinite(answer["rows"][0]["cvar_95"])
