"""Writes docs/exchange.md from the tables in the code, where every column stands once: python docs/build/exchange.py"""

from __future__ import annotations

from pathlib import Path

from stocktwin.tables.schema import FACT_TABLES, MASTER_TABLES, TABLES, Column, ColumnType, Table

INTRODUCTION = """\
# The exchange format

<!-- Written by docs/build/exchange.py from stocktwin.tables.schema: change the code, then run the script. -->

A folder of CSV (`.csv`) or Parquet (`.parquet`) files, one of each name, any subset of the tables below. It is the
neutral way into the twin, and what every importer maps to. `stocktwin ingest FOLDER` takes it in, `stocktwin export`
writes it back.

**Reading rules.** A CSV file is UTF-8 with a header line and a comma between fields. Decimals use a point. A column
that is not listed is kept as an attribute of its row. An empty field is a missing value, never zero and never an empty
text. A row that cannot be read becomes a finding with file, line, column and value; the rest of the file is taken.

**Time.** An instant is ISO 8601 with an offset, or without one and then local to the location's `timezone` (else to the
twin's). A date without a time is its first instant.

**Keys.** A key has its effect once, however often it is delivered. The same key with the same content is a duplicate.
The same key with other content is a new version in tables that have versions (the latest `updated_at` holds, else the
latest delivery), and a finding in tables that have none (the first delivery stands).

**Quantities** are greater than zero and in `unit`, or in the item's base unit when that is empty; direction is said by
`from_id` and `to_id`. A quantity that is not a whole number of the item's atomic units is a finding. **Amounts of
money** are in the item's `currency`, or in the twin's when that is empty.

**Places.** `from_id` and `to_id` name a location or one of the virtual accounts `customer`, `supplier`, `loss`, `gain`,
`scrap`, `transform`, `unknown`. Left empty they default by kind:

| kind | `from_id` empty | `to_id` empty |
|---|---|---|
| `receipt` | the supplier; with the `shipment_id` of a posted shipment, its lane | must be given |
| `shipment`, `transfer_out` | must be given | must be given: the goods go onto the lane between the two |
| `transfer_in` | must be given: the goods come off the lane between the two | must be given |
| `sale` | must be given | `customer` |
| `return` | `customer` | must be given; enters condition `returned` unless `to_condition` says otherwise |
| `adjustment` | `gain` | `loss` |
| `scrap` | must be given | `scrap` |
| `transform` | `transform` | `transform`; the rows of one `document` balance |
| `status` | the place in `to_id` | the place in `from_id`: only condition, lot or owner change |

A movement that names no usable place is a finding.
"""

TYPES = {
    ColumnType.ID: "id",
    ColumnType.TEXT: "text",
    ColumnType.QUANTITY: "quantity > 0",
    ColumnType.LEVEL: "quantity ≥ 0",
    ColumnType.DECIMAL: "decimal",
    ColumnType.FACTOR: "rational",
    ColumnType.INSTANT: "instant",
    ColumnType.DATE: "date",
    ColumnType.INTEGER: "integer",
    ColumnType.FLAG: "true or false",
    ColumnType.CHOICE: "choice",
}

GROUPS = (
    ("Master data", "What the network is made of.", MASTER_TABLES),
    ("Facts", "What happened, what was seen, and what is promised or under way.", FACT_TABLES),
)


def bounds(column: Column) -> str:
    """`0 to 1`, `≥ 0` … of a decimal or integer; empty without bounds."""
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"≥ {low:g}"
    return "" if high is None else f"≤ {high:g}"


def values(column: Column) -> str:
    """What may stand in the column."""
    if column.choices:
        return ", ".join(f"`{choice}`" for choice in column.choices)
    return " ".join(part for part in (TYPES[column.type], bounds(column)) if part)


def render_table(table: Table) -> str:
    """One table: meaning, key, columns."""
    key = ", ".join(f"`{name}`" for name in table.key)
    versions = "has versions" if table.versioned else "no versions"
    lines = [f"### {table.name}", "", f"{table.meaning[0].upper()}{table.meaning[1:]}. Key: {key}; {versions}.", ""]
    lines += ["| column | required | values | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        lines.append(f"| `{column.name}` | {'yes' if column.required else ''} | {values(column)} | {column.meaning} |")
    return "\n".join(lines)


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION.rstrip()]
    for title, meaning, names in GROUPS:
        parts.append(f"## {title}\n\n{meaning}")
        parts += [render_table(TABLES[name]) for name in names]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).resolve().parent.parent.joinpath("exchange.md").write_text(render(), encoding="utf-8")
