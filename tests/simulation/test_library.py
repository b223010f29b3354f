"""The library of ten, each by a case that can be worked by hand: constant demand, fixed lead times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from stocktwin.app.twin import Twin
from stocktwin.domain.errors import ScenarioError
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.disruption import effects_of
from stocktwin.simulation.engine import simulate
from stocktwin.simulation.result import Outcome
from stocktwin.simulation.scenario import Scenario, library_names, load_scenario, parse_scenario

TEN = (
    "cyber_blackout", "dc_closure", "demand_surge", "demand_variability", "lane_delay", "port_strike", "promotion",
    "recall", "supplier_outage", "supplier_switch",
)  # fmt: skip
Run = Callable[..., tuple[Outcome, Outcome]]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiled]:
    """One item: 10 sold every day in each of two warehouses, 40 on hand, ordered daily up to 100 (so 60 at once, then
    10 a day), by sea through a port from SUP in 5 days (2 to the port), or from ALT in 8."""
    folder = tmp_path_factory.mktemp("feed")
    places = ("DC-1", "DC-2")
    files = {
        "items": "item_id,unit_cost,unit_price,category\nI,2,5,pills\n",
        "locations": "location_id,kind,region\nDC-1,dc,east\nDC-2,dc,west\nSUP,supplier,\nALT,supplier,\nPORT,port,\n",
        "lanes": "origin_id,destination_id,mode,lead_time_days,lead_time_sd_days,via,days_to_via\n"
        + "".join(f"SUP,{at},sea,5,0,PORT,2\nALT,{at},road,8,0,,\n" for at in places),
        "sourcing": "item_id,location_id,source_id,priority,mode\n"
        + "".join(f"I,{at},SUP,1,sea\nI,{at},ALT,2,road\n" for at in places),
        "demand": "item_id,location_id,distribution,mean,sd\n" + "".join(f"I,{at},normal,10,0\n" for at in places),
        "policies": "item_id,location_id,policy,order_up_to\n" + "".join(f"I,{at},base_stock,100\n" for at in places),
        "movements": "event_id,event_time,kind,item_id,quantity,to_id,system\n"
        + "".join(f"{at},2025-03-01T08:00:00Z,receipt,I,40,{at},erp\n" for at in places),
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    with Twin.create(tmp_path_factory.mktemp("twins") / "twin") as twin:
        assert twin.ingest(folder)["quarantined"] == 0
        yield twin.service.model.compiled


@pytest.fixture
def run(compiled: Compiled) -> Run:
    """The baseline and a scenario of the library under other parameters, over some days."""

    def lived(scenario: str | Scenario, **parameters: Any) -> tuple[Outcome, Outcome]:
        chosen = load_scenario(scenario, parameters) if isinstance(scenario, str) else scenario
        result = simulate(compiled, [chosen], replications=4, horizon=20)
        return result.baseline, result.scenarios[0]

    return lived


def total(outcome: Outcome, name: str) -> float:
    """A sum over the network, the same in every replication."""
    values = outcome.tally.units[name]
    assert np.ptp(values) == 0
    return float(values[0])


def per_day(outcome: Outcome, name: str) -> list[float]:
    return [round(value, 6) for value in outcome.daily(4)[name]]  # type: ignore[arg-type]


def test_the_ten_are_there() -> None:
    assert library_names() == ("baseline", *TEN)


def test_the_baseline(run: Run) -> None:
    """40, 30, 20, 10 and 0 at the counts of days 0 … 3: 70 ordered on day 0 come on day 5, one day too late."""
    base, _ = run("demand_surge", factor=1.0)
    assert per_day(base, "served")[:7] == [20, 20, 20, 20, 0, 20, 20]
    assert per_day(base, "received")[:7] == [0, 0, 0, 0, 0, 140, 20]
    assert total(base, "lost") == 20


def test_supplier_outage(run: Run) -> None:
    """Closed on days 0 … 6: the order of day 0 leaves on day 7 and is there on day 12."""
    _, hurt = run("supplier_outage", start_day=0, days=7)
    assert per_day(hurt, "received")[:14] == [0] * 12 + [200, 0]  # 100 each: after 40 are sold the rest is lost
    assert total(hurt, "lost") == 8 * 20


def test_an_outage_with_failover_uses_the_other_source(run: Run) -> None:
    _, hurt = run("supplier_outage", start_day=0, days=30, failover_after_days=2)
    assert per_day(hurt, "received")[:12] == [0] * 10 + [20, 20]  # ordered on day 2 and 3, 8 days on the road


def test_port_strike(run: Run) -> None:
    """Shut on days 2 … 5: what left on day 0 reaches the port on day 2, waits 4 days and comes on day 9."""
    _, hurt = run("port_strike", location="PORT", probability=1.0, start_day=2, start_window=0, days_low=4, days_high=4)
    assert per_day(hurt, "received")[:10] == [0] * 9 + [200]


def test_lane_delay(run: Run) -> None:
    _, hurt = run("lane_delay", extra_days=3, days=1)
    assert per_day(hurt, "received")[:9] == [0, 0, 0, 0, 0, 0, 20, 20, 160]  # of day 0 late, of days 1 and 2 in time


def test_demand_surge(run: Run) -> None:
    base, more = run("demand_surge", start_day=0, days=4, factor=1.5)
    assert per_day(more, "demand")[:5] == [30, 30, 30, 30, 20]
    assert total(more, "demand") == total(base, "demand") + 40


def test_demand_variability_keeps_a_certain_demand_certain(run: Run) -> None:
    base, same = run("demand_variability", factor=3.0)
    assert same.kpis() == base.kpis()


def test_dc_closure(run: Run) -> None:
    """One of two equal warehouses is shut on days 1 … 6: the orders of days 0 … 1 wait at its door until day 7."""
    base, shut = run("dc_closure", start_day=1, days=6)
    assert per_day(shut, "served")[:8] == [20, 10, 10, 10, 0, 10, 10, 20]
    assert per_day(shut, "received")[5:8] == [70, 10, 80]
    assert total(shut, "lost") == 20 + 5 * 10  # of days 1 … 6; day 4 would have been lost anyway
    assert total(shut, "lost") > total(base, "lost")


def test_cyber_blackout(run: Run) -> None:
    """Nobody orders on days 0 … 3; on day 4 both order from 0 up to 100, there on day 9."""
    _, blind = run("cyber_blackout", start_day=0, days=4)
    assert per_day(blind, "received")[:10] == [0] * 9 + [200]
    assert total(blind, "lost") == 5 * 20


def test_recall(run: Run) -> None:
    """Half of 30 on the shelf at the start of day 1, then half of what arrives on day 5 of 140."""
    _, recalled = run("recall", share=0.5, start_day=1, days=5)
    assert total(recalled, "destroyed") == 2 * 15 + 2 * 35
    assert per_day(recalled, "received")[5] == 70
    cost = recalled.kpis()["write_off_cost"].mean
    assert cost == 2 * total(recalled, "destroyed")


def test_promotion_and_the_dip_after_it(run: Run) -> None:
    _, sold = run("promotion", **{"start_day": 2, "disruption[0].days": 3, "disruption[1].days": 2})
    assert per_day(sold, "demand")[:8] == [20, 20, 30, 30, 30, 16, 16, 20]


def test_supplier_switch(run: Run) -> None:
    """From day 0 on everything is ordered from the other source: 70 each on day 0, there on day 8."""
    _, switched = run("supplier_switch", start_day=0)
    assert per_day(switched, "received")[:9] == [0] * 8 + [140]


def test_destroyed_stock_and_poor_yield(run: Run) -> None:
    raw = {"disruption": [{"kind": "destroy", "location": "DC-1", "share": 1.0, "start_day": 2},
                          {"kind": "yield", "location": "DC-2", "share": 0.5, "start_day": 5, "days": 1}]}  # fmt: skip
    _, hurt = run(parse_scenario(raw, "fire"))
    assert total(hurt, "destroyed") == 20 + 35
    assert per_day(hurt, "served")[:4] == [20, 20, 10, 10]


def test_scenarios_together_are_all_of_them(run: Run, compiled: Compiled) -> None:
    _, both = run("supplier_outage+demand_surge", **{"disruption[0].start_day": 0, "disruption[0].days": 7,
                                                     "disruption[1].start_day": 0, "factor": 1.5})  # fmt: skip
    assert per_day(both, "demand")[:2] == [30, 30]
    assert per_day(both, "received")[:13] == [0] * 12 + [200]
    assert load_scenario("port_strike+recall").title.count(" + ") == 1
    alone, joint = (effects_of(load_scenario(name), compiled, 60, 50, 3) for name in
                    ("port_strike", "demand_surge+port_strike"))  # fmt: skip
    assert np.array_equal(alone.closed["PORT"], joint.closed["PORT"])  # the same luck, whatever else happens


def test_a_chain_happens_where_its_first_link_does(compiled: Compiled) -> None:
    raw = {"disruption": [
        {"kind": "port_closed", "location": "PORT", "days_low": 2, "days_high": 6, "probability": 0.5, "start_day": 3},
        {"kind": "lane_delay", "mode": "sea", "extra_days": 4, "days": 5, "after": 0, "start_day": 1},
    ]}  # fmt: skip
    made = effects_of(parse_scenario(raw, "chain"), compiled, 40, 200, 1)
    closed = made.closed["PORT"]
    slow = next(iter(made.delay.values())) > 0
    hit = closed.any(axis=0)
    assert 60 < hit.sum() < 140
    assert np.array_equal(slow.any(axis=0), hit)
    last = len(closed) - 1 - closed[::-1].argmax(axis=0)
    assert (slow.argmax(axis=0) == last + 2)[hit].all()
    assert (slow.sum(axis=0)[hit] == 5).all()
    with pytest.raises(ScenarioError, match="after"):
        parse_scenario({"disruption": [{"kind": "recall", "share": 0.1, "after": 0}]})
