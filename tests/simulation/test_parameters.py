"""Policies as a simulation takes them: what is declared, what follows from it, what lanes declare that is left out."""

from __future__ import annotations

from pathlib import Path

from stocktwin.app.twin import Twin
from stocktwin.simulation.compile import Compiled

FILES = {
    "items": "item_id\nX\nY\n",
    "locations": "location_id,kind\nDC,dc\nSUP,supplier\nPORT,port\n",
    "lanes": "origin_id,destination_id,lead_time_days,via,cost_per_shipment,capacity_per_day\nSUP,DC,5,PORT,30,8\n",
    "sourcing": "item_id,location_id,source_id\nX,DC,SUP\nY,DC,SUP\n",
    "demand": "item_id,location_id,distribution,mean\nX,DC,poisson,10\nY,DC,poisson,10\n",
    "policies": ("item_id,location_id,policy,reorder_point,order_up_to\nX,DC,base_stock,,60\nY,DC,min_max,60,80\n"),
    "movements": (
        "event_id,event_time,kind,item_id,quantity,to_id,system\n1,2025-06-30T12:00:00Z,receipt,X,40,DC,erp\n"
    ),
    "orders": (
        "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,system\n"
        "P1,1,purchase,X,7,SUP,DC,2025-06-29T20:00:00Z,erp\n"
        "P2,1,purchase,X,7,SUP,DC,2025-06-30T08:00:00Z,erp\n"
        "P3,1,purchase,X,7,SUP,DC,2025-06-29T08:00:00Z,erp\n"
    ),
}


def compiled(folder: Path, **other: str) -> Compiled:
    (folder / "feed").mkdir()
    for name, text in (FILES | other).items():
        (folder / "feed" / f"{name}.csv").write_text(text)
    with Twin.create(folder / "twin") as twin:
        assert twin.ingest(folder / "feed")["quarantined"] == 0
        return twin.service.model.compiled


def test_the_safety_stock_of_a_base_stock_is_its_level_less_the_demand_it_covers(tmp_path: Path) -> None:
    assert compiled(tmp_path).policy.safety_stock.tolist() == [10, 10]  # 60 − 5 days of 10


def test_the_age_of_an_order_is_in_local_days_before_day_0(tmp_path: Path) -> None:
    made = compiled(tmp_path)  # the twin's clock stands at noon of 30 June, day 0 is 1 July
    orders = made.snapshot.open_orders.column("order_id").to_pylist()
    assert {orders[line.line]: line.ordered for line in made.open_lines} == {"P1": -2, "P2": -1, "P3": -2}


def test_what_a_lane_declares_and_a_run_leaves_out_is_told(tmp_path: Path) -> None:
    told = " ".join(compiled(tmp_path).assumptions)
    assert "days_to_via is missing" in told
    assert "cost per shipment is not charged" in told
    assert "capacity per day does not bind" in told


def test_an_open_line_takes_the_lead_time_its_item_is_sourced_with(tmp_path: Path) -> None:
    own = "item_id,location_id,source_id,lead_time_days,lead_time_sd_days\nX,DC,SUP,9,0\nY,DC,SUP,,\n"
    made = compiled(tmp_path, sourcing=own)
    x, y = (made.lead_mean[made.place_of(int(row))] for row in made.rows)
    assert (x, y) == (9, 5)
    assert {made.lead_times[made.routes[line.route].lead].mean() for line in made.open_lines} == {9}


def test_open_lines_that_are_not_said_to_have_left_are_told(tmp_path: Path) -> None:
    header, *lines = FILES["orders"].splitlines()
    shipped = [f"{header},shipped_at", f"{lines[0]},2025-06-30T10:00:00Z", *(f"{line}," for line in lines[1:])]
    told = compiled(tmp_path, orders="\n".join(shipped) + "\n").assumptions
    assert "2 open order lines without shipped_at: they are taken to leave their source on day 0" in told
