"""Keyset paging: a page goes on behind the last row that was given, wherever that row stands by now.

A cursor holds the sort key of that row, not a count, so that facts coming in between neither repeat nor hide a row that
was there all along. It is opaque to whoever asks: the same list in the same order takes it back as `after`.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

from stocktwin.domain.errors import UsageError

Key = tuple[Any, ...]
"""Sort key of a row: texts and numbers, ascending, no two rows alike."""
Row = TypeVar("Row")


def page(
    rows: Iterable[Row], key: Callable[[Row], Key], *, name: str, limit: int | None, after: str | None
) -> tuple[list[Row], str | None]:
    """The first `limit` rows (all without it) behind the cursor `after`, in the order of `key`, and the cursor of the
    next page, None where nothing is left. `name` tells lists and orders apart; UsageError for another list's cursor.

    >>> first, on = page([4, 1, 3], lambda row: (row,), name="numbers", limit=2, after=None)
    >>> first, page([0, 4, 1, 3, 2], lambda row: (row,), name="numbers", limit=2, after=on)
    ([1, 3], ([4], None))
    """
    ordered = sorted(rows, key=key)
    start = 0
    if after is not None:
        wanted = read_cursor(name, after)
        try:
            start = bisect_right(ordered, wanted, key=key)
        except TypeError:
            refuse(after)
    shown = ordered[start:] if limit is None else ordered[start : start + limit]
    more = start + len(shown) < len(ordered)
    return shown, cursor(name, key(shown[-1])) if more and shown else None


def cursor(name: str, key: Key) -> str:
    """A cursor as text that may stand in an address.

    >>> read_cursor("stock", cursor("stock", ("A/1 ü", 2.5)))
    ('A/1 ü', 2.5)
    """
    text = json.dumps([name, *key], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(name: str, text: str) -> Key:
    """The key in a cursor; UsageError names one that is broken or of another list or order."""
    try:
        padded = text + "=" * (-len(text) % 4)
        held = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        refuse(text)
    if not isinstance(held, list) or len(held) < 2 or held[0] != name:
        refuse(text)
    return tuple(held[1:])


def refuse(text: str) -> NoReturn:
    """UsageError for a cursor that cannot be one of this list."""
    raise UsageError(f"after: no cursor of this list in this order: {text!r}")


def falling(value: float | None) -> tuple[bool, float]:
    """The part of a key that sorts the largest first and what is not known last.

    >>> sorted([3, None, 7], key=falling)
    [7, 3, None]
    """
    return (value is None, -(value or 0.0))
