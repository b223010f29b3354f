"""Facts written back as an exchange folder; reading it again gives the same state hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.tables.schema import TABLES, ColumnType, Table

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger


def export(ledger: Ledger, folder: Path, form: str) -> dict[str, Any]:
    """Writes one file for each table that has facts; UsageError when the folder is not empty."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot make {folder}: {error.strerror}") from None
    files = []
    for table in TABLES.values():
        facts = ledger.rows(table.name)
        if facts.num_rows:
            path = folder / f"{table.name}.{form}"
            _write(outside(facts, table), path)
            files.append({"file": path.name, "rows": facts.num_rows})
    return {"folder": str(folder), "files": files}


def outside(facts: pa.Table, table: Table) -> pa.Table:
    """Canonical facts as exchange columns: text as it would be delivered, unknown columns spread out again."""
    columns = {}
    for column in table.columns:
        if column.name in facts.column_names:
            values = facts.column(column.name)
            if values.null_count < len(values) or column.required:
                columns[column.name] = _text(values, column.type)
    return pa.table(columns | _attributes(facts, set(columns)))


def _text(values: pa.ChunkedArray, kind: ColumnType) -> pa.ChunkedArray:
    if kind is ColumnType.INSTANT:
        moments = values.cast(pa.timestamp("us"))
        return pc.binary_join_element_wise(pc.strftime(moments, "%Y-%m-%dT%H:%M:%S"), "Z", "")
    if kind in (ColumnType.QUANTITY, ColumnType.LEVEL, ColumnType.DECIMAL):
        # 12.500000000 → 12.5, 12.000000000 → 12; Arrow writes nought as 0E-9
        plain = pc.replace_substring_regex(values.cast(pa.string()), r"(\.\d*?)0+$", r"\1")
        return pc.replace_substring_regex(plain, r"\.$|^(0)E-9$", r"\1").cast(pa.string())
    return values.cast(pa.string())


def _attributes(facts: pa.Table, known: set[str]) -> dict[str, pa.Array]:
    if "attributes" not in facts.column_names or facts.column("attributes").null_count == facts.num_rows:
        return {}
    parsed = [json.loads(text) if text else {} for text in facts.column("attributes").to_pylist()]
    names = sorted({name for row in parsed for name in row} - known)
    return {name: pa.array([row.get(name) for row in parsed], pa.string()) for name in names}


def _write(table: pa.Table, path: Path) -> None:
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)
