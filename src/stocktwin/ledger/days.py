"""Local days of instants, in SQL: the UTC offset of each place over time, its day ending at its cut-off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from functools import lru_cache

import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, from_micros, local_day, zone

FAR = 2**62
_SECOND = 1_000_000
_EPOCHS = 1_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=256)
def transitions(timezone: str, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """(from instant on, UTC offset) in microseconds, covering first … last; found by halving the days that change.

    >>> day = 86_400_000_000
    >>> [offset // 3_600_000_000 for _, offset in transitions("Europe/Paris", 19_400 * day, 19_500 * day)]
    [1, 2]
    """
    found = [(-FAR, _offset(timezone, first))]
    day = first
    while day < last:
        following = min(day + MICROSECONDS_PER_DAY, last)
        found += _changes(timezone, day, following)
        day = following
    return tuple(found)


def _changes(timezone: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    before, after = _offset(timezone, low), _offset(timezone, high)
    if before == after:
        return
    while high - low > _SECOND:
        middle = (low + high) // 2
        if _offset(timezone, middle) == before:
            low = middle
        else:
            high = middle
    yield high // _SECOND * _SECOND, after


def _offset(timezone: str, micros: int) -> int:
    delta = from_micros(micros).astimezone(UTC).astimezone(zone(timezone)).utcoffset() or timedelta(0)
    return (delta.days * 86_400 + delta.seconds) * _SECOND


def cutoff_shift(cutoff: str | None) -> int:
    """What is added to a local time so that its day ends at the cut-off: at 18:00 the next day begins.

    >>> cutoff_shift("18:00") // 3_600_000_000, cutoff_shift(None), cutoff_shift("00:00")
    (6, 0, 0)
    """
    if not cutoff:
        return 0
    try:
        hour, minute = (int(part) for part in cutoff.split(":")[:2])
    except ValueError:
        return 0
    return (MICROSECONDS_PER_DAY - (hour * 3600 + minute * 60) * _SECOND) % MICROSECONDS_PER_DAY


def day_table(places: list[tuple[int, str | None, str | None]], default: str, first: int, last: int) -> pa.Table:
    """`place, since, until, shift`: day = ⌊(instant + shift) ÷ one day⌋ for instants in since ≤ t < until.

    `places` are (code, time zone or None, cut-off or None). A zone that does not exist counts as the default.
    """
    rows = [
        (code, since, until, shift)
        for code, timezone, cutoff in places
        for since, until, shift in _spans(_known(timezone, default), cutoff_shift(cutoff), first, last)
    ]
    place, since, until, shift = zip(*rows, strict=True) if rows else ((), (), (), ())
    types = {"place": pa.int32(), "since": pa.int64(), "until": pa.int64(), "shift": pa.int64()}
    arrays = [pa.array(values, kind) for values, kind in zip((place, since, until, shift), types.values(), strict=True)]
    return pa.table(dict(zip(types, arrays, strict=True)))


def _spans(timezone: str, cutoff: int, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """(since, until, shift). Where clocks go back over the cut-off the day has ended: its old shift holds until they
    have caught up."""
    steps = transitions(timezone, first, last)
    before = None
    for number, (since, offset) in enumerate(steps):
        until = steps[number + 1][0] if number + 1 < len(steps) else FAR
        shift, begin = offset + cutoff, since
        if (
            before is not None
            and (since - 1 + before) // MICROSECONDS_PER_DAY > (since + shift) // MICROSECONDS_PER_DAY
        ):
            begin = since + before - shift
            yield since, begin, before
        yield begin, until, shift
        before = shift


def _known(timezone: str | None, default: str) -> str:
    try:
        return zone(timezone or default).key or default
    except ValueError:
        return default


def day_sql(instant: str, shift: str = "shift") -> str:
    """SQL expression: the day (since 1970-01-01) of an instant."""
    # `//` truncates; days are moved above zero first
    moved = f"({instant} + {shift} + {MICROSECONDS_PER_DAY * _EPOCHS})"
    return f"CAST({moved} // {MICROSECONDS_PER_DAY} - {_EPOCHS} AS INTEGER)"


def local_day_number(instant: int, timezone: str, cutoff: str | None = None) -> int:
    """The local day that holds an instant, as days since 1970-01-01."""
    minutes = 24 * 60 - cutoff_shift(cutoff) // (60 * _SECOND)
    day = local_day(instant, timezone, f"{minutes // 60 % 24:02}:{minutes % 60:02}")
    return day.toordinal() - _EPOCH_ORDINAL
