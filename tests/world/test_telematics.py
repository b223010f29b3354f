"""Shipments move along their routes: distances against published ones, times against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from stocktwin.world.clock import MINUTE, Clock
from stocktwin.world.draws import Draws
from stocktwin.world.places import PORTS, SMALL_DCS, SUPPLIERS, distance_km
from stocktwin.world.profile import PROFILES
from stocktwin.world.sea_routes import SEA_ROUTES
from stocktwin.world.telematics import (
    DELIVERED,
    DEPARTED,
    LANDED,
    MILESTONES,
    SAILED,
    Journeys,
    great_circle,
    milestones,
    pings,
    road_route,
    sea_route,
    steps_km,
)

LUCK = Draws(5)
NETWORK = PROFILES["small"].network
HOUR = 60 * MINUTE
NAUTICAL_MILE = 1.852


def place(short):
    return next(p for p in (*SUPPLIERS, *PORTS, *SMALL_DCS) if p.short == short)


@pytest.mark.parametrize(
    ("supplier", "port", "miles"),
    [("SHA", "LAX", 5_700), ("HAM", "NYC", 3_500), ("BOM", "NYC", 8_200), ("YOK", "OAK", 4_550)],
)
def test_sea_routes_have_about_the_published_length(supplier, port, miles):
    """Distances between ports, NGA publication 151 (nautical miles, rounded)."""
    route = sea_route(place(supplier), place(port), place("CHI"))
    sea = route.part <= route.landed
    length = steps_km(route.latitude[sea], route.longitude[sea]).sum() / NAUTICAL_MILE
    assert length == pytest.approx(miles, rel=0.1)


def test_there_is_a_route_for_every_overseas_supplier_and_port():
    overseas = [s for s in SUPPLIERS if s.coast]
    assert set(SEA_ROUTES) == {(s.location_id, p.location_id) for s in overseas for p in PORTS}
    for supplier in overseas:
        for port in PORTS:
            route = sea_route(supplier, port, SMALL_DCS[0])
            assert (np.diff(route.part) >= 0).all()
            assert np.abs(np.diff(route.longitude)).max() < 90
            assert (route.part[0], route.part[-1]) == (0.0, 1.0)


def test_great_circles_are_as_long_as_the_haversine_says():
    a, b = place("EWR"), place("RNO")
    latitude, longitude = great_circle(a, b, 200)
    assert steps_km(latitude, longitude).sum() == pytest.approx(distance_km(a, b), rel=1e-4)
    assert (latitude[0], longitude[-1]) == pytest.approx((a.latitude, b.longitude))
    assert great_circle(a, a, 3)[0].tolist() == pytest.approx([a.latitude] * 3)
    assert road_route(a, b).landed == 0


@pytest.fixture
def journeys() -> Journeys:
    clock = Clock.of(120, NETWORK)
    day = np.arange(40)
    start = clock.midnight[day, 0] + 17 * HOUR
    sea = day % 2 == 0
    days = np.where(sea, 26, 3)
    return Journeys(~sea, np.where(sea, 2, 0), np.where(sea, 1, 3), day, start, start + days * 24 * HOUR,
                    np.full(40, clock.midnight[50, 0]))  # fmt: skip


def test_milestones_come_in_order_and_none_after_the_end(journeys):
    told = milestones(NETWORK, journeys)
    assert (told.when_us < journeys.end_us[told.shipment]).all()
    for k in range(len(journeys)):
        mine = told.shipment == k
        steps, when = told.milestone[mine], told.when_us[mine]
        assert (np.diff(when) > 0).all()
        assert (np.diff(steps) > 0).all()
        assert journeys.transfer[k] <= (set(steps.tolist()) <= {DEPARTED, DELIVERED})
        done = journeys.arrives_us[k] < journeys.end_us[k]
        assert (DELIVERED in steps) == done
        if done and not journeys.transfer[k]:
            assert len(steps) == len(MILESTONES)
            assert when[-1] == journeys.arrives_us[k]
    at = told.milestone == LANDED
    port = NETWORK.ports[0]
    assert np.abs(told.latitude[at] - port.latitude).max() < 0.1
    sailed = told.milestone == SAILED
    assert np.abs(told.longitude[sailed] - 121.5).max() < 0.5


def test_pings_lie_between_departure_and_arrival_on_the_route_with_gaps(journeys):
    heard = pings(LUCK, NETWORK, journeys, 0.0, 0.0, 1.0)
    assert (heard.when_us > journeys.departed_us[heard.shipment]).all()
    assert (heard.when_us < np.minimum(journeys.arrives_us, journeys.end_us)[heard.shipment]).all()
    assert (np.abs(heard.longitude) <= 180).all()
    by_road = journeys.transfer[heard.shipment]
    steps = (heard.when_us - journeys.departed_us[heard.shipment]) / HOUR
    assert (steps[by_road] % 6 == 0).all()
    at_sea = ~by_road & (steps < 24 * 15)
    assert (steps[at_sea] % 24 == 0).all()
    assert (heard.longitude[at_sea] < -150).any()
    assert (heard.longitude[at_sea] > 130).any()
    gaps = pings(LUCK, NETWORK, journeys, 0.3, 0.3, 1.0)
    assert 0.3 < len(gaps.when_us) / len(heard.when_us) < 0.75
    assert len(pings(LUCK, NETWORK, journeys, 0.0, 0.0, 0.0).when_us) == 0
