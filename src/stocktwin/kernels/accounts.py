"""Sums per account: rows in order of first appearance, found by a small open-addressing table per item.

An account is an item and a 64-bit key (its place, lot, owner and condition). The tables of all items lie in one arena;
one that fills up moves to its end at twice the size. A thousand legs of an item thus touch a few cache lines, and ten
thousand legs of any items a few milliseconds' worth of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stocktwin.kernels.jit import Int32Vector, Int64Vector, borrow, kernel

FEW: Final = 8
"""Slots of an item's first table."""
BLOCK: Final = 128
"""Legs that are looked up side by side."""
FED: Final = 1
"""Flag of an item and place: a source whose accounts open with a snapshot posts to it."""
CLAIMED: Final = 2
"""Flag: nothing posts to it, and such a source states levels of it."""
POSTED: Final = 4
"""Flag: something posts to it."""

GAPS: Final = np.array([40_000, 13_000, 4_100, 1_750, 701, 301, 132, 57, 23, 10, 4, 1])
"""Ciura, "Best increments for the average case of Shellsort" (2001), and some beyond his."""


class Columns(NamedTuple):
    """What the kernels work on. `n` = [rows, slots] in use."""

    start: Int64Vector
    """By item, where its table begins."""
    size: Int64Vector
    """Slots of its table, a power of two."""
    used: Int64Vector
    slots: Int32Vector
    """Row of an account, −1 where free."""
    item: Int32Vector
    key: Int64Vector
    quantity: Int64Vector
    legs: Int32Vector
    """Postings; a row without any is not shown."""
    cut: Int64Vector
    """When the item's stock at the place opened, kept at the key of the place alone; the least integer: it did not.
    Empty, like the flags, where nothing opens with a level."""
    flags: Int32Vector
    n: Int64Vector


@kernel(inline=True)
def first_slot(c: Columns, item: int, key: int) -> int:
    """The slot where an account is looked for first: a multiplicative hash (Knuth, vol. 3, 6.4)."""
    mixed = np.uint64(key ^ (key >> 40)) * np.uint64(0x9E3779B97F4A7C15)
    return int(c.start[item] + (np.int64(mixed >> np.uint64(40)) & (c.size[item] - 1)))


@kernel()
def slot_of(c: Columns, item: int, key: int) -> int:
    """The slot of an account, or the free one where it belongs."""
    first = c.start[item]
    last = first + c.size[item] - 1
    at = first_slot(c, item, key)
    while c.slots[at] >= 0 and c.key[c.slots[at]] != key:
        at = first if at == last else at + 1
    return at


@kernel()
def widen(c: Columns, item: int) -> bool:
    """Moves an item's table to the end of the arena at twice the size; whether there was room."""
    old, size = c.start[item], c.size[item]
    if c.n[1] + 2 * size > c.slots.shape[0]:
        return False
    c.start[item] = c.n[1]
    c.size[item] = 2 * size
    c.n[1] += 2 * size
    for at in range(old, old + size):
        row = c.slots[at]
        if row >= 0:
            c.slots[slot_of(c, item, c.key[row])] = row
    return True


@kernel()
def row_of(c: Columns, item: int, key: int) -> int:
    """The row of an account, made when there is none; −1 when there is no room for it."""
    at = slot_of(c, item, key)
    if c.slots[at] >= 0:
        return int(c.slots[at])
    row = int(c.n[0])
    if row == c.item.shape[0]:
        return -1
    if 4 * (c.used[item] + 1) > 3 * c.size[item]:
        if not widen(c, item):
            return -1
        at = slot_of(c, item, key)
    c.slots[at] = row
    c.item[row] = item
    c.key[row] = key
    c.used[item] += 1
    c.n[0] += 1
    return row


@kernel()
def post_known(columns: Columns, item: Int32Vector, key: Int64Vector, amount: Int64Vector, sign: int, step: int,
               left: Int64Vector) -> int:  # fmt: skip
    """As `post`, where the account lies in the first slot it may: nearly always. `left` gets the places of the other
    legs; how many they are.

    Block by block, what is looked up does not wait for what was looked up before: twice the speed of a leg at a time.
    """
    c = borrow(columns)
    rows = np.empty(BLOCK, np.int64)
    n = 0
    for low in range(0, item.shape[0], BLOCK):
        count = min(BLOCK, item.shape[0] - low)
        for j in range(count):
            rows[j] = c.slots[first_slot(c, item[low + j], key[low + j])]
        for j in range(count):
            if rows[j] >= 0 and c.key[rows[j]] != key[low + j]:
                rows[j] = -1
        for j in range(count):
            if rows[j] >= 0:
                c.quantity[rows[j]] += sign * amount[low + j]
                c.legs[rows[j]] += step
            else:
                left[n] = low + j
                n += 1
    return n


@kernel()
def post(columns: Columns, item: Int32Vector, key: Int64Vector, amount: Int64Vector, sign: int, step: int, whole: int,
         flags: int, begin: int) -> int:  # fmt: skip
    """Adds sign × amount to accounts and `step` (1; −1 takes back) to their legs, from place `begin` on; how far it
    came before the room ran out.

    `flags` are set at the key of the place alone, which is the key and `whole`; none are where they are 0.
    """
    c = borrow(columns)
    for i in range(begin, item.shape[0]):
        row = row_of(c, item[i], key[i])
        if row < 0:
            return int(i)
        if flags:
            alone = row_of(c, item[i], key[i] & whole)
            if alone < 0:
                return int(i)
            c.flags[alone] |= flags
        c.quantity[row] += sign * amount[i]
        c.legs[row] += step
    return int(item.shape[0])


@kernel()
def open_accounts(columns: Columns, item: Int32Vector, key: Int64Vector, level: Int64Vector, cut: Int64Vector,
                  unknown: int, begin: int) -> int:  # fmt: skip
    """Posts opening levels from the account `unknown` and notes their cut-offs; how far it came."""
    c = borrow(columns)
    for i in range(begin, item.shape[0]):
        row, other = row_of(c, item[i], key[i]), row_of(c, item[i], unknown)
        if row < 0 or other < 0:
            return int(i)
        c.cut[row] = cut[i]
        c.quantity[row] += level[i]
        c.quantity[other] -= level[i]
        c.legs[row] += 1
        c.legs[other] += 1
    return int(item.shape[0])


@kernel()
def redirect(columns: Columns, item: Int32Vector, key: Int64Vector, amount: Int64Vector, time: Int64Vector, sign: int,
             whole: int, unknown: int, begin: int) -> int:  # fmt: skip
    """Moves legs that were posted up to their account's cut-off to `unknown`, lot, owner and condition as they are."""
    c = borrow(columns)
    for i in range(begin, item.shape[0]):
        at = int(c.slots[slot_of(c, item[i], key[i] & whole)])
        if at < 0 or time[i] > c.cut[at]:
            continue
        other = row_of(c, item[i], unknown | (key[i] & ~whole))
        if other < 0:
            return int(i)
        row = row_of(c, item[i], key[i])
        c.quantity[row] -= sign * amount[i]
        c.legs[row] -= 1
        c.quantity[other] += sign * amount[i]
        c.legs[other] += 1
    return int(item.shape[0])


@kernel()
def rows_at(columns: Columns, item: Int32Vector, key: Int64Vector, out: Int64Vector) -> None:
    """Rows of accounts, −1 where there is none."""
    c = borrow(columns)
    for i in range(item.shape[0]):
        out[i] = c.slots[slot_of(c, item[i], key[i])]


@kernel()
def clear(columns: Columns, items: Int32Vector, never: int) -> None:
    """Takes everything from the accounts of some items."""
    c = borrow(columns)
    for i in range(items.shape[0]):
        first = c.start[items[i]]
        for at in range(first, first + c.size[items[i]]):
            row = c.slots[at]
            if row >= 0:
                c.quantity[row] = 0
                c.legs[row] = 0
                if c.cut.shape[0]:
                    c.cut[row] = never
                    c.flags[row] = 0


@kernel()
def order_rows(item_rank: Int32Vector, rank: Int64Vector, first: Int64Vector, out: Int32Vector) -> None:
    """Rows by rank of their item, then by their own. `first` = places where each item's rows begin, and is used up."""
    for row in range(item_rank.shape[0]):
        out[first[item_rank[row]]] = row
        first[item_rank[row]] += 1
    low = 0
    for high in first:
        sort_run(rank, out, low, high)
        low = high


@kernel()
def sort_run(rank: Int64Vector, out: Int32Vector, low: int, high: int) -> None:
    """Shell's sort of out[low:high] by rank."""
    for gap in GAPS:
        for i in range(low + gap, high):
            row = out[i]
            at = i
            while at >= low + gap and rank[out[at - gap]] > rank[row]:
                out[at] = out[at - gap]
                at -= gap
            out[at] = row
