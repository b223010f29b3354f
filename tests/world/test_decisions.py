"""Decisions from outside: what is read, what is carried out, what is refused and why, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.world.amendments import FARTHEST, RUSH
from stocktwin.world.catalogue import Catalogue
from stocktwin.world.clock import date_of
from stocktwin.world.decisions import WHOLE, Decision, Words, read_decisions
from stocktwin.world.life import Life, catalogue_of, live
from stocktwin.world.master import policy_columns
from stocktwin.world.order_feed import order_columns, shipment_columns
from stocktwin.world.outcomes import Outcome
from stocktwin.world.records import PURCHASE, Event
from stocktwin.world.script import parse_events
from stocktwin.world.settings import Settings

DAY, DAYS = 60, 95
PLAIN = Settings(days=DAYS, seed=6)


@pytest.fixture(scope="module")
def life() -> Life:
    """A world that nobody steers."""
    return live(PLAIN, 0)


def steered(*decisions: Decision, **changes: object) -> Life:
    return live(replace(PLAIN, decisions=decisions, **changes), 0)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def words() -> Words:
    def catalogues() -> list[Catalogue]:
        return [catalogue_of(PLAIN, 0)]

    return Words.of(PLAIN.size.network, iter(catalogues()))


def open_lines(life: Life, room: int) -> list[int]:
    """Purchase lines placed before DAY of which the supplier could ship some earlier: `room` days at least."""
    lines, design = life.reality.lines, life.design
    dispatch = design.network.supply_times.dispatch[np.where(lines.kind == PURCHASE, lines.source, 0), 0]
    earliest = np.maximum(DAY + 1, lines.day + np.ceil(RUSH * dispatch))
    good = (lines.kind == PURCHASE) & (lines.day < DAY) & (lines.shipped_day - earliest >= room)
    return np.flatnonzero(good & (lines.received == lines.quantity)).tolist()


def change(life: Life, at: int, **changes: object) -> Decision:
    lines, design, network = life.reality.lines, life.design, life.design.network
    row, day = int(lines.row[at]), int(lines.day[at])
    source, dc = network.suppliers[int(lines.source[at])], network.dcs[int(design.dc[row])]
    name = f"PO-{date_of(day):%y%m%d}-{source.short}-{dc.short}"
    one = Decision(DAY, "change", design.items.item_id[design.item[row]], dc.location_id, source.location_id,
                   order_id=name, line=int(lines.number[at]), ordered_day=day)  # fmt: skip
    return replace(one, **changes)  # type: ignore[arg-type]


def asked(life: Life, at: int, days: int) -> Decision:
    """A line asked for some days after it is due."""
    lines, design = life.reality.lines, life.design
    dispatch = int(design.network.supply_times.dispatch[lines.source[at], design.dc[lines.row[at]]])
    late = int(lines.shipped_day[at] - lines.day[at]) - dispatch
    return change(life, at, asked_day=int(lines.promised_day[at]) + late + days)


def outcomes(life: Life) -> list[tuple[str, str]]:
    return [(one.status, one.reason) for one in life.reality.outcomes]


def agreed(life: Life, decisions: list[Decision]) -> tuple[list[int], Life]:
    """Of decisions about lines of different items, those that the supplier agreed to, carried out together."""
    other = steered(*decisions)
    return [k for k, one in enumerate(other.reality.outcomes) if one.status == "done"], other


def versions(life: Life, decision: Decision) -> list[dict[str, object]]:
    table = order_columns(life.orders)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*(c.to_pylist() for c in table.values()), strict=True)]
    return [row for row in rows if row["order_id"] == decision.order_id and row["line"] == str(decision.line)]


def of_other_items(life: Life, items: set[int]) -> list[tuple[int, ...]]:
    events = life.reality.events
    other = ~np.isin(life.design.item[events.row], list(items))
    columns = (events.day, events.second, events.kind, events.row, events.quantity, events.lot)
    return sorted(zip(*(column[other].tolist() for column in columns), strict=True))


def distinct(life: Life, places: list[int], many: int) -> list[int]:
    """The first of these lines for each item."""
    first = {int(life.design.item[life.reality.lines.row[at]]): at for at in reversed(places)}
    return sorted(first.values())[:many]


def test_lines_are_brought_forward_by_the_days_asked_for_and_nothing_else_changes(life: Life):
    places = distinct(life, open_lines(life, room=3), 30)
    decisions = [asked(life, at, -3) for at in places]
    done, other = agreed(life, decisions)
    declined = [reason for status, reason in outcomes(other) if status == "refused"]
    assert 0.4 < len(done) / len(places) < 1
    assert all(reason.endswith("declined") for reason in declined)
    before, after = life.reality.lines, other.reality.lines
    assert of_other_items(life, items := {int(life.design.item[before.row[at]]) for at in places}) == of_other_items(
        other, items
    )
    for k, at in enumerate(places):
        moved = 3 if k in done else 0
        assert before.shipped_day[at] - after.shipped_day[at] == moved
        assert 0 <= before.arrival_day[at] - after.arrival_day[at] <= moved + 20, "a queue that is missed, a hold"
        one = versions(other, decisions[k])
        told = [row for row in one if row["updated_at"].date() >= date_of(DAY)]  # type: ignore[union-attr]
        if k in done:
            assert told[0]["status"] == "confirmed"
            wish = date_of(decisions[k].asked_day or 0)
            assert told[0]["promised_at"].date() == wish  # type: ignore[attr-defined]
            assert {row["requested_at"].date() for row in told} == {wish}  # type: ignore[attr-defined]
            assert {row["requested_at"] for row in one if row not in told} == {None}
            arrived = other.reality.events.day[other.reality.events.line == at]
            assert set(arrived.tolist()) <= {int(after.arrival_day[at])}
            assert len(arrived) or after.arrival_day[at] >= DAYS
        else:
            assert one == versions(life, decisions[k])


def test_a_supplier_needs_half_of_his_dispatch_time(life: Life):
    places = distinct(life, open_lines(life, room=1), 30)
    _, other = agreed(life, [asked(life, at, -20) for at in places])
    lines, dispatch = other.reality.lines, life.design.network.supply_times.dispatch
    partly = [k for k, (status, _) in enumerate(outcomes(other)) if status == "partly"]
    assert partly
    for k in partly:
        at = places[k]
        ready = lines.day[at] + np.ceil(RUSH * dispatch[lines.source[at], 0])
        assert lines.shipped_day[at] == max(DAY + 1, ready)
        assert f"before {date_of(int(lines.shipped_day[at]))}" in outcomes(other)[k][1]


def test_lines_are_postponed(life: Life):
    places = distinct(life, open_lines(life, room=1), 12)
    done, other = agreed(life, [asked(life, at, 9) for at in places])
    assert len(done) >= 8
    for k in done:
        at = places[k]
        assert other.reality.lines.shipped_day[at] - life.reality.lines.shipped_day[at] == 9
        assert other.reality.lines.arrival_day[at] > life.reality.lines.arrival_day[at]
    far = steered(asked(life, places[0], FARTHEST + 1))
    assert outcomes(far) == [("refused", f"no supplier keeps goods for more than {FARTHEST} days")]


def test_lines_are_cancelled_in_part_and_as_a_whole(life: Life):
    places = distinct(life, open_lines(life, room=1), 16)
    lines = life.reality.lines
    halves = {k: int(lines.quantity[at]) // 2 for k, at in enumerate(places) if k % 2 and lines.quantity[at] > 1}
    decisions = [change(life, at, cancelled=halves.get(k, WHOLE)) for k, at in enumerate(places)]
    done, other = agreed(life, decisions)
    assert len(done) >= 8
    scale = life.design.items.scale[life.design.item[lines.row]]
    for k in done:
        at, events = places[k], other.reality.events
        received = int(events.quantity[(events.line == at) & (events.kind == Event.RECEIPT)].sum())
        told = versions(other, decisions[k])
        less = halves.get(k, int(lines.quantity[at]))
        assert float(told[2]["quantity_cancelled"]) == less / 10 ** int(scale[at])  # type: ignore[arg-type]
        if k in halves:
            assert received in (0, lines.quantity[at] - less)
            assert told[2]["status"] == "confirmed"
        else:
            assert received == 0
            assert [row["status"] for row in told] == ["open", "confirmed", "cancelled"]
            assert not {f"SH-{decisions[k].order_id}-{decisions[k].line}"} & set(
                shipment_columns(other.orders)["shipment_id"].to_pylist()
            )
    assert (other.reality.lines.quantity[places] == lines.quantity[places]).all()


def test_a_changed_line_travels_by_itself(life: Life):
    places = [at for at in distinct(life, open_lines(life, room=3), 30) if life.orders.followed[at]]
    decisions = [asked(life, at, -3) for at in places]
    done, other = agreed(life, decisions)
    left = [k for k in done if other.reality.lines.shipped_day[places[k]] < DAYS]
    assert left
    shipments = shipment_columns(other.orders)
    for k in left:
        own = f"SH-{decisions[k].order_id}-{decisions[k].line}"
        at = shipments["shipment_id"].to_pylist().index(own)
        assert shipments["line"][at].as_py() == str(decisions[k].line)
    assert not any(name.count("-") == 5 for name in shipment_columns(life.orders)["shipment_id"].to_pylist())


def test_what_cannot_be_changed_is_refused_with_the_reason(life: Life):
    lines = life.reality.lines
    at = open_lines(life, room=2)[0]
    shipped = int(np.flatnonzero((lines.kind == PURCHASE) & (lines.shipped_day <= DAY))[-1])
    quantity = int(lines.quantity[at])
    cases = [
        (change(life, at, asked_day=DAY + 20, line=99_999), "has no line 99999"),
        (change(life, at, asked_day=DAY + 20, ordered_day=3), "has no line"),
        (change(life, shipped, cancelled=WHOLE), f"was shipped on {date_of(int(lines.shipped_day[shipped]))}"),
        (change(life, at, cancelled=quantity + 1), "more is to be cancelled"),
        (change(life, at, asked_day=DAY + 20, quantity=quantity + 1), "stays as it is"),
        (change(life, at, asked_day=DAY), "is past"),
        (asked(life, at, 0), "due on that day already"),
    ]
    other = steered(*(decision for decision, _ in cases))
    assert len(outcomes(other)) == len(cases)
    for (status, reason), (_, expected) in zip(outcomes(other), cases, strict=True):
        assert status == "refused"
        assert expected in reason
    assert order_columns(other.orders) == order_columns(life.orders)


def test_a_line_that_was_cancelled_cannot_be_changed_again(life: Life):
    done, other = agreed(life, [change(life, at, cancelled=WHOLE) for at in distinct(life, open_lines(life, 1), 9)])
    one = other.settings.decisions[done[0]]
    again = steered(one, replace(one, day=DAY + 1, cancelled=0, asked_day=DAY + 30))
    assert outcomes(again) == [("done", ""), ("refused", "the line was cancelled before")]


def test_a_closed_dc_an_empty_shelf_and_a_stranger_are_refused(life: Life):
    script = f'disruption = [{{kind = "location_closed", location = "DC-RENO", start_day = {DAY}, days = 2}}]'
    plain = steered(events_toml=script)
    design, stock = plain.design, life.reality.balances
    last = stock.row[(stock.day == stock.day.max()) & (stock.quantity == 0)]
    item = design.items.item_id[design.item[int(last[0])]]
    strange = next(s.location_id for k, s in enumerate(design.network.suppliers)
                   if k not in (design.supplier[0], design.alternative[0]))  # fmt: skip
    first = design.items.item_id[0]
    given = [
        Decision(DAY, "transfer", item, "DC-RENO", "DC-ATLANTA", 5),
        Decision(DAY, "purchase", item, "DC-RENO", "", 5),
        Decision(DAY, "purchase", first, design.dc_ids[0], strange, 5),
        Decision(DAY, "transfer", first, design.dc_ids[1], design.dc_ids[0], 10**9),
    ]
    other = steered(*given, events_toml=script)
    assert parse_events({}) != other.settings.script
    said = outcomes(other)
    assert said[:1] == [("refused", f"DC-RENO is closed on {date_of(DAY)}")]
    assert ("refused", f"{strange} does not deliver {first} to {design.dc_ids[0]}") in said
    assert sorted(status for status, _ in said)[-3:] == ["refused"] * 3
    (part,) = (reason for _, reason in said if "has" in reason)
    assert part.startswith(f"{design.dc_ids[0]} has ")


def settled(life: Life) -> dict[str, str | None]:
    """The newest policy of the first item-location as the ERP tells it."""
    table = policy_columns(life.design, life.reality.revisions)
    item, place = life.design.items.item_id[0], life.design.dc_ids[0]
    shelves = list(zip(table["item_id"].to_pylist(), table["location_id"].to_pylist(), strict=True))
    at = len(shelves) - 1 - shelves[::-1].index((item, place))
    return {name: column[at].as_py() for name, column in table.items()}


def policy(life: Life, **settings: object) -> Decision:
    one = Decision(20, "policy", life.design.items.item_id[0], life.design.dc_ids[0])
    return replace(one, **settings)  # type: ignore[arg-type]


def test_a_safety_stock_shifts_both_levels_by_the_same(life: Life):
    design = life.design
    s, S = int(design.reorder_point[0]), int(design.order_up_to[0])
    lead = float(design.network.supply_times.mean[design.supplier[0], 0])
    held = max(0, round(s - float(design.planned[0]) * (lead - 1 + int(design.review_days[0]))))
    assert not design.base_stock[0]
    other = steered(policy(life, safety_stock=held + 7))
    told = settled(other)
    assert outcomes(other) == [("done", "")]
    scale = 10 ** int(design.items.scale[0])
    assert [float(told[name]) for name in ("reorder_point", "order_up_to")] == [(s + 7) / scale, (S + 7) / scale]  # type: ignore[arg-type]
    given = settled(steered(policy(life, safety_stock=held + 7, reorder_point=s + 3)))
    assert [float(given[name]) for name in ("reorder_point", "order_up_to")] == [(s + 3) / scale, (S + 7) / scale]  # type: ignore[arg-type]


def test_levels_in_days_are_days_of_planned_demand(life: Life):
    design = life.design
    other = steered(policy(life, reorder_point=20_500, order_up_to=50_000, in_days=True, review_days=7))
    planned, scale = float(design.planned[0]), 10 ** int(design.items.scale[0])
    told = settled(other)
    assert float(told["reorder_point"]) == np.ceil(20.5 * planned) / scale  # type: ignore[arg-type]
    assert float(told["order_up_to"]) == np.ceil(50 * planned) / scale  # type: ignore[arg-type]
    assert (told["review_days"], told["decided_on"]) == ("7", "2025-01-21")


def test_levels_that_make_no_order_are_refused(life: Life):
    other = steered(policy(life, reorder_point=10**7))
    assert outcomes(other) == [("refused", "order_up_to would not lie above reorder_point")]
    assert settled(other)["reorder_point"] == settled(life)["reorder_point"]


BAD = [
    ("orders", "kind,item_id,quantity,from_id,to_id", "transfer,NO-1,5,DC-RENO,DC-NEWARK", "NO-1"),
    ("orders", "kind,item_id,quantity,from_id,to_id", "transfer,{item},5,DC-RENO,DC-RENO", "no lane"),
    ("orders", "kind,item_id,quantity,from_id,to_id", "purchase,{item},5,DC-RENO,DC-NEWARK", "no lane"),
    ("orders", "kind,item_id,quantity,from_id,to_id", "sales,{item},5,,DC-NEWARK", "sales"),
    ("orders", "item_id,quantity,to_id", "{item},1.5,DC-NEWARK", "1.5"),
    ("orders", "item_id,quantity,to_id", "{item},-2,DC-NEWARK", "-2"),
    ("orders", "item_id,quantity,to_id,ordered_at", "{item},2,DC-NEWARK,soon", "soon"),
    ("orders", "item_id,quantity,unit,to_id", "{item},2,litre,DC-NEWARK", "litre"),
    ("orders", "item_id,order_id,line,status", "{item},PO-250101-XXX-ATL,1,cancelled", "PO-250101-XXX-ATL"),
    ("orders", "item_id,order_id,line,status", "{item},4711,1,cancelled", "4711"),
    ("orders", "item_id,order_id,line,status", "{item},PO-250101-SHA-ATL,first,cancelled", "first"),
    ("orders", "item_id,order_id,line,status", "{item},PO-251399-SHA-ATL,1,cancelled", "20251399"),
    ("orders", "item_id,order_id,line,status", "{item},PO-250101-SHA-ATL,1,closed", "closed"),
    ("orders", "item_id,order_id,line", "{item},PO-250101-SHA-ATL,1", "nothing is asked for"),
    ("orders", "item_id,order_id,line,requested_at", "{item},PO-250101-SHA-ATL,1,May", "May"),
    ("policies", "item_id,location_id,reorder_point", "{item},DC-NOWHERE,5", "DC-NOWHERE"),
    ("policies", "item_id,location_id,reorder_point", "{item},DC-RENO,-5", "-5"),
    ("policies", "item_id,location_id,reorder_point,parameter_unit", "{item},DC-RENO,5,weeks", "weeks"),
    ("policies", "item_id,location_id,reorder_point,policy", "{item},DC-RENO,5,periodic", "periodic"),
    ("policies", "item_id,location_id,review_days", "{item},DC-RENO,3", "3"),
    ("policies", "item_id,location_id", "{item},DC-RENO", "reorder_point"),
]


@pytest.mark.parametrize(("table", "header", "bad", "value"), BAD)
def test_a_row_that_makes_no_sense_is_named_and_keeps_none_back(
    words: Words, tmp_path: Path, table: str, header: str, bad: str, value: str
):
    item = min(item for item, scale in words.scales.items() if scale == 0)
    good = dict.fromkeys(header.split(","), "") | {
        "item_id": item, "location_id": "DC-RENO", "to_id": "DC-RENO", "quantity": "3", "reorder_point": "4",
        "review_days": "7", "order_id": "PO-250101-SHA-ATL", "line": "2", "requested_at": "2025-02-20",
        "promised_at": "2025-02-21",
    }  # fmt: skip
    names = [*header.split(","), *(["promised_at"] if "order_id" in header else ["reorder_point"])]
    names = list(dict.fromkeys(names if table == "policies" or "order_id" in header else header.split(",")))
    rows = [",".join(names), bad.format(item=item), ",".join(good[name] for name in names)]
    (tmp_path / f"{table}-1.csv").write_text("\n".join(rows), encoding="utf-8")
    found, rejected = read_decisions(tmp_path, words, DAY)
    assert [(one.file, one.row, one.item_id) for one in found] == [(f"{table}-1.csv", 2, item)]
    assert [(one.file, one.row) for one in rejected] == [(f"{table}-1.csv", 1)]
    assert value in rejected[0].reason
    assert Outcome.rejected(rejected[0], DAY).status == "refused"


def test_a_change_is_read_from_exchange_columns(words: Words, tmp_path: Path):
    item = min(item for item, scale in words.scales.items() if scale == 0)
    (tmp_path / "orders.csv").write_text(
        "order_id,line,kind,item_id,quantity,requested_at,promised_at,status,quantity_cancelled\n"
        f"PO-250201-SHA-ATL,12,purchase,{item},40,2025-03-01T12:00:00Z,2025-03-09,confirmed,0.000\n"
        f"PO-250201-SHA-ATL,13,purchase,{item},40,,,cancelled,\n"
        f"PO-250201-SHA-ATL,14,purchase,{item},40,,2025-03-09,,8\n",
        encoding="utf-8",
    )
    found, rejected = read_decisions(tmp_path / "orders.csv", words, DAY)
    assert not rejected
    assert {(one.order_id, one.location_id, one.source_id, one.ordered_day, one.quantity) for one in found} == {
        ("PO-250201-SHA-ATL", "DC-ATLANTA", "SUP-SHANGHAI", 31, 40)
    }
    assert [(one.line, one.asked_day, one.cancelled) for one in found] == [(12, 59, 0), (13, None, WHOLE), (14, 67, 8)]


def test_files_of_another_name_hold_no_decisions(words: Words, tmp_path: Path):
    (tmp_path / "other.csv").write_text("item_id\nx\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other\.csv"):
        read_decisions(tmp_path / "other.csv", words, DAY)
    with pytest.raises(UsageError, match="files are called"):
        read_decisions(tmp_path, words, DAY)
