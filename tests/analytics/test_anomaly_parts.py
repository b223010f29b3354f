"""The small decisions the anomaly rules are made of."""

from __future__ import annotations

import pytest

from stocktwin.analytics.anomaly_rules.counts import some_sum_is
from stocktwin.analytics.anomaly_rules.losses import explains
from stocktwin.analytics.anomaly_rules.misposts import slip, swapped


@pytest.mark.parametrize(
    ("posted", "true", "kind"),
    [(120, 10, "pack_factor"), (10, 120, "pack_factor"), (5320, 3520, "digit_swap"), (100, 10, "pack_factor"),
     (96, 69, "digit_swap"), (1001, 1010, "digit_swap"), (4321, 1234, None), (18, 9, None), (100, 100, None)],
)  # fmt: skip
def test_how_a_quantity_goes_wrong(posted: int, true: int, kind: str | None) -> None:
    found = slip(posted, true, frozenset({6, 10, 12}))
    assert (found.kind if found else None) == kind


def test_every_adjacent_swap_is_a_multiple_of_nine() -> None:
    for number in range(10, 2000):
        text = str(number)
        for k in range(len(text) - 1):
            other = int(text[:k] + text[k + 1] + text[k] + text[k + 2 :])
            assert swapped(number, other) == (other != number and len(str(other)) == len(text))


def test_parts_that_add_up() -> None:
    assert some_sum_is([3, 4, 5], 12)
    assert not some_sum_is([3, 4], 5)
    assert not some_sum_is([], 0)
    assert some_sum_is([1] * 30, 30)
    assert not some_sum_is([1] * 30, 29), "too many to try: all or none"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("damaged", True), ("thrown away", True), ("own use", True), ("sold as set", True), ("", False), (None, False),
     ("?", False), ("???", False), ("check", False), ("cycle count", False), ("lost", False), ("MISSING", False),
     ("broken, found on counting", True)],
)  # fmt: skip
def test_which_texts_explain(reason: str | None, expected: bool) -> None:
    assert explains(reason) is expected
