"""Moves from bin to bin: the warehouse tells them, nobody's stock changes, and they give nothing away."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest

MINUTE = 60_000_000
MOVES = "feeds/wms/movements-3-bins"


@pytest.fixture(scope="module", params=["world", "troubled"])
def any_world(request):
    return request.getfixturevalue(request.param)


def put_away(rows):
    return [row for row in rows if row["reason"] == "put away"]


def test_a_move_changes_nothing_but_the_bin(any_world):
    moves = any_world.rows(MOVES)
    assert {row["reason"] for row in moves} == {"put away", "re-slotted"}
    for row in moves:
        assert row["kind"] == "status"
        assert row["from_id"] == row["to_id"]
        assert row["from_id"].startswith("DC-")
        assert row["from_bin"] != row["to_bin"]
        assert row["condition"] is row["to_condition"] is row["order_id"] is row["corrects"] is None
        assert row["quantity"] > 0
    assert len({row["event_id"] for row in moves}) == len(moves)
    assert not [level for level in any_world.fold(moves).level.values() if level]


def test_what_has_come_in_is_put_away_as_it_was_posted(any_world):
    first = {row["event_id"]: row for row in any_world.rows("feeds/wms/movements")}
    puts = put_away(any_world.rows(MOVES))
    came = [row for row in first.values() if row["kind"] in ("receipt", "transfer_in") and not row["corrects"]]
    assert 0.8 * len(came) < len(puts) <= len(came)
    for row in puts:
        receipt = first[row["event_id"].removesuffix("-P")]
        assert [row[name] for name in ("item_id", "quantity", "unit", "lot", "document", "to_id")] == [
            receipt[name] for name in ("item_id", "quantity", "unit", "lot", "document", "to_id")
        ]
        assert 15 * MINUTE <= row["event_time"] - receipt["event_time"] <= 90 * MINUTE
        assert row["recorded_at"] >= receipt["recorded_at"]
        assert row["from_bin"].startswith("DOCK-")


def test_bins_follow_each_other(any_world):
    """The bin that goods are put into is the one they are moved out of next."""
    silent = any_world.rows("truth/faults")
    site = [row for row in silent if row["item_id"] is None]  # no dead sensor
    skewed = {row["location_id"] for row in site if row["cause"] in ("clock_skew", "silent_system")}
    trail = defaultdict(list)
    for row in any_world.rows(MOVES):
        trail[row["item_id"], row["to_id"]].append(row)
    changed = 0
    for (_, place), rows in trail.items():
        rows.sort(key=lambda row: row["event_time"])
        bin_now = None
        for row in rows:
            if row["reason"] == "re-slotted":
                assert place in skewed or bin_now in (None, row["from_bin"])
                changed += 1
            else:
                assert place in skewed or bin_now in (None, row["to_bin"])
            bin_now = row["to_bin"]
    assert changed > 50


def test_a_move_says_less_than_a_count(any_world):
    """Only part of a shelf is moved, so that nobody learns from it how much there is."""
    stated = {}
    for row in any_world.rows("truth/balances"):
        stated[row["date"], row["item_id"], row["location_id"]] = Fraction(row["quantity"])
    share = []
    for row in any_world.rows(MOVES):
        if row["reason"] == "re-slotted":
            lot_free = [q for (_, item, place), q in stated.items() if (item, place) == (row["item_id"], row["to_id"])]
            share.append(Fraction(row["quantity"]) / max(lot_free))
            if len(share) == 40:
                break
    assert all(part < 1 for part in share)
    assert len({float(part) for part in share}) > 20
