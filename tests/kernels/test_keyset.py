"""The table of fingerprints against a Python dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.kernels.keyset import UNSURE, find_keys, move_keys, put_keys

KEYS = st.one_of(st.integers(0, 6), st.integers(0, 2**64 - 1), st.integers(2**64 - 4, 2**64 - 1))
"""Some of one home slot (also the last one, so that probing wraps round), some anywhere."""


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([key for key, _ in pairs], np.uint64), np.array([number for _, number in pairs], np.uint32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(KEYS, st.integers(1, 3)), max_size=14), st.lists(KEYS, max_size=10))
def test_is_a_dict(pairs: list[tuple[int, int]], others: list[int]) -> None:
    """Found is what was put, with its number, or `UNSURE` where it was put with several; also after a move."""
    expected: dict[int, int] = {}
    for key, number in pairs:
        expected[max(key, 1)] = number if expected.get(max(key, 1), number) == number else UNSURE
    slots, numbers = np.zeros(16, np.uint64), np.zeros(16, np.uint32)
    assert put_keys(slots, numbers, *columns(pairs)) == len(expected)
    assert put_keys(slots, numbers, *columns(pairs)) == 0
    larger, more = np.zeros(23, np.uint64), np.zeros(23, np.uint32)
    move_keys(slots, numbers, larger, more)
    asked = [key for key, _ in pairs] + others
    for table in ((slots, numbers), (larger, more)):
        found = np.empty(len(asked), np.uint32)
        find_keys(*table, np.array(asked, np.uint64), found)
        assert found.tolist() == [expected.get(max(key, 1), 0) for key in asked]
