"""Each labelled fault can be seen in the feeds, for what it is."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest

from stocktwin.world.posting_faults import swap_digits


@pytest.fixture(scope="module")
def posted(world, faults):
    """System → document → its postings, quantities in base units, of labelled documents and corrections of counts."""
    labelled = {row["document"] for row in faults}
    out = {"erp": defaultdict(list), "wms": defaultdict(list)}
    for system, documents in out.items():
        for row in world.rows(f"feeds/{system}/movements"):
            if row["document"] in labelled or row["reason"] in ("cycle count", "damage found"):
                base = Fraction(row["quantity"]) * world.factors.get((row["item_id"], row["unit"]), Fraction(1))
                documents[row["document"]].append({**row, "base": base})
    return out


def other(system: str) -> str:
    return "wms" if system == "erp" else "erp"


def of_cause(faults, cause):
    found = [row for row in faults if row["cause"] == cause]
    assert found, f"no {cause} in this world"
    return found


def test_labels_are_whole(faults):
    assert len({row["fault_id"] for row in faults}) == len(faults)
    for row in faults:
        assert row["units"] != 0
        assert row["end"] is None or row["end"] > row["start"]
        assert (row["value"] > 0) == (row["units"] > 0) or abs(row["value"]) < 0.01


def test_a_duplicate_is_posted_twice_within_minutes_under_one_document(posted, faults):
    for row in of_cause(faults, "duplicate_post"):
        both = [m for m in posted[row["system"]][row["document"]] if not m["corrects"]]
        assert len(both) == 2
        assert both[0]["base"] == both[1]["base"] == abs(row["units"])
        assert 0 < both[1]["event_time"] - both[0]["event_time"] <= 5 * 60_000_000
        assert len(posted[other(row["system"])][row["document"]]) == 1


def test_a_missing_posting_is_there_in_the_other_system_only(posted, faults):
    for row in of_cause(faults, "missing_post"):
        assert posted[other(row["system"])][row["document"]][0]["base"] == abs(row["units"])
        mine = posted[row["system"]].get(row["document"], [])
        assert [m["reason"] for m in mine] == ([] if row["end"] is None else ["late posting"])


def test_a_pack_fault_is_a_multiple_by_the_case(posted, faults, world):
    factor = world.factors
    for row in of_cause(faults, "pack_factor"):
        first = posted[row["system"]][row["document"]][0]
        right = posted[other(row["system"])][row["document"]][0]["base"]
        assert first["base"] == right * factor[row["item_id"], "case"]
        assert row["units"] == first["base"] - right


def test_swapped_digits_differ_by_a_multiple_of_nine(posted, faults):
    for row in of_cause(faults, "digit_swap"):
        first = posted[row["system"]][row["document"]][0]
        right = posted[other(row["system"])][row["document"]][0]["base"]
        assert first["base"] == swap_digits(int(right)) != right
        assert (first["base"] - right) % 9 == 0


def test_what_was_put_right_names_what_it_corrects(posted, faults):
    ended = [
        r for r in faults if r["end"] is not None and r["cause"] in ("duplicate_post", "pack_factor", "digit_swap")
    ]
    assert ended
    for row in ended:
        mine = posted[row["system"]][row["document"]]
        net = sum(m["base"] * (-1 if m["corrects"] else 1) for m in mine)
        assert net == posted[other(row["system"])][row["document"]][0]["base"]
        reversal = next(m for m in mine if m["corrects"])
        wrong = next(m for m in mine if m["event_id"] == reversal["corrects"])
        assert (reversal["from_id"], reversal["to_id"]) == (wrong["to_id"], wrong["from_id"])


def test_what_vanishes_is_in_no_feed_until_somebody_finds_out(world, posted, faults):
    causes = {"theft", "unexplained_loss", "bulk_theft", "damage", "misplacement"}
    unseen = [row for row in world.rows("truth/movements") if row["cause"]]
    assert {row["cause"] for row in unseen} == causes
    assert not any(row["document"] for row in unseen)
    back = sum(row["quantity"] for row in unseen if row["from_id"] == "gain")
    gone = sum(row["quantity"] for row in unseen if row["from_id"] != "gain")
    assert sum(row["units"] for row in faults if row["cause"] in causes) == gone
    ended = sum(r["units"] for r in faults if r["cause"] in causes and r["end"] is not None)
    for documents in posted.values():
        found = [m for rows in documents.values() for m in rows if m["reason"] in ("cycle count", "damage found")]
        assert sum(m["base"] for m in found) == ended - back > 0
        assert {(m["kind"], m["to_id"]) for m in found if m["reason"] == "cycle count"} == {("adjustment", "loss")}
        assert {(m["kind"], m["to_id"]) for m in found if m["reason"] == "damage found"} == {("scrap", "scrap")}
