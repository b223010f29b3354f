"""A source as data: its files, the maps of their columns, the conditions under which a row is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from stocktwin.tables.schema import MASTER_TABLES, TABLES

READING_ORDER: Final = tuple(dict.fromkeys(("crossref", *MASTER_TABLES, *TABLES)))
"""Order in which tables are delivered: other names for things first, then master data, then events."""
OPERATORS: Final = ("equals", "not_equals", "in", "not_in", "matches", "not_matches", "above", "below", "at_least",
                    "at_most", "empty", "filled")  # fmt: skip
NUMERIC: Final = ("above", "below", "at_least", "at_most")
EPOCHS: Final = {"epoch_seconds": 1_000_000, "epoch_milliseconds": 1_000, "epoch_microseconds": 1}
"""Formats of instants that are counts since 1970, and how many microseconds one of them is."""


@dataclass(frozen=True)
class Condition:
    """One test on a source column: `operator` is one of `OPERATORS`."""

    column: str
    operator: str
    operand: Any


@dataclass(frozen=True)
class ColumnSpec:
    """How one exchange column is made: from source columns (the first filled one), a template or a constant, then
    strip → upper/lower → match → map → default → multiply/absolute → parse (with `format`) → after_days."""

    columns: tuple[str, ...] = ()
    template: tuple[tuple[str, str], ...] = ()
    """(literal text, source column after it or "") pairs."""
    value: str | None = None
    format: str | None = None
    translate: Mapping[str, str] | None = None
    default: str | None = None
    match: str | None = None
    multiply: Decimal | None = None
    absolute: bool = False
    upper: bool = False
    lower: bool = False
    strip: bool = False
    after_days: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the source columns it reads (pseudo columns included)."""
        return self.columns or tuple(name for _, name in self.template if name)

    @property
    def reshapes(self) -> bool:
        """Whether the text changes before it is parsed."""
        words = (self.translate, self.default, self.match, self.multiply)
        return any(word is not None for word in words) or self.absolute or self.upper or self.lower or self.strip


@dataclass(frozen=True)
class MapSpec:
    """How the rows of some files become rows of one exchange table."""

    key: str
    """Where it stands in `twin.toml`, for messages."""
    file: str
    table: str
    columns: Mapping[str, ColumnSpec] = field(default_factory=dict)
    where: tuple[Condition, ...] = ()
    distinct: bool = False
    attributes: tuple[str, ...] = ()
    """Source columns kept as attributes."""
    as_it_is: bool = False
    """An exchange table under its own column names; unknown columns become attributes."""


@dataclass(frozen=True)
class SourceSpec:
    """One source of `twin.toml`."""

    name: str
    system: str
    folder: str | None = None
    timezone: str | None = None
    """Of naive times; None: the location's own, else the twin's."""
    twin_timezone: str = "UTC"
    encoding: str = "utf-8"
    ignore: Mapping[str, str] = field(default_factory=dict)
    """File pattern → why such files are not read."""
    maps: tuple[MapSpec, ...] = ()


def default_source(name: str = "exchange", system: str | None = None, twin_timezone: str = "UTC") -> SourceSpec:
    """A source that delivers the exchange format as it is."""
    return SourceSpec(name=name, system=system or name, twin_timezone=twin_timezone)


def exchange_map(table: str, file: str) -> MapSpec:
    """The map of a file that already is an exchange table."""
    return MapSpec(key=f"exchange table {table}", file=file, table=table, as_it_is=True)
