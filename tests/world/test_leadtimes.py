"""Lead times are those of lane, supplier, season and queue; what is scripted moves them by what it says."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from stocktwin.world.circumstances import Circumstances
from stocktwin.world.draws import Draws
from stocktwin.world.leadtimes import DRAIN_DAYS, LeadTimes
from stocktwin.world.network import Network
from stocktwin.world.profile import PROFILES
from stocktwin.world.script import Script, parse_events

NETWORK = PROFILES["small"].network
CLEVELAND, HAMBURG, SHANGHAI = range(3)
ATLANTA, CHICAGO, NEWARK, RENO = range(4)
CALM = Circumstances.of(Draws(1), NETWORK, 365)
CALM = replace(CALM, signals=replace(CALM.signals, congestion=np.ones_like(CALM.signals.congestion)))


@pytest.fixture(autouse=True)
def no_customs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stocktwin.world.leadtimes.HELD", 0.0)


def times(seed: int, around: Circumstances = CALM, network: Network = NETWORK) -> LeadTimes:
    return LeadTimes.of(Draws(seed), network, around)


def scripted(**table: object) -> Circumstances:
    return replace(CALM, script=parse_events({"disruption": [table]}))


@pytest.mark.parametrize("supplier", range(3))
def test_lead_times_have_the_mean_of_lane_and_supplier(supplier: int):
    lane = NETWORK.supply[supplier][CHICAGO]
    usual = replace(times(1), slowness=np.ones(3), unsteadiness=np.ones(3))
    days = [
        int(replace(usual, luck=Draws(seed)).from_suppliers(100).arrives[supplier, CHICAGO]) - 100
        for seed in range(600)
    ]
    assert fmean(days) == pytest.approx(lane.mean, rel=0.05)
    assert np.std(days) == pytest.approx(lane.sd, rel=0.15)
    assert min(days) >= lane.least
    slow = replace(usual, slowness=np.full(3, 1.5), unsteadiness=np.full(3, 0.1))
    slower = [
        int(replace(slow, luck=Draws(seed)).from_suppliers(100).arrives[supplier, CHICAGO]) - 100 for seed in range(80)
    ]
    assert fmean(slower) == pytest.approx(1.5 * lane.mean, rel=0.05)
    assert np.std(slower) < 0.3 * lane.sd + 0.5


def test_suppliers_have_habits_of_their_own():
    slowness = np.array([times(seed).slowness for seed in range(50)])
    assert slowness.min() < 0.97
    assert slowness.max() > 1.07
    assert (slowness.std(axis=1) > 0).all()


def test_goods_wait_in_the_queue_that_will_be_there_when_they_come():
    signals = CALM.signals
    assert NETWORK.supply[SHANGHAI][ATLANTA].via == "PORT-LALB"
    passes = 100 + round(NETWORK.supply[SHANGHAI][ATLANTA].days_to_via)
    queue = signals.congestion.copy()
    queue[passes, signals.ports.index("PORT-LALB")] = 2.0
    busy = replace(CALM, signals=replace(signals, congestion=queue))
    for seed in range(10):
        calm, slow = (times(seed, around).from_suppliers(100).arrives - 100 for around in (CALM, busy))
        assert slow[SHANGHAI, ATLANTA] == pytest.approx(2 * calm[SHANGHAI, ATLANTA], abs=1)
        assert slow[CLEVELAND].tolist() == calm[CLEVELAND].tolist()
        assert slow[HAMBURG].tolist() == calm[HAMBURG].tolist()


def test_nothing_leaves_asia_at_new_year_nor_europe_in_august():
    for day, supplier, reopening in ((30, SHANGHAI, 43), (215, HAMBURG, 231)):
        usual, late = times(3).from_suppliers(100), times(3).from_suppliers(day)
        assert late.leaves[supplier].tolist() == [reopening] * 4
        assert (usual.leaves - 100 == NETWORK.supply_times.dispatch).all()
        assert (late.leaves[CLEVELAND] - day == NETWORK.supply_times.dispatch[CLEVELAND]).all()
        assert (late.arrives[supplier] > reopening).all()


def test_an_offline_supplier_sends_when_it_is_back():
    around = scripted(kind="supplier_offline", location="SUP-CLEVELAND", start_day=100, days=20)
    day = 104
    one, two = times(3).from_suppliers(day), times(3, around).from_suppliers(day)
    assert two.leaves[CLEVELAND].tolist() == [120] * 4
    delay = two.arrives[CLEVELAND] - one.arrives[CLEVELAND]
    waited = 120 - day - NETWORK.supply_times.dispatch[CLEVELAND]
    assert ((delay >= waited) & (delay <= waited + DRAIN_DAYS)).all()
    for rest in (HAMBURG, SHANGHAI):
        assert two.arrives[rest].tolist() == one.arrives[rest].tolist()
    before = 100 - int(NETWORK.supply_times.dispatch[CLEVELAND, 0]) - 1
    assert (times(3, around).from_suppliers(before).arrives == times(3).from_suppliers(before).arrives).all()


def test_a_closed_port_holds_what_has_not_passed():
    around = scripted(kind="port_closed", location="PORT-LALB", start_day=110, days=30)
    to_port = round(NETWORK.supply[SHANGHAI][RENO].days_to_via)
    for day in range(70, 150, 5):
        one, two = times(3).from_suppliers(day), times(3, around).from_suppliers(day)
        waits = 140 - (day + to_port) if 110 <= day + to_port < 140 else 0
        delay = (two.arrives - one.arrives)[SHANGHAI]
        assert ((delay >= waits) & (delay <= waits + DRAIN_DAYS * (waits > 0))).all(), day
        assert two.arrives[CLEVELAND].tolist() == one.arrives[CLEVELAND].tolist()
        assert (two.leaves == one.leaves).all()


def test_the_customs_keep_some_of_what_comes_by_sea(monkeypatch: pytest.MonkeyPatch):
    free = np.stack([times(seed).from_suppliers(100).arrives for seed in range(300)])
    monkeypatch.setattr("stocktwin.world.leadtimes.HELD", 0.2)
    delay = np.stack([times(seed).from_suppliers(100).arrives for seed in range(300)]) - free
    assert not delay[:, CLEVELAND].any()
    held = delay[:, [HAMBURG, SHANGHAI]]
    assert (held > 0).mean() == pytest.approx(0.2, abs=0.03)
    assert held[held > 0].min() >= 7
    assert held.max() < 25


def test_a_slowed_lane_is_slower_by_what_is_said():
    around = scripted(kind="lane_delay", origin="DC-RENO", extra_days=6, start_day=10, days=5)
    one, two = times(3).between_dcs(12).arrives, times(3, around).between_dcs(12).arrives
    assert (two - one)[RENO].tolist() == [6] * 4
    assert (np.delete(two - one, RENO, axis=0) == 0).all()
    assert (times(3, around).between_dcs(15).arrives == times(3).between_dcs(15).arrives).all()


def test_a_closed_dc_takes_nothing_in():
    around = scripted(kind="location_closed", location="DC-NEWARK", start_day=100, days=60)
    for journeys in (times(3, around).from_suppliers(101), times(3, around).between_dcs(101)):
        usual = (times(3).from_suppliers(101) if len(journeys.arrives) == 3 else times(3).between_dcs(101)).arrives
        assert journeys.arrives[:, NEWARK].tolist() == np.maximum(usual[:, NEWARK], 160).tolist()
        assert (np.delete(journeys.arrives, NEWARK, 1) == np.delete(usual, NEWARK, 1)).all()


def test_the_length_of_the_world_changes_nothing():
    long, short = (LeadTimes.of(Draws(4), NETWORK, Circumstances.of(Draws(4), NETWORK, days)) for days in (300, 40))
    for day in (0, 20, 39):
        assert (long.from_suppliers(day).arrives == short.from_suppliers(day).arrives).all()


def test_all_blocks_share_their_lead_times():
    first, other = (LeadTimes.of(Draws(4, block), NETWORK, CALM).from_suppliers(9).arrives for block in (0, 3))
    assert (first == other).all()
    assert Script() == CALM.script
