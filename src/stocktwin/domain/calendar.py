"""Time: instants are UTC microseconds, days are local to a location and end at its cut-off.

Zoned timestamps are instants, naive ones are local to the location (or to the source's declared time zone).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MICROSECONDS_PER_DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FUTURE_TOLERANCE_US = 5 * 60 * 1_000_000
"""A fact further ahead of the wall clock than this is quarantined."""


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone called `name`; ValueError naming it when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone: {name!r}") from None


def to_micros(moment: datetime) -> int:
    """UTC microseconds since 1970 of an aware datetime.

    >>> to_micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return EPOCH + timedelta(microseconds=micros)


def format_instant(micros: int) -> str:
    """ISO 8601 in UTC.

    >>> format_instant(0)
    '1970-01-01T00:00:00Z'
    """
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def parse_instant(text: str, timezone: str = "UTC", end_of_day: bool = False) -> int:
    """UTC microseconds of an ISO 8601 date or timestamp; a naive one is local to `timezone`.

    A bare date is its first instant, or, with `end_of_day`, its last microsecond. ValueError names the text.

    >>> parse_instant("2025-01-01T00:00:00+01:00")
    1735686000000000
    >>> parse_instant("2025-01-01", timezone="Europe/Paris")
    1735686000000000
    """
    clean = text.strip()
    try:
        moment = datetime.fromisoformat(clean)
    except ValueError:
        raise ValueError(f"not an ISO 8601 date or time: {text!r}") from None
    if end_of_day and len(clean) == 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59, 999_999))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(timezone))
    try:
        return to_micros(moment.astimezone(UTC))
    except OverflowError:
        raise ValueError(f"a time outside the calendar: {text!r}") from None


def parse_date(text: str) -> date:
    """An ISO 8601 calendar date; ValueError names the text."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"not an ISO 8601 date: {text!r}") from None


def local_day(micros: int, timezone: str = "UTC", cutoff: str | None = None) -> date:
    """The location's day that holds an instant; a day ends at `cutoff` (`HH:MM`), midnight without one or at `00:00`.

    It ends once: where clocks go back over the cut-off, the first time counts.

    >>> local_day(parse_instant("2025-01-01T23:30:00Z"), "Europe/Paris")
    datetime.date(2025, 1, 2)
    """
    moment = from_micros(micros).astimezone(zone(timezone))
    if cutoff:
        hour, minute = (int(part) for part in cutoff.split(":"))
        end = time(hour, minute)
        first = datetime.combine(moment.date(), end, zone(timezone))
        if end != time(0) and (moment.time() >= end or micros >= to_micros(first)):
            return moment.date() + timedelta(days=1)
    return moment.date()
