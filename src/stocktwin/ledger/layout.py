"""How facts lie in the projection: one DuckDB table per exchange table, driven by the exchange schema.

Events and orders hold dense codes instead of ids (`item`, `system`, `from_place` …) and quantities as atomic integers;
master data stays as text. Every fact carries its key and content digest (128 bit), the batch and position that brought
it, and when it became known. A movement is one row with its two places; postings are derived (`books.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from stocktwin.domain.identity import CONDITIONS
from stocktwin.ledger.booking import VIRTUAL_CODE
from stocktwin.tables.schema import MASTER_TABLES, MOVEMENT_KINDS, TABLES, Column, ColumnType, Table

SQL_TYPES: Final = {
    ColumnType.ID: "VARCHAR",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.QUANTITY: "DECIMAL(38, 9)",
    ColumnType.LEVEL: "DECIMAL(38, 9)",
    ColumnType.DECIMAL: "DECIMAL(38, 9)",
    ColumnType.FACTOR: "VARCHAR",
    ColumnType.INSTANT: "BIGINT",
    ColumnType.DATE: "DATE",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.FLAG: "BOOLEAN",
    ColumnType.CHOICE: "VARCHAR",
}
CODED: Final = ("movements", "observations", "orders")
"""Tables kept as dense codes."""
SQUEEZED: Final = {"event_id": " USING COMPRESSION zstd"}
"""Columns whose compression is fixed: trying out what suits ids that never repeat takes longer than the rest."""
ITEM_REFERENCES: Final = ("item_id", "parent", "component", "substitute")
PLACE_REFERENCES: Final = ("location_id", "source_id", "from_id", "to_id", "origin_id", "destination_id")
UNCHECKED: Final = ("items", "locations", "positions", "signals", "crossref", "calendars", "shelf_life_rules", "fx")
"""Tables that name nothing, define the names, or may speak of things that are not the twin's."""


@dataclass(frozen=True)
class Form:
    """How one exchange table is kept."""

    table: Table

    @property
    def name(self) -> str:
        """Name of the exchange table."""
        return self.table.name

    @property
    def coded(self) -> bool:
        """Whether ids are kept as codes."""
        return self.name in CODED

    @property
    def clocked(self) -> bool:
        """Whether versions are told apart by a time in their key; the others take the latest statement."""
        return self.name not in MASTER_TABLES

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Columns converted from the stated unit to atomic integers."""
        if self.table.column("unit") is None or self.name in ("items", "units"):
            return ()
        return tuple(c.name for c in self.table.columns if c.type in (ColumnType.QUANTITY, ColumnType.LEVEL))

    @cached_property
    def references(self) -> tuple[tuple[str, str], ...]:
        """(column, `item` or `place`) of columns that must name something known."""
        if self.name in UNCHECKED:
            return ()
        kinds = dict.fromkeys(ITEM_REFERENCES, "item") | dict.fromkeys(PLACE_REFERENCES, "place")
        return tuple((c.name, kinds[c.name]) for c in self.table.columns if c.name in kinds)

    @property
    def has_system(self) -> bool:
        """Whether rows name their system."""
        return self.name in CODED

    def stored(self, column: Column) -> tuple[str, str]:
        """Name and SQL type under which a column is kept."""
        kind = dict(self.references).get(column.name)
        if self.coded and column.name == "system":
            return "system", "INTEGER"
        if self.coded and kind:
            return code_name(column.name, kind), "INTEGER"
        if column.name in self.quantities:
            return column.name, "BIGINT"
        if self.name == "movements" and column.name in ("kind", "condition", "to_condition"):
            return column.name, "movement_kind" if column.name == "kind" else "condition"
        return column.name, SQL_TYPES[column.type]

    def ddl(self) -> list[str]:
        """The CREATE TABLE statements: accepted facts, and facts parked as they were delivered."""
        booked = "out_place INTEGER, into_place INTEGER, site INTEGER, " if self.name == "movements" else ""
        kept = ", ".join(
            f'"{name}" {kind}{SQUEEZED.get(name, "")}' for name, kind in map(self.stored, self.table.columns)
        )
        raw = ", ".join(f'"{c.name}" {SQL_TYPES[c.type]}' for c in self.table.columns)
        return [
            f"CREATE TABLE fact_{self.name} (key UHUGEINT, digest UHUGEINT, seq INTEGER, pos INTEGER, known_at BIGINT, "
            f"source INTEGER, last_seq INTEGER, last_pos INTEGER, {booked}{kept}, attributes VARCHAR)",
            f"CREATE TABLE parked_{self.name} (seq INTEGER, pos INTEGER, source INTEGER, _row BIGINT, _line BIGINT, "
            f"needs_kind VARCHAR, needs VARCHAR, {raw}, attributes VARCHAR)",
        ]


def code_name(column: str, kind: str) -> str:
    """The column that holds the code of an id column.

    >>> code_name("item_id", "item"), code_name("from_id", "place")
    ('item', 'from_place')
    """
    return column.removesuffix("_id") if kind == "item" else f"{column.removesuffix('_id')}_place"


FORMS: Final = {table.name: Form(table) for table in TABLES.values()}


def ddl() -> list[str]:
    """Every statement that makes an empty projection, the virtual places in it."""
    kinds, states = (", ".join(f"'{name}'" for name in names) for names in (MOVEMENT_KINDS, CONDITIONS))
    virtual = ", ".join(f"({code}, '{name}', true, NULL, NULL)" for name, code in VIRTUAL_CODE.items())
    return [
        f"CREATE TYPE movement_kind AS ENUM ({kinds})",
        f"CREATE TYPE condition AS ENUM ({states})",
        "CREATE TABLE watermark (seq INTEGER, hash VARCHAR, version VARCHAR, state UHUGEINT)",
        "CREATE TABLE batch (seq INTEGER, kind VARCHAR, table_name VARCHAR, source VARCHAR, system VARCHAR, "
        "file VARCHAR, record_time BIGINT, delivered BIGINT)",
        "CREATE TABLE rules (seq INTEGER, record_time BIGINT, body VARCHAR)",
        "CREATE TABLE decision (seq INTEGER, record_time BIGINT, body VARCHAR)",
        "CREATE TABLE system (code INTEGER, name VARCHAR)",
        "CREATE TABLE source (code INTEGER, name VARCHAR)",
        "CREATE TABLE item (code INTEGER, item_id VARCHAR, unit VARCHAR, scale INTEGER, power BIGINT)",
        "CREATE TABLE place (code INTEGER, place_id VARCHAR, virtual BOOLEAN, origin INTEGER, destination INTEGER)",
        f"INSERT INTO place VALUES {virtual}",
        "CREATE TABLE unit_factor (item_id VARCHAR, unit VARCHAR, num BIGINT, den BIGINT)",
        "CREATE TABLE reporter (kind movement_kind, system INTEGER, known_at BIGINT)",
        "CREATE TABLE tally (seq INTEGER, table_name VARCHAR, system VARCHAR, delivered BIGINT, accepted BIGINT, "
        "duplicates BIGINT)",
        "CREATE TABLE quarantine (id BIGINT, seq INTEGER, pos INTEGER, state VARCHAR, canonical BOOLEAN, "
        'table_name VARCHAR, system VARCHAR, row BIGINT, line BIGINT, "column" VARCHAR, value VARCHAR, reason VARCHAR, '
        "raw VARCHAR, fingerprint UHUGEINT, counted BOOLEAN)",
        "CREATE TABLE settled (id BIGINT)",
        *(statement for form in FORMS.values() for statement in form.ddl()),
    ]
