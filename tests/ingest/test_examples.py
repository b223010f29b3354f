"""The worked examples in docs/examples on real data that nobody prepared: every row is accounted for, exactly."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stocktwin.ingest.contracts import SourceSpec, parse_source
from stocktwin.ingest.sources.files import FolderReport, read_folder


def _example(root: Path, name: str) -> tuple[dict[str, Any], SourceSpec]:
    config = tomllib.loads((root / "docs" / "examples" / name / "twin.toml").read_text(encoding="utf-8"))
    ((source, section),) = config["sources"].items()
    return config, parse_source(source, section, config["timezone"])


def _read(root: Path, folder: Path, name: str) -> tuple[dict[str, pa.Table], dict[str, pa.Table], FolderReport]:
    """Facts and rejected rows by table."""
    report = FolderReport()
    deliveries = list(read_folder(folder, _example(root, name)[1], report=report))
    tables = dict.fromkeys(one.table for one in deliveries)
    facts = {table: pa.concat_tables([one.facts for one in deliveries if one.table == table]) for table in tables}
    bad = {table: pa.concat_tables([one.rejected for one in deliveries if one.table == table]) for table in tables}
    return facts, bad, report


@pytest.mark.parametrize("name", ["online_retail", "scms"])
def test_the_examples_are_valid(root: Path, name: str) -> None:
    config, source = _example(root, name)
    assert source.maps
    assert config["sources"][source.name]["opening"] == "snapshot"


@pytest.fixture(scope="module")
def retail(root: Path, datasets: Path) -> tuple[dict[str, pa.Table], dict[str, pa.Table], FolderReport]:
    return _read(root, datasets / "online_retail", "online_retail")


def test_every_invoice_line_is_accounted_for(retail: tuple[Any, Any, FolderReport]) -> None:
    facts, bad, report = retail
    assert {table: rows.num_rows for table, rows in facts.items()} == {
        "items": 3943,
        "locations": 1,
        "movements": 538963,
    }
    assert all(rows.num_rows == 0 for rows in bad.values())
    assert report.untaken == {"online_retail.parquet": 2946}
    assert facts["movements"].num_rows + 2946 == 541_909
    assert set(report.ignored) == {"SOURCE.txt", "stock_adjustments.csv"}


def test_what_the_invoice_lines_mean(retail: tuple[Any, Any, FolderReport]) -> None:
    movements = retail[0]["movements"]
    ends = movements.select(["kind", "from_id", "to_id", "quantity"]).group_by(["kind", "from_id", "to_id"])
    totals = ends.aggregate([("quantity", "sum"), ("quantity", "count")]).to_pylist()
    found = {(r["kind"], r["from_id"], r["to_id"]): (r["quantity_count"], int(r["quantity_sum"])) for r in totals}
    assert found == {
        ("sale", "UK", "customer"): (527_795, 5_590_981),
        ("return", "customer", "UK"): (8_704, 272_030),
        ("adjustment", "UK", "loss"): (1_336, 206_957),
        ("adjustment", "gain", "UK"): (1_128, 54_147),
    }
    free = movements.filter(pc.equal(movements["reason"], "free of charge"))
    assert (free.num_rows, int(pc.sum(free["quantity"]).as_py())) == (34, 13_878)
    assert len(set(movements["event_id"].to_pylist())) == movements.num_rows


def test_the_reasons_of_adjustments_are_what_people_typed(retail: tuple[Any, Any, FolderReport]) -> None:
    movements = retail[0]["movements"]
    adjusted = movements.filter(pc.equal(movements["kind"], "adjustment"))
    reasons = Counter(adjusted["reason"].to_pylist())
    assert reasons["check"] == 159
    assert reasons["thrown away"] == 9
    assert reasons[None] == 1_446


def test_codes_that_differ_by_case_are_one_item(retail: tuple[Any, Any, FolderReport]) -> None:
    items = retail[0]["items"]
    ids = items["item_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert all(one == one.upper() for one in ids)
    (heart,) = items.filter(pc.equal(items["item_id"], "85123A")).to_pylist()
    assert (heart["description"], float(heart["unit_price"])) == ("WHITE HANGING HEART T-LIGHT HOLDER", 2.55)
    assert pc.sum(pc.is_null(items["description"])).as_py() == 144


def test_local_times_are_london_times(retail: tuple[Any, Any, FolderReport]) -> None:
    """536365 was at 08:26 GMT; 555524 (June 2011) at 11:37 British Summer Time."""
    movements = retail[0]["movements"]
    by_document = {
        number: movements.filter(pc.equal(movements["document"], number))["event_time"][0].as_py() // 60_000_000
        for number in ("536365", "555524")
    }
    assert [(minutes // 60 % 24, minutes % 60) for minutes in by_document.values()] == [(8, 26), (10, 37)]


@pytest.fixture(scope="module")
def scms(root: Path, datasets: Path) -> tuple[dict[str, pa.Table], dict[str, pa.Table], FolderReport]:
    return _read(root, datasets / "scms", "scms")


def test_every_shipment_line_is_accounted_for(scms: tuple[Any, Any, FolderReport]) -> None:
    facts, bad, report = scms
    assert {table: rows.num_rows for table, rows in facts.items()} == {
        "items": 184, "units": 184, "locations": 116, "orders": 8_336, "shipments": 10_324,
    }  # fmt: skip
    assert {table: rows.num_rows for table, rows in bad.items() if rows.num_rows} == {"orders": 1_988}
    assert facts["orders"].num_rows + bad["orders"].num_rows == 10_324
    assert report.untaken == {"scms_delivery_history.parquet": 0}
    assert set(report.ignored) == {"SOURCE.txt", "data_dictionary.csv", "lpi_fsi_country.csv"}


def test_why_order_lines_have_no_order_date(scms: tuple[Any, Any, FolderReport]) -> None:
    why = Counter((row["column"], row["value"]) for row in scms[1]["orders"].to_pylist())
    assert why == {
        ("pq_first_sent_to_client_date_raw", "Pre-PQ Process"): 1_455,
        ("po_sent_to_vendor_date_raw", "Date Not Captured"): 328,
        ("pq_first_sent_to_client_date_raw", "Date Not Captured"): 205,
    }


def test_orders_promise_nothing_and_received_what_was_ordered(scms: tuple[Any, Any, FolderReport]) -> None:
    orders = scms[0]["orders"]
    assert orders["promised_at"].null_count == orders["requested_at"].null_count == orders.num_rows
    assert orders["quantity"].equals(orders["quantity_received"])
    assert len(set(zip(orders["order_id"].to_pylist(), orders["line"].to_pylist(), strict=True))) == orders.num_rows
    from_rdc = orders.filter(pc.equal(orders["from_id"], "SCMS from RDC"))
    assert from_rdc.num_rows == 3_744
    backwards = pc.sum(pc.less(orders["received_at"], orders["ordered_at"])).as_py()
    assert backwards == 14


def test_packs_and_pieces(scms: tuple[Any, Any, FolderReport]) -> None:
    units = scms[0]["units"]
    assert Counter(units["unit"].to_pylist()) == {"piece": 184}
    factors = dict(zip(units["item_id"].to_pylist(), units["factor"].to_pylist(), strict=True))
    assert factors["Nevirapine 10mg/ml, oral suspension, Bottle, 240 ml"] == "1/240"
