"""Demand follows what drives it, and each item-location has luck of its own."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.world.catalogue import DYING, NEW, SMOOTH, make_catalogue
from stocktwin.world.circumstances import Circumstances, words_of
from stocktwin.world.demand import HALF_LIFE, RAMP_DAYS, demand_of, demand_rate, life, normal_quantile, poisson
from stocktwin.world.design import CLEARANCE, make_design
from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.physics import run
from stocktwin.world.profile import PROFILES
from stocktwin.world.records import PURCHASE, VANISHING, Event
from stocktwin.world.script import parse_events

LUCK = Draws(3)
NETWORK = PROFILES["small"].network
ITEMS = make_catalogue(LUCK, 500)
DESIGN = make_design(LUCK, ITEMS, NETWORK)
AROUND = Circumstances.of(LUCK, NETWORK, 365)
RENO = 3


def scripted(**table: object) -> Circumstances:
    script = parse_events({"disruption": [table]})
    script.check(words_of(NETWORK, ITEMS.item_id))
    return replace(AROUND, script=script)


def by_place(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(ITEMS), len(NETWORK.dcs))


def plain_poisson(mean: float, u: float) -> int:
    k, chance = 0, exp(-mean)
    below = chance
    while below <= u and k < 500:
        k += 1
        chance *= mean / k
        below += chance
    return k


@settings(deadline=None, max_examples=100)
@given(st.floats(0, 39.9), st.floats(0, 0.999))
def test_a_count_is_the_quantile_of_its_distribution(mean: float, u: float):
    assert abs(int(poisson(np.array([mean]), np.array([u]))[0]) - plain_poisson(mean, u)) <= (u > 0.99)


def test_counts_have_the_mean_and_variance_of_a_poisson():
    u = (np.arange(200_000) + 0.5) / 200_000
    for mean in (0.02, 3.0, 39.0, 41.0, 700.0):
        counts = poisson(np.full(len(u), mean), u)
        assert counts.mean() == pytest.approx(mean, rel=0.003)
        assert counts.var() == pytest.approx(mean, rel=0.02)
    assert (poisson(np.zeros(3), np.array([0.0, 0.5, 0.999])) == 0).all()


def test_normal_quantiles():
    u = np.array([0.001, 0.025, 0.5, 0.9, 0.99])
    assert normal_quantile(u) == pytest.approx([-3.0902, -1.95996, 0, 1.28155, 2.32635], abs=5e-4)


def test_a_new_item_comes_and_a_dying_one_goes():
    new, dying = (np.flatnonzero(ITEMS.demand_class == kind) for kind in (NEW, DYING))
    assert len(new) == len(dying) == 15
    for item in new:
        turn = int(ITEMS.turn[item])
        stages = [float(life(ITEMS, day)[item]) for day in (turn - 1, turn, turn + RAMP_DAYS, turn + 200)]
        assert stages == pytest.approx([0, 1 / (1 + exp(3)), 0.5, 1], abs=0.001)
    for item in dying:
        turn = int(ITEMS.turn[item])
        stages = [float(life(ITEMS, day)[item]) for day in (turn, turn + HALF_LIFE, turn + 3 * HALF_LIFE)]
        assert stages == pytest.approx([1, 0.5, 0.125])
    assert (life(ITEMS, 100)[ITEMS.demand_class == SMOOTH] == 1).all()


def test_people_stock_up_for_a_launch_and_stop_ordering_what_dies():
    reality = run(DESIGN, LUCK, 365)
    bought = reality.lines.kind == PURCHASE
    rows, days = reality.lines.row[bought], reality.lines.day[bought]
    kind, turn = ITEMS.demand_class[DESIGN.item[rows]], ITEMS.turn[DESIGN.item[rows]]
    assert (days[kind == DYING] < turn[kind == DYING] + CLEARANCE).all()
    late = np.flatnonzero((ITEMS.demand_class == NEW) & (ITEMS.turn > 100))
    sold = reality.events.kind == Event.SALE
    for item in late:
        first = days[DESIGN.item[rows] == item].min()
        assert 0 <= ITEMS.turn[item] - first < 90
        assert reality.events.day[sold & (DESIGN.item[reality.events.row] == item)].min() >= ITEMS.turn[item]
    opened = reality.events.row[reality.events.kind == Event.OPENING]
    assert not set(DESIGN.item[opened]) & set(late)


def test_a_promotion_lifts_its_family_but_nothing_critical():
    family = next(k for k, f in enumerate(FAMILIES) if f.prefix == "WND")
    discount = AROUND.signals.discount.copy()
    discount[40:60] = 0.0
    none = replace(AROUND, signals=replace(AROUND.signals, discount=discount.copy()))
    discount[55, family] = 0.25
    one = replace(AROUND, signals=replace(AROUND.signals, discount=discount))
    lift = by_place(demand_rate(DESIGN, one, 55) / np.maximum(demand_rate(DESIGN, none, 55), 1e-12))[:, 0]
    asked = by_place(demand_rate(DESIGN, none, 55))[:, 0] > 0
    mine, critical = ITEMS.family == family, ITEMS.criticality == 0
    assert lift[mine & ~critical & asked] == pytest.approx((1 + ITEMS.response)[mine & ~critical & asked])
    assert lift[asked & (~mine | critical)] == pytest.approx(1)


def test_a_surge_is_where_it_is_said_and_nowhere_else():
    around = scripted(kind="demand_scale", factor=3.0, region="West", category="wound care", start_day=50, days=10)
    mine = ITEMS.family == next(k for k, f in enumerate(FAMILIES) if f.category == "wound care")
    before, after = (by_place(demand_rate(DESIGN, a, 55)) for a in (AROUND, around))
    where = np.outer(mine, np.arange(4) == RENO)
    assert np.array_equal(after, np.where(where, 3 * before, before))
    calm, busy = (by_place(demand_of(DESIGN, LUCK, a, 55)) for a in (AROUND, around))
    assert np.array_equal(calm[~where], busy[~where])
    assert busy[where].sum() > 2 * calm[where].sum()
    assert np.array_equal(demand_of(DESIGN, LUCK, around, 60), demand_of(DESIGN, LUCK, AROUND, 60))


def test_one_item_at_one_dc():
    item = ITEMS.item_id[7]
    around = scripted(kind="demand_scale", factor=0.0, item=item, location="DC-RENO")
    changed = demand_rate(DESIGN, around, 9) != demand_rate(DESIGN, AROUND, 9)
    assert np.flatnonzero(changed).tolist() == [7 * 4 + RENO]


def test_a_closed_dc_serves_nobody_and_the_others_live_on():
    around = scripted(kind="location_closed", location="DC-RENO", start_day=20, days=15)
    one, two = run(DESIGN, LUCK, 60, around=AROUND), run(DESIGN, LUCK, 60, around=around)
    dc = DESIGN.dc[two.events.row]
    shut = (dc == RENO) & (two.events.day >= 20) & (two.events.day < 35)
    assert set(two.events.kind[shut].tolist()) <= {*VANISHING, Event.EXPIRED}
    closed = (DESIGN.dc[two.asked.row] == RENO) & (two.asked.day >= 20) & (two.asked.day < 35)
    assert two.asked.asked[closed].sum() > 0
    assert two.asked.served[closed].sum() == 0
    assert two.events.kind[(dc == RENO) & (two.events.day == 35)].tolist().count(Event.SALE) > 50
    for reality in (one, two):
        assert (reality.balances.quantity >= 0).all()
    before = [(e.day < 20) for e in (one.events, two.events)]
    assert np.array_equal(one.events.row[before[0]], two.events.row[before[1]])


def test_planners_turn_to_the_second_source_when_they_have_given_up():
    supplier = int(np.bincount(DESIGN.supplier[DESIGN.alternative >= 0]).argmax())
    name = NETWORK.suppliers[supplier].location_id
    around = scripted(kind="supplier_offline", location=name, start_day=10, days=60, failover_after_days=14)
    lines = run(DESIGN, LUCK, 80, around=around).lines
    mine = (lines.kind == PURCHASE) & (DESIGN.supplier[lines.row] == supplier) & (DESIGN.alternative[lines.row] >= 0)
    waiting = mine & (lines.day >= 24) & (lines.day < 70)
    assert waiting.sum() > 10
    assert (lines.source[waiting] == DESIGN.alternative[lines.row[waiting]]).all()
    left = lines.shipped_day[(lines.kind == PURCHASE) & (lines.source == supplier)]
    assert not ((left >= 10) & (left < 70)).any()
