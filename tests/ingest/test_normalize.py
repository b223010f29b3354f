"""Parsing: the fast typed paths say what the plain text path says; each bad value gets its reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.domain.calendar import parse_instant, to_micros
from stocktwin.ingest.instants import localise, read_times, resolve
from stocktwin.ingest.normalize import Parsed, parse_column
from stocktwin.tables.schema import TABLES, Column, ColumnType

QUANTITY = Column("quantity", ColumnType.QUANTITY, "")
LEVEL = Column("quantity", ColumnType.LEVEL, "")
COST = Column("cost", ColumnType.DECIMAL, "", minimum=0)
PRIORITY = Column("priority", ColumnType.INTEGER, "", minimum=1)
PLACE = Column("id", ColumnType.ID, "")


def _text(column: Column, *texts: str | None, format: str | None = None) -> Parsed:
    return parse_column(column, pa.array(texts, pa.string()), format)


def _bad(parsed: Parsed) -> dict[int, str]:
    return dict(zip(parsed.index.tolist(), parsed.reasons, strict=True))


def test_quantities() -> None:
    parsed = _text(QUANTITY, "3", " 1.50 ", "-2", "0", "1e13", "abc", "", None, "1.0000000001", "nan")
    assert parsed.values.to_pylist()[:2] == [Decimal(3), Decimal("1.5")]
    assert parsed.values.null_count == 8
    bad = _bad(parsed)
    assert set(bad) == {2, 3, 4, 5, 8, 9}
    assert bad[2] == "quantity must be greater than zero: '-2'"
    assert "absurd" in bad[4]
    assert bad[5] == "not a number: 'abc'"


@given(st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), max_size=8))
def test_typed_integers_say_what_their_text_says(values: list[int | None]) -> None:
    for column in (QUANTITY, LEVEL, COST, PRIORITY):
        typed = parse_column(column, pa.array(values, pa.int64()))
        plain = _text(column, *(None if value is None else str(value) for value in values))
        assert typed.values.equals(plain.values)
        assert _bad(typed) == _bad(plain)


@given(st.lists(st.one_of(st.none(), st.decimals(-(10**14), 10**14, places=3)), max_size=8))
def test_typed_decimals_say_what_their_text_says(values: list[Decimal | None]) -> None:
    for column in (QUANTITY, LEVEL, COST, PRIORITY):
        typed = parse_column(column, pa.array(values, pa.decimal128(20, 3)))
        plain = _text(column, *(None if value is None else format(value, "f") for value in values))
        assert typed.values.equals(plain.values)
        assert set(_bad(typed)) == set(_bad(plain))


def test_floats_say_no_more_than_nine_places() -> None:
    parsed = parse_column(QUANTITY, pa.array([0.1 + 0.2, 12.0, float("nan"), float("inf"), None]))
    assert parsed.values.to_pylist() == [Decimal("0.3"), Decimal(12), None, None, None]
    assert list(_bad(parsed)) == [3]
    assert _text(COST, "12.333333333333334").values.to_pylist() == [Decimal("12.333333333")]


def test_bounds_choices_flags_factors() -> None:
    latitude = TABLES["locations"].column("latitude")
    kind = TABLES["movements"].column("kind")
    assert latitude is not None
    assert kind is not None
    assert _bad(_text(latitude, "91", "-90")) == {0: "latitude must be at most 90: '91'"}
    assert _bad(_text(PRIORITY, "0", "1.5", "2.0")) == {
        0: "priority must be at least 1: '0'",
        1: "not a whole number: '1.5'",
    }
    assert _text(kind, " Sale", "SCRAP").values.to_pylist() == ["sale", "scrap"]
    assert "none of receipt" in _bad(_text(kind, "sell"))[0]
    flag = Column("open", ColumnType.FLAG, "")
    assert _text(flag, "Yes", "0", "TRUE", "no").values.to_pylist() == [True, False, True, False]
    assert _bad(_text(flag, "maybe")) == {0: "neither true nor false: 'maybe'"}
    factor = Column("factor", ColumnType.FACTOR, "")
    assert _text(factor, "12", "0.5", "2/6", "12.0").values.to_pylist() == ["12", "1/2", "1/3", "12"]
    assert set(_bad(_text(factor, "1e999999999", "-1", "x", "1/0"))) == {0, 1, 2, 3}


def test_ids_are_stripped_and_never_empty() -> None:
    assert _text(PLACE, " A ", "", "  ", None).values.to_pylist() == ["A", None, None, None]
    assert parse_column(PLACE, pa.array([17850.0, None, 2.5])).values.to_pylist() == ["17850", None, "2.5"]
    timezone = TABLES["locations"].column("timezone")
    assert timezone is not None
    assert _bad(_text(timezone, "Europe/Paris", "Mars/Base")) == {1: "unknown time zone: 'Mars/Base'"}


def test_dates() -> None:
    day = Column("expiry", ColumnType.DATE, "")
    texts = _text(
        day, "2025-03-01", "2025-03-01 00:00:00", "2025-03-01T10:00:00", "31.12.2025", "1850-01-01", "9999-12-31"
    )
    assert texts.values.to_pylist() == [date(2025, 3, 1), date(2025, 3, 1), None, None, None, date(9999, 12, 31)]
    assert set(_bad(texts)) == {2, 3, 4}
    assert _text(day, "31.12.2025", format="%d.%m.%Y").values.to_pylist() == [date(2025, 12, 31)]
    for kind in (pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns")):
        typed = parse_column(day, pa.array([datetime(2025, 3, 1, 0, 0), None]).cast(kind))
        assert typed.values.to_pylist() == [date(2025, 3, 1), None]
    assert parse_column(day, pa.array([date(2025, 3, 1)]), after_days=30).values.to_pylist() == [date(2025, 3, 31)]


def _instants(cells: pa.Array, timezone: str = "UTC", format: str | None = None) -> tuple[list[int | None], set[int]]:
    times = read_times(cells, format)
    values, outside, _ = resolve(times, [timezone], np.zeros(len(cells), np.int64))
    return values.to_pylist(), set(times.index.tolist()) | set(outside.tolist())


def test_every_arrow_time_is_the_same_moment() -> None:
    moment = datetime(2011, 6, 5, 11, 37)
    paris = to_micros(moment.replace(tzinfo=UTC)) - 2 * 3_600_000_000
    for unit in ("s", "ms", "us", "ns"):
        naive = pa.array([moment, None], pa.timestamp("us")).cast(pa.timestamp(unit))
        assert _instants(naive, "Europe/Paris") == ([paris, None], set())
        zoned = (
            pa.array([paris, None], pa.int64())
            .cast(pa.timestamp("us", "Asia/Tokyo"))
            .cast(pa.timestamp(unit, "Asia/Tokyo"))
        )
        assert _instants(zoned, "Europe/Paris") == ([paris, None], set())
    assert _instants(pa.array(["2011-06-05T11:37"]), "Europe/Paris") == ([paris], set())
    assert _instants(pa.array(["2011-06-05T09:37:00Z"]), "Europe/Paris") == ([paris], set())
    assert _instants(pa.array(["06/05/2011 11:37"]), "Europe/Paris", "%m/%d/%Y %H:%M") == ([paris], set())
    assert _instants(pa.array([paris])) == ([paris], set())
    assert _instants(pa.array([str(paris // 10**6)]), format="epoch_seconds") == ([paris], set())
    midnight = parse_instant("2011-06-05", "Europe/Paris")
    assert _instants(pa.array([date(2011, 6, 5)]), "Europe/Paris") == ([midnight], set())
    assert _instants(pa.array([date(2011, 6, 5)]).cast(pa.date64()), "Europe/Paris") == ([midnight], set())


@pytest.mark.parametrize(
    "text", ["yesterday", "2011-13-01", "1899-12-31", "2200-01-01", "0001-01-01T00:00+14:00", "12"]
)
def test_times_that_are_none(text: str) -> None:
    assert _instants(pa.array([text])) == ([None], {0})


def test_absurd_typed_times_do_not_overflow() -> None:
    far = pa.array([2**62, -(2**62), 0], pa.int64()).cast(pa.timestamp("s"))
    assert _instants(far) == ([None, None, 0], {0, 1})
    assert _instants(pa.array([1_700_000_000])) == ([None], {0})  # epoch seconds: must be declared


ZONES = (
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)


@given(
    st.lists(st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=10), st.sampled_from(ZONES)
)
def test_localise_is_parse_instant(moments: list[datetime], timezone: str) -> None:
    naive = np.array([to_micros(moment.replace(tzinfo=UTC)) for moment in moments], np.int64)
    plain = [parse_instant(moment.isoformat(), timezone) for moment in moments]
    assert localise(naive, timezone).tolist() == plain


@pytest.mark.parametrize("text", ["2011-03-27T01:30", "2011-10-30T01:30", "2011-10-30T00:59:59", "2011-03-27T02:00"])
def test_localise_where_clocks_change(text: str) -> None:
    naive = np.array([parse_instant(text)], np.int64)
    assert localise(naive, "Europe/London").tolist() == [parse_instant(text, "Europe/London")]
