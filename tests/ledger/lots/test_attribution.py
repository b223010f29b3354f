"""Attribution of issues that name no lot, against a model that moves one unit at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stocktwin.ledger.lots import attribution
from stocktwin.ledger.lots.attribution import Piece, attribute
from stocktwin.ledger.lots.flow import Flow

CUSTOMER, SUPPLIER, A, B, LANE = 0, 1, 10, 11, 12
POOLED = frozenset({A, B, LANE})
EXPIRY = {"X": date(2026, 3, 1), "Y": date(2026, 2, 1), "Z": date(2026, 4, 1)}
WAYS = ((SUPPLIER, A), (SUPPLIER, B), (A, LANE), (LANE, B), (A, CUSTOMER), (B, CUSTOMER), (B, A))
Move = tuple[tuple[int, int], str | None, int]
Balance = dict[tuple[int, str | None], int]


def flow_of(moves: list[Move], corrects: dict[int, int] | None = None) -> Flow:
    """Movements of one item, each an hour after the one before."""
    n = len(moves)
    told = [None if row not in (corrects or {}) else str((corrects or {})[row]) for row in range(n)]
    none: list[str | None] = [None] * n
    return Flow(
        1, list(range(n)), [way[0] for way, _, _ in moves], [way[1] for way, _, _ in moves],
        [lot for _, lot, _ in moves], [lot for _, lot, _ in moves], ["unrestricted"] * n, ["unrestricted"] * n,
        none, none, [quantity for *_, quantity in moves], ["transfer_out"] * n, [0] * n, [str(row) for row in range(n)],
        told, none, [1] * n, list(range(n)),
    )  # fmt: skip


def balances(flow: Flow, pieces: list[Piece]) -> Balance:
    """Balances of all places by lot, zero ones left out."""
    total: Balance = defaultdict(int)
    for piece in pieces:
        total[flow.left[piece.row], piece.lot] -= piece.quantity
        total[flow.into[piece.row], piece.to_lot] += piece.quantity
    return {key: quantity for key, quantity in total.items() if quantity}


class Model:
    """The rules as the decision tells them: one unit at a time, everything looked up anew."""

    def __init__(self, moves: list[Move], rule: str) -> None:
        self.moves, self.rule = moves, rule
        self.stock: Balance = defaultdict(int)
        self.since: Balance = {}
        self.waiting: dict[int, list[int]] = defaultdict(list)
        self.now = 0

    def run(self) -> Balance:
        for row, ((left, _), lot, quantity) in enumerate(self.moves):
            self.now = row
            for _unit in range(quantity):
                if lot is not None or left not in POOLED:
                    self.step(row, lot)
                elif (drawn := self.choice(left)) is not Ellipsis:
                    self.step(row, drawn)
                else:
                    self.waiting[left].append(row)
            self.serve()
        self.now = len(self.moves)
        while any(self.waiting.values()):
            place = min((queue[0], place) for place, queue in self.waiting.items() if queue)[1]
            first = self.waiting[place][0]
            alike = self.waiting[place].count(first)
            self.waiting[place] = self.waiting[place][alike:]
            for _unit in range(alike):
                self.step(first, None)
            self.serve()
        for place in POOLED:
            for lot in sorted(EXPIRY):
                while self.stock[place, lot] < 0 < self.stock[place, None]:
                    self.stock[place, lot] += 1
                    self.stock[place, None] -= 1
        return {key: quantity for key, quantity in self.stock.items() if quantity}

    def step(self, row: int, lot: str | None) -> None:
        left, into = self.moves[row][0]
        self.stock[left, lot] -= 1
        if self.stock[into, lot] <= 0:
            self.since[into, lot] = len(self.since) + sum(self.since.values()) + 1
        self.stock[into, lot] += 1

    def serve(self) -> None:
        for place in sorted(POOLED) * 4:
            while self.waiting[place] and (lot := self.choice(place)) is not Ellipsis:
                self.step(self.waiting[place].pop(0), lot)

    def choice(self, place: int) -> Any:
        lots = [
            lot for (at, lot), there in self.stock.items() if at == place and there > 0 and self.free(place, lot) > 0
        ]
        expiry = {lot: EXPIRY.get(lot or "", date.max) for lot in lots}
        if self.rule == "fifo":
            return min(lots, key=lambda lot: self.since[place, lot], default=Ellipsis)
        return min(lots, key=lambda lot: (lot is None, expiry[lot], self.since[place, lot]), default=Ellipsis)

    def free(self, place: int, lot: str | None) -> int:
        """What stands there, less the most that later named movements will take beyond what they bring."""
        net = worst = 0
        for (left, into), named, quantity in self.moves[self.now + 1 :]:
            if named is not None and named == lot:
                net += quantity * ((into == place) - (left == place))
                worst = min(worst, net)
        return self.stock[place, lot] + worst


moves_of = st.lists(
    st.tuples(st.sampled_from(WAYS), st.sampled_from([None, None, "X", "Y", "Z"]), st.integers(1, 6)),
    min_size=1, max_size=14,
)  # fmt: skip


def run(moves: list[Move], rule: str) -> tuple[Flow, list[Piece]]:
    flow = flow_of(moves)
    return flow, attribute(flow, POOLED, EXPIRY, lambda place: rule)


@given(moves_of, st.sampled_from(["fefo", "fifo", "as_told"]))
def test_nothing_is_lost_and_what_was_told_stays(moves: list[Move], rule: str) -> None:
    flow, pieces = run(moves, rule)
    for row, (_, lot, quantity) in enumerate(moves):
        mine = [piece for piece in pieces if piece.row == row]
        assert sum(piece.quantity for piece in mine) == quantity
        assert all(piece.quantity > 0 for piece in mine)
        if lot is not None:
            assert {piece.to_lot for piece in mine} == {lot}
            assert {piece.lot for piece in mine} <= {lot, None}
        if rule == "as_told":
            assert [(piece.lot, piece.inferred) for piece in mine] == [(lot, False)]
    by_place: dict[int, int] = defaultdict(int)
    for (place, _), quantity in balances(flow, pieces).items():
        by_place[place] += quantity
    told: dict[int, int] = defaultdict(int)
    for (left, into), _, quantity in moves:
        told[left] -= quantity
        told[into] += quantity
    assert {k: q for k, q in by_place.items() if q} == {k: q for k, q in told.items() if q}


def no_residue(moves: list[Move], rule: str) -> None:
    """No stock without a lot is owed where lots stand untouched, and no lot is owed where stock without one stands."""
    flow, pieces = run(moves, rule)
    held = balances(flow, pieces)
    for place in POOLED:
        lots = [quantity for (at, lot), quantity in held.items() if at == place and lot is not None]
        bare = held.get((place, None), 0)
        assert not (bare < 0 < max(lots, default=0)), (place, held)
        assert not (bare > 0 > min(lots, default=0)), (place, held)


@given(moves_of, st.sampled_from(["fefo", "fifo"]))
def test_no_negative_residue_stands_beside_untouched_lots(moves: list[Move], rule: str) -> None:
    no_residue(moves, rule)


def unit_by_unit(moves: list[Move], rule: str) -> None:
    flow, pieces = run(moves, rule)
    assert balances(flow, pieces) == Model(moves, rule).run()


@given(moves_of)
def test_first_expired_first_out_is_what_the_model_says(moves: list[Move]) -> None:
    unit_by_unit(moves, "fefo")


@given(moves_of)
def test_first_in_first_out_is_what_the_model_says(moves: list[Move]) -> None:
    unit_by_unit(moves, "fifo")


RECEIVED: list[Move] = [((SUPPLIER, A), "X", 5), ((SUPPLIER, A), "Y", 5), ((SUPPLIER, A), None, 5)]


@pytest.mark.parametrize(
    ("rule", "drawn"),
    [("fefo", [("Y", 5), ("X", 2)]), ("fifo", [("X", 5), ("Y", 2)]), ("as_told", [(None, 7)])],
)
def test_an_issue_draws_by_the_rule(rule: str, drawn: list[tuple[str | None, int]]) -> None:
    _, pieces = run([*RECEIVED, ((A, CUSTOMER), None, 7)], rule)
    assert [(piece.lot, piece.quantity) for piece in pieces if piece.row == 3] == drawn


def test_what_a_later_issue_names_is_left_for_it() -> None:
    _, pieces = run([*RECEIVED, ((A, CUSTOMER), None, 4), ((A, CUSTOMER), "Y", 4)], "fefo")
    assert [(piece.lot, piece.quantity) for piece in pieces if piece.row == 3] == [("Y", 1), ("X", 3)]


def test_an_issue_told_before_its_receipt_waits_for_it() -> None:
    moves: list[Move] = [((A, LANE), None, 3), ((LANE, B), None, 3), ((SUPPLIER, A), "X", 4), ((B, CUSTOMER), None, 1)]
    flow, pieces = run(moves, "fefo")
    assert balances(flow, pieces) == {(SUPPLIER, "X"): -4, (A, "X"): 1, (B, "X"): 2, (CUSTOMER, "X"): 1}


def test_a_lot_named_at_issue_only_was_in_the_stock_without_a_lot() -> None:
    flow, pieces = run([((SUPPLIER, A), None, 10), ((A, CUSTOMER), "X", 4)], "fefo")
    assert balances(flow, pieces) == {(SUPPLIER, None): -10, (A, None): 6, (CUSTOMER, "X"): 4}
    assert pieces[1] == Piece(1, None, "X", 4, True)


def test_a_cancelled_issue_brings_back_the_lots_it_drew() -> None:
    moves: list[Move] = [*RECEIVED, ((A, CUSTOMER), None, 7), ((CUSTOMER, A), None, 6)]
    flow = flow_of(moves, corrects={4: 3})
    pieces = attribute(flow, POOLED, EXPIRY, lambda place: "fefo")
    assert [(piece.lot, piece.quantity) for piece in pieces if piece.row == 4] == [("Y", 5), ("X", 1)]


def test_a_lot_that_was_told_becomes_another_at_a_relabelling() -> None:
    flow = replace(flow_of([((SUPPLIER, A), "X", 5), ((A, B), None, 3)]), to_lot=["X", "Z"])
    pieces = attribute(flow, POOLED, EXPIRY, lambda place: "fefo")
    assert balances(flow, pieces) == {(SUPPLIER, "X"): -5, (A, "X"): 2, (B, "Z"): 3}


Plant = tuple[str, str, Any]
BUGS: list[Plant] = [
    ("Shelf", "free", lambda self, lot, row: self.quantity[lot]),
    ("Attribution", "_identify", lambda self: None),
    ("Attribution", "_serve", lambda self: None),
    (
        "Attribution",
        "_order",
        lambda self, shelf, rule: sorted((k for k, q in shelf.quantity.items() if q > 0), key=str),
    ),
]


@pytest.mark.parametrize(("owner", "name", "bug"), BUGS, ids=[name for _, name, _ in BUGS])
def test_the_properties_find_planted_bugs(
    owner: str, name: str, bug: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getattr(attribution, owner), name, bug)

    @settings(max_examples=1_000, derandomize=True, database=None, phases=[Phase.generate])
    @given(moves_of, st.sampled_from(["fefo", "fifo"]))
    def everything(moves: list[Move], rule: str) -> None:
        no_residue(moves, rule)
        unit_by_unit(moves, rule)

    with pytest.raises((AssertionError, ExceptionGroup)):
        everything()
