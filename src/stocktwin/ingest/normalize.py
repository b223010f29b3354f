"""Cells → canonical columns: each distinct value is parsed once in plain Python; typed columns never become text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.calendar import parse_date, zone
from stocktwin.domain.quantity import MAX_DECIMALS, MAX_QUANTITY, parse_decimal, parse_factor, parse_quantity
from stocktwin.ingest.chunk import each_distinct, encoded, text_of
from stocktwin.tables.schema import DECIMAL, Column, ColumnType

NINE_PLACES: Final = Decimal(1).scaleb(-MAX_DECIMALS)
TRUE: Final = frozenset(("true", "1", "yes", "y", "t"))
FALSE: Final = frozenset(("false", "0", "no", "n", "f"))
EARLIEST_DATE: Final = date(1900, 1, 1)
NUMBERS: Final = (ColumnType.QUANTITY, ColumnType.LEVEL, ColumnType.DECIMAL, ColumnType.INTEGER)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parsed:
    """A canonical column (null where the cell is empty or could not be read) and the rows that could not be read."""

    values: pa.Array
    index: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    reasons: list[str] = field(default_factory=list)


def parse_column(column: Column, cells: pa.Array, format: str | None = None, after_days: int = 0) -> Parsed:
    """The canonical column of any type but `INSTANT` (see `instants.py`)."""
    if column.type in (ColumnType.ID, ColumnType.TEXT):
        return _strings(column, cells)
    if column.type in NUMBERS and _is_exact(cells.type):
        return _exact_numbers(column, cells)
    if column.type is ColumnType.FLAG and pa.types.is_boolean(cells.type):
        return Parsed(cells)
    if column.type is ColumnType.DATE:
        return _dates(cells, format, after_days)
    return parse_distinct(cells, parser(column), column.arrow)


def parse_distinct(cells: pa.Array, parse: Callable[[str], Any], kind: pa.DataType) -> Parsed:
    """Parses each distinct non-blank value with `parse`, whose ValueError becomes the reason."""
    coded = encoded(cells)
    values: list[Any] = []
    reasons: list[str | None] = []
    for text in text_of(coded.dictionary).to_pylist():
        value, reason = None, None
        if text is not None and not text.isspace() and text:
            try:
                value = parse(text)
            except (ValueError, OverflowError) as error:
                reason = str(error)
        values.append(value)
        reasons.append(reason)
    parsed = pa.array(values, kind).take(coded.indices)
    bad = np.array([reason is not None for reason in reasons] + [False])
    if not bad.any():
        return Parsed(parsed)
    codes = coded.indices.fill_null(len(reasons)).to_numpy(zero_copy_only=False)
    index = np.flatnonzero(bad[codes])
    return Parsed(parsed, index, [str(reasons[code]) for code in codes[index]])


def parser(column: Column) -> Callable[[str], Any]:
    """The function that reads one text of a column; it raises ValueError saying what is wrong."""
    if column.type is ColumnType.CHOICE:
        return lambda text: _choice(text, column.choices)
    if column.type in NUMBERS:
        return lambda text: _bounded(column, text)
    return {ColumnType.FACTOR: _factor, ColumnType.FLAG: _flag, ColumnType.DATE: read_date}[column.type]


def read_date(text: str) -> date:
    """A calendar date; a timestamp at midnight is one too.

    >>> read_date("2025-03-01 00:00:00")
    datetime.date(2025, 3, 1)
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        day = moment.date() if moment == datetime.combine(moment.date(), datetime.min.time(), moment.tzinfo) else None
    except ValueError:
        day = None
    day = parse_date(text) if day is None else day
    if day < EARLIEST_DATE:
        raise ValueError(f"absurd date: {text!r} (before 1900)")
    return day


def _strings(column: Column, cells: pa.Array) -> Parsed:
    texts = text_of(cells)
    if column.type is ColumnType.ID:
        texts = pc.utf8_trim_whitespace(texts)
    check = CHECKS.get(column.name)
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    return parse_distinct(texts, check, pa.string()) if check and column.type is ColumnType.ID else Parsed(texts)


def _is_exact(kind: pa.DataType) -> bool:
    if pa.types.is_decimal128(kind):
        whole = int(kind.precision - kind.scale)
        return 0 <= int(kind.scale) <= MAX_DECIMALS and whole <= DECIMAL.precision - DECIMAL.scale
    return bool(pa.types.is_integer(kind) and kind != pa.uint64())


def _exact_numbers(column: Column, cells: pa.Array) -> Parsed:
    """Integers and decimals, vectorised; only those out of bounds are looked at one by one."""
    as_decimal = cells.cast(pa.int64()) if pa.types.is_integer(cells.type) else cells
    as_decimal = as_decimal.cast(DECIMAL)
    good = _within(column, as_decimal)
    if column.type is ColumnType.INTEGER:
        good = pc.and_(good, pc.equal(as_decimal, pc.round(as_decimal)))
    good = good.fill_null(True).to_numpy(zero_copy_only=False)
    values = pc.if_else(pa.array(good), as_decimal, pa.scalar(None, DECIMAL))
    index = np.flatnonzero(~good)
    checked = parse_distinct(cells.take(pa.array(index)), parser(column), column.arrow)
    return Parsed(values.cast(column.arrow), index[checked.index], checked.reasons)


def _within(column: Column, values: pa.Array) -> pa.Array:
    low, high = column.minimum, column.maximum
    above = pc.greater if column.type is ColumnType.QUANTITY else pc.greater_equal
    if column.type in (ColumnType.QUANTITY, ColumnType.LEVEL):
        low, high = 0, MAX_QUANTITY
    limit = 10**18 if high is None else high
    good = pc.less_equal(values, pa.scalar(Decimal(str(limit)), DECIMAL))
    return pc.and_(good, above(values, pa.scalar(Decimal(str(-limit if low is None else low)), DECIMAL)))


def _bounded(column: Column, text: str) -> Decimal | int:
    if column.type is ColumnType.QUANTITY:
        return parse_quantity(text).quantize(NINE_PLACES)
    value = parse_decimal(text) if column.type is ColumnType.LEVEL else _rounded(text)
    low, high = (0, MAX_QUANTITY) if column.type is ColumnType.LEVEL else (column.minimum, column.maximum)
    if low is not None and value < Decimal(str(low)):
        raise ValueError(f"{column.name} must be at least {low:g}: {text!r}")
    if high is not None and value > Decimal(str(high)):
        raise ValueError(f"{column.name} must be at most {high:g}: {text!r}")
    if column.type is ColumnType.INTEGER:
        if value != value.to_integral_value():
            raise ValueError(f"not a whole number: {text!r}")
        return int(value)
    return value.quantize(NINE_PLACES)


def _rounded(text: str) -> Decimal:
    """Costs, coordinates and the like often come out of binary floats: places after the ninth are rounded."""
    try:
        value = Decimal(text.strip())
        if value.is_finite() and abs(value) < 10**17:
            return value.quantize(NINE_PLACES)
    except ArithmeticError:
        pass
    return parse_decimal(text)


def _choice(text: str, choices: tuple[str, ...]) -> str:
    clean = text.strip().lower()
    if clean not in choices:
        raise ValueError(f"none of {', '.join(choices)}: {text!r}")
    return clean


def _flag(text: str) -> bool:
    clean = text.strip().lower()
    if clean not in TRUE | FALSE:
        raise ValueError(f"neither true nor false: {text!r}")
    return clean in TRUE


def _factor(text: str) -> str:
    """Rationals in lowest terms, so that `12` and `12.0` are one content; exponents are refused (they can be huge)."""
    if len(text) > 40 or "e" in text.lower():
        raise ValueError(f"not a unit factor: {text!r}")
    return str(parse_factor(text))


def _dates(cells: pa.Array, format: str | None, after_days: int) -> Parsed:
    kind = cells.type
    if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
        parsed = each_distinct(cells, lambda values: pc.cast(values, pa.date32(), safe=False))
        days = parsed.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
        index = np.flatnonzero(days < (EARLIEST_DATE - date(1970, 1, 1)).days)
        result = Parsed(parsed, index, [f"absurd date: {text} (before 1900)" for text in _shown(cells, index)])
    elif pa.types.is_timestamp(kind):
        result = parse_distinct(cells, lambda text: datetime.fromisoformat(text).date(), pa.date32())
    else:
        result = parse_distinct(cells, (lambda text: _formatted(text, format)) if format else read_date, pa.date32())
    if not after_days:
        return result
    return parse_distinct(result.values, lambda text: date.fromisoformat(text) + timedelta(after_days), pa.date32())


def _shown(cells: pa.Array, index: Ints) -> list[str | None]:
    return list(text_of(cells.take(pa.array(index))).to_pylist())


def _formatted(text: str, format: str) -> date:
    try:
        return datetime.strptime(text.strip(), format).date()
    except ValueError:
        raise ValueError(f"not a date in the format {format!r}: {text!r}") from None


def _timezone(text: str) -> str:
    zone(text)
    return text


def _cutoff(text: str) -> str:
    try:
        return datetime.strptime(text, "%H:%M").strftime("%H:%M")
    except ValueError:
        raise ValueError(f"not a time of day HH:MM: {text!r}") from None


CHECKS: Final[dict[str, Callable[[str], str]]] = {"timezone": _timezone, "cutoff": _cutoff}
"""Ids whose text must also make sense."""
