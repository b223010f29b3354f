"""The feeds keep the exchange format: known columns, required ones filled, unique keys, references that resolve."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.domain.identity import VIRTUAL_LOCATIONS
from stocktwin.tables.schema import TABLES, ColumnType
from stocktwin.world import build
from stocktwin.world.feeds import write_dump

FEEDS = [
    ("erp", name)
    for name in (
        "items", "units", "locations", "lanes", "sourcing", "policies", "orders", "crossref", "movements",
        "observations",
    )
] + [("wms", "movements"), ("wms", "observations"), ("rfid", "movements"), ("rfid", "observations"),
     ("iot", "observations"), ("iot", "signals"), ("signals", "signals"), ("tms", "shipments"), ("tms", "positions"),
     ("gps", "positions")]  # fmt: skip


NO_ITEM = ("locations", "lanes", "crossref", "signals", "positions")


@pytest.mark.parametrize(("system", "name"), FEEDS)
def test_a_feed_keeps_the_exchange_format(world, system: str, name: str):
    rows = world.rows(f"feeds/{system}/{name}")
    table = TABLES[name]
    assert rows
    extra = {"decided_on"} if name == "policies" else set()  # makes each version of a setting another row
    assert set(rows[0]) <= {column.name for column in table.columns} | extra
    keys = set()
    for row in rows:
        assert all(row[column] not in (None, "") for column in table.required), row
        keys.add(tuple(row.get(column) for column in (*table.key, *sorted(extra))))
    assert len(keys) == len(rows)
    for column in table.columns:
        if column.type is ColumnType.CHOICE and column.name in rows[0]:
            assert {row[column.name] for row in rows} <= {*column.choices, None, ""}
        if column.type is ColumnType.QUANTITY:
            assert all(float(row[column.name]) > 0 for row in rows)


@pytest.fixture(scope="module")
def known(world):
    return {
        "item": {row["item_id"] for row in world.rows("feeds/erp/items")},
        "place": {row["location_id"] for row in world.rows("feeds/erp/locations")} | set(VIRTUAL_LOCATIONS),
        "unit": {(row["item_id"], row["unit"]) for row in world.rows("feeds/erp/units")}
        | {(row["item_id"], row["unit"]) for row in world.rows("feeds/erp/items")},
    }


@pytest.mark.parametrize(("system", "name"), FEEDS)
def test_references_lead_somewhere(world, known, system: str, name: str):
    for row in world.rows(f"feeds/{system}/{name}"):
        assert row.get("item_id") in known["item"] or name in NO_ITEM
        for column in ("from_id", "to_id", "location_id", "source_id", "origin_id", "destination_id"):
            assert row.get(column) is None or row[column] in known["place"], (column, row)
        if "unit" in row and name != "items":
            assert (row["item_id"], row["unit"]) in known["unit"]


def test_movements_name_orders_shipments_and_corrections_that_exist(world):
    told = [*world.rows("feeds/erp/orders"), *world.rows("feeds/erp/orders-2-sales")]
    lines = {(row["order_id"], row["line"]) for row in told}
    shipments = {row["shipment_id"] for row in world.rows("feeds/tms/shipments")}
    lanes = {(row["origin_id"], row["destination_id"]) for row in world.rows("feeds/erp/lanes")}
    for system in ("erp", "wms"):
        rows = world.rows(f"feeds/{system}/movements")
        ids = {row["event_id"] for row in rows}
        assert {row["corrects"] for row in rows if row["corrects"]} <= ids
        for row in rows:
            if row["order_id"]:
                assert (row["order_id"], row["line"]) in lines
            if row["shipment_id"]:
                assert row["shipment_id"] in shipments
            if row["kind"] in ("receipt", "transfer_out", "transfer_in") and not row["corrects"]:
                assert (row["from_id"], row["to_id"]) in lanes


def test_every_source_has_its_lane_and_every_lane_by_sea_its_port(world):
    lanes = {(row["origin_id"], row["destination_id"], row["mode"]): row for row in world.rows("feeds/erp/lanes")}
    sourcing = world.rows("feeds/erp/sourcing")
    assert all((row["source_id"], row["location_id"], row["mode"]) in lanes for row in sourcing)
    assert {row["priority"] for row in sourcing} == {"1", "2"}
    ports = {row["location_id"] for row in world.rows("feeds/erp/locations") if row["kind"] == "port"}
    for row in lanes.values():
        assert (row["via"] in ports) == (row["mode"] == "sea")
        assert row["mode"] == "road" or 0 < float(row["days_to_via"]) < float(row["lead_time_days"])


def test_order_lines_grow_up(world):
    rank = {"open": 0, "confirmed": 1, "shipped": 2, "closed": 3}
    versions = {}
    for row in sorted(world.rows("feeds/erp/orders"), key=lambda row: row["updated_at"]):
        versions.setdefault((row["order_id"], row["line"]), []).append(row)
    for rows in versions.values():
        assert [rank[r["status"]] for r in rows] == sorted(rank[r["status"]] for r in rows)
        assert rows[0]["status"] == "open"
        assert len({(r["quantity"], r["ordered_at"]) for r in rows}) == 1
        assert all(r["promised_at"] for r in rows if r["status"] in ("confirmed", "shipped"))
    assert any(len({r["promised_at"] for r in rows if r["promised_at"]}) > 1 for rows in versions.values())


def test_the_two_clocks_and_the_evening_of_the_last_day(world):
    here = ZoneInfo(world.settings()["timezone"])
    ends = []
    for system in ("erp", "wms"):
        rows = [*world.rows(f"feeds/{system}/movements"), *world.rows(f"feeds/{system}/observations")]
        assert all(row["recorded_at"] >= row["event_time"] for row in rows)
        ends += [max(row["event_time"] for row in rows), max(row["recorded_at"] for row in rows)]
    told = max(row["updated_at"] for row in world.rows("feeds/erp/orders"))
    last = datetime.fromtimestamp(max(*ends, told) / 1e6, UTC).astimezone(here)
    assert (last.date() - datetime(2025, 1, 1).date()).days == world.days - 1
    assert last.hour >= 20


def test_about_two_thousand_movements_a_day(world):
    total = sum(len(world.rows(f"feeds/{system}/movements")) for system in ("erp", "wms"))
    assert 1_700 <= total / world.days <= 2_500


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_same_seed_same_bytes_whatever_the_folder(tmp_path: Path):
    for name, seed in (("a", 5), ("another name", 5), ("c", 6)):
        build(tmp_path / name, days=32, seed=seed)
    one, again, different = (files(tmp_path / name) for name in ("a", "another name", "c"))
    assert one == again
    assert [name for name in one if one[name] == different[name]] == ["feeds/erp/lanes.csv", "feeds/erp/locations.csv",
                                                                     "twin.toml"]  # fmt: skip


def test_a_world_of_one_day_can_be_built(tmp_path: Path):
    rows = build(tmp_path / "short", days=1).rows
    assert rows["feeds/erp/movements"] == pq.read_metadata(tmp_path / "short/feeds/erp/movements.parquet").num_rows
    assert rows["feeds/erp/movements"] > 2000


def test_wrong_use_names_the_value(tmp_path: Path):
    with pytest.raises(UsageError, match="huge"):
        build(tmp_path, profile="huge")
    with pytest.raises(UsageError, match="0"):
        build(tmp_path, days=0)


def test_the_warehouse_speaks_in_its_own_words(world):
    raw, erp = world.raw("feeds/wms/movements"), {row["event_id"]: row for row in world.rows("feeds/erp/movements")}
    assert {row["unit"] for row in raw} <= {"EA", "CS", "PL", "KGM", "LTR"}
    assert not {row["item_id"] for row in raw} & world.items
    assert {row["to_id"] for row in raw} <= {"WH01", "WH02", "WH03", "WH04", "customer", "scrap", "loss", "gain",
                                             *(f"V{k:03d}" for k in range(1, 4))}  # fmt: skip
    assert all(row["recorded_at"] % (5 * 60_000_000) == 0 for row in raw if not row["reason"])
    packs = Counter(row["unit"] for row in raw if row["kind"] == "receipt")
    assert packs["CS"] > 50
    assert packs["PL"] > 0
    skewed = {row["location_id"] for row in world.rows("truth/faults") if row["cause"] == "clock_skew"}
    faulty = {row["document"] for row in world.rows("truth/faults")}
    same = 0
    for row in world.rows("feeds/wms/movements"):
        book = erp.get(row["event_id"].replace("WMS-", "ERP-"))
        if book and row["document"] not in faulty and not {row["from_id"], row["to_id"]} & skewed:
            columns = ("event_time", "item_id", "from_id", "to_id", "lot", "expiry", "kind")
            assert {name: row[name] for name in columns} == {name: book[name] for name in columns}
            same += 1
    assert same > 10_000


def test_places_of_shipments_lie_between_their_ends(world):
    sites = {r["location_id"]: (float(r["latitude"]), float(r["longitude"])) for r in world.rows("feeds/erp/locations")}
    ends = {row["shipment_id"]: row for row in world.rows("feeds/tms/shipments")}
    for name in ("feeds/tms/positions", "feeds/gps/positions"):
        for row in world.rows(name):
            trip = ends[row["shipment_id"]]
            assert trip["departed_at"] <= row["event_time"]
            assert trip["arrived_at"] is None or row["event_time"] <= trip["arrived_at"]
            if trip["mode"] == "road":
                for k, axis in enumerate(("latitude", "longitude")):
                    low, high = sorted(sites[trip[end]][k] for end in ("origin_id", "destination_id"))
                    assert low - 2 <= float(row[axis]) <= high + 2
    told = Counter(row["milestone"] for row in world.rows("feeds/tms/positions"))
    assert told["departed"] == len(ends)
    assert told["delivered"] == len({r["shipment_id"] for r in ends.values() if r["arrived_at"]} | {
        r["shipment_id"] for r in world.rows("feeds/tms/shipments") if r["arrived_at"]})  # fmt: skip


def test_instruments_report_what_the_truth_holds_roughly(world):
    last = max(row["date"] for row in world.rows("truth/balances"))
    level = world.truth()
    for name in ("feeds/iot/observations", "feeds/rfid/observations"):
        latest = {(row["location_id"], row["item_id"], "unrestricted"): row for row in world.rows(name)}
        near = [
            abs(float(level[a]) - float(row["quantity"])) <= 2 + 0.25 * float(level[a]) for a, row in latest.items()
        ]
        assert len(near) > 30
        assert sum(near) > 0.6 * len(near), (name, last)


def test_the_database_of_the_erp_says_what_its_feeds_say(world):
    with sqlite3.connect(world.root / "feeds/erp_db/erp.sqlite") as con:
        found = con.execute("SELECT mblnr, matnr, menge FROM material_document ORDER BY mblnr").fetchall()
        orders = con.execute("SELECT count(*) FROM order_line").fetchone()[0]
    con.close()
    rows = {row["event_id"]: row for row in world.rows("feeds/erp/movements")}
    assert [name for name, _, _ in found] == sorted(rows)
    assert all(rows[name]["item_id"] == item and rows[name]["quantity"] == Decimal(text) for name, item, text in found)
    assert orders == sum(len(world.rows(f"feeds/erp/{name}")) for name in ("orders", "orders-2-sales"))


def test_a_world_can_be_dumped_for_postgres(world):
    path = write_dump(world.root)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    lines = text[text.index("COPY incoming", text.index("CREATE TABLE material_document")) :].splitlines()
    assert lines.index("\\.") - 1 == len(world.raw("feeds/erp/movements"))


def test_signals_are_dated_series_without_holes(world):
    for name in ("feeds/signals/signals", "feeds/iot/signals"):
        series = Counter((r["name"], r["category"], r["location_id"], r["region"]) for r in world.rows(name))
        assert set(series.values()) == {world.days}
