"""Master data as the snapshot shows it: current, decimals as float64, sorted by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ledger.currents import current_table
from stocktwin.tables.schema import TABLES, ColumnType

if TYPE_CHECKING:
    import duckdb

MASTERS: Final = ("items", "locations", "lanes", "sourcing", "policies", "demand")
Masters = dict[str, pa.Table]


def masters(con: duckdb.DuckDBPyConnection, today: int) -> Masters:
    """The master tables of a snapshot whose last day of history is `today`."""
    found = {name: master(con, name) for name in MASTERS}
    return found | {"items": _with_units(found["items"]), "sourcing": _in_force(found["sourcing"], today)}


def master(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """Current master data as `Snapshot` has it: decimals as float64, sorted by key."""
    table = TABLES[name]
    facts = current_table(con, name).select([column.name for column in table.columns])
    fields = [
        pa.field(column.name, pa.float64() if _is_decimal(column.type) else column.arrow) for column in table.columns
    ]
    return facts.cast(pa.schema(fields)).sort_by([(key, "ascending") for key in table.key])


def _is_decimal(kind: ColumnType) -> bool:
    return kind in (ColumnType.DECIMAL, ColumnType.LEVEL, ColumnType.QUANTITY)


def _with_units(items: pa.Table) -> pa.Table:
    for name, default in (("unit", "each"), ("scale", 0)):
        at = items.column_names.index(name)
        items = items.set_column(at, name, pc.fill_null(items.column(name), default))
    return items


def _in_force(sourcing: pa.Table, today: int) -> pa.Table:
    """Sourcing rows valid today, the one that began last where several of one source are."""
    day = pa.scalar(today, pa.int32()).cast(pa.date32())
    begun = pc.fill_null(pc.less_equal(sourcing.column("valid_from"), day), True)
    going = pc.fill_null(pc.greater_equal(sourcing.column("valid_to"), day), True)
    valid = sourcing.filter(pc.and_(begun, going))
    if not valid.num_rows:
        return valid
    keys = list(zip(*(valid.column(n).to_pylist() for n in ("item_id", "location_id", "source_id")), strict=True))
    began = [-(10**9) if value is None else value for value in valid.column("valid_from").cast(pa.int32()).to_pylist()]
    last = {key: number for number, key in sorted(enumerate(keys), key=lambda pair: began[pair[0]])}
    return valid.take(pa.array(sorted(last.values()), pa.int64()))
