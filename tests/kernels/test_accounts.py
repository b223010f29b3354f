"""Sums per account, against a dictionary; compiled and plain Python give the same."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels import accounts as kernels
from stocktwin.ledger.accounts import NEVER, WHOLE, Accounts, keys_of, parts_of

pytestmark = pytest.mark.kernels

Legs = list[tuple[int, int, int, int]]
LEGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 2), st.integers(1, 9)), max_size=300)
UNKNOWN = int(keys_of([6])[0])


def columns(legs: Legs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item, key (place and lot) and amount."""
    item, place, lot, amount = (np.array([leg[at] for leg in legs], np.int64) for at in range(4))
    return item.astype(np.int32), keys_of(place, lot), amount


def nothing() -> defaultdict[tuple[int, int], tuple[int, int]]:
    """Every account at zero."""
    return defaultdict(lambda: (0, 0))


def sums(accounts: Accounts) -> dict[tuple[int, int], tuple[int, int]]:
    """Quantity and legs by item and key, where there are legs."""
    c, n = accounts.columns, accounts.rows
    rows = zip(c.item[:n].tolist(), c.key[:n].tolist(), c.quantity[:n].tolist(), c.legs[:n].tolist(), strict=True)
    return {(item, key): (quantity, legs) for item, key, quantity, legs in rows if legs}


@settings(max_examples=40)
@given(first=LEGS, second=LEGS)
def test_legs_are_added_up_and_cleared(first: Legs, second: Legs) -> None:
    accounts, expected = Accounts(2), nothing()
    for legs, sign in ((first, 1), (second, -1)):
        accounts.know_items(4)
        accounts.post(*columns(legs), sign)
        for item, key, amount in zip(*map(np.ndarray.tolist, columns(legs)), strict=True):
            quantity, count = expected[item, key]
            expected[item, key] = quantity + sign * amount, count + 1
    assert sums(accounts) == expected
    other = accounts.copy()
    other.post(*columns(second), 1, step=-1)
    assert sums(accounts) == expected, "the copy is another's"
    other.post(*columns(first), -1, step=-1)
    assert sums(other) == {}
    item, key, _ = columns(first)
    rows = accounts.find(item, key)
    assert (accounts.columns.key[rows] == key).all()
    assert (accounts.columns.item[rows] == item).all()
    assert (accounts.find(item, keys_of(np.full(len(item), 99))) == -1).all()
    accounts.clear(np.array([1, 3], np.int32))
    assert sums(accounts) == {account: told for account, told in expected.items() if account[0] in (0, 2)}


@settings(max_examples=40)
@given(legs=LEGS, cut=st.integers(-1, 300))
def test_what_came_before_an_opening_is_moved_to_unknown(legs: Legs, cut: int) -> None:
    item, key, amount = columns(legs)
    time = np.arange(len(legs), dtype=np.int64)
    accounts = Accounts(4, opens=True)
    accounts.post(item, key, amount, 1)
    accounts.open(np.array([2], np.int32), keys_of([5]), np.array([10]), np.array([cut]), UNKNOWN)
    accounts.redirect(item, key, amount, time, 1, UNKNOWN)
    expected = nothing() | {(2, int(keys_of([5])[0])): (10, 1), (2, UNKNOWN): (-10, 1)}
    for at, (code, own) in enumerate(zip(item.tolist(), key.tolist(), strict=True)):
        early = code == 2 and own & WHOLE == keys_of([5])[0] and at <= cut
        account = UNKNOWN | (own & ~WHOLE) if early else own
        quantity, count = expected[code, account]
        expected[code, account] = quantity + int(amount[at]), count + 1
    assert sums(accounts) == expected
    assert sorted(set(accounts.columns.cut[: accounts.rows].tolist()) - {NEVER}) == [cut]


@settings(max_examples=20)
@given(legs=LEGS, ranks=st.permutations(range(61)))
def test_rows_are_ordered_by_item_place_and_lot(legs: Legs, ranks: list[int]) -> None:
    accounts = Accounts(4)
    accounts.post(*columns(legs), 1)
    accounts.lots.texts = [None, "b", "a"]
    place_rank = np.array(ranks)
    order = accounts.ordered(np.array([2, 0, 3, 1]), place_rank)
    place, lot, _, _ = parts_of(accounts.columns.key[order])
    item = np.array([2, 0, 3, 1])[accounts.columns.item[order]]
    told = list(zip(item, place_rank[place], np.array([0, 2, 1])[lot], strict=True))
    assert told == sorted(set(told))
    assert len(order) == accounts.rows


@pytest.mark.parametrize(
    "kernel", ["post", "post_known", "open_accounts", "redirect", "clear", "rows_at", "order_rows"]
)
def test_each_kernel_is_its_python_function(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    luck = np.random.default_rng(3)
    legs = list(zip(*(luck.integers(0, high, 800).tolist() for high in (4, 60, 3, 9)), strict=True))

    def run() -> tuple[object, ...]:
        accounts = Accounts(4, opens=True)
        item, key, amount = columns(legs)
        accounts.post(item, key, amount, -1, kernels.POSTED)
        accounts.open(item[:9], keys_of(np.arange(9)), amount[:9], amount[:9] * 50, UNKNOWN)
        accounts.redirect(item, key, amount, np.arange(800), -1, UNKNOWN)
        accounts.post(item[:300], key[:300], amount[:300], 1)
        accounts.post(item[200:300], key[200:300], amount[200:300], -1, step=-1)
        accounts.clear(np.array([3], np.int32))
        accounts.lots.texts = [None, "b", "a"]
        order = accounts.ordered(np.arange(4), np.arange(61)[::-1].copy())
        return sums(accounts), accounts.find(item, key).tolist(), order.tolist()

    compiled = run()
    monkeypatch.setattr(kernels, kernel, getattr(kernels, kernel)._plain)
    assert run() == compiled
