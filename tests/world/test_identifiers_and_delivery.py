"""Own names of the warehouse, and rows that come twice or in another order."""

from __future__ import annotations

import numpy as np

from stocktwin.world.clock import MINUTE, Clock
from stocktwin.world.delivery import Stutter, delivered
from stocktwin.world.draws import Draws
from stocktwin.world.identifiers import (
    MISSING,
    RIGHT,
    UNITS,
    WRONG,
    alias_codes,
    crossref_rows,
    draw_aliases,
    item_codes,
    neighbours,
    site_codes,
)
from stocktwin.world.profile import PROFILES
from stocktwin.world.rates import Rates

LUCK = Draws(5)


def luhn(code: str) -> int:
    digits = [int(d) for d in reversed(code)]
    return sum(d if k % 2 == 0 else sum(divmod(2 * d, 10)) for k, d in enumerate(digits)) % 10


def test_codes_are_unique_and_check_by_luhn():
    codes = item_codes(0, 5000)
    assert len(set(codes)) == 5000
    assert not any(luhn(code) for code in codes)
    assert item_codes(10, 5) == codes[10:15]
    assert len(set(site_codes(45))) == 45


def test_neighbours_are_mutual_and_of_one_unit():
    unit = ["each", "litre", "each", "each", "litre", "kilogram"]
    scale = np.array([0, 3, 0, 0, 3, 3])
    found = neighbours(unit, scale)
    assert found.tolist() == [2, 4, 0, 3, 1, 5]
    assert (found[found] == np.arange(6)).all()


def test_aliases_last_for_weeks_and_are_mostly_entered_rightly():
    item = np.repeat(np.arange(500), 4)
    other = neighbours(["each"] * 500, np.zeros(500, np.int64))
    aliases = draw_aliases(LUCK, item, other, 365, 0.5, 0.2, 0.1)
    assert abs(len(aliases.row) / 1000 - 1) < 0.15
    lasts = aliases.last_day - aliases.first_day
    assert (lasts.min() >= 14, lasts.max() <= 60) == (True, True)
    shares = [float((aliases.entry == kind).mean()) for kind in (RIGHT, MISSING, WRONG)]
    assert np.allclose(shares, (0.7, 0.2, 0.1), atol=0.04)
    wrong = aliases.entry == WRONG
    assert (aliases.entered_item[wrong] == other[item[aliases.row[wrong]]]).all()
    assert (aliases.entered_item[~wrong] == item[aliases.row[~wrong]]).all()
    shorter = draw_aliases(LUCK, item, other, 100, 0.5, 0.2, 0.1)
    assert (shorter.row == aliases.row[aliases.first_day < 100]).all()
    k = 7
    row, first, last = aliases.row[k], aliases.first_day[k], aliases.last_day[k]
    days = np.array([first - 1, first, last, last + 1])
    found = aliases.covering(np.full(4, row), days)
    assert [one >= 0 and aliases.row[one] == row for one in found.tolist()][1:3] == [True, True]


def test_the_list_holds_every_code_once():
    item = np.arange(20)
    aliases = draw_aliases(LUCK, item, item, 200, 2.0, 0.2, 0.0)
    codes = item_codes(0, 20)
    entered = [(code, f"I-{k}") for code, k, entry in zip(
        alias_codes(codes, aliases.row, aliases), aliases.entered_item, aliases.entry, strict=True) if entry == RIGHT
    ]  # fmt: skip
    rows = list(crossref_rows("wms", [(c, f"I-{k}") for k, c in enumerate(codes)], [("WH01", "DC-X")], entered))
    assert len({row[:3] for row in rows}) == len(rows) == 20 + 1 + len(entered) + len(UNITS)
    assert {row[1] for row in rows} == {"item", "location", "unit"}


def test_rows_come_once_in_order_where_nothing_is_wrong():
    clock = Clock.of(30, PROFILES["small"].network)
    none = Stutter.of(LUCK, clock, 30, "erp", Rates(duplicate_delivery=0.0, reordered_delivery=0.0))
    recorded = clock.midnight[0, 0] + np.arange(1000) * 37 * MINUTE
    assert delivered(recorded, none, LUCK).tolist() == list(range(1000))


def test_what_comes_twice_comes_again_after_its_window_and_nothing_is_lost():
    clock = Clock.of(60, PROFILES["small"].network)
    stutter = Stutter.of(LUCK, clock, 60, "erp", Rates(duplicate_delivery=40.0, reordered_delivery=40.0))
    recorded = clock.midnight[0, 0] + np.arange(20_000) * 4 * MINUTE
    order = delivered(recorded, stutter, LUCK)
    row, times = np.unique(order, return_counts=True)
    assert row.tolist() == list(range(20_000))
    nothing = np.zeros(20_000, np.int64)
    assert ((times == 2) == (stutter.twice.covering(nothing, recorded) >= 0)).all()
    assert 20 < (times == 2).sum() < 1000
    first = order[np.sort(np.unique(order, return_index=True)[1])]
    moved = np.flatnonzero(np.diff(recorded[first]) < 0)
    assert len(moved) > 10
    assert (stutter.mixed.covering(nothing[moved], recorded[first][moved]) >= 0).all()
    day_of = [(recorded[order[at]] - clock.midnight[0, 0]) // (1440 * MINUTE) for at in (0, -1)]
    assert day_of[0] < day_of[1]


def test_delivery_of_a_longer_world_begins_with_that_of_the_shorter():
    clock = Clock.of(60, PROFILES["small"].network)
    recorded = clock.midnight[0, 0] + np.arange(15_000) * 4 * MINUTE
    end = clock.midnight[30, 0]
    rates = Rates(duplicate_delivery=40.0)
    long, short = (Stutter.of(LUCK, clock, days, "erp", rates) for days in (60, 30))
    whole = delivered(recorded, long, LUCK)
    part = delivered(recorded[recorded < end], short, LUCK)
    assert whole[: len(part)].tolist() == part.tolist()
