"""The current version of each key of a table: latest time in its key, else the latest statement in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stocktwin.ledger.layout import FORMS, Form
from stocktwin.tables.schema import DECIMAL, ColumnType

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CLOCKS = {"orders": "updated_at", "shipments": "recorded_at"}
"""Tables whose versions carry their own time."""


def current_sql(name: str, known_at: int | None = None, wheres: str | None = None) -> str:
    """SELECT of the current facts of a table, as stored, as known at an instant (µs). `wheres` is a condition that
    holds for all versions of a fact or for none."""
    form = FORMS[name]
    conditions = [*([] if known_at is None else [f"known_at <= {known_at}"]), *([wheres] if wheres else [])]
    known = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if not form.table.versioned:
        return f"SELECT * FROM fact_{name}{known}"
    clock = CLOCKS.get(name)
    identity = "key"
    if clock:
        columns = [form.table.column(column) for column in form.table.key if column != clock]
        identity = ", ".join(f'"{form.stored(column)[0]}"' for column in columns if column is not None)
    order = f"coalesce({clock}, {-(2**62)})" if clock else "0"
    latest = f"SELECT arg_max(rowid, ({order}, last_seq, last_pos)) FROM fact_{name}{known} GROUP BY {identity}"
    return f"SELECT * FROM fact_{name} WHERE rowid IN ({latest})"


def exchange_sql(form: Form, facts: str, atomic: bool = False) -> str:
    """Stored facts as exchange columns (ids as text, quantities in base units), in order of delivery.

    `facts` is a SELECT of rows of the form's table. Quantities with a unit come as whole billionths (exact
    integers), or as atomic integers if `atomic`; then the stored `digest` comes along too.
    """
    columns, joins = [], []
    kinds = dict(form.references)
    for column in form.table.columns:
        stored = form.stored(column)[0]
        if stored != column.name or (form.coded and column.name == "system"):
            dimension = "system" if column.name == "system" else kinds[column.name]
            alias, shown = f"d_{column.name}", "name" if dimension == "system" else f"{dimension}_id"
            joins.append(f"LEFT JOIN {dimension} {alias} ON {alias}.code = f.{stored}")
            columns.append(f"{alias}.{shown} AS {column.name}")
        elif column.name in form.quantities:
            if atomic:
                columns.append(f"f.{column.name}")
                continue
            nano = f"CAST(f.{column.name} AS HUGEINT) * 1000000000 // d_item_id.power"
            columns.append(f"CAST({nano} AS DECIMAL(38, 0)) AS {column.name}")
        elif column.name == "unit" and form.quantities:
            columns.append("d_item_id.unit AS unit")
        else:
            columns.append(f'CAST(f."{column.name}" AS VARCHAR) AS {column.name}' if column.type is ColumnType.CHOICE
                           else f'f."{column.name}"')  # fmt: skip
    extra = ", f.digest AS digest" if atomic else ""
    select = f"SELECT {', '.join(columns)}, f.attributes, f.pos + 1 AS _row{extra} FROM ({facts}) f {' '.join(joins)}"
    return f"{select} ORDER BY f.seq, f.pos"


def exchange_table(con: duckdb.DuckDBPyConnection, name: str, facts: str) -> pa.Table:
    """The Arrow table of `exchange_sql`, in the canonical schema."""
    import pyarrow as pa

    form = FORMS[name]
    table = con.sql(exchange_sql(form, facts)).to_arrow_table()
    for column in form.quantities:
        at = table.column_names.index(column)
        chunks = [_nano(chunk) for chunk in table.column(at).chunks]
        table = table.set_column(at, column, pa.chunked_array(chunks, DECIMAL))
    return table.cast(form.table.arrow_schema())


def _nano(values: pa.Array) -> pa.Array:
    """Whole billionths read as decimals with nine places: the same 128-bit integers, seen as what they are."""
    import pyarrow as pa

    return pa.Array.from_buffers(DECIMAL, len(values), values.buffers(), offset=values.offset)


def current_table(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """Current facts of a table in the canonical schema."""
    return exchange_table(con, name, current_sql(name))


def all_facts(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """Every accepted fact of a table in the canonical schema, versions included, in order of delivery."""
    return exchange_table(con, name, f"SELECT * FROM fact_{name}")
