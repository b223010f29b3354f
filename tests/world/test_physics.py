"""What happens in the world is plausible, and one decision changes only what it touches."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from stocktwin.world.catalogue import CLASSES, ERRATIC, INTERMITTENT, LUMPY, SEASONAL, SMOOTH, TRENDING, make_catalogue
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.demand import demand_of, demand_rate
from stocktwin.world.design import make_design
from stocktwin.world.draws import Draws
from stocktwin.world.lots import lot_code
from stocktwin.world.physics import run
from stocktwin.world.profile import PROFILES
from stocktwin.world.records import Event
from stocktwin.world.replenishment import transfer
from stocktwin.world.state import State

LUCK = Draws(3)
NETWORK = PROFILES["small"].network
DESIGN = make_design(LUCK, make_catalogue(LUCK, 500), NETWORK)
AROUND = Circumstances.of(LUCK, NETWORK, 365)


def demand_matrix(days: range) -> np.ndarray:
    return np.stack([demand_of(DESIGN, LUCK, AROUND, day) for day in days]) / DESIGN.quantum


@pytest.fixture(scope="module")
def asked() -> np.ndarray:
    return demand_matrix(range(365))


def adi_and_cv2(asked: np.ndarray, demand_class: int) -> tuple[float, float]:
    """Medians of the average interval between demands and of the squared variation of their sizes (Syntetos, Boylan and
    Croston 2005)."""
    intervals, variations = [], []
    for row in np.flatnonzero(DESIGN.items.demand_class[DESIGN.item] == demand_class):
        sizes = asked[asked[:, row] > 0, row]
        intervals.append(len(asked) / len(sizes))
        variations.append(sizes.var() / sizes.mean() ** 2)
    return median(intervals), median(variations)


def test_demand_classes_are_what_they_are_called(asked: np.ndarray):
    assert {CLASSES[c]: adi_and_cv2(asked, c)[0] < 1.32 for c in range(6)} == {
        "smooth": True, "erratic": True, "intermittent": False, "lumpy": False, "seasonal": True, "trending": True,
    }  # fmt: skip
    for demand_class, varied in ((SMOOTH, False), (INTERMITTENT, False), (ERRATIC, True), (LUMPY, True)):
        assert bool(adi_and_cv2(asked, demand_class)[1] > 0.49) is varied, CLASSES[demand_class]


def test_demand_has_the_mean_it_was_drawn_from(asked: np.ndarray):
    counts = np.isin(DESIGN.items.demand_class[DESIGN.item], (SMOOTH, ERRATIC, SEASONAL, TRENDING))
    expected = np.stack([demand_rate(DESIGN, AROUND, day) for day in range(365)])[:, counts].sum()
    assert asked[:, counts].sum() / expected == pytest.approx(1.0, abs=0.02)


def test_weeks_seasons_and_trends_show(asked: np.ndarray):
    kind = DESIGN.items.demand_class[DESIGN.item]
    by_weekday = [asked[day::7, kind == SMOOTH].mean() for day in range(7)]  # day 0 is a Wednesday
    assert by_weekday[5] > 1.3 * by_weekday[4]  # Monday over Sunday
    trending = asked[:, kind == TRENDING]
    change = trending[-60:].sum(axis=0) / np.maximum(1, trending[:60].sum(axis=0))
    assert (change > 1.4).mean() > 0.25
    assert (change < 0.7).mean() > 0.2


def test_classes_have_their_shares():
    share = np.bincount(DESIGN.items.demand_class, minlength=8) / len(DESIGN.items)
    assert share == pytest.approx([0.18, 0.08, 0.36, 0.19, 0.08, 0.05, 0.03, 0.03], abs=0.005)
    assert len(set(DESIGN.items.item_id)) == len(set(DESIGN.items.description)) == 500
    assert np.quantile(DESIGN.items.cost, 0.99) > 20 * np.median(DESIGN.items.cost)
    assert {"each", "kilogram", "litre"} == set(DESIGN.items.unit)


def test_one_decision_changes_only_its_item():
    item = int(np.flatnonzero(DESIGN.items.demand_class == SMOOTH)[0])
    s, S = DESIGN.reorder_point.copy(), DESIGN.order_up_to.copy()
    s[item * len(NETWORK.dcs)] *= 2
    S[item * len(NETWORK.dcs)] *= 2
    one, two = run(DESIGN, LUCK, 90).events, run(replace(DESIGN, reorder_point=s, order_up_to=S), LUCK, 90).events

    def happened(events, mine: bool) -> set[tuple[int, ...]]:
        at = (DESIGN.item[events.row] == item) == mine
        return set(zip(*(c[at].tolist() for c in (events.day, events.second, events.kind, events.row, events.quantity)),
                       strict=True))  # fmt: skip

    assert happened(one, False) == happened(two, False)
    assert happened(one, True) != happened(two, True)


def test_stock_outs_censor_sales_and_excess_lies_beside_them(world):
    asked = world.rows("truth/demand")
    served = sum(row["served"] for row in asked) / sum(row["asked"] for row in asked)
    assert 0.90 < served < 0.995
    assert all(0 <= row["served"] <= row["asked"] for row in asked)
    sold = defaultdict(int)
    for row in world.rows("truth/movements"):
        sold[row["kind"]] += "-L" not in (row["document"] or "")  # of several lots the first
    assert sold["sale"] == sum(row["served"] > 0 for row in asked)
    recent = defaultdict(float)
    for row in asked[-len(asked) // 5 :]:
        recent[row["item_id"], row["location_id"]] += float(row["asked"]) / (world.days / 5)
    end = max(row["date"] for row in world.rows("truth/balances"))
    last = defaultdict(float)
    for row in world.rows("truth/balances"):
        last[row["item_id"], row["location_id"]] += float(row["quantity"]) * (row["date"] == end)
    cover = defaultdict(list)
    for (item, place), level in last.items():
        if recent[item, place]:
            cover[item].append(level / recent[item, place])
    assert sum(min(days) < 3 and max(days) > 45 for days in cover.values()) >= 10


def test_nobody_moves_what_is_not_there():
    state = State.start(DESIGN, LUCK)  # day 0 is a Wednesday, when goods are moved
    donors = np.arange(0, len(DESIGN), len(NETWORK.dcs))
    plenty = 1000 * DESIGN.multiple[donors]
    state.missing.hidden[donors] = plenty
    transfer(state)
    assert not state.events
    state.missing.hidden[donors] = 0
    state.happen(Event.RECEIPT, donors, plenty, lot=lot_code(donors * 0, donors * 0))
    transfer(state)
    moved = state.events[1]
    assert len(moved.row) > 50
    assert set(moved.row.tolist()) <= set(donors.tolist())
    assert (state.on_hand >= 0).all()
