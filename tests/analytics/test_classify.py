"""Classes by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stocktwin.analytics.classify import ABC, CLASSES, LIFE, XYZ, abc_class, demand_class, life_cycle, xyz_class
from stocktwin.analytics.peers import PEERS, WINDOW
from stocktwin.tables.snapshot import Snapshot

Build = Callable[..., Snapshot]


def named(codes: np.ndarray, names: tuple[str, ...]) -> list[str]:
    return [names[code] for code in codes]


def test_demand_classes_by_interval_and_size(snapshot: Build, today: int) -> None:
    days = range(today - 363, today + 1)
    sales = {
        ("A", "L"): dict.fromkeys(days, 5),
        ("B", "L"): {day: 1 if day % 2 else 40 for day in days},
        ("C", "L"): dict.fromkeys(days[::4], 5),
        ("D", "L"): {day: 1 if at % 2 else 40 for at, day in enumerate(days[::4])},
    }
    twin = snapshot(sales, pairs=[("E", "L")])
    assert named(demand_class(twin.sales, today + 1), CLASSES) == ["smooth", "erratic", "intermittent", "lumpy", "none"]
    later = demand_class(twin.sales, today + 1, days=2)
    assert named(later, CLASSES)[0] == "smooth", "only the days asked for"


def test_abc_by_value() -> None:
    assert named(abc_class([5.0, 80.0, 10.0, 5.0]), ABC) == ["B", "A", "B", "C"]
    assert named(abc_class([float("nan"), 0.0]), ABC) == ["C", "C"]


def test_xyz_by_the_evenness_of_weeks(snapshot: Build, today: int) -> None:
    weeks = range(today - 7 * 26 + 1, today + 1, 7)
    sales = {
        ("A", "L"): dict.fromkeys(weeks, 7),
        ("B", "L"): {day: 1 if at % 2 else 7 for at, day in enumerate(weeks)},
        ("C", "L"): dict.fromkeys(weeks[::13], 7),
    }
    assert named(xyz_class(snapshot(sales).sales, today + 1), XYZ) == ["X", "Y", "Z"]


def test_life_cycle(snapshot: Build, today: int) -> None:
    always = range(today - 364, today + 1)
    sales = {
        ("A", "L"): dict.fromkeys(always, 2),
        ("B", "L"): dict.fromkeys(always[:200], 2),
        ("C", "L"): dict.fromkeys(range(today - 30, today + 1), 2),
        ("D", "L"): {today - 500: 3},
    }
    twin = snapshot(sales, first_day=today - 600, start={("A", "L"): today - 600, ("B", "L"): today - 600})
    assert named(life_cycle(twin.sales, today + 1), LIFE) == ["mature", "dying", "new", "dead"]


def slow_croston(values: list[float], alpha: float) -> float:
    size: float | None = None
    interval: float | None = None
    since = 0
    for value in values:
        since += 1
        if value > 0:
            size = value if size is None else size + alpha * (value - size)
            interval = since if interval is None else interval + alpha * (since - interval)
            since = 0
    return 0.0 if size is None or interval is None else size / interval


def test_peers_are_what_their_authors_wrote() -> None:
    rng = np.random.default_rng(3)
    past = rng.poisson(0.4, (20, 200)) * rng.integers(1, 9, (20, 200)).astype(float)
    past[0] = 0
    start = np.zeros(20, np.int64)
    told = {name: peer(past, start, 10) for name, peer in PEERS.items()}
    expected = [slow_croston(row.tolist(), 0.1) for row in past]
    assert told["croston"][:, 0] == pytest.approx(expected)
    assert told["sba"] == pytest.approx(0.95 * told["croston"])
    assert told["moving_average"][:, 3] == pytest.approx(past[:, -WINDOW:].mean(1))
    assert (told["seasonal_naive"][:, 7:10] == past[:, -7:-4]).all()
    assert told["tsb"][0, 0] == 0
    faded = PEERS["tsb"](np.hstack([past, np.zeros((20, 100))]), start, 1)
    assert (faded[1:] < 0.3 * told["tsb"][1:, :1]).all(), "what stops selling fades, unlike Croston's"
    assert all(forecast.shape == (20, 10) and np.isfinite(forecast).all() for forecast in told.values())


def test_a_late_start_is_no_absence_of_demand() -> None:
    late = np.hstack([np.zeros((1, 190)), np.full((1, 10), 4.0)])
    for name in ("moving_average", "croston", "tsb"):
        assert PEERS[name](late, np.array([190]), 1)[0, 0] == pytest.approx(4.0), name
