"""Quantities are exact, instants are instants, and what is neither says what it was."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.domain.calendar import format_instant, local_day, parse_instant
from stocktwin.domain.identity import stable_hash64
from stocktwin.domain.quantity import from_atomic, parse_decimal, parse_factor, parse_quantity, to_atomic
from stocktwin.domain.rules import Rules


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_an_exact_quantity_comes_back(atomic: int, scale: int) -> None:
    written = from_atomic(atomic, scale)
    assert to_atomic(parse_decimal(str(written)), Fraction(1), scale) == atomic


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "0", "1e13", "0.0000000001"])
def test_a_bad_quantity_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=repr(text)):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["0", "-2", "1/0", "1e999999999", "x", ""])
def test_a_bad_factor_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=repr(text)):
        parse_factor(text)


@pytest.mark.parametrize("text", ["yesterday", "2025-02-30", "0001-01-01T00:00:00+10:00"])
def test_a_bad_time_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("+", r"\+")):
        parse_instant(text)


def test_a_day_has_no_hour_twice_and_ends_at_its_cutoff() -> None:
    spring = parse_instant("2025-03-30T02:30:00", "Europe/Paris")
    assert format_instant(spring) == "2025-03-30T01:30:00Z"
    evening = parse_instant("2025-06-01T18:00:00", "Europe/Paris")
    assert local_day(evening, "Europe/Paris", "17:00").isoformat() == "2025-06-02"
    assert local_day(evening, "Europe/Paris").isoformat() == "2025-06-01"


def test_a_bare_date_may_mean_its_end() -> None:
    assert format_instant(parse_instant("2025-01-01", end_of_day=True)) == "2025-01-01T23:59:59.999999Z"


def test_a_hash_of_ids_never_changes() -> None:
    assert stable_hash64("ITEM-1", "DC-1") == 2887222241777100029
    assert stable_hash64("a", "bc") != stable_hash64("ab", "c")


def test_undeclared_authority_is_the_first_system_by_name() -> None:
    assert Rules().system_of("sale", "DC", ("wms", "erp")) == "erp"
    assert Rules().system_of("sale", "DC", ()) is None
    assert Rules(authority={"default": "wms"}).system_of("sale", "DC", ("erp",)) == "wms"
