"""The feeds compose: what the authoritative systems say is what is there, up to the labelled faults, to the unit."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

UNRESTRICTED = "unrestricted"


def faulty(faults):
    return {(row["location_id"], row["item_id"]) for row in faults}


def open_units(faults):
    """By how much labels say that something is wrong at the end."""
    wrong = defaultdict(Fraction)
    for row in faults:
        if row["ended_at"] is None:
            wrong[row["location_id"], row["item_id"], UNRESTRICTED] += Fraction(row["units"])
    return {account: units for account, units in wrong.items() if units}


def on_record(faults):
    return [row for row in faults if row["on_record"]]


def on_book(faults, system):
    """Labels of what makes one system's book wrong: its own postings, and what vanished without a posting."""
    return [row for row in faults if row["system"] in (None, system) and row["item_id"]]


@pytest.fixture(scope="module", params=["world", "troubled"])
def any_world(request):
    return request.getfixturevalue(request.param)


def test_record_is_truth_plus_the_faults_that_are_still_open(any_world):
    record, truth = any_world.fold(any_world.on_record()), any_world.truth()
    wrong = open_units(on_record(any_world.rows("truth/faults")))
    assert len(truth) == 2000
    assert wrong
    assert {a: record.level[a] - truth[a] for a in truth if record.level[a] != truth[a]} == wrong


def test_the_book_of_the_erp_is_truth_plus_its_own_faults_that_are_still_open(any_world):
    book, truth = any_world.fold(any_world.rows("feeds/erp/movements")), any_world.truth()
    faults = any_world.rows("truth/faults")
    wrong = open_units(on_book(faults, "erp"))
    assert {a: book.level[a] - truth[a] for a in truth if book.level[a] != truth[a]} == wrong
    own = [row for row in faults if row["system"] == "erp" and row["ended_at"] is None and not row["on_record"]]
    assert len({row["document"] for row in own}) > 5
    assert wrong != open_units(on_record(faults))


def test_record_is_truth_plus_the_faults_of_that_hour_at_any_hour(any_world):
    """Not in the minutes in which a warehouse's clock may be wrong, and for items whose number was unknown only at the
    end: 3 a.m., 1 p.m. and 9.20 p.m. in New York are such hours everywhere."""
    faults = [row for row in any_world.rows("truth/faults") if row["on_record"]]
    unknown = {(r["location_id"], r["item_id"]) for r in faults if r["cause"].endswith("_crossref")}
    told, true = (deque(sorted(rows, key=lambda row: row["event_time"])) for rows in (
        any_world.on_record(), any_world.rows("truth/movements")))  # fmt: skip
    record, truth, gone = any_world.fold([]), any_world.fold([]), defaultdict(Fraction)
    here = ZoneInfo("America/New_York")
    moments = [datetime(2025, 1, 3, hour, minute, tzinfo=here) + timedelta(days=day)
               for day in range(0, any_world.days - 4, 5) for hour, minute in ((3, 0), (13, 0), (21, 20))]  # fmt: skip
    wrong_somewhere = 0
    for moment in sorted(int(one.timestamp()) * 1_000_000 for one in moments):
        while told and told[0]["event_time"] <= moment:
            note_corrections(gone, told[0])
            record.post(told.popleft())
        while true and true[0]["event_time"] <= moment:
            note_vanished(gone, true[0])
            truth.post(true.popleft())
        expected = defaultdict(Fraction, {account: units for account, units in gone.items() if units})
        for row in faults:
            if row["cause"] not in VANISHING and active(row, moment):
                expected[row["location_id"], row["item_id"], UNRESTRICTED] += Fraction(row["units"])
        for account in set(truth.level) | set(record.level):
            here = account[0] in any_world.zones and account[0].startswith("DC-")
            if here and account[2] == UNRESTRICTED and account[:2] not in unknown:
                assert record.level[account] - truth.level[account] == expected[account], (account, moment)
                wrong_somewhere += expected[account] != 0
    assert wrong_somewhere > 200


VANISHING = ("theft", "bulk_theft", "damage", "unexplained_loss", "misplacement")
GIVEN_UP = ("cycle count", "damage found", "found again")
LATE = ("missing_post", "late_post")


def active(fault, moment):
    """Whether a label counts at a moment, seen with all that was told later: a late posting has its own event time."""
    if fault["cause"] in LATE:
        return fault["ended_at"] is None and fault["started_at"] <= moment
    return fault["started_at"] <= moment and (fault["ended_at"] is None or moment < fault["ended_at"])


def note_vanished(gone, row):
    if row["cause"]:
        place, sign = (row["to_id"], -1) if row["from_id"] == "gain" else (row["from_id"], 1)
        gone[place, row["item_id"], UNRESTRICTED] += sign * Fraction(row["quantity"])


def note_corrections(gone, row):
    if row["reason"] in GIVEN_UP:
        place, sign = (row["to_id"], 1) if row["from_id"] == "gain" else (row["from_id"], -1)
        gone[place, row["item_id"], UNRESTRICTED] += sign * Fraction(row["quantity"])
        if row["from_id"] == "gain":  # it surfaces in truth and books alike
            gone[place, row["item_id"], UNRESTRICTED] -= Fraction(row["quantity"])


def test_books_of_both_systems_agree_where_nothing_went_wrong(record, books, truth, faults):
    sites = [row for row in faults if row["cause"] == "silent_system" and row["item_id"] is None]  # no dead sensors
    silent = {row["location_id"] for row in sites if row["ended_at"] is None}
    clean = [a for a in truth if a[:2] not in faulty(faults) and a[0] not in silent]
    assert len(clean) > 1200
    for book in books.values():
        assert all(book.level[a] == record.level[a] == truth[a] for a in clean)


def test_nothing_is_ever_negative_where_nothing_went_wrong(record, books, truth, faults):
    for book in (record, *books.values()):
        assert not [a for a in truth if a[:2] not in faulty(faults) and book.lowest[a] < 0]
    assert not [a for a, low in record.lowest.items() if "→" in a[0] and low < 0]
    assert not [a for a, low in record.lowest.items() if a[2] == "returned" and a[0].startswith("DC-") and low < 0]


def test_goods_in_transit_are_the_transfers_that_have_left_and_not_arrived(world, record, faults):
    """Less what a silent warehouse has not told yet."""
    current = {}
    for row in world.rows("feeds/erp/orders"):
        if row["kind"] == "transfer":
            current[row["order_id"], row["line"]] = row
    untold = {row["document"] for row in faults if row["cause"] == "silent_system" and row["document"]}
    under_way = defaultdict(Fraction)
    for (order, line), row in current.items():
        if row["shipped_at"] is not None and row["status"] != "closed" and f"GI-{order}-{line}" not in untold:
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


def test_nightly_books_are_the_fold_of_what_the_erp_knew(any_world):
    stated = defaultdict(dict)
    for row in any_world.rows("feeds/erp/observations"):
        stated[row["event_time"]][row["location_id"], row["item_id"], UNRESTRICTED] = Fraction(row["quantity"])
    sites = {row["location_id"] for row in any_world.rows("feeds/erp/locations") if row["kind"] == "dc"}
    zones = {any_world.zones[site] for site in sites}
    assert len(stated) == any_world.days * len(zones)
    nights = sorted(stated)
    assert len([night for night in nights if len(stated[night]) > 450]) >= len(zones)
    moved = deque(
        sorted(any_world.rows("feeds/erp/movements"), key=lambda row: max(row["event_time"], row["recorded_at"]))
    )
    book, before = any_world.fold([]), {}
    for night in nights:
        while moved and max(moved[0]["event_time"], moved[0]["recorded_at"]) <= night:
            book.post(moved.popleft())
        assert {a: book.level[a] for a in stated[night]} == stated[night]
        here = {account[0] for account in stated[night]}
        now = {a: level for a, level in book.level.items() if a[0] in here and a[2] == UNRESTRICTED}
        changed = {a for a, level in now.items() if level != before.get(a, 0)}
        assert {a for a in changed if now[a] >= 0} <= set(stated[night])
        before |= now


def test_received_is_what_the_erp_has_posted_of_an_order_line(any_world):
    """Right or wrong, late or not yet; put right when the posting is."""
    versions = defaultdict(list)
    for row in any_world.rows("feeds/erp/orders"):
        versions[row["order_id"], row["line"]].append(row)
    received = Counter()
    for row in any_world.rows("feeds/erp/movements"):
        if row["kind"] in ("receipt", "transfer_in"):
            back = row["reason"] == "reversal of a wrong posting"
            received[row["order_id"], row["line"]] += -row["quantity"] if back else row["quantity"]
    current = {key: rows[-1] for key, rows in versions.items()}
    told = {key: row["quantity_received"] for key, row in current.items() if row["status"] == "closed"}
    assert told == {key: quantity for key, quantity in received.items() if key in told}
    lost = {r["document"] for r in any_world.rows("truth/faults") if r["cause"] == "missing_post"}
    assert {f"GR-{order}-{line}" for order, line in received.keys() - told.keys()} <= lost
    over = [row for row in current.values() if row["quantity_received"] > row["quantity"]]
    assert all(row["quantity"] == row["quantity_received"] + row["quantity_cancelled"] for row in current.values()
               if row["status"] == "closed" and row not in over)  # fmt: skip
    assert any(row["status"] == "shipped" for row in current.values())
    changed = [
        rows for rows in versions.values() if len({r["quantity_received"] for r in rows if r["status"] == "closed"}) > 1
    ]
    assert changed
