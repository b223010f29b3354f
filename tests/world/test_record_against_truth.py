"""The feeds compose: what the authoritative systems say is what is there, up to the labelled faults, to the unit."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

UNRESTRICTED = "unrestricted"


def faulty(faults):
    return {(row["location_id"], row["item_id"]) for row in faults}


def test_record_is_truth_plus_the_faults_that_are_still_open(record, truth, faults):
    still_wrong = defaultdict(Fraction)
    for row in faults:
        if row["end"] is None:
            still_wrong[row["location_id"], row["item_id"], UNRESTRICTED] += Fraction(row["units"])
    assert len(truth) == 2000
    assert still_wrong
    assert {a: record.level[a] - truth[a] for a in truth if record.level[a] != truth[a]} == {
        a: units for a, units in still_wrong.items() if units
    }


def test_books_of_both_systems_agree_where_nothing_went_wrong(record, books, truth, faults):
    clean = [a for a in truth if a[:2] not in faulty(faults)]
    assert len(clean) > 1600
    for book in books.values():
        assert all(book.level[a] == record.level[a] == truth[a] for a in clean)


def test_nothing_is_ever_negative_where_nothing_went_wrong(record, books, truth, faults):
    for book in (record, *books.values()):
        assert not [a for a in truth if a[:2] not in faulty(faults) and book.lowest[a] < 0]
    assert not [a for a, low in record.lowest.items() if "→" in a[0] and low < 0]
    assert not [a for a, low in record.lowest.items() if a[2] == "returned" and a[0].startswith("DC-") and low < 0]


def test_goods_in_transit_are_the_transfers_that_have_left_and_not_arrived(world, record):
    current = {}
    for row in world.rows("feeds/erp/orders"):
        if row["kind"] == "transfer":
            current[row["order_id"], row["line"]] = row
    under_way = defaultdict(Fraction)
    for row in current.values():
        if row["shipped_at"] is not None and row["status"] != "closed":
            under_way[f"{row['from_id']}→{row['to_id']}", row["item_id"], UNRESTRICTED] += Fraction(row["quantity"])
    assert under_way == {a: level for a, level in record.level.items() if "→" in a[0] and level}


def test_true_movements_give_the_true_balances_of_every_stated_day(world):
    zones = {row["location_id"]: ZoneInfo(row["timezone"]) for row in world.rows("feeds/erp/locations")}
    stated = defaultdict(lambda: defaultdict(Fraction))
    for row in world.rows("truth/balances"):
        stated[row["date"]][row["location_id"], row["item_id"], UNRESTRICTED] += Fraction(row["quantity"])
    by_day = defaultdict(list)
    for row in world.rows("truth/movements"):
        dc = row["to_id"] if row["to_id"].startswith("DC-") and row["kind"] != "transfer_out" else row["from_id"]
        by_day[(datetime.fromtimestamp(row["event_time"] / 1e6, UTC)).astimezone(zones[dc]).date()].append(row)
    state = world.fold([])
    for day in (date(2025, 1, 1) + timedelta(days=k) for k in range(world.days)):
        for row in sorted(by_day[day], key=lambda row: row["event_time"]):
            state.post(row)
        if day in stated:
            assert {a: state.level[a] for a in stated[day]} == stated[day], day
    assert len(stated) >= 13
    assert not [a for a, low in state.lowest.items() if a[0].startswith("DC-") and low < 0]


def test_counts_find_what_is_there(world):
    counted = world.rows("feeds/wms/observations")
    assert len(counted) > 1000
    assert sum(row["lot"] is not None for row in counted) > 500
    asked = {(row["item_id"], row["location_id"], row["lot"]) for row in counted}
    moves = defaultdict(list)
    for row in world.rows("truth/movements"):
        for end, sign in (("from_id", -1), ("to_id", 1)):
            shelf = (row["item_id"], row[end], row["lot"])
            condition = row["condition"] if sign < 0 else row["to_condition"] or row["condition"]
            other_side = "transfer_in" if sign < 0 else "transfer_out"
            if shelf in asked and (condition or UNRESTRICTED) == UNRESTRICTED and row["kind"] != other_side:
                moves[shelf].append((row["event_time"], sign * row["quantity"]))
    for row in counted:
        shelf = row["item_id"], row["location_id"], row["lot"]
        assert row["quantity"] == sum(q for when, q in moves[shelf] if when <= row["event_time"]), row


def test_lots_are_true_to_the_unit_and_expire_on_their_day(world):
    stock = defaultdict(Fraction)
    for row in world.rows("truth/movements"):
        for end, sign in (("from_id", -1), ("to_id", 1)):
            condition = row["condition"] if sign < 0 else row["to_condition"] or row["condition"]
            here = row[end].startswith("DC-") and row["kind"] != ("transfer_in" if sign < 0 else "transfer_out")
            if here and (condition or UNRESTRICTED) == UNRESTRICTED:
                stock[row["item_id"], row[end], row["lot"]] += sign * Fraction(row["quantity"])
    life = {row["item_id"]: int(row["shelf_life_days"] or 0) for row in world.rows("feeds/erp/items")}
    last = max(row["date"] for row in world.rows("truth/balances"))
    at_end = {(row["item_id"], row["location_id"], row["lot"]): row["quantity"]
              for row in world.rows("truth/balances") if row["date"] == last}  # fmt: skip
    assert {shelf: q for shelf, q in at_end.items() if q} == {shelf: q for shelf, q in stock.items() if q}
    assert all((shelf[2] is None) is (life[shelf[0]] == 0) for shelf, q in at_end.items() if q)
    assert len({shelf[2] for shelf in at_end}) > 30
    expired = [row for row in world.rows("truth/movements") if row["document"] and row["document"].startswith("EXP-")]
    assert expired
    for row in expired:
        made = datetime.strptime(row["lot"][1:7], "%y%m%d").replace(tzinfo=UTC)
        age = datetime.fromtimestamp(row["event_time"] / 1e6, UTC) - made
        assert life[row["item_id"]] <= age.days <= life[row["item_id"]] + 10  # a return may come back expired


def test_nightly_books_are_the_fold_of_what_the_erp_knew(world):
    nights = defaultdict(dict)
    for row in world.rows("feeds/erp/observations"):
        nights[row["event_time"]][row["location_id"], row["item_id"], UNRESTRICTED] = Fraction(row["quantity"])
    assert {f"{datetime.fromtimestamp(night / 1e6, UTC):%m%d}" for night in nights} == {"0201", "0301", "0401"}
    moved = world.rows("feeds/erp/movements")
    night = min(when for when in nights if when > sorted(nights)[len(nights) // 2])
    book = world.fold([r for r in moved if r["event_time"] <= night and r["recorded_at"] <= night])
    assert {a: book.level[a] for a in nights[night]} == nights[night]


def test_received_is_what_order_lines_say(world, faults):
    current = {(row["order_id"], row["line"]): row for row in world.rows("feeds/erp/orders")}
    received = Counter()
    for row in world.rows("feeds/erp/movements"):
        if row["kind"] in ("receipt", "transfer_in"):
            received[row["order_id"], row["line"]] += row["quantity"]
    told = {key: row["quantity_received"] for key, row in current.items() if row["status"] == "closed"}
    assert told == dict(received)
    assert all(r["quantity"] == r["quantity_received"] + r["quantity_cancelled"] for r in current.values()
               if r["status"] == "closed")  # fmt: skip
    assert any(row["status"] == "shipped" for row in current.values())
