"""Each labelled fault can be worked out again from the feeds and the truth, for what it is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise

import pytest

from stocktwin.world.posting_faults import SYSTEMS, Cause, swap_digits
from stocktwin.world.rates import Rates

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WHOLE_SITE = ("silent_system", "clock_skew", "duplicate_delivery", "reordered_delivery")


@pytest.fixture(scope="module", params=["world", "troubled"])
def any_world(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def labels(any_world):
    return any_world.rows("truth/faults")


@pytest.fixture(scope="module")
def posted(any_world, labels):
    """System → document → its postings, quantities in base units, of labelled documents and corrections of counts."""
    labelled = {row["document"] for row in labels}
    out = {"erp": defaultdict(list), "wms": defaultdict(list)}
    for system, documents in out.items():
        for row in any_world.rows(f"feeds/{system}/movements"):
            if row["document"] in labelled or row["reason"] in ("cycle count", "damage found"):
                documents[row["document"]].append({**row, "base": base_of(any_world, row)})
    return out


@pytest.fixture(scope="module")
def true(any_world, labels):
    """Document → what truly happened, of labelled documents."""
    labelled = {row["document"] for row in labels}
    moved = any_world.rows("truth/movements")
    return {row["document"]: row | {"base": Fraction(row["quantity"])} for row in moved if row["document"] in labelled}


def base_of(world, row):
    return Fraction(row["quantity"]) * world.factors.get((row["item_id"], row["unit"]), Fraction(1))


def other(system: str) -> str:
    return "wms" if system == "erp" else "erp"


def of_cause(labels, *causes):
    found = [row for row in labels if row["cause"] in causes]
    assert found, f"no {causes} in this world"
    return found


def told(labels, *causes):
    """Labels of causes whose postings came through: nothing else befell them."""
    held = {row["document"] for row in labels if row["cause"] == "silent_system" and row["document"]}
    unknown = {(row["item_id"], row["location_id"]) for row in labels if row["cause"].endswith("_crossref")}
    return [
        row for row in of_cause(labels, *causes)
        if row["document"] not in held and (row["item_id"], row["location_id"]) not in unknown
    ]  # fmt: skip


def sign(row):
    return -1 if row["document"].startswith("INV-") else 1


def test_labels_are_whole(labels):
    assert len({row["fault_id"] for row in labels}) == len(labels)
    for row in labels:
        assert (row["end"] is None) == (row["ended_at"] is None)
        assert row["end"] is None or row["end"] >= row["start"]
        assert row["ended_at"] is None or row["ended_at"] >= row["started_at"]
        assert row["system"] in (*SYSTEMS, None)
        if row["on_record"]:
            assert row["units"] != 0
            assert row["item_id"]
            assert row["location_id"]
            assert (row["value"] > 0) == (row["units"] > 0) or abs(row["value"]) < 0.01
        elif row["system"] == "erp" and row["item_id"]:
            assert row["units"] != 0
            assert row["document"].startswith("GR-")
        else:
            assert row["cause"] in (*WHOLE_SITE, "stray_read", "schema_change")


def test_in_a_world_of_trouble_every_cause_occurs_but_those_that_are_switched_off(troubled):
    found = {row["cause"] for row in troubled.rows("truth/faults")}
    assert {cause.name for cause in Cause} - found == {"schema_change"}


def test_a_duplicate_is_posted_twice_within_minutes_under_one_document(posted, true, labels):
    for row in told(labels, "duplicate_post"):
        both = [m for m in posted[row["system"]][row["document"]] if not m["corrects"]]
        assert len(both) == 2
        assert both[0]["base"] == both[1]["base"] == abs(row["units"]) == true[row["document"]]["base"]
        assert 0 < abs(both[1]["event_time"] - both[0]["event_time"]) <= 5 * MINUTE


def test_a_missing_posting_is_there_in_the_other_system_unless_it_passed_by_interface(posted, true, labels):
    labelled = Counter(row["document"] for row in labels)
    for row in told(labels, "missing_post"):
        assert true[row["document"]]["base"] == abs(row["units"])
        if labelled[row["document"]] == 1:
            assert [m for m in posted[other(row["system"])][row["document"]] if m["reason"] is None]
        mine = posted[row["system"]].get(row["document"], [])
        assert [m["reason"] for m in mine] == ([] if row["end"] is None else ["late posting"])


def test_a_late_posting_comes_hours_to_weeks_later_with_its_own_time(posted, true, labels):
    waits = []
    for row in told(labels, "late_post"):
        right = true[row["document"]]
        assert row["units"] == -sign(row) * right["base"]
        mine = posted[row["system"]].get(row["document"], [])
        assert [m["reason"] for m in mine] == ([] if row["end"] is None else ["late posting"])
        for movement in mine:
            assert movement["recorded_at"] == row["ended_at"]
            waits.append(movement["recorded_at"] - row["started_at"])
    assert min(waits) >= 2 * HOUR
    assert max(waits) <= 23 * DAY


@pytest.mark.parametrize("cause", ["pack_factor", "wrong_unit", "digit_swap", "decimal_slip"])
def test_a_wrong_quantity_is_wrong_by_its_rule(any_world, posted, true, labels, cause):
    for row in told(labels, cause):
        first = next(m for m in posted[row["system"]][row["document"]] if not m["corrects"])
        right = true[row["document"]]["base"]
        case = any_world.factors[row["item_id"], "case"]
        assert row["units"] == first["base"] - right
        assert {
            "pack_factor": first["base"] == right * case,
            "wrong_unit": first["base"] == right / case,
            "digit_swap": first["base"] == swap_digits(int(right)) != right and (first["base"] - right) % 9 == 0,
            "decimal_slip": first["base"] in (right * 10, right / 10),
        }[cause]


def test_a_wrong_item_or_place_is_two_labels_that_cancel(posted, troubled):
    labels = troubled.rows("truth/faults")
    for cause, same, differs in (
        ("wrong_item", "location_id", "item_id"),
        ("wrong_location", "item_id", "location_id"),
    ):
        pairs = defaultdict(list)
        for row in of_cause(labels, cause):
            pairs[row["document"], row["system"]].append(row)
        for pair in pairs.values():
            assert len(pair) == 2
            assert pair[0][same] == pair[1][same]
            assert pair[0][differs] != pair[1][differs]
            assert pair[0]["units"] == -pair[1]["units"]
            assert pair[0]["started_at"] == pair[1]["started_at"]


@pytest.mark.parametrize("cause", ["wrong_item", "wrong_location"])
def test_a_wrong_item_or_place_is_what_the_posting_says(posted, true, labels, cause):
    assert [row for row in labels if row["cause"] == cause]
    for row in told(labels, cause):
        mine = next(m for m in posted[row["system"]][row["document"]] if not m["corrects"])
        right = true[row["document"]]
        column = "item_id" if cause == "wrong_item" else "to_id"
        assert mine[column] != right[column]
        assert mine["base"] == right["base"] == abs(row["units"])
        label = row["item_id"] if cause == "wrong_item" else row["location_id"]
        gained = row["units"] * sign(row) > 0
        assert label == (mine if gained else right)[column]


def test_a_wrong_lot_is_the_right_quantity_on_another_lot(posted, troubled):
    labels = troubled.rows("truth/faults")
    told_by = {m["event_id"]: m for name in ("erp", "wms") for m in troubled.rows(f"feeds/{name}/movements")}
    true = {m["document"]: m for m in troubled.rows("truth/movements")}
    for row in told(labels, "wrong_lot"):
        mine, right = told_by[f"{row['system'].upper()}-{row['document']}"], true[row["document"]]
        assert mine["lot"] != right["lot"]
        assert row["lot"] == (mine if row["units"] > 0 else right)["lot"]
        assert abs(row["units"]) == right["quantity"]


def test_what_was_put_right_names_what_it_corrects(posted, true, labels):
    causes = ("duplicate_post", "pack_factor", "digit_swap", "wrong_unit", "decimal_slip")
    ended = [row for row in told(labels, *causes) if row["end"] is not None]
    assert ended
    for row in ended:
        mine = posted[row["system"]][row["document"]]
        net = sum(m["base"] * (-1 if m["corrects"] else 1) for m in mine)
        assert net == true[row["document"]]["base"]
        reversal = next(m for m in mine if m["corrects"])
        wrong = next(m for m in mine if m["event_id"] == reversal["corrects"])
        assert (reversal["from_id"], reversal["to_id"]) == (wrong["to_id"], wrong["from_id"])
        assert reversal["event_time"] == row["ended_at"]


def test_what_vanishes_is_in_no_feed_until_somebody_finds_out(any_world, posted, labels):
    causes = {"theft", "unexplained_loss", "bulk_theft", "damage", "misplacement"}
    unseen = [row for row in any_world.rows("truth/movements") if row["cause"]]
    assert {row["cause"] for row in unseen} == causes
    assert not any(row["document"] for row in unseen)
    back = sum(row["quantity"] for row in unseen if row["from_id"] == "gain")
    gone = sum(row["quantity"] for row in unseen if row["from_id"] != "gain")
    assert sum(row["units"] for row in labels if row["cause"] in causes) == gone
    ended = sum(r["units"] for r in labels if r["cause"] in causes and r["end"] is not None)
    for documents in posted.values():
        found = [m for rows in documents.values() for m in rows if m["reason"] in ("cycle count", "damage found")]
        assert sum(m["base"] for m in found) == ended - back > 0
        assert {(m["kind"], m["to_id"]) for m in found if m["reason"] == "cycle count"} == {("adjustment", "loss")}
        assert {(m["kind"], m["to_id"]) for m in found if m["reason"] == "damage found"} == {("scrap", "scrap")}


def test_a_silent_site_says_nothing_and_then_everything(troubled):
    labels = [row for row in troubled.rows("truth/faults") if row["cause"] == "silent_system"]
    sites = [row for row in labels if row["item_id"] is None]
    assert len(sites) > 5
    elsewhere = {row["document"] for row in troubled.rows("truth/faults") if row["cause"] == "wrong_location"}
    for row in sites:
        end = row["ended_at"] or 2**62
        place, start = row["location_id"], row["started_at"] + 5 * MINUTE
        for movement in troubled.rows("feeds/wms/movements"):
            mine = movement["to_id" if movement["kind"] in ("receipt", "transfer_in") else "from_id"] == place
            mine &= movement["document"] not in elsewhere  # its own site was not silent
            if mine and movement["event_id"].count("-R") + movement["event_id"].endswith("-3") == 0:
                late = movement["reason"] == "late posting"
                assert late or not start < movement["recorded_at"] < end, (row, movement)
        for row_of in troubled.rows("feeds/wms/observations"):
            assert row_of["location_id"] != place or not start < row_of["recorded_at"] < end
        for name in ("feeds/rfid/observations", "feeds/iot/observations"):
            seen = [r for r in troubled.rows(name) if r["location_id"] == place]
            assert not [r for r in seen if row["started_at"] <= r["event_time"] < end]
    held = [row for row in labels if row["document"]]
    ids = {m["event_id"] for m in troubled.rows("feeds/wms/movements")}
    for row in held:
        assert row["ended_at"] is None
        assert f"WMS-{row['document']}" not in ids or f"WMS-{row['document']}-2" not in ids


def test_a_dead_scale_says_nothing(troubled):
    labels = [row for row in troubled.rows("truth/faults") if row["cause"] == "silent_system"]
    dead = [row for row in labels if row["system"] == "iot"]
    assert dead
    read = defaultdict(list)
    for row in troubled.rows("feeds/iot/observations"):
        read[row["item_id"], row["location_id"]].append(row["event_time"])
    for row in dead:
        times = read[row["item_id"], row["location_id"]]
        assert not [t for t in times if row["started_at"] <= t < (row["ended_at"] or 2**62)]
    assert sum(len(times) for times in read.values()) > 1000


def test_a_wrong_clock_is_wrong_by_the_same_minutes_for_days(troubled):
    true = {row["document"]: row["event_time"] for row in troubled.rows("truth/movements") if row["document"]}
    skewed = [row for row in troubled.rows("truth/faults") if row["cause"] == "clock_skew"]
    elsewhere = {row["document"] for row in troubled.rows("truth/faults") if row["cause"] == "wrong_location"}
    assert skewed
    off = defaultdict(Counter)
    known = true.keys() - elsewhere
    for movement in troubled.rows("feeds/wms/movements"):
        place = movement["to_id" if movement["kind"] in ("receipt", "transfer_in") else "from_id"]
        document = movement["document"]
        if movement["event_id"] == f"WMS-{document}" and document in known and place.startswith("DC-"):
            inside = [k for k, row in enumerate(skewed) if row["location_id"] == place
                      and row["started_at"] <= true[document] < (row["ended_at"] or 2**62)]  # fmt: skip
            off[tuple(inside)][movement["event_time"] - true[document]] += 1
    assert set(off.pop(())) == {0}
    single = {inside: shifts for inside, shifts in off.items() if len(inside) == 1}
    assert single
    for shifts in single.values():
        (shift, times), *odd = shifts.most_common()
        assert 3 * MINUTE <= abs(shift) <= 24 * MINUTE
        assert sum(count for _, count in odd) <= 0.02 * times


@pytest.mark.parametrize("system", ["erp", "wms"])
def test_rows_come_twice_or_out_of_order_only_while_the_interface_stutters(troubled, system):
    labels = [row for row in troubled.rows("truth/faults") if row["system"] == system]
    windows = {c: [(r["started_at"], r["ended_at"]) for r in labels if r["cause"] == c] for c in WHOLE_SITE[2:]}
    raw = troubled.raw(f"feeds/{system}/movements")
    times = Counter(row["event_id"] for row in raw)
    recorded = {row["event_id"]: row["recorded_at"] for row in troubled.rows(f"feeds/{system}/movements")}

    def inside(moment, cause):
        return any(start <= moment < end for start, end in windows[cause])

    twice = {event for event in recorded if times[event] == 2}
    assert max(times.values()) == 2
    assert twice == {event for event, when in recorded.items() if inside(when, "duplicate_delivery")}
    first = list(dict.fromkeys(row["event_id"] for row in raw if row["event_id"] in recorded))
    wrong = [a for a, b in pairwise(first) if recorded[b] < recorded[a]]
    assert len(wrong) > 50
    assert all(inside(recorded[event], "reordered_delivery") for event in wrong)


def test_a_stray_read_is_of_another_item_under_the_same_document(troubled):
    reads = {row["event_id"]: row for row in troubled.rows("feeds/rfid/movements")}
    strays = [row for row in troubled.rows("truth/faults") if row["cause"] == "stray_read"]
    assert strays
    assert {f"RFID-{row['document']}-S" for row in strays} == {event for event in reads if event.endswith("-S")}
    for row in strays:
        read = reads[f"RFID-{row['document']}-S"]
        assert (read["item_id"], read["quantity"]) == (row["item_id"], abs(row["units"]))
        true = reads.get(f"RFID-{row['document']}")
        assert true is None or true["item_id"] != read["item_id"]


def test_unknown_numbers_are_what_is_missing_from_the_record(troubled):
    labels = [row for row in troubled.rows("truth/faults") if row["cause"] == "missing_crossref"]
    usual = {
        theirs: ours for (system, kind, theirs), ours in troubled.names.items() if (system, kind) == ("wms", "item")
    }
    lost = defaultdict(Fraction)
    factors = {("CS", item): f for (item, unit), f in troubled.factors.items() if unit == "case"}
    factors |= {("PL", item): f for (item, unit), f in troubled.factors.items() if unit == "pallet"}
    unique = {row["event_id"]: row for row in troubled.raw("feeds/wms/movements")}
    for row in unique.values():
        if row["item_id"] not in usual:
            item = usual[row["item_id"].split("-")[0]]
            place = troubled.names["wms", "location", row["from_id" if row["corrects"] else "to_id"]]
            back = -1 if row["corrects"] else 1
            lost[item, place] -= back * Fraction(row["quantity"]) * factors.get((row["unit"], item), Fraction(1))
    labelled = defaultdict(Fraction)
    for row in labels:
        labelled[row["item_id"], row["location_id"]] += Fraction(row["units"])
    assert len(labels) > 3
    assert dict(labelled) == {shelf: units for shelf, units in lost.items() if units}


def test_numbers_entered_for_the_neighbour_put_goods_on_its_shelf(troubled):
    labels = [row for row in troubled.rows("truth/faults") if row["cause"] == "wrong_crossref"]
    wrong = {theirs for (system, kind, theirs), ours in troubled.names.items() if (system, kind) == ("wms", "item")
             and "-" in theirs and troubled.names["wms", "item", theirs.split("-")[0]] != ours}  # fmt: skip
    gained = defaultdict(Fraction)
    named = {row["event_id"]: row["item_id"] for row in troubled.raw("feeds/wms/movements")}
    for row in troubled.rows("feeds/wms/movements"):
        if named[row["event_id"]] in wrong:
            place, back = (row["from_id"], -1) if row["corrects"] else (row["to_id"], 1)
            gained[row["item_id"], place] += back * base_of(troubled, row)
    labelled = defaultdict(Fraction)
    for row in labels:
        labelled[row["item_id"], row["location_id"]] += Fraction(row["units"])
    assert len(labels) >= 4
    assert {shelf: units for shelf, units in labelled.items() if units > 0} == gained
    assert sum(1 for row in labels if row["units"] < 0) == sum(1 for row in labels if row["units"] > 0)


def test_after_a_change_of_schema_nothing_of_the_warehouse_reaches_the_record(changed):
    labels = [row for row in changed.rows("truth/faults") if row["cause"] == "schema_change"]
    (whole,) = (row for row in labels if row["item_id"] is None)
    after = changed.raw("feeds/wms/movements-2-changed")
    assert {"article", "qty", "uom"} <= set(after[0])
    assert not {"item_id", "quantity", "unit"} & set(after[0])
    assert max(row["recorded_at"] for row in changed.rows("feeds/wms/movements")) < whole["started_at"]
    lost = Counter((row["to_id"], row["kind"]) for row in after if row["kind"] == "receipt" and not row["corrects"])
    assert len(labels) > 50
    assert sum(lost.values()) > 50
    record, truth = changed.fold(changed.on_record()), changed.truth()
    units = defaultdict(Fraction)
    for row in changed.rows("truth/faults"):
        if row["on_record"] and row["ended_at"] is None:
            units[row["location_id"], row["item_id"], "unrestricted"] += Fraction(row["units"])
    assert {a: record.level[a] - truth[a] for a in truth if record.level[a] != truth[a]} == {
        account: off for account, off in units.items() if off
    }


def test_rates_of_nothing_make_nothing_go_wrong(quiet):
    assert [row["cause"] for row in quiet.rows("truth/faults")] == []
    record, truth = quiet.fold(quiet.on_record()), quiet.truth()
    assert all(record.level[account] == level for account, level in truth.items())
    assert len(quiet.raw("feeds/wms/movements")) == len(quiet.rows("feeds/wms/movements"))


def test_every_rate_of_a_posting_fault_has_its_cause():
    rated = [re.fullmatch(r"(?:erp_receipt|receipt|sale)_(\w+)", name) for name in Rates.__dataclass_fields__]
    assert {found[1] for found in rated if found} <= {cause.name for cause in Cause}
