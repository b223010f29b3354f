"""What is shown together can be done together."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.prescription.recommendation import Subject
from stocktwin.prescription.shown import shares, side_by_side, worthwhile_set
from stocktwin.prescription.situation import Candidate

ROWS = 8


def transfer(row: int, donor: int, quantity: int) -> Candidate:
    return Candidate(Subject("transfer", "I", str(row)), row, quantity, 1.0, True, donor=donor)


def other(row: int) -> Candidate:
    return Candidate(Subject("safety_stock", "I", str(row)), row, 5, 1.0, True)


actions = st.one_of(
    st.builds(other, st.integers(0, ROWS - 1)),
    st.builds(transfer, st.integers(0, ROWS - 1), st.integers(0, ROWS - 1), st.integers(1, 40)).filter(
        lambda one: one.row != one.donor
    ),
)


@given(st.lists(actions, max_size=30), st.lists(st.integers(0, 60), min_size=ROWS, max_size=ROWS), st.integers(0, 20))
@settings(deadline=None, max_examples=200)
def test_nothing_is_promised_twice(ranked: list[Candidate], surplus: list[int], limit: int) -> None:
    taken = [ranked[place] for place in side_by_side(ranked, np.array(surplus, np.int64), limit)]
    given_away: Counter[int] = Counter()
    for one in taken:
        if one.donor >= 0:
            given_away[one.donor] += one.quantity
    assert all(quantity <= surplus[row] for row, quantity in given_away.items())
    assert max(Counter(one.row for one in taken).values(), default=0) <= 1
    assert not {one.row for one in taken} & set(given_away)
    assert len(taken) <= limit


def test_a_donor_gives_to_several_while_it_lasts_and_the_better_one_goes_first() -> None:
    ranked = [transfer(0, 7, 30), transfer(1, 7, 30), transfer(2, 7, 20), other(0), other(7), other(3)]
    assert side_by_side(ranked, np.full(ROWS, 50, np.int64), 10) == [0, 2, 5]


def along(lane: str, row: int, value: float, cost: float = 100.0) -> Candidate:
    return Candidate(
        Subject("transfer", "I", str(row), lane[0], lane[1]), row, 5, value, True, donor=row + 4, shipment_cost=cost
    )


def test_transfers_along_one_lane_share_a_shipment() -> None:
    together = [along("AB", 0, 75.0), along("AB", 1, 50.0), along("AC", 2, 90.0), other(3)]
    assert worthwhile_set(together, np.full(ROWS, 50, np.int64), 10) == [together[0], together[1], together[3]]
    assert shares(together[:2], [75.0, 50.0]) == [60.0, 40.0]
    assert shares([other(3), along("AC", 2, 0.0)], [5.0, 0.0]) == [0.0, 100.0]


def test_a_shipment_that_the_limit_leaves_half_empty_is_dropped() -> None:
    ranked = [other(3), along("AB", 0, 75.0), along("AB", 1, 50.0)]
    assert worthwhile_set(ranked, np.full(ROWS, 50, np.int64), 2) == [ranked[0]]
