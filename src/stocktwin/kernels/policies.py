"""Inventory policies as pure functions of scalars: when to order and how much."""

from __future__ import annotations

from stocktwin.kernels.jit import kernel


@kernel(inline=True)
def order_quantity(position: int, s: int, S: int, Q: int, moq: int, multiple: int) -> int:
    """Units to order at a review, 0 when the inventory position is above the reorder point [s].

    (s, S): up to the order-up-to level [S]; base stock is s = S − 1. (s, Q) when Q > 0: the smallest multiple of Q that
    lifts the position above s. Then at least the minimum order quantity, rounded up to the order multiple (1 = none).

    >>> order_quantity.py_func(3, 4, 10, 0, 0, 1), order_quantity.py_func(5, 4, 10, 0, 0, 1)
    (7, 0)
    >>> order_quantity.py_func(-3, 4, 0, 5, 0, 1), order_quantity.py_func(3, 4, 10, 0, 8, 6)
    (10, 12)
    """
    if position > s:
        return 0
    wanted = ((s - position) // Q + 1) * Q if Q > 0 else S - position
    if wanted <= 0:
        return 0
    wanted = max(wanted, moq)
    if multiple > 1:
        wanted = (wanted + multiple - 1) // multiple * multiple
    return wanted


@kernel(inline=True)
def is_review(day: int, review_days: int) -> bool:
    """Whether a day (days since 1970-01-01) is a review day: every `review_days` days; weekly reviews fall on Mondays.

    >>> [is_review.py_func(day, 7) for day in (3, 4, 5)], is_review.py_func(5, 1)
    ([False, True, False], True)
    """
    return review_days <= 1 or (day + 3) % review_days == 0
