"""Where shipments are: along roads and sea routes, from the truth of when they left and when they will arrive.

A carrier's TMS tells milestones, a tracker positions, with gaps. Pure functions; written down in `transport_feed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import SECOND
from stocktwin.world.draws import Draws
from stocktwin.world.network import Network, road_days
from stocktwin.world.noise import bells, scattered
from stocktwin.world.places import Place
from stocktwin.world.sea_routes import SEA_ROUTES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HOUR: Final = 3600 * SECOND
ROAD_HOURS, SEA_HOURS = 6, 24
"""Hours between two positions: a truck's, a ship's."""
AT_PORT_DAYS: Final = 3.0
"""Usual days from the ship's arrival to the truck's departure (discharge, customs, a free truck)."""
LOADING: Final = 0.06
"""Part of the journey before the ship sails."""
WOBBLE: Final = 0.02
"""Standard deviation of a position, degrees: roads are no great circles."""
MILESTONES: Final = ("departed", "vessel departed", "vessel arrived", "discharged", "out for delivery", "delivered")
DEPARTED, SAILED, LANDED, DISCHARGED, OUT, DELIVERED = range(len(MILESTONES))


@dataclass(frozen=True)
class Journeys:
    """One row per shipment: where from and to (`origin` a supplier, a DC where `transfer`), when it left and truly will
    be there, and when the world ends. `key` tells shipments apart for their luck."""

    transfer: npt.NDArray[np.bool_]
    origin: Ints
    dc: Ints
    key: Ints
    departed_us: Ints
    arrives_us: Ints
    end_us: Ints

    def __len__(self) -> int:
        return len(self.origin)


@dataclass(frozen=True)
class Positions:
    """One row per position: which shipment, when, where; `milestone` is −1 for a mere ping."""

    shipment: Ints
    when_us: Ints
    latitude: Floats
    longitude: Floats
    milestone: Ints


@dataclass(frozen=True)
class Route:
    """A way as points, with the part of the whole journey's time at each; `landed` and `out` are the parts at which the
    ship is there and the truck leaves (1 and 0 by road)."""

    latitude: Floats
    longitude: Floats
    part: Floats
    landed: float
    out: float


def road_route(origin: Place, destination: Place) -> Route:
    """The great circle, in nine points."""
    latitude, longitude = great_circle(origin, destination, 9)
    return Route(latitude, longitude, np.linspace(0, 1, 9), 0.0, 0.0)


def sea_route(supplier: Place, port: Place, destination: Place) -> Route:
    """By ship to the port and by road to the DC; the times by the usual days of each leg."""
    text = SEA_ROUTES.get((supplier.location_id, port.location_id), "")
    points = [[float(number) for number in pair.split(",")] for pair in text.split()]
    sea = np.array([[supplier.latitude, supplier.longitude], *points, [port.latitude, port.longitude]])
    sea[:, 1] = np.rad2deg(np.unwrap(np.deg2rad(sea[:, 1])))
    road = np.stack(great_circle(port, destination, 5), axis=1)
    driving = road_days(port, destination)
    total = supplier.sea_days + AT_PORT_DAYS + driving
    landed, out = supplier.sea_days / total, (supplier.sea_days + AT_PORT_DAYS) / total
    run = np.concatenate([[0.0], np.cumsum(steps_km(sea[:, 0], sea[:, 1]))])
    sailing = LOADING + (landed - LOADING) * run / run[-1]
    part = np.concatenate([[0.0], sailing, np.linspace(out, 1, 5)])
    points_all = np.concatenate([sea[:1], sea, road])
    return Route(points_all[:, 0], np.rad2deg(np.unwrap(np.deg2rad(points_all[:, 1]))), part, landed, out)


def great_circle(a: Place, b: Place, points: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes evenly along the great circle (spherical interpolation).

    >>> from stocktwin.world.places import SMALL_DCS
    >>> [round(float(x), 1) for x in great_circle(SMALL_DCS[0], SMALL_DCS[1], 3)[0]]
    [33.7, 37.8, 41.9]
    """
    ends = np.deg2rad([[p.latitude, p.longitude] for p in (a, b)])
    vector = np.stack([np.cos(ends[:, 0]) * np.cos(ends[:, 1]), np.cos(ends[:, 0]) * np.sin(ends[:, 1]),
                       np.sin(ends[:, 0])])  # fmt: skip
    angle = np.arccos(np.clip(vector[:, 0] @ vector[:, 1], -1, 1))
    part = np.linspace(0, 1, points)
    weight = (1 - part, part) if angle < 1e-9 else (np.sin((1 - part) * angle), np.sin(part * angle))
    x, y, z = vector[:, :1] * weight[0] + vector[:, 1:] * weight[1]
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))


def steps_km(latitude: Floats, longitude: Floats) -> Floats:
    """Lengths of the steps between neighbouring points, kilometres (haversine)."""
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    h = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(h)))


def routes_of(network: Network, journeys: Journeys) -> tuple[list[Route], Ints]:
    """The routes that the journeys take, and the number of each one's."""
    code = (np.where(journeys.transfer, len(network.suppliers), 0) + journeys.origin) * len(network.dcs) + journeys.dc
    used, which = np.unique(code, return_inverse=True)
    return [_route(network, *divmod(int(one), len(network.dcs))) for one in used], which


def _route(network: Network, origin: int, dc: int) -> Route:
    suppliers = len(network.suppliers)
    if origin >= suppliers:
        return road_route(network.dcs[origin - suppliers], network.dcs[dc])
    via = network.supply[origin][dc].via
    port = next((port for port in network.ports if port.location_id == via), None)
    supplier = network.suppliers[origin]
    return road_route(supplier, network.dcs[dc]) if port is None else sea_route(supplier, port, network.dcs[dc])


def pings(luck: Draws, network: Network, journeys: Journeys, lost: float, dark: float, tracked: float) -> Positions:
    """Positions as trackers tell them: a truck's every six hours, a ship's once a day; some are lost, some trackers
    are dead, not every shipment has one."""
    routes, which = routes_of(network, journeys)
    u = scattered(luck, "tracker", journeys.key)
    until = np.minimum(journeys.arrives_us, journeys.end_us)
    steps = np.maximum(0, -(-(until - journeys.departed_us) // (ROAD_HOURS * HOUR)) - 1)
    steps = np.where((u < tracked) & (u >= tracked * dark), steps, 0)
    shipment = np.repeat(np.arange(len(journeys)), steps)
    step = np.arange(len(shipment)) - np.repeat(np.cumsum(steps) - steps, steps) + 1
    when = journeys.departed_us[shipment] + step * ROAD_HOURS * HOUR
    part = _part(journeys, shipment, when)
    landed = np.array([route.landed for route in routes])[which[shipment]] if routes else part
    heard = scattered(luck, "ping", journeys.key[shipment], step) >= lost
    keep = heard & ((part >= landed) | (step % (SEA_HOURS // ROAD_HOURS) == 0))
    shipment, when, part, step = shipment[keep], when[keep], part[keep], step[keep]
    latitude, longitude = _along(routes, which[shipment], part)
    wobble = [WOBBLE * bells(luck, f"wobble {axis}", journeys.key[shipment], step) for axis in ("lat", "lon")]
    return Positions(shipment, when, latitude + wobble[0], wrapped(longitude + wobble[1]), np.full(len(when), -1))


def milestones(network: Network, journeys: Journeys) -> Positions:
    """What a carrier reports when it happens: departure, ship, port, last leg, delivery, each where it happens."""
    routes, which = routes_of(network, journeys)
    landed, out = (np.array([getattr(route, name) for route in routes])[which] if routes else np.zeros(0)
                   for name in ("landed", "out"))  # fmt: skip
    zero, one = np.zeros(len(journeys)), np.ones(len(journeys))
    steps = [zero, zero + LOADING, landed, 0.6 * landed + 0.4 * out, out, one]
    part = np.stack(steps, axis=1)
    told = np.repeat((landed > 0)[:, None], len(MILESTONES), axis=1)
    told[:, [DEPARTED, DELIVERED]] = True
    span = (journeys.arrives_us - journeys.departed_us)[:, None]
    when = journeys.departed_us[:, None] + (part * (span // SECOND)).astype(np.int64) * SECOND
    when[:, DELIVERED] = journeys.arrives_us
    told &= when < journeys.end_us[:, None]
    shipment, milestone = np.nonzero(told)
    latitude, longitude = _along(routes, which[shipment], part[told])
    return Positions(shipment, when[told], latitude, wrapped(longitude), milestone)


def _part(journeys: Journeys, shipment: Ints, when: Ints) -> Floats:
    span = journeys.arrives_us[shipment] - journeys.departed_us[shipment]
    return np.asarray((when - journeys.departed_us[shipment]) / np.maximum(span, 1))


def _along(routes: list[Route], which: Ints, part: Floats) -> tuple[Floats, Floats]:
    """Where on its route each one is."""
    latitude, longitude = np.empty(len(part)), np.empty(len(part))
    for k, route in enumerate(routes):
        at = np.flatnonzero(which == k)
        latitude[at] = np.interp(part[at], route.part, route.latitude)
        longitude[at] = np.interp(part[at], route.part, route.longitude)
    return latitude, longitude


def wrapped(longitude: Floats) -> Floats:
    """Degrees east between −180 and 180.

    >>> wrapped(np.array([190.0, -190.0, 10.0])).tolist()
    [-170.0, 170.0, 10.0]
    """
    return np.asarray((longitude + 180.0) % 360.0 - 180.0)
