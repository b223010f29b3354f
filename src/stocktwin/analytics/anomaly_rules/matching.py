"""Which postings of two systems tell of the same event.

First by order line or document, then by quantity and time; a posting matched with another quantity is a disagreement,
one that is not matched at all may be a missing post. What was taken back takes no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stocktwin.analytics.anomaly_rules.facts import UNSURE, Facts, Flags, Ints, dense
from stocktwin.analytics.anomaly_rules.model import DAY


@dataclass(frozen=True)
class Match:
    """The postings of two systems side by side; rows are rows of the movements."""

    first: int
    second: int
    """Codes of the two systems."""
    pairs: Ints
    """[n, 2] rows that tell of the same event."""
    alone: Ints
    """Rows of either that the other has nothing for."""
    lag: int
    """How far apart in time the two tell of the same event (99.5 %, at least a day), µs."""


def match_systems(facts: Facts) -> list[Match]:
    """Every two systems that report the same kind of movement at the same place, matched; not those that only sense."""
    moves = facts.movements
    posting = [code for code, name in enumerate(moves.systems) if name not in facts.sensing]
    unsure = [code for code, name in enumerate(moves.kinds) if name in UNSURE and name != "return"]
    usable = (moves.place >= 0) & ~moves.settled & ~np.isin(moves.kind, unsure)
    out = []
    for first, second in combinations(posting, 2):
        mine, theirs = (np.flatnonzero(usable & (moves.system == code)) for code in (first, second))
        scope = dense(moves.kind, moves.place)
        shared = np.intersect1d(scope[mine], scope[theirs])
        mine, theirs = (rows[np.isin(scope[rows], shared)] for rows in (mine, theirs))
        if len(mine) and len(theirs):
            out.append(_match(facts, first, second, mine, theirs))
    return out


def _match(facts: Facts, first: int, second: int, mine: Ints, theirs: Ints) -> Match:
    moves = facts.movements
    by_order = dense(moves.kind, moves.item, moves.place, moves.order, moves.line)
    by_document = dense(moves.kind, moves.item, moves.place, moves.document)
    by_quantity = dense(moves.kind, moves.item, moves.place, moves.quantity)
    found: list[Ints] = []
    for key, known in ((by_order, moves.order >= 0), (by_document, moves.document >= 0)):
        pairs, mine, theirs = _by_reference(facts, key, known, mine, theirs)
        found.append(pairs)
    apart = np.abs(np.diff(moves.time[np.concatenate(found)], axis=1)).ravel()
    usual = float(np.quantile(apart, 0.995)) if len(apart) >= 20 else 0.0
    longest = facts.thresholds.longest_lag_days * DAY
    lag = int(min(max(usual * 1.5, facts.longest_lag, DAY), max(longest, facts.longest_lag)))
    pairs, mine, theirs = _by_time(facts, by_quantity, mine, theirs, lag)
    found.append(pairs)
    pairs, mine, theirs = _leftovers(facts, dense(moves.kind, moves.item, moves.place), mine, theirs, lag)
    found.append(pairs)
    return Match(first, second, np.concatenate(found), np.concatenate([mine, theirs]), lag)


def _by_reference(facts: Facts, key: Ints, known: Flags, mine: Ints, theirs: Ints) -> tuple[Ints, Ints, Ints]:
    """Pairs with the same order line or document: equal quantities first, then what is left in time order.

    Where one side posted in parts what the other posted whole, equal sums settle the whole reference.
    """
    moves = facts.movements
    left, right = mine[known[mine]], theirs[known[theirs]]
    exact = dense(key, moves.quantity)
    pairs, left, right = _ranked(moves.time, exact, left, right)
    split = _equal_sums(facts, key, left, right)
    left, right = left[~np.isin(key[left], split)], right[~np.isin(key[right], split)]
    more, left, right = _ranked(moves.time, key, left, right)
    settled = np.isin(key, split) & known
    return (
        np.concatenate([pairs, more]),
        np.concatenate([mine[~known[mine]], left]),
        np.concatenate([theirs[~known[theirs]], right[~settled[right]]]),
    )


def _ranked(time: Ints, key: Ints, left: Ints, right: Ints) -> tuple[Ints, Ints, Ints]:
    """The n-th of a key on the left with the n-th on the right; and what is left of both."""
    codes = []
    for rows in (left, right):
        order = rows[np.lexsort((time[rows], key[rows]))]
        begins = np.flatnonzero(np.diff(key[order], prepend=-1) != 0)
        rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))
        codes.append((order, key[order] * (len(time) + 1) + rank))
    (mine, a), (theirs, b) = codes
    _, at, to = np.intersect1d(a, b, assume_unique=True, return_indices=True)
    pairs = np.stack([mine[at], theirs[to]], axis=1)
    return pairs, np.delete(mine, at), np.delete(theirs, to)


def _equal_sums(facts: Facts, key: Ints, left: Ints, right: Ints) -> Ints:
    """Keys of which both sides posted the same total beside what is already matched."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for side, rows in enumerate((left, right)):
        for row in rows.tolist():
            totals[int(key[row])][side] += int(facts.movements.quantity[row])
    return np.array([code for code, (a, b) in totals.items() if a == b], np.int64)


def _by_time(facts: Facts, key: Ints, mine: Ints, theirs: Ints, lag: int) -> tuple[Ints, Ints, Ints]:
    """Pairs of the same key in time order, none further apart than the lag."""
    return _walk(facts, key, mine, theirs, lag, only_single=False)


def _leftovers(facts: Facts, key: Ints, mine: Ints, theirs: Ints, lag: int) -> tuple[Ints, Ints, Ints]:
    """Pairs of different quantity, where nothing else within the lag could be meant."""
    return _walk(facts, key, mine, theirs, lag, only_single=True)


def _walk(facts: Facts, key: Ints, mine: Ints, theirs: Ints, lag: int, only_single: bool) -> tuple[Ints, Ints, Ints]:
    moves = facts.movements
    right: dict[int, list[int]] = defaultdict(list)
    for row in theirs[np.argsort(moves.time[theirs], kind="stable")].tolist():
        right[int(key[row])].append(row)
    pairs, used = [], set()
    ordered = mine[np.argsort(moves.time[mine], kind="stable")].tolist()
    left = _near_counts(moves.time, key, ordered, lag) if only_single else {}
    for row in ordered:
        near = [r for r in right.get(int(key[row]), ()) if abs(moves.time[r] - moves.time[row]) <= lag]
        near = [r for r in near if r not in used]
        if not near or (only_single and (len(near) > 1 or left[row] > 1 or _other_order(facts, row, near[0]))):
            continue
        used.add(near[0])
        pairs.append((row, near[0]))
    taken = {row for row, _ in pairs}
    return (
        np.array(pairs, np.int64).reshape(-1, 2),
        np.array([row for row in mine.tolist() if row not in taken], np.int64),
        np.array([row for row in theirs.tolist() if row not in used], np.int64),
    )


def _other_order(facts: Facts, row: int, other: int) -> bool:
    """Whether two postings name different order lines: then they are different events."""
    moves = facts.movements
    both = moves.order[row] >= 0 and moves.order[other] >= 0
    return bool(both and (moves.order[row], moves.line[row]) != (moves.order[other], moves.line[other]))


def _near_counts(time: Ints, key: Ints, rows: Iterable[int], lag: int) -> dict[int, int]:
    """How many of the rows with the same key lie within the lag of each (itself included)."""
    by_key: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_key[int(key[row])].append(row)
    return {
        row: sum(abs(int(time[other]) - int(time[row])) <= lag for other in rows_of)
        for rows_of in by_key.values()
        for row in rows_of
    }
