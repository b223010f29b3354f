"""Sensors and tags see the truth, less what they miss: against a plain walk through the events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.world.clock import MINUTE, SECOND, Clock
from stocktwin.world.draws import Draws
from stocktwin.world.episodes import draw_episodes
from stocktwin.world.noise import bells, logarithmic, scattered, tallies
from stocktwin.world.profile import PROFILES
from stocktwin.world.records import EFFECT, Event, Events, columns
from stocktwin.world.rfid import AGAIN, READ, STRAY, door_reads, seen, shelf_reads, tagged_items
from stocktwin.world.sensors import bin_readings, cold_rooms, dead_times, reading_times, scale_readings
from stocktwin.world.stock_paths import StockPaths

LUCK = Draws(5)
NETWORK = PROFILES["small"].network
CLOCK = Clock.of(60, NETWORK)
HOUR_US = 3600 * SECOND


def some_events(n: int = 400, days: int = 60, rows: int = 12) -> tuple[Events, np.ndarray]:
    draw = np.random.default_rng(1)
    changed = {
        "day": draw.integers(0, days, n), "second": draw.integers(0, 86_400, n), "row": draw.integers(0, rows, n),
        "quantity": draw.integers(1, 90, n), "line": np.arange(n), "ref_day": np.zeros(n, np.int64),
        "kind": draw.choice([Event.RECEIPT, Event.TRANSFER_IN, Event.SALE, Event.THEFT, Event.RETURN], n),
    }  # fmt: skip
    opening = np.arange(n) < rows
    changed |= {"day": np.where(opening, 0, changed["day"]), "second": np.where(opening, 0, changed["second"]),
                "row": np.where(opening, np.arange(n), changed["row"]),
                "kind": np.where(opening, Event.OPENING, changed["kind"]),
                "quantity": np.where(opening, 20_000, changed["quantity"])}  # fmt: skip
    events = columns(Events, n, **{name: changed.get(name, 0) for name in Events.__dataclass_fields__})
    return events, CLOCK.instant(events.day, events.second, events.row % 4)


def test_scattered_numbers_are_uniform_and_depend_on_their_key_only():
    day, row = np.arange(20_000) % 100, np.arange(20_000) // 100
    u = scattered(LUCK, "x", day, row)
    assert abs(u.mean() - 0.5) < 0.01
    assert abs(u.var() - 1 / 12) < 0.002
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.03
    assert len(np.unique(u)) == len(u)
    assert (scattered(LUCK, "x", day[50:60], row[50:60]) == u[50:60]).all()
    assert (scattered(Draws(5, 1), "x", day, row) != u).all()
    assert not np.allclose(scattered(LUCK, "y", day, row), u)


def test_sizes_have_their_distributions():
    key = np.arange(50_000)
    z = bells(LUCK, "z", key)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    counts = tallies(scattered(LUCK, "c", key), 2.5)
    assert abs(counts.mean() - 2.5) < 0.03
    assert abs(counts.var() - 2.5) < 0.08
    assert logarithmic(np.array([0.0, 1.0]), 6.0, 500.0).round(9).tolist() == [6.0, 500.0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_levels_at_any_moment_are_those_of_a_plain_walk(seed):
    events, when = some_events()
    rows = np.array([0, 3, 7, 11])
    paths = StockPaths.of(events, when, rows)
    draw = np.random.default_rng(seed)
    asked = draw.choice(rows, 30)
    moment = CLOCK.midnight[0, 0] + draw.integers(-5, 62 * 86_400, 30) * SECOND
    plain = [
        sum(int(EFFECT[k] * q) for k, q, r, t in zip(events.kind, events.quantity, events.row, when, strict=True)
            if r == row and t <= at)
        for row, at in zip(asked, moment, strict=True)
    ]  # fmt: skip
    assert paths.at(asked, moment).tolist() == plain


def test_paths_of_shelves_where_nothing_happened_are_empty():
    events, when = some_events()
    assert StockPaths.of(events, when, np.array([500])).at(np.array([500]), when[:1]).tolist() == [0]


def test_scales_say_the_level_with_noise_that_grows_from_calibration_to_calibration():
    events, when = some_events()
    rows = np.arange(12)
    paths = StockPaths.of(events, when, rows)
    times = reading_times(CLOCK, rows % 4, 60, 6)
    exact = scale_readings(LUCK, paths, rows, times, 0.0, 0.0)
    assert (exact.quantity == np.maximum(paths.at(exact.row, exact.when_us), 0)).all()
    assert len(exact.row) == 12 * 60 * 4
    noisy = scale_readings(LUCK, paths, rows, times, 0.004, 0.02)
    off = noisy.quantity / exact.quantity - 1
    assert 0.002 < off.std() < 0.02
    assert (noisy.quantity >= 0).all()


def test_dead_sensors_last_for_days_and_a_longer_world_has_the_same_ones():
    dc = np.arange(200) % 4
    long = Clock.of(365, NETWORK)
    first, more = (dead_times(LUCK, long, dc, days, 2.0) for days in (100, 365))
    same = more.day < 100
    assert len(first) > 50
    assert (first.start_us == more.start_us[same]).all()
    assert ((first.end_us - first.start_us) / (60 * MINUTE * 24)).min() >= 5
    assert abs(len(more) / 400 - 1) < 0.2


def test_an_episode_covers_its_moments_only():
    episodes = draw_episodes(LUCK, "x", CLOCK.midnight[:60], 30.0, (6.0, 12.0), (1.0, 4.0))
    assert len(episodes) > 5
    at = episodes.covering(episodes.thing, episodes.start_us)
    assert (at >= 0).all()
    assert (episodes.covering(episodes.thing, episodes.start_us - 1)[:1] == -1).all()
    k = len(episodes) - 1
    assert episodes.covering(episodes.thing[k:] + 9, episodes.start_us[k:]).tolist() == [-1]


def test_cold_rooms_stay_cold_and_follow_the_weather_a_little():
    outside = np.full((400, 4), 10.0)
    outside[200:] = 35.0
    mean, peak = cold_rooms(LUCK, 400, outside)
    assert (peak > mean).all()
    assert 2 < mean.min() < mean.max() < 8
    assert 0.3 < mean[200:].mean() - mean[:200].mean() < 1.0
    assert 0 < (peak > 8).mean() < 0.05


def test_doors_miss_a_few_tags_and_never_read_more_than_there_are():
    events, _ = some_events(4000)
    tagged = np.arange(12) % 3 == 0
    reads = door_reads(LUCK, events, tagged, (0.985, 0.05, 0.02))
    plain = reads.sort == READ
    true = events.quantity[reads.event]
    assert tagged[events.row[reads.event]].all()
    assert (reads.quantity[plain] <= true[plain]).all()
    assert 0.96 < reads.quantity[plain].sum() / true[plain].sum() < 0.985
    assert (events.kind[reads.event] != Event.SALE).all()
    assert 0.02 < (reads.sort == AGAIN).sum() / plain.sum() < 0.09
    stray = reads.sort == STRAY
    assert stray.any()
    assert (reads.row[stray] != events.row[reads.event[stray]]).all()
    assert tagged[reads.row[stray]].all()
    assert (reads.row[~stray] == events.row[reads.event[~stray]]).all()
    assert (reads.delay_us > 0).all()


def test_a_read_rate_of_one_reads_everything_but_of_few_documents():
    there = np.full(5000, 40)
    got = seen(LUCK, "x", there, 1.0, 0.04, np.arange(5000))
    assert 0.03 < (got < there).mean() < 0.05
    assert seen(LUCK, "x", np.zeros(5, np.int64), 0.9, 0.0, np.arange(5)).tolist() == [0] * 5
    many = seen(LUCK, "x", np.full(5000, 5000), 0.97, 0.04, np.arange(5000))
    assert abs(np.median(many) / 5000 - 0.97) < 0.003


def test_shelf_reads_are_of_what_is_there():
    events, when = some_events()
    rows = np.array([0, 3, 6])
    paths = StockPaths.of(events, when, rows)
    times = reading_times(CLOCK, rows % 4, 60, 24, 21.0)
    reads = shelf_reads(LUCK, paths, rows, times, 0.97)
    there = paths.at(reads.row, reads.when_us)
    assert (reads.quantity <= np.maximum(there, 0)).all()
    assert 0.965 < reads.quantity.sum() / np.maximum(there, 0).sum() < 0.975


def test_only_what_is_counted_by_the_piece_carries_tags():
    countable = np.arange(1000) % 2 == 0
    tagged = tagged_items(LUCK, countable, 0.4)
    assert not (tagged & ~countable).any()
    assert tagged.sum() == pytest.approx(200, abs=40)


def test_sensors_in_bins_tell_heights_in_steps_and_nothing_of_what_lies_beside_the_bin():
    rows, full = np.array([3, 8]), np.array([10_000, 20])
    when = np.tile(np.arange(1, 201) * HOUR_US, 2)
    level = np.where(np.arange(200) < 100, 6_666, 12_000)
    paths = StockPaths(rows, np.array([0, 200, 400]), when, np.concatenate([level, np.full(200, 7)]))
    times = (np.repeat([0, 1], 200), np.tile(np.arange(200) // 24, 2), when)
    found = bin_readings(LUCK, paths, rows, times, full)
    of_first = found.quantity[found.row == 3]
    assert len(of_first) == 100
    assert (of_first % 10 == 0).all()
    assert abs(of_first.mean() - 6_666) < 4
    assert 0 < of_first.std() < 12
    small = found.quantity[found.row == 8]
    assert len(small) == 200
    assert set(small.tolist()) <= {5, 6, 7, 8, 9}
