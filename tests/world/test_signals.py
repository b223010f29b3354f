"""Outside signals look like what they are called, do not depend on how long the world lives, and drive demand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stocktwin.world.draws import Draws
from stocktwin.world.goods import FAMILIES
from stocktwin.world.places import Place
from stocktwin.world.regional import correlated, distances_km
from stocktwin.world.signals import (
    INFLUENZA,
    LIFT,
    PROMOTED,
    QUIET,
    TYPICAL_PEAK,
    WARM,
    make_signals,
)

LUCK = Draws(5)
DCS = tuple(
    Place(f"DC-{name}", name[:3], name, "dc", lat, lon, "America/New_York", region)
    for name, lat, lon, region in (
        ("ATLANTA", 33.7, -84.4, "Southeast"),
        ("CHARLOTTE", 35.2, -80.8, "Southeast"),
        ("CHICAGO", 41.9, -87.6, "Midwest"),
        ("RENO", 39.5, -119.8, "West"),
    )
)
PORTS = (
    Place("PORT-LALB", "LAX", "Los Angeles", "port", 33.7, -118.3, "America/Los_Angeles", season=(212, 288, 1.25)),
    Place("PORT-NYNJ", "NYC", "New York", "port", 40.7, -74.1, "America/New_York"),
)
YEARS = make_signals(LUCK, DCS, PORTS, 3 * 365)
FAMILY = {family.prefix: k for k, family in enumerate(FAMILIES)}


def test_the_past_does_not_depend_on_the_future():
    short = make_signals(LUCK, DCS, PORTS, 400)
    for name in ("temperature", "influenza", "discount", "congestion", "mood"):
        assert np.array_equal(getattr(short, name), getattr(YEARS, name)[:400]), name


def test_another_seed_is_another_world():
    other = make_signals(Draws(6), DCS, PORTS, 60)
    for name in ("temperature", "influenza", "congestion", "mood"):
        assert not np.array_equal(getattr(other, name), getattr(YEARS, name)[:60]), name


def test_a_correlated_field_has_its_correlations():
    places = [SimpleNamespace(latitude=40.0, longitude=lon) for lon in (-90.0, -85.0, -60.0)]
    field = correlated(LUCK, "field", places, 4000, memory=0.6, reach_km=500)
    assert field.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.08)
    assert field.std(axis=0) == pytest.approx([1, 1, 1], abs=0.06)
    near = np.exp(-distances_km(places) / 500)
    assert np.corrcoef(field.T) == pytest.approx(near, abs=0.06)
    assert np.corrcoef(field[1:, 0], field[:-1, 0])[0, 1] == pytest.approx(0.6, abs=0.05)


def test_summers_are_warm_and_the_south_is_warmer():
    day = np.arange(len(YEARS.temperature)) % 365
    south, midwest = YEARS.regions.index("Southeast"), YEARS.regions.index("Midwest")
    summer, winter = (YEARS.temperature[(day >= a) & (day < b)].mean(axis=0) for a, b in ((170, 230), (0, 50)))
    assert (summer - winter > 14).all()
    assert 24 < summer[south] < 30
    assert -8 < winter[midwest] < 2
    assert YEARS.temperature[:, south].mean() > YEARS.temperature[:, midwest].mean() + 3


def test_influenza_peaks_every_winter():
    for season in range(1, 3):
        winter = YEARS.influenza[season * 365 - 60 : season * 365 + 110]
        assert (winter.max(axis=0) > 0.3 * TYPICAL_PEAK).all()
        assert (np.abs(winter.argmax(axis=0) - 86) < 45).all()
    assert YEARS.influenza.min() >= QUIET


def test_promotions_come_three_times_a_year_to_promoted_families():
    for prefix, family in FAMILY.items():
        on = YEARS.discount[:365, family] > 0
        assert (int((np.diff(on.astype(int), prepend=0) == 1).sum()) == 3) is (prefix in PROMOTED)
    assert YEARS.discount.max() <= 0.25


def test_a_promotion_lifts_demand_and_borrows_from_the_days_after():
    family = FAMILY[PROMOTED[0]]
    discount = np.zeros((40, len(FAMILIES)))
    discount[10:15, family] = 0.2
    signals = replace(YEARS, discount=discount)
    lifts = [float(signals.lift(day)[family]) for day in (0, 9, 10, 14, 15, 24, 25)]
    assert lifts == pytest.approx([1, 1, 1 + LIFT * 0.2, 1 + LIFT * 0.2, 0.84, 0.84, 1])
    assert (np.delete(signals.lift(12), family) == 1).all()


def test_illness_and_heat_move_the_families_they_concern():
    quiet = np.full_like(YEARS.influenza[:1], QUIET)
    mild = np.full_like(YEARS.temperature[:1], WARM - 5)
    calm = replace(YEARS, influenza=quiet, temperature=mild)
    assert (calm.outside(0) == 1).all()
    ill = replace(calm, influenza=quiet + TYPICAL_PEAK * np.array([1.0, 0.0, 0.0]))
    factor = ill.outside(0)
    assert factor[FAMILY["RSP"]].tolist() == [1 + INFLUENZA["RSP"]] * 2 + [1, 1]  # both DCs of the first region
    assert (factor[FAMILY["BRG"]] == 1).all()
    hot = replace(calm, temperature=mild + np.array([0.0, 0.0, 15.0])).outside(0)
    assert hot[FAMILY["FLT"]].tolist() == pytest.approx([1, 1, 1, 1.25])


def test_a_congested_season_slows_its_port_only():
    calm = make_signals(LUCK, DCS, tuple(replace(port, season=None) for port in PORTS), 365)
    day = np.arange(365)
    slower = YEARS.congestion[:365] / calm.congestion
    assert slower[:, 0] == pytest.approx(np.where((day >= 212) & (day <= 288), 1.25, 1.0), abs=0.002)
    assert (slower[:, 1] == 1).all()
    assert 0.05 < np.log(calm.congestion).std() < 0.15
    assert (np.abs(np.diff(calm.congestion, axis=0)) < 0.2).all()


def test_moods_are_shared_by_neighbours():
    mood = YEARS.mood
    alike = np.corrcoef(mood.T)
    assert alike[0, 1] > 0.6 > alike[0, 3] > 0
    assert mood.std(axis=0) == pytest.approx(np.hypot(0.07, 0.03), abs=0.012)


def test_what_is_published():
    series = YEARS.published(400)
    concerns = {"temperature": "region", "influenza": "region", "promotion": "category", "congestion": "location"}
    assert {one.name for one in series} == set(concerns)
    for one in series:
        named = [what for what in ("category", "region", "location") if getattr(one, what) is not None]
        assert named == [concerns[one.name]]
    assert len(series) == 2 * 3 + len(PROMOTED) + len(PORTS)
    assert all(len(one.values) == 400 for one in series)
