"""Folders: every bad input becomes a finding with file, line, column and value; the rest is taken; counts add up."""

from __future__ import annotations

import csv
import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.ingest.contracts import SourceSpec, default_source, parse_source
from stocktwin.ingest.sources.files import FolderReport, read_folder
from stocktwin.tables.batch import REJECTED_SCHEMA, Delivery
from stocktwin.tables.schema import TABLES

HEADER = "event_id,event_time,kind,item_id,quantity,unit,from_id,to_id,system\n"
GOOD = "e1,2025-01-02T03:04:05Z,sale,A,3,each,DC-1,customer,erp\n"


def _write(folder: Path, **files: str | bytes | pa.Table) -> Path:
    for name, content in files.items():
        stem, suffix = name.rsplit("_", 1)
        path = folder / f"{stem}.{suffix}"
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def _read(folder: Path, source: SourceSpec | None = None, **known: Any) -> tuple[list[Delivery], FolderReport]:
    report = FolderReport()
    deliveries = list(read_folder(folder, source or default_source(), report=report, **known))
    for one in deliveries:
        assert one.facts.schema.names[: len(TABLES[one.table].arrow_schema())] == TABLES[one.table].arrow_schema().names
        assert one.rejected.schema == REJECTED_SCHEMA
        assert one.facts.num_rows + one.rejected.num_rows <= 100_000
    for file in report.files:
        if not any(spec.distinct or spec.where for spec in (source or default_source()).maps):
            assert file.facts + file.rejected == file.rows
    return deliveries, report


def _findings(deliveries: list[Delivery]) -> list[tuple[Any, ...]]:
    rows = [row for one in deliveries for row in one.rejected.to_pylist()]
    return [(row["row"], row["line"], row["column"], row["value"]) for row in rows]


def test_an_exchange_table_as_it_is(tmp_path: Path) -> None:
    body = "e1,2025-01-02T03:04:05Z,Sale, A ,3,,DC-1,,\n"
    (one,), report = _read(_write(tmp_path, movements_csv=HEADER + body))
    fact = one.facts.to_pylist()[0]
    assert (one.source, one.table, one.file, one.replays) == ("exchange", "movements", "movements.csv", ())
    digest = hashlib.sha256((HEADER + body).encode()).hexdigest()
    assert (one.raw_digest, one.cursor) == (digest, f"movements.csv:{digest[:16]}:1")
    assert one.facts.schema == TABLES["movements"].arrow_schema()
    assert fact["event_time"] == 1735787045000000
    assert (fact["kind"], fact["item_id"], fact["quantity"]) == ("sale", "A", Decimal(3))
    assert (fact["unit"], fact["to_id"], fact["system"], fact["_row"]) == (None, None, "exchange", 1)
    assert report.ignored == {}


@pytest.mark.parametrize(("line", "column", "value", "says"), [
    ("e2,2025-13-02,sale,A,3,each,DC-1,customer,erp", "event_time", "2025-13-02", "not an ISO 8601"),
    ("e2,1850-01-02,sale,A,3,each,DC-1,customer,erp", "event_time", "1850-01-02", "absurd time"),
    ("e2,2025-01-02,sale,A,-3,each,DC-1,customer,erp", "quantity", "-3", "greater than zero"),
    ("e2,2025-01-02,sale,A,1e15,each,DC-1,customer,erp", "quantity", "1e15", "absurd quantity"),
    ("e2,2025-01-02,sale,A,three,each,DC-1,customer,erp", "quantity", "three", "not a number"),
    ("e2,2025-01-02,sold,A,3,each,DC-1,customer,erp", "kind", "sold", "none of receipt"),
    ("e2,2025-01-02,sale, ,3,each,DC-1,customer,erp", "item_id", " ", "required value is missing"),
    ("e2,2025-01-02,sale,A,3,each", "from_id", None, "6 cells where the header has 9"),
    ("e2,2025-01-02,sale,A,3,each,DC-1,customer,erp,more", None, "more", "10 cells"),
    ('e2,"2025-01-02,sale,A,3,each,DC-1,customer,erp', "event_id",
     'e2,"2025-01-02,sale,A,3,each,DC-1,customer,erp', "cannot be split"),
])  # fmt: skip
def test_one_bad_row(tmp_path: Path, line: str, column: str, value: str, says: str) -> None:
    """The bad row stands on line 3, between two good ones."""
    last = GOOD.replace("e1", "e3")
    deliveries, report = _read(_write(tmp_path, movements_csv=HEADER + GOOD + line + "\n" + last))
    assert _findings(deliveries) == [(2, 3, column, value)]
    (finding,) = deliveries[0].rejected.to_pylist()
    assert says in finding["reason"]
    assert deliveries[0].facts["event_id"].to_pylist() == ["e1", "e3"]
    assert deliveries[0].facts["_row"].to_pylist() == [1, 3]
    assert (report.files[0].rows, report.files[0].facts, report.files[0].rejected) == (3, 2, 1)


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    rows = GOOD.encode() + GOOD.replace("e1", "e2").replace("A", "caf\xe9").encode("latin-1")
    deliveries, _ = _read(_write(tmp_path, movements_csv=HEADER.encode() + rows))
    assert _findings(deliveries) == [(2, 3, "item_id", "caf\\xe9")]
    assert deliveries[0].rejected["raw"][0].as_py().count("\\udce9") == 1
    assert deliveries[0].facts.num_rows == 1


def test_the_first_fault_in_the_order_of_the_table_is_told(tmp_path: Path) -> None:
    bad = "e1,never,sold,,-1,each,DC-1,customer,erp\n"
    deliveries, _ = _read(_write(tmp_path, movements_csv=HEADER + bad))
    assert _findings(deliveries) == [(1, 2, "event_time", "never")]


def test_a_missing_required_column_is_one_finding_and_rejects_every_row(tmp_path: Path) -> None:
    text = (HEADER + GOOD + GOOD).replace("quantity", "qty")
    (one,), report = _read(_write(tmp_path, movements_csv=text))
    whole, *rows = one.rejected.to_pylist()
    assert (whole["row"], whole["line"], whole["column"]) == (0, 1, "quantity")
    assert "the file has: event_id, event_time, kind, item_id, qty" in whole["reason"]
    assert [(row["row"], row["column"], row["value"]) for row in rows] == [(1, "quantity", None), (2, "quantity", None)]
    assert (one.facts.num_rows, report.files[0].rejected) == (0, 2)


def test_a_column_that_stands_twice_is_never_guessed(tmp_path: Path) -> None:
    text = "item_id,location_id,location_id,policy\nA,X,Y,min_max\n"
    (one,), _ = _read(_write(tmp_path, policies_csv=text))
    assert _findings([one]) == [
        (0, 1, "location_id", "item_id, location_id, location_id#2, policy"),
        (1, 2, "location_id", "X"),
    ]
    assert one.facts.num_rows == 0


def test_empty_header_only_and_unreadable_files(tmp_path: Path) -> None:
    folder = _write(tmp_path, items_csv="", units_csv="item_id,unit,factor\n", movements_csv=HEADER + GOOD)
    (folder / "orders.parquet").write_bytes(b"PAR1 this is none PAR1")
    deliveries, report = _read(folder)
    told = {one.file: [(f["row"], f["reason"]) for f in one.rejected.to_pylist()] for one in deliveries}
    assert told["items.csv"] == [(0, "the file is empty: it has no header")]
    assert told["orders.parquet"][0][0] == 0
    assert "not a readable Parquet file" in told["orders.parquet"][0][1]
    assert told["movements.csv"] == []
    assert "units.csv" not in told
    assert [file.rows for file in report.files if file.file == "units.csv"] == [0]


def test_a_damaged_page_ends_the_file_with_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": [f"I{n}" for n in range(1000)]}), path, use_dictionary=False)
    damaged = bytearray(path.read_bytes())
    damaged[20:3000] = b"\xff" * 2980
    path.write_bytes(damaged)
    (one,), _ = _read(tmp_path)
    assert [row["row"] for row in one.rejected.to_pylist()] == [0]


def test_master_data_comes_first_and_nothing_is_silently_dropped(tmp_path: Path) -> None:
    folder = _write(
        tmp_path,
        movements_csv=HEADER + GOOD,
        locations_csv="location_id,kind\nDC-1,dc\n",
        items_csv="item_id\nA\n",
        orders_xlsx=b"PK",
        notes_csv="a\n1\n",
        **{"movements-2025-01-05_csv": HEADER + GOOD},
    )
    (folder / "old").mkdir()
    items = pa.table({"item_id": ["B"]})
    pq.write_table(items, folder / "items.parquet")
    deliveries, report = _read(folder)
    assert [one.file for one in deliveries] == [
        "items.parquet",
        "locations.csv",
        "movements-2025-01-05.csv",
        "movements.csv",
    ]
    assert report.ignored == {
        "items.csv": "the same table is there as Parquet",
        "notes.csv": "no map names it and its name is no exchange table",
        "old": "a folder; folders inside a source's folder are not read",
        "orders.xlsx": "neither CSV nor Parquet",
    }


def test_no_folder_and_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        read_folder(tmp_path / "nowhere", default_source())
    (tmp_path / "notes.csv").write_text("a\n")
    with pytest.raises(UsageError, match=r"items\.csv or \.parquet.*notes\.csv \(no map"):
        read_folder(tmp_path, default_source())


def test_unknown_columns_are_attributes_and_come_back(tmp_path: Path) -> None:
    _write(tmp_path, items_csv='item_id,colour,attributes,size\nA,"r""ed","{""old"": 1}",\nB,,,\n')
    (one,), _ = _read(tmp_path)
    assert one.facts["attributes"].to_pylist() == ['{"old": 1, "colour": "r\\"ed"}', None]


def test_lines_are_kept_where_they_are_not_row_plus_one(tmp_path: Path) -> None:
    (one,), _ = _read(_write(tmp_path, items_csv='item_id,description\nA,"two\nlines"\nB,x\n'))
    assert one.facts["_line"].to_pylist() == [2, 4]
    (one,), _ = _read(_write(tmp_path, items_csv="item_id,description\nA,x\nB,x\n"))
    assert "_line" not in one.facts.column_names


def test_naive_times_are_local_to_the_source_the_location_or_the_twin(tmp_path: Path) -> None:
    naive = HEADER + "".join(
        f"e{n},2025-07-01T12:00:00,sale,A,3,,{place},,\n" for n, place in enumerate(("P", "T", "X"))
    )
    folder = _write(
        tmp_path, movements_csv=naive, locations_csv="location_id,kind,timezone\nP,dc,Europe/Paris\nX,dc,\n"
    )

    def hours(source: SourceSpec, **known: Any) -> list[int]:
        deliveries, _ = _read(folder, source, **known)
        return [(time // 3_600_000_000) % 24 for time in deliveries[-1].facts["event_time"].to_pylist()]

    tokyo = {"T": "Asia/Tokyo"}
    assert hours(default_source(twin_timezone="America/New_York"), location_timezones=tokyo) == [10, 3, 16]
    assert hours(parse_source("erp", {"timezone": "UTC"}), location_timezones=tokyo) == [12, 12, 12]
    assert tokyo == {"T": "Asia/Tokyo"}


def test_arrivals_are_local_to_the_destination(tmp_path: Path) -> None:
    text = "shipment_id,origin_id,destination_id,departed_at,arrived_at\nS,T,P,2025-07-01T12:00,2025-07-02T12:00\n"
    (one,), _ = _read(_write(tmp_path, shipments_csv=text), location_timezones={"T": "Asia/Tokyo", "P": "Europe/Paris"})
    fact = one.facts.to_pylist()[0]
    assert [(fact[name] // 3_600_000_000) % 24 for name in ("departed_at", "arrived_at")] == [3, 10]


def test_crossref_known_and_delivered(tmp_path: Path) -> None:
    rows = "exchange,item,4711,A\nother,item,4711,Z\nexchange,unit,EA,each\nexchange,party,K1,customer\n"
    _write(
        tmp_path,
        crossref_csv="system,kind,external_id,internal_id\n" + rows,
        movements_csv=HEADER + "e1,2025-01-02,sale,4711,3,EA,W1,K1,\n",
    )
    known = {("location", "W1"): "DC-1", ("wms", "location", "W1"): "DC-9", ("exchange", "item", "x"): "y"}
    deliveries, _ = _read(tmp_path, crossref=known)
    fact = deliveries[-1].facts.to_pylist()[0]
    assert [fact[name] for name in ("item_id", "unit", "from_id", "to_id")] == ["A", "each", "DC-1", "customer"]


RETAIL = {
    "map": [
        {"file": "lines.*", "table": "items", "distinct": True, "columns": {"item_id": "Code", "description": "Text"}},
        {
            "file": "lines.*",
            "table": "movements",
            "where": [{"column": "Q", "above": 0}, {"column": "Code", "matches": "^[A-Z]"}],
            "attributes": ["Land"],
            "columns": {
                "event_id": "{No}-{_row}",
                "event_time": {"column": "When", "format": "%d.%m.%Y"},
                "kind": {"value": "sale"},
                "item_id": {"column": "Code", "upper": True},
                "quantity": "Q",
                "from_id": {"value": "UK"},
            },
        },
        {
            "file": "lines.*",
            "table": "movements",
            "where": {"column": "Q", "below": 0},
            "columns": {
                "event_id": "{No}-{_row}",
                "event_time": {"column": "When", "format": "%d.%m.%Y"},
                "kind": {"column": "Why", "map": {"R": "return", "S": "scrap"}, "default": "adjustment"},
                "item_id": "Code",
                "quantity": {"column": "Q", "absolute": True},
                "reason": {"column": "Text", "match": "because (.*)"},
            },
        },
    ]
}
LINES = """No,Code,Text,Q,When,Why,Land
1,A,first,3,31.12.2024,,UK
1,A,second,4,31.12.2024,,FR
2,B,because broken,-2,01.01.2025,S,
3,B,,-1,02.01.2025,?,
4,C,,0,02.01.2025,,
5,1,,5,02.01.2025,,
6,D,,many,02.01.2025,,
7,D,,1,2025-01-02,,
8,E,,1
"""


def test_several_maps_of_one_file_account_for_every_row(tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text(LINES)
    deliveries, report = _read(tmp_path, parse_source("retail", RETAIL))
    items, sales, others = deliveries
    assert items.facts.select(["item_id", "description"]).to_pylist()[:2] == [
        {"item_id": "A", "description": "first"},
        {"item_id": "B", "description": "because broken"},
    ]
    assert items.facts.num_rows == 5
    assert sales.facts["event_id"].to_pylist() == ["1-1", "1-2"]
    assert sales.facts["attributes"].to_pylist() == ['{"Land": "UK"}', '{"Land": "FR"}']
    assert _findings([sales]) == [(7, 8, "Q", "many"), (8, 9, "When", "2025-01-02"), (9, 10, "When", None)]
    columns = ["kind", "quantity", "reason", "system"]
    assert others.facts.select(columns).to_pylist() == [
        {"kind": "scrap", "quantity": Decimal(2), "reason": "broken", "system": "retail"},
        {"kind": "adjustment", "quantity": Decimal(1), "reason": None, "system": "retail"},
    ]
    assert report.untaken == {"lines.csv": 2}
    taken = sum(one.facts.num_rows + one.rejected.num_rows for one in (sales, others))
    assert taken + report.untaken["lines.csv"] == 9
    assert (report.files[0].facts, report.files[0].collapsed) == (5, 3)


def test_a_condition_on_a_column_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "lines.csv").write_text(LINES.replace("Q", "Menge", 1))
    deliveries, report = _read(tmp_path, parse_source("retail", RETAIL))
    rejected = deliveries[1].rejected.to_pylist()
    assert (rejected[0]["row"], rejected[0]["column"]) == (0, "Q")
    assert len([row for row in rejected if row["row"]]) == 9
    assert report.untaken == {"lines.csv": 0}


def test_ignored_on_purpose(tmp_path: Path) -> None:
    _write(tmp_path, items_csv="item_id\nA\n", movements_csv=HEADER + GOOD)
    _, report = _read(tmp_path, parse_source("erp", {"ignore": {"mov*": "a copy"}}))
    assert report.ignored == {"movements.csv": "a copy"}


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    typed = pa.table(
        {
            "event_id": [1, 2, 3],
            "event_time": pa.array([1735787045000000] * 3, pa.timestamp("us", "Europe/Paris")),
            "kind": pa.array(["sale", "sale", "sale"]).dictionary_encode(),
            "item_id": ["A", None, "A"],
            "quantity": [2.5, 1.0, -1.0],
            "from_id": pa.array(["DC-1"] * 3, pa.large_string()),
            "more": [[1, 2], None, [3]],
        }
    )
    (one,), _ = _read(_write(tmp_path, movements_parquet=typed))
    assert _findings([one]) == [(2, None, "item_id", ""), (3, None, "quantity", "-1")]
    fact = one.facts.to_pylist()[0]
    assert (fact["event_id"], fact["event_time"], fact["quantity"]) == ("1", 1735787045000000, Decimal("2.5"))
    assert fact["attributes"] == '{"more": "[1, 2]"}'


def test_parquet_text_that_is_no_utf8(tmp_path: Path) -> None:
    raw = pa.array([b"ok", b"caf\xe9"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    (one,), _ = _read(_write(tmp_path, items_parquet=pa.table({"item_id": broken})))
    assert one.facts["item_id"].to_pylist() == ["ok"]
    assert _findings([one]) == [(2, None, "item_id", "caf\\xe9")]


def test_large_files_come_in_batches(tmp_path: Path) -> None:
    rows = pa.table({"item_id": pa.array(range(250_001)).cast(pa.string())})
    deliveries, _ = _read(_write(tmp_path, items_parquet=rows))
    assert [one.facts.num_rows for one in deliveries] == [100_000, 100_000, 50_001]
    assert [one.cursor.rsplit(":", 1)[1] for one in deliveries] == ["100000", "200000", "250001"]


def _canonical() -> pa.Table:
    schema = TABLES["movements"].arrow_schema()
    row = dict.fromkeys(schema.names)
    row |= {"event_id": "e1", "event_time": 1735787045123456, "kind": "transfer_out", "item_id": "Ä 1", "system": "wms"}
    row |= {
        "quantity": Decimal("1.234567891"),
        "unit": "kg",
        "expiry": date(2026, 2, 28),
        "reason": 'said "no", then\nyes',
    }
    row |= {"recorded_at": 1735787046000000, "attributes": '{"colour": "red", "n": 1}', "_row": 1}
    return pa.Table.from_pylist([row, {**row, "event_id": "e2", "reason": None, "attributes": None, "_row": 2}], schema)


@pytest.mark.parametrize("form", ["csv", "parquet", "canonical"])
def test_a_round_trip_loses_nothing(tmp_path: Path, form: str) -> None:
    """Exchange files written from canonical facts: ISO times in CSV, timestamps or kept microseconds in Parquet."""
    facts = _canonical()
    path = tmp_path / f"movements.{form.replace('canonical', 'parquet')}"
    instants = [facts.column_names.index(name) for name in ("event_time", "recorded_at")]
    written = facts.drop_columns(["_row"])
    for at in instants if form != "canonical" else ():
        stamps = facts.column(at).cast(pa.timestamp("us", "UTC"))
        texts = pa.array([moment.isoformat() for moment in stamps.to_pylist()])
        written = written.set_column(at, facts.column_names[at], texts if form == "csv" else stamps)
    if form == "csv":
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerow(written.column_names)
            csv.writer(handle).writerows([row.values() for row in written.to_pylist()])
    else:
        pq.write_table(written, path)
    (one,), _ = _read(tmp_path)
    assert one.rejected.num_rows == 0
    assert one.facts.select(facts.column_names).to_pylist() == facts.to_pylist()
