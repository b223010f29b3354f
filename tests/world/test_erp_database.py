"""The ERP's database says what its feeds say, under its own names."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.tables.schema import TABLES as EXCHANGE
from stocktwin.world.encoding import instants, quantities
from stocktwin.world.erp_database import TABLES, insert_rows, write_postgres_dump, write_sqlite
from stocktwin.world.feeds import erp_parts

START = 1_735_740_000_000_000


def movements(first: int, n: int) -> dict[str, pa.Array]:
    number = np.arange(first, first + n)
    return {
        "event_id": pa.array([f"ERP-{k}" for k in number]),
        "event_time": instants(START + number * 60_000_000),
        "kind": pa.array(["sale"] * n),
        "item_id": pa.array(["IT\t1" if k == 1 else "IT-2" for k in number]),
        "quantity": quantities(number * 500 + 500, np.full(n, 3)),
        "reason": pa.array([None] * n, pa.string()),
    }


@pytest.fixture
def feeds():
    items = {
        "item_id": pa.array(["IT-1", "IT-2"]),
        "scale": pa.array(["0", "3"]),
        "shelf_life_days": pa.array(["", "90"]),
    }
    return {"items": [items], "movements": [movements(0, 30_000), movements(29_999, 3)]}


def test_rows_are_those_of_the_feeds_once_each(tmp_path: Path, feeds):
    rows = write_sqlite(tmp_path / "erp.sqlite", feeds)
    assert (rows["material"], rows["material_document"], rows["order_line"]) == (2, 30_002, 0)
    with sqlite3.connect(tmp_path / "erp.sqlite") as con:
        assert con.execute("SELECT matnr, decimals, mhdhb FROM material").fetchall() == [
            ("IT-1", 0, None),
            ("IT-2", 3, 90),
        ]
        found = con.execute("SELECT mblnr, budat, menge, sgtxt FROM material_document WHERE mblnr = 'ERP-9'").fetchall()
        assert found == [("ERP-9", "2025-01-01T14:09:00Z", "5", None)]
        assert con.execute("SELECT menge FROM material_document WHERE mblnr = 'ERP-2'").fetchall() == [("1.5",)]


def test_whole_numbers_keep_their_zeros(tmp_path: Path):
    write_sqlite(tmp_path / "erp.sqlite", {"movements": [movements(199, 1)]})
    with sqlite3.connect(tmp_path / "erp.sqlite") as con:
        assert con.execute("SELECT menge FROM material_document").fetchall() == [("100",)]


def test_the_same_feeds_give_the_same_bytes(tmp_path: Path, feeds):
    for name in ("a", "b"):
        write_sqlite(tmp_path / name / "erp.sqlite", feeds)
        write_sqlite(tmp_path / name / "erp.sqlite", feeds)
    assert (tmp_path / "a/erp.sqlite").read_bytes() == (tmp_path / "b/erp.sqlite").read_bytes()


def test_rows_can_be_added_while_the_world_plays(tmp_path: Path, feeds):
    write_sqlite(tmp_path / "erp.sqlite", feeds)
    with sqlite3.connect(tmp_path / "erp.sqlite") as con:
        assert insert_rows(con, "movements", movements(29_990, 100)) == 100 - 12
    con.close()


def test_only_the_latest_stock_stands_and_later_files_come_later(tmp_path: Path):
    for name, level in (("observations", 1), ("observations-2025-03-01", 3), ("observations-2025-02-01", 2)):
        rows = {"event_time": instants(np.array([START + level])), "item_id": pa.array(["IT-1"]),
                "location_id": pa.array(["DC-1"]),
                "quantity": quantities(np.array([level]), np.array([0]))}  # fmt: skip
        pq.write_table(pa.table(rows), tmp_path / f"{name}.parquet")
    write_sqlite(tmp_path / "erp.sqlite", erp_parts(tmp_path))
    with sqlite3.connect(tmp_path / "erp.sqlite") as con:
        assert con.execute("SELECT matnr, werks, labst FROM stock_overview").fetchall() == [("IT-1", "DC-1", "3")]
    con.close()


def test_a_dump_has_a_line_for_each_row_and_escapes_what_would_break_it(tmp_path: Path, feeds):
    write_postgres_dump(tmp_path / "erp.sql", feeds)
    text = (tmp_path / "erp.sql").read_text(encoding="utf-8")
    assert text.count("COPY incoming FROM stdin;\n") == len(TABLES) == text.count("\n\\.\n")
    line = next(line for line in text.splitlines() if line.startswith("ERP-1\t"))
    assert line.split("\t")[:6] == ["ERP-1", "2025-01-01T14:01:00Z", "sale", "IT\\t1", "1", "\\N"]
    assert text.startswith("BEGIN;")
    assert text.endswith("COMMIT;\n")


def test_every_column_comes_from_an_exchange_column_and_names_are_its_own():
    for table in TABLES:
        known = {column.name for column in EXCHANGE[table.feed].columns}
        assert {feed for _, feed, _ in table.columns} <= known
        names = [name for name, _, _ in table.columns]
        assert len(set(names)) == len(names)
        assert set(table.key) <= set(names)
        assert not set(names) & known
