"""Times: text, timestamps, dates or epoch numbers → UTC microseconds; naive ones are local to a time zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.domain.calendar import EPOCH, MICROSECONDS_PER_DAY, parse_instant, to_micros, zone
from stocktwin.ingest.chunk import encoded, text_of
from stocktwin.ingest.specs import EPOCHS

EARLIEST: Final = to_micros(datetime(1900, 1, 1, tzinfo=UTC))
LATEST: Final = to_micros(datetime(2200, 1, 1, tzinfo=UTC))
HOUR: Final = 3_600_000_000
UNITS: Final = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
"""Arrow time unit → (times, divided by) to come to microseconds."""
TYPED: Final = re.compile(r"\d{4}-\d\d-\d\dT")
FIRST_YEAR: Final = 365 * MICROSECONDS_PER_DAY

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Times:
    """Times as read: `micros` are UTC, or local wall time where `naive`; `valid` where there is one."""

    micros: Ints
    naive: Flags
    valid: Flags
    index: Ints
    """Rows that could not be read."""
    reasons: list[str]


def read_times(cells: pa.Array, format: str | None = None) -> Times:
    """Times of a column of text, timestamps, dates or UTC microseconds; `format` as in `ColumnSpec`."""
    kind = cells.type
    if format in EPOCHS:
        return _from_distinct(cells, lambda text: _epoch(text, EPOCHS[format]))
    if pa.types.is_timestamp(kind):
        times, divided = UNITS[kind.unit]
        return _from_numbers(cells, times, divided, naive=kind.tz is None)
    if pa.types.is_date32(kind):
        return _from_numbers(cells.cast(pa.int32()), MICROSECONDS_PER_DAY, 1, naive=True)
    if pa.types.is_date64(kind):
        return _from_numbers(cells, 1_000, 1, naive=True)
    if pa.types.is_integer(kind):
        return _from_distinct(cells, _canonical)
    return _from_distinct(cells, (lambda text: _strptime(text, format)) if format else _iso)


def localise(micros: Ints, timezone: str) -> Ints:
    """UTC microseconds of local wall times: a time that occurs twice is the first of the two, one that does not exist
    is read with the offset before the change (as `domain.calendar.parse_instant` does).

    Offsets are looked up once per distinct hour; only in hours with a change are they looked up for each time.
    """
    if timezone == "UTC" or not len(micros):
        return micros
    hours, place = np.unique(micros // HOUR, return_inverse=True)
    starts = _offsets(hours * HOUR, timezone)
    steady = starts == _offsets(hours * HOUR + HOUR - 1, timezone)
    offsets = starts[place]
    changing = ~steady[place]
    if changing.any():
        offsets[changing] = _offsets(micros[changing], timezone)
    return micros - offsets


def _offsets(local: Ints, timezone: str) -> Ints:
    where = zone(timezone)
    start = EPOCH.replace(tzinfo=None)
    found = ((start + timedelta(microseconds=int(one))).replace(tzinfo=where).utcoffset() for one in local)
    return np.fromiter(
        (delta // timedelta(microseconds=1) for delta in found if delta is not None), np.int64, len(local)
    )


def resolve(times: Times, zones: Sequence[str], which: Ints, after_days: int = 0) -> tuple[pa.Array, Ints, list[str]]:
    """UTC microseconds of `times` (naive ones in the zone `zones[which]`), the rows out of range and why."""
    micros = times.micros + after_days * MICROSECONDS_PER_DAY
    inside = times.valid & (micros >= EARLIEST) & (micros < LATEST)
    outside = np.flatnonzero(times.valid & ~inside)
    naive = times.naive & inside
    if naive.any():
        for code in np.unique(which[naive]):
            rows = naive & (which == code)
            micros[rows] = localise(micros[rows], zones[code])
    reasons = ["absurd time: before 1900 or after 2199"] * len(outside)
    return pa.array(micros, pa.int64(), mask=~inside), outside, reasons


def _from_numbers(cells: pa.Array, times: int, divided: int, naive: bool) -> Times:
    """Vectorised: what would not fit in 64 bits is put just outside the range, so that it is reported there."""
    valid = cells.is_valid().to_numpy(zero_copy_only=False)
    numbers = cells.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    lowest, highest = EARLIEST * divided // times - 1, LATEST * divided // times + 1
    micros = np.clip(numbers, lowest, highest) // divided * times
    return Times(micros, np.full(len(cells), naive), valid, np.zeros(0, np.int64), [])


def _from_distinct(cells: pa.Array, parse: object) -> Times:
    coded = encoded(cells)
    texts = text_of(coded.dictionary).to_pylist()
    micros = np.zeros(len(texts) + 1, np.int64)
    naive, valid = np.zeros(len(texts) + 1, bool), np.zeros(len(texts) + 1, bool)
    reasons: list[str | None] = [None] * (len(texts) + 1)
    for at, text in enumerate(texts):
        if text is None or not text.strip():
            continue
        try:
            micros[at], naive[at] = parse(text)  # type: ignore[operator]
            valid[at] = True
        except (ValueError, OverflowError) as error:
            reasons[at] = str(error)
    codes = coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    bad = np.array([reason is not None for reason in reasons])
    index = np.flatnonzero(bad[codes])
    return Times(micros[codes], naive[codes], valid[codes], index, [str(reasons[code]) for code in codes[index]])


def _iso(text: str) -> tuple[int, bool]:
    try:
        return parse_instant(text), datetime.fromisoformat(text.strip()).tzinfo is None
    except OverflowError:
        raise ValueError(f"absurd time: {text!r}") from None


def _strptime(text: str, format: str) -> tuple[int, bool]:
    try:
        moment = datetime.strptime(text.strip(), format)
    except ValueError:
        if TYPED.match(text):  # a typed cell as it stands in quarantine
            return _iso(text)
        raise ValueError(f"not a time in the format {format!r}: {text!r}") from None
    naive = moment.tzinfo is None
    return to_micros(moment.replace(tzinfo=UTC) if naive else moment.astimezone(UTC)), naive


def _epoch(text: str, unit: int) -> tuple[int, bool]:
    try:
        count = float(text) * unit
        if not EARLIEST <= count < LATEST:
            raise ValueError
    except ValueError:
        raise ValueError(f"not a usable count since 1970: {text!r}") from None
    return round(count), False


def _canonical(text: str) -> tuple[int, bool]:
    """UTC microseconds as they are kept; small numbers are epoch seconds or milliseconds and must be declared."""
    micros = int(text)
    if not EARLIEST <= micros < LATEST or abs(micros) < FIRST_YEAR:
        raise ValueError(f'not UTC microseconds since 1970: {text!r} (declare format = "epoch_seconds" or the like)')
    return micros, False
