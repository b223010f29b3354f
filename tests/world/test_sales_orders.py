"""Where customers order in writing, the ERP knows what was asked for, served or not; elsewhere only what left."""

from __future__ import annotations

from collections import defaultdict

import pytest

ORDERS = "feeds/erp/orders-2-sales"


@pytest.fixture(scope="module")
def closed(world):
    return [row for row in world.rows(ORDERS) if row["status"] == "closed"]


def test_orders_add_up_to_what_was_asked_for_and_served(world, closed):
    pairs = {(row["item_id"], row["from_id"]) for row in closed}
    stated, true = defaultdict(lambda: [0, 0]), defaultdict(lambda: [0, 0])
    for row in closed:
        sums = stated[row["item_id"], row["from_id"]]
        sums[0], sums[1] = sums[0] + row["quantity"], sums[1] + row["quantity_received"]
    shelves = set()
    for row in world.rows("truth/demand"):
        pair = row["item_id"], row["location_id"]
        shelves.add(pair)
        if pair in pairs:
            true[pair] = [true[pair][0] + row["asked"], true[pair][1] + row["served"]]
    assert stated == true
    assert 0.15 < len(pairs) / len(shelves) < 0.25
    assert sum(asked for asked, _ in stated.values()) > sum(served for _, served in stated.values())


def test_a_line_is_told_when_it_comes_in_and_again_in_the_evening(world, closed):
    first = {row["order_id"]: row for row in world.rows(ORDERS) if row["status"] == "open"}
    assert len(first) == len(closed) == len({row["order_id"] for row in closed})
    for row in closed:
        before = first[row["order_id"]]
        assert before["quantity"] == row["quantity"]
        assert not before["quantity_received"]
        assert row["ordered_at"] < before["updated_at"] < row["requested_at"] < row["updated_at"]


@pytest.mark.parametrize("system", ["erp", "wms"])
def test_sales_name_the_order_that_they_serve_where_there_is_one(world, closed, system):
    served = {row["order_id"] for row in closed if row["quantity_received"]}
    named = {row["order_id"] for row in world.rows(f"feeds/{system}/movements") if row["kind"] == "sale"}
    assert None in named
    assert named - {None} <= served
    assert len(served - named) < 0.01 * len(served)  # sales that nobody posted
