"""What a column and a table of the exchange format are: type, unit, missing rule, meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import pyarrow as pa

DECIMAL = pa.decimal128(38, 9)
INSTANT = pa.int64()


class ColumnType(Enum):
    """How a column's text is read and how it is kept.

    `ID` and `TEXT` are strings (an id is stripped and never empty), `QUANTITY` a decimal > 0 in a stated unit,
    `LEVEL` a decimal ≥ 0 in a stated unit, `DECIMAL` any decimal, `FACTOR` a rational kept as text,
    `INSTANT` UTC microseconds, `DATE` a calendar date, `INTEGER` an int64, `FLAG` a boolean, `CHOICE` one of a list.
    """

    ID = "id"
    TEXT = "text"
    QUANTITY = "quantity"
    LEVEL = "level"
    DECIMAL = "decimal"
    FACTOR = "factor"
    INSTANT = "instant"
    DATE = "date"
    INTEGER = "integer"
    FLAG = "flag"
    CHOICE = "choice"


ARROW_TYPES: Final = {
    ColumnType.ID: pa.string(),
    ColumnType.TEXT: pa.string(),
    ColumnType.QUANTITY: DECIMAL,
    ColumnType.LEVEL: DECIMAL,
    ColumnType.DECIMAL: DECIMAL,
    ColumnType.FACTOR: pa.string(),
    ColumnType.INSTANT: INSTANT,
    ColumnType.DATE: pa.date32(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.FLAG: pa.bool_(),
    ColumnType.CHOICE: pa.string(),
}


@dataclass(frozen=True)
class Column:
    """One column of an exchange table. `minimum` and `maximum` bound decimals and integers, both inclusive."""

    name: str
    type: ColumnType
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    digest: bool = True
    """Whether the column is part of a fact's content (record times, file positions and units are not)."""

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type in which the column is kept."""
        return ARROW_TYPES[self.type]


@dataclass(frozen=True)
class Table:
    """One exchange table: its columns, the key that has its effect once, and whether a key may have versions."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    versioned: bool = True
    """Same key with other content: a new version (master data, orders) or, when False, a finding (events, units)."""

    def column(self, name: str) -> Column | None:
        """The column called `name`, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be present and filled."""
        return tuple(column.name for column in self.columns if column.required)

    def arrow_schema(self) -> pa.Schema:
        """The canonical Arrow schema: every column in the stated order, then `attributes` (JSON of unknown columns)
        and `_row` (position in the delivered file, 1 = first row of data)."""
        fields = [pa.field(column.name, column.arrow) for column in self.columns]
        return pa.schema([*fields, pa.field("attributes", pa.string()), pa.field("_row", pa.int64())])


def id_column(name: str, meaning: str, required: bool = False) -> Column:
    """An identity: stripped, never empty."""
    return Column(name, ColumnType.ID, meaning, required)


def text_column(name: str, meaning: str) -> Column:
    """Free text."""
    return Column(name, ColumnType.TEXT, meaning)


def decimal_column(
    name: str, meaning: str, minimum: float | None = 0, maximum: float | None = None, required: bool = False
) -> Column:
    """A decimal between two bounds, not negative unless `minimum` says otherwise."""
    return Column(name, ColumnType.DECIMAL, meaning, required, minimum=minimum, maximum=maximum)


def level_column(name: str, meaning: str, required: bool = False) -> Column:
    """A decimal of at least zero in a stated unit."""
    return Column(name, ColumnType.LEVEL, meaning, required)


def instant_column(name: str, meaning: str, required: bool = False, digest: bool = True) -> Column:
    """A moment, kept as UTC microseconds."""
    return Column(name, ColumnType.INSTANT, meaning, required, digest=digest)


def date_column(name: str, meaning: str, required: bool = False) -> Column:
    """A calendar date."""
    return Column(name, ColumnType.DATE, meaning, required)


def integer_column(name: str, meaning: str, minimum: float | None = 0) -> Column:
    """A whole number."""
    return Column(name, ColumnType.INTEGER, meaning, minimum=minimum)


def choice_column(name: str, choices: tuple[str, ...], meaning: str, required: bool = False) -> Column:
    """One of a list of words."""
    return Column(name, ColumnType.CHOICE, meaning, required, choices)


def quantity_column(meaning: str) -> Column:
    """How much, greater than zero."""
    return Column("quantity", ColumnType.QUANTITY, meaning, required=True)
