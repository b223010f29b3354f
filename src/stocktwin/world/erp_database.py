"""The ERP as a real SQL database, under its own names: what a consultant finds who looks behind the exchange tables.

Made from the columns of the ERP's feeds, so it says the same. SQLite by default, or a dump that `psql` loads.
Times are UTC texts, quantities exact texts in base units, as such systems keep them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

Columns = Mapping[str, pa.Array]

BATCH: Final = 20_000


@dataclass(frozen=True)
class ErpTable:
    """One table of the ERP: the feed it is made of, and (its column, the feed's column, SQL type) of each column."""

    name: str
    feed: str
    columns: tuple[tuple[str, str, str], ...]
    key: tuple[str, ...]
    latest: bool = False
    """Whether a later row of a key takes the place of an earlier one; else the first stands."""


TABLES: Final = (
    ErpTable("material", "items", (
        ("matnr", "item_id", "TEXT"), ("maktx", "description", "TEXT"), ("matkl", "category", "TEXT"),
        ("ean11", "gtin", "TEXT"), ("meins", "unit", "TEXT"), ("decimals", "scale", "INTEGER"),
        ("stprs", "unit_cost", "TEXT"), ("vkprs", "unit_price", "TEXT"), ("waers", "currency", "TEXT"),
        ("mhdhb", "shelf_life_days", "INTEGER"), ("xchpf", "lot_controlled", "TEXT"), ("maabc", "criticality", "TEXT"),
    ), ("matnr",)),
    ErpTable("material_unit", "units", (
        ("matnr", "item_id", "TEXT"), ("meinh", "unit", "TEXT"), ("umrez", "factor", "TEXT"),
    ), ("matnr", "meinh")),
    ErpTable("plant", "locations", (
        ("werks", "location_id", "TEXT"), ("name1", "name", "TEXT"), ("ktokk", "kind", "TEXT"),
        ("lat", "latitude", "TEXT"), ("lon", "longitude", "TEXT"), ("tzone", "timezone", "TEXT"),
        ("regio", "region", "TEXT"),
    ), ("werks",)),
    ErpTable("source_list", "sourcing", (
        ("matnr", "item_id", "TEXT"), ("werks", "location_id", "TEXT"), ("lifnr", "source_id", "TEXT"),
        ("rank", "priority", "INTEGER"), ("minbm", "moq", "TEXT"), ("bstrf", "order_multiple", "TEXT"),
        ("netpr", "unit_cost", "TEXT"),
    ), ("matnr", "werks", "lifnr")),
    ErpTable("planning", "policies", (
        ("matnr", "item_id", "TEXT"), ("werks", "location_id", "TEXT"), ("dismm", "policy", "TEXT"),
        ("minbe", "reorder_point", "TEXT"), ("mabst", "order_up_to", "TEXT"), ("rhythm", "review_days", "INTEGER"),
    ), ("matnr", "werks")),
    ErpTable("order_line", "orders", (
        ("ebeln", "order_id", "TEXT"), ("ebelp", "line", "TEXT"), ("bsart", "kind", "TEXT"),
        ("matnr", "item_id", "TEXT"), ("menge", "quantity", "TEXT"), ("meins", "unit", "TEXT"),
        ("lifnr", "from_id", "TEXT"), ("werks", "to_id", "TEXT"), ("bedat", "ordered_at", "TEXT"),
        ("eindt", "promised_at", "TEXT"), ("sent_at", "shipped_at", "TEXT"), ("got_at", "received_at", "TEXT"),
        ("wemng", "quantity_received", "TEXT"), ("storno", "quantity_cancelled", "TEXT"), ("state", "status", "TEXT"),
        ("aedat", "updated_at", "TEXT"),
    ), ("ebeln", "ebelp", "aedat")),
    ErpTable("material_document", "movements", (
        ("mblnr", "event_id", "TEXT"), ("budat", "event_time", "TEXT"), ("bwart", "kind", "TEXT"),
        ("matnr", "item_id", "TEXT"), ("menge", "quantity", "TEXT"), ("meins", "unit", "TEXT"),
        ("from_werks", "from_id", "TEXT"), ("to_werks", "to_id", "TEXT"), ("charg", "lot", "TEXT"),
        ("insmk", "condition", "TEXT"), ("umins", "to_condition", "TEXT"), ("xblnr", "document", "TEXT"),
        ("ebeln", "order_id", "TEXT"), ("ebelp", "line", "TEXT"), ("sgtxt", "reason", "TEXT"),
        ("smbln", "corrects", "TEXT"), ("cpudt", "recorded_at", "TEXT"),
    ), ("mblnr",)),
    ErpTable("stock_overview", "observations", (
        ("matnr", "item_id", "TEXT"), ("werks", "location_id", "TEXT"), ("labst", "quantity", "TEXT"),
        ("stichtag", "event_time", "TEXT"),
    ), ("matnr", "werks"), latest=True),
)  # fmt: skip
"""Their names are those a German-made ERP would have; the twin's mapping has to translate them."""


def write_sqlite(path: Path, feeds: Mapping[str, Iterable[Columns]]) -> dict[str, int]:
    """Writes the database anew from the parts of each ERP feed (`items`, `movements` …); returns the rows by table.

    The same feeds give the same bytes. Rows delivered twice are kept once, as a key demands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    rows = {}
    with sqlite3.connect(path) as con:
        con.execute("PRAGMA journal_mode = OFF")
        con.execute("PRAGMA synchronous = OFF")
        for table in TABLES:
            con.execute(f"{create_sql(table)} WITHOUT ROWID")
            con.executemany(_insert_sql(table), stated(table, feeds.get(table.feed, ())))
            rows[table.name] = con.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
    con.close()
    return rows


def insert_rows(con: sqlite3.Connection, feed: str, columns: Columns) -> int:
    """Adds the rows of one feed to an open database (as `world play` does); returns how many were new."""
    table = next(one for one in TABLES if one.feed == feed)
    before = con.total_changes
    con.executemany(_insert_sql(table), stated(table, [columns]))
    return con.total_changes - before


def write_postgres_dump(path: Path, feeds: Mapping[str, Iterable[Columns]]) -> None:
    """Writes a dump for PostgreSQL (`psql -f FILE`): the tables of `write_sqlite`, filled by COPY."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("BEGIN;\n")
        for table in TABLES:
            stream.write(f"DROP TABLE IF EXISTS {table.name};\n{create_sql(table)};\n")
            stream.write(f"CREATE TEMP TABLE incoming (LIKE {table.name}) ON COMMIT DROP;\nCOPY incoming FROM stdin;\n")
            stream.writelines("\t".join(map(_copied, row)) + "\n" for row in stated(table, feeds.get(table.feed, ())))
            stream.write(
                f"\\.\nINSERT INTO {table.name} SELECT * FROM incoming ON CONFLICT DO NOTHING;\nDROP TABLE incoming;\n"
            )
        stream.write("COMMIT;\n")


def create_sql(table: ErpTable) -> str:
    """The statement that makes a table, in words that SQLite and PostgreSQL both know."""
    columns = ", ".join(f"{name} {kind}" for name, _, kind in table.columns)
    return f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({', '.join(table.key)}))"


def _insert_sql(table: ErpTable) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT OR {'REPLACE' if table.latest else 'IGNORE'} INTO {table.name} VALUES ({marks})"


def stated(table: ErpTable, parts: Iterable[Columns]) -> Iterable[tuple[Any, ...]]:
    """The rows of a table from the parts of its feed; where only the latest counts, one of each key."""
    rows = (row for columns in parts for row in rows_of(table, columns))
    if not table.latest:
        return rows
    names = [name for name, _, _ in table.columns]
    places = [names.index(name) for name in table.key]
    return {tuple(row[place] for place in places): row for row in rows}.values()


def rows_of(table: ErpTable, columns: Columns) -> Iterator[tuple[Any, ...]]:
    """The rows of a feed as the ERP keeps them, in batches."""
    length = len(next(iter(columns.values()))) if columns else 0
    for first in range(0, length, BATCH):
        parts = [_cells(columns.get(feed), first, min(BATCH, length - first), kind) for _, feed, kind in table.columns]
        yield from zip(*parts, strict=True)


def _cells(column: pa.Array | None, first: int, length: int, kind: str) -> Sequence[Any]:
    if column is None:
        return [None] * length
    part = column.slice(first, length)
    if pa.types.is_timestamp(part.type):
        part = pc.strftime(part.cast(pa.timestamp("s", part.type.tz), safe=False), "%Y-%m-%dT%H:%M:%SZ")
    elif pa.types.is_decimal(part.type):
        part = pc.replace_substring_regex(part.cast(pa.string()), r"\.?0+$", "")
    elif kind == "TEXT":
        part = part.cast(pa.string())
    elif pa.types.is_string(part.type):
        part = pc.if_else(pc.equal(part, ""), None, part).cast(pa.int64())
    values: list[Any] = part.to_pylist()
    return values


def _copied(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
