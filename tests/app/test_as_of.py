"""Questions as of a past day: files whole, in base units, and nothing that was learned later in them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from stocktwin.analytics.demand import fit_demand
from stocktwin.analytics.horizon import NAMES
from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import UsageError

FIRST = date(2025, 1, 1)
AS_OF = date(2025, 6, 30)
LAST = date(2025, 8, 31)
ITEMS = "item_id,unit,scale,category\nA,each,0,x\nB,kilogram,3,x\nC,each,0,y\n"
PLACES = "location_id,kind,timezone\nD,dc,UTC\nE,dc,UTC\nS,supplier,UTC\n"
MOVEMENTS = "event_id,event_time,kind,item_id,quantity,from_id,to_id,system,recorded_at,shipment_id\n"
ORDERS = (
    "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,promised_at,shipped_at,received_at,"
    "quantity_received,quantity_cancelled,status,system,updated_at\n"
)
SHIPMENTS = "shipment_id,origin_id,destination_id,departed_at,promised_at,arrived_at,order_id,line,recorded_at\n"


def sales(until: date, seed: int) -> str:
    """Sales of three items; those after `AS_OF` depend on the seed."""
    rows, early, late = [], np.random.default_rng(1), np.random.default_rng(seed)
    day, n = FIRST, 0
    while day <= until:
        luck = early if day <= AS_OF else late
        for item, place, rate in (("A", "D", 5), ("B", "D", 2), ("A", "E", 1), ("C", "E", 3)):
            quantity = int(luck.poisson(rate)) * (100 if day > AS_OF else 1)
            if quantity and (item != "C" or day > AS_OF):
                n += 1
                rows.append(f"m{n},{day}T12:00Z,sale,{item},{quantity},{place},,erp,{day}T13:00Z,")
        day += timedelta(days=1)
    return "\n".join(rows) + "\n"


def order(number: int, ordered: date, received: date | None, updated: str = "", **values: Any) -> str:
    """One purchase order line as the last version that the source kept of it."""
    row = {"promised": "", "shipped": "", "status": "closed" if received else "open", "cancelled": ""} | values
    came = f"{received}T09:00Z" if received else ""
    return (
        f"P{number},1,purchase,A,10,S,D,{ordered}T08:00Z,{row['promised']},{row['shipped']},{came},"
        f"{10 if received else ''},{row['cancelled']},{row['status']},erp,{updated}\n"
    )


def orders(later: int) -> str:
    """Lead times of 10 to 20 days; everything after `AS_OF` is moved by `later` days."""
    rows = []
    for k in range(60):
        ordered = FIRST + timedelta(days=3 * k)
        received = ordered + timedelta(days=10 + k % 11)
        if received > AS_OF:
            received += timedelta(days=later)
        rows.append(order(k, ordered, received, promised=f"{received}T00:00Z", shipped=f"{received}T00:00Z"))
    rows += [order(100 + k, AS_OF + timedelta(days=k), LAST) for k in range(1, 3)]
    return "".join(rows)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes a twin of some files and asks it for both tables."""

    def made(name: str, **files: str) -> TwinService:
        root, feed = tmp_path / name, tmp_path / f"{name}-feed"
        create_twin(root)
        feed.mkdir()
        for table, text in ({"items": ITEMS, "locations": PLACES} | files).items():
            (feed / f"{table}.csv").write_text(text)
        service = TwinService.open(root)
        taken = service.ingest(feed)
        assert taken["quarantined"] == 0, taken["findings"]
        return service

    return made


def asked(twin: TwinService, folder: Path) -> list[list[dict[str, Any]]]:
    """Daily and total forecasts and arrivals as of `AS_OF`, as written."""
    day = AS_OF.isoformat()
    twin.outlook.forecast_file(folder / "daily.parquet", horizon=10, as_of=day)
    twin.outlook.forecast_file(folder / "total.parquet", horizon=10, total=True, as_of=day)
    twin.outlook.arrivals_file(folder / "arrivals.parquet", as_of=day)
    twin.close()
    return [pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("daily", "total", "arrivals")]


def test_nothing_after_the_day_is_used(make: Any, tmp_path: Path) -> None:
    """Another future, and none at all, give the same forecasts and windows."""
    told = asked(make("a", movements=MOVEMENTS + sales(LAST, 2), orders=ORDERS + orders(0)), tmp_path)
    other = asked(make("b", movements=MOVEMENTS + sales(LAST, 3), orders=ORDERS + orders(7)), tmp_path)
    assert told == other
    daily, total, windows = told
    cut = asked(make("c", movements=MOVEMENTS + sales(AS_OF, 2), orders=ORDERS + orders(0)), tmp_path)
    assert (cut[0], cut[1]) == (daily, total)
    known = {(row["order_id"], row["ordered_at"].date()) for row in windows}
    assert len(known) > 3
    assert all(when <= AS_OF for _, when in known)
    assert all(row["q10"] >= AS_OF and row["q10"] <= row["q50"] <= row["q90"] for row in windows)


def test_the_tables_are_in_base_units_and_hold_every_day(make: Any, tmp_path: Path) -> None:
    daily, total, windows = asked(make("a", movements=MOVEMENTS + sales(LAST, 2), orders=ORDERS + orders(0)), tmp_path)
    one = [row for row in daily if (row["item_id"], row["location_id"]) == ("B", "D")]
    assert [row["date"] for row in one] == [AS_OF + timedelta(days=k) for k in range(1, 11)]
    assert 1.5 < np.mean([row["mean"] for row in one]) < 2.5, "kilograms, not grams"
    assert not [row for row in daily if row["item_id"] == "C"], "sold after that day only"
    mine = next(row for row in total if (row["item_id"], row["location_id"]) == ("B", "D"))
    assert mine["mean"] == pytest.approx(sum(row["mean"] for row in one))
    assert mine["q90"] < sum(row["q90"] for row in one), "quantiles of days do not add up"
    assert list(daily[0]) == ["item_id", "location_id", "date", "mean", *NAMES]
    assert {"order_id", "line", "shipment_id", "q10", "q50", "q90", "mean"} <= set(windows[0])
    assert {type(row["q50"]) for row in windows} == {date}


def test_a_field_of_a_lone_order_row_is_known_from_its_own_day(make: Any) -> None:
    """Received later: open then. Received before but updated later: closed then. Cancelled at no known time: open."""
    rows = [
        order(1, date(2025, 6, 1), date(2025, 7, 20), "2025-07-21T00:00Z"),
        order(2, date(2025, 6, 2), date(2025, 6, 20), "2025-07-25T00:00Z"),
        order(3, date(2025, 6, 3), None, "2025-07-01T00:00Z", status="cancelled", cancelled=10),
        order(4, date(2025, 6, 4), None, "2025-06-28T00:00Z", status="cancelled", cancelled=10),
        order(5, date(2025, 7, 4), None),
    ]
    twin = make("a", orders=ORDERS + "".join(rows))
    assert {row["order_id"] for row in twin.arrivals(as_of=AS_OF.isoformat())["rows"]} == {"P1", "P3"}
    assert {row["order_id"] for row in twin.arrivals()["rows"]} == {"P5"}
    twin.close()


def test_of_several_versions_those_updated_by_then_count(make: Any) -> None:
    rows = [
        order(1, date(2025, 6, 1), None, "2025-06-01T09:00Z"),
        order(1, date(2025, 6, 1), date(2025, 7, 9), "2025-07-09T10:00Z"),
        order(2, date(2025, 6, 1), None, "2025-07-02T00:00Z"),
        order(2, date(2025, 6, 1), None, "2025-07-03T00:00Z", status="confirmed"),
    ]
    twin = make("a", orders=ORDERS + "".join(rows))
    assert {row["order_id"] for row in twin.arrivals(as_of=AS_OF.isoformat())["rows"]} == {"P1"}
    twin.close()


def test_a_sale_recorded_later_was_not_known(make: Any) -> None:
    """Rows that do not say are taken as known after the system's usual lag, and the answer says so."""
    lines = [f"m{k},2025-06-{k:02d}T12:00Z,sale,A,1,D,,erp,2025-06-{k + 5:02d}T12:00Z," for k in range(1, 21)]
    lines += ["n1,2025-06-27T12:00Z,sale,A,500,D,,erp,2025-07-01T12:00Z,", "n2,2025-06-28T12:00Z,sale,A,700,D,,erp,,"]
    twin = make("a", movements=MOVEMENTS + "\n".join(lines) + "\n")
    past = twin.outlook.model(AS_OF.isoformat())
    assert past[0].snapshot.sales.quantity.sum() == 20
    assert past[1][:1] == [
        "1 movements of erp do not say when they were recorded: taken as known 120.0 hours after they happened"
    ]
    assert twin.outlook.model("2025-07-04")[0].snapshot.sales.quantity.sum() == 1220
    twin.close()


def test_a_shipment_has_its_own_window_and_what_was_received_of_it_is_not_under_way(make: Any) -> None:
    left = [FIRST + timedelta(days=k) for k in range(40)]
    past = [f"T{k},S,D,{d}T00:00Z,,{d + timedelta(days=5 + k % 3)}T00:00Z,,," for k, d in enumerate(left)]
    now = ["N1,S,D,2025-06-28T00:00Z,,,P1,1,", "N2,S,D,2025-06-29T00:00Z,,,,,", "N3,S,D,2025-06-20T00:00Z,,,,,"]
    got = "r1,2025-06-27T12:00Z,receipt,A,10,S,D,erp,2025-06-27T13:00Z,N3\n"
    twin = make(
        "a",
        orders=ORDERS + order(1, date(2025, 6, 1), None),
        shipments=SHIPMENTS + "\n".join([*past, *now]) + "\n",
        movements=MOVEMENTS + got,
    )
    rows = twin.arrivals(as_of=AS_OF.isoformat())["rows"]
    assert {(row["order_id"], row["shipment_id"], row["basis"]) for row in rows} == {
        ("P1", "N1", "transit"),
        (None, "N2", "transit"),
    }
    window = next(row for row in rows if row["shipment_id"] == "N1")
    assert (window["q10"][:10], window["q90"][:10] in ("2025-07-05", "2025-07-06")) == ("2025-07-03", True)
    twin.close()


def test_wrong_uses_are_named(make: Any, tmp_path: Path) -> None:
    twin = make("a", movements=MOVEMENTS + sales(AS_OF, 1))
    with pytest.raises(UsageError, match="--as-of"):
        twin.forecast(as_of="soon")
    with pytest.raises(UsageError, match="nothing was known"):
        twin.forecast(as_of="2020-01-01")
    with pytest.raises(UsageError, match="parquet"):
        twin.outlook.forecast_file(tmp_path / "f.txt")
    assert not (tmp_path / "f.txt").exists()
    twin.close()


def test_the_record_says_when_a_shelf_was_empty(make: Any, tmp_path: Path) -> None:
    """Received 10, sold 10 by 6 May, 5 more on 20 May: empty from the 6th, the days between throughout."""
    moved = [
        "r1,2025-05-01T08:00Z,receipt,A,10,S,D,erp,2025-05-01T09:00Z,",
        "s1,2025-05-03T12:00Z,sale,A,4,D,,erp,2025-05-03T13:00Z,",
        "s2,2025-05-06T12:00Z,sale,A,6,D,,erp,2025-05-06T13:00Z,",
        "r2,2025-05-20T08:00Z,receipt,A,5,S,D,erp,2025-05-20T09:00Z,",
        "s3,2025-05-21T12:00Z,sale,A,5,D,,erp,2025-05-21T13:00Z,",
        "r3,2025-05-23T08:00Z,receipt,A,50,S,D,erp,2025-05-23T09:00Z,",
        "s4,2025-06-29T12:00Z,sale,A,1,D,,erp,2025-06-29T13:00Z,",
    ]
    twin = make("a", movements=MOVEMENTS + "\n".join(moved) + "\n")
    past = twin.outlook.model(AS_OF.isoformat())[0].snapshot.stockouts.to_pylist()
    days = {(date(1970, 1, 1) + timedelta(days=row["day"])).isoformat(): row["whole"] for row in past}
    whole = [f"2025-05-{day:02d}" for day in range(7, 20)]
    assert days == {"2025-05-06": False, **dict.fromkeys(whole, True), "2025-05-21": False, "2025-05-22": True}
    now = twin.model.seen.stockouts.to_pylist()
    assert len(now) == len(past)
    level = twin.model.forecast.level[0]
    assert level > fit_demand(twin.model.snapshot).level[0], "seven weeks of sales, two of them from empty shelves"
    twin.close()
