"""Quantities are integers in an item's atomic unit; `scale` is how many decimal places its base unit has.

An item counted in pieces has scale 0; one kept in kilograms to the gram has unit `kilogram` and scale 3, so its atomic
unit is the gram. Conversion is exact (rational factors); what is not a whole number of atomic units is a finding.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

MAX_QUANTITY = 10**12
"""Largest quantity of one fact in its stated unit; more is taken for a typing error (an absurd quantity)."""

MAX_DECIMALS = 9
"""Decimal places that a stated quantity, cost or coordinate may have."""


def parse_decimal(text: str) -> Decimal:
    """A finite decimal with at most nine places; raises ValueError saying what is wrong with `text`.

    >>> parse_decimal("12.50")
    Decimal('12.50')
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"not a number: {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"not a finite number: {text!r}")
    if value != value.quantize(Decimal(1).scaleb(-MAX_DECIMALS)) if abs(value) < MAX_QUANTITY * 10**6 else True:
        raise ValueError(f"more than {MAX_DECIMALS} decimal places or absurdly large: {text!r}")
    return value


def parse_quantity(text: str) -> Decimal:
    """A stated quantity: greater than zero and not absurd.

    >>> parse_quantity("3")
    Decimal('3')
    """
    value = parse_decimal(text)
    if value <= 0:
        raise ValueError(f"quantity must be greater than zero: {text!r}")
    if value > MAX_QUANTITY:
        raise ValueError(f"absurd quantity: {text!r} (more than {MAX_QUANTITY})")
    return value


def parse_factor(text: str) -> Fraction:
    """A unit factor (base units in one): `12`, `0.5` or a rational such as `1/3`.

    >>> parse_factor("1/3")
    Fraction(1, 3)
    """
    clean = text.strip().replace(" ", "")
    if len(clean) > 40 or "e" in clean.lower():  # an exponent could ask for a number that fills the memory
        raise ValueError(f"not a unit factor: {text!r}")
    try:
        value = Fraction(clean)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"not a unit factor: {text!r}") from None
    if value <= 0 or value.numerator > 10**9 or value.denominator > 10**9:
        raise ValueError(f"not a usable unit factor: {text!r}")
    return value


def to_atomic(quantity: Decimal, factor: Fraction, scale: int) -> int:
    """Whole atomic units in `quantity` of a unit worth `factor` base units; ValueError when it does not come out even.

    >>> to_atomic(Decimal("2"), Fraction(12), 0)
    24
    >>> to_atomic(Decimal("1.5"), Fraction(1), 3)
    1500
    """
    exact = Fraction(quantity) * factor * 10**scale
    if exact.denominator != 1:
        raise ValueError(f"{quantity} is not a whole number of atomic units (scale {scale})")
    return int(exact)


def from_atomic(atomic: int, scale: int) -> int | str:
    """How an exact quantity is written: an integer, or a decimal string where the unit is divisible.

    >>> from_atomic(24, 0), from_atomic(-1500, 3)
    (24, '-1.500')
    """
    if scale == 0:
        return atomic
    sign = "-" if atomic < 0 else ""
    whole, part = divmod(abs(atomic), 10**scale)
    return f"{sign}{whole}.{part:0{scale}d}"
