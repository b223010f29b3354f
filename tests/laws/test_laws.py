"""The ledger's laws on histories that hypothesis makes up, against a fold in plain Python that shares no code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger.journal.blob import no_rejected
from stocktwin.ledger.journal.memory import MemoryJournal
from stocktwin.ledger.ledger import Ledger
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

START = parse_instant("2025-03-03T08:00:00Z")
NOW = START + 30 * MICROSECONDS_PER_DAY
HOUR = MICROSECONDS_PER_DAY // 24
FACTORS = {("I", "case"): Fraction(12), ("K", "bag"): Fraction(5, 2)}
SCALES = {"I": 0, "K": 3}
PLACES = ("D1", "D2", "S")

Row = dict[str, Any]
Fact = tuple[str, Row]
Account = tuple[str, str, str | None, str, str | None]

# ---- the oracle: what the design says, as slowly as one likes

DEFAULTS = {
    "receipt": ("supplier", None), "sale": (None, "customer"), "return": ("customer", None),
    "adjustment": ("gain", "loss"), "scrap": (None, "scrap"), "transform": ("transform", "transform"),
}  # fmt: skip


def atomic(row: Row) -> int:
    """The quantity in atomic units, exactly."""
    factor = FACTORS.get((row["item_id"], row.get("unit") or ""), Fraction(1))
    exact = Fraction(row["quantity"]) * factor * 10 ** SCALES[row["item_id"]]
    assert exact.denominator == 1
    return int(exact)


def ends(row: Row, lanes: dict[tuple[str, str, str], str]) -> tuple[str, str]:
    """The places that a movement leaves and enters."""
    kind, left, into = row["kind"], row.get("from_id"), row.get("to_id")
    if kind in ("shipment", "transfer_out"):
        return left, f"{left}→{into}"
    if kind == "transfer_in":
        return f"{left}→{into}", into
    if kind == "status":
        return left or into, into or left
    lane = lanes.get((row.get("shipment_id") or "", row["item_id"], into or "")) if kind == "receipt" else None
    return lane or left or DEFAULTS[kind][0], into or DEFAULTS[kind][1]


def oracle(rows: Iterable[Row], seen: Iterable[Row] = ()) -> dict[Account, int]:
    """Balances of all accounts; each (system, event id) once. What was `seen` first at a place is its opening."""
    first = {(row["system"], row["event_id"]): row for row in reversed(list(rows))}.values()
    lanes = {(r["shipment_id"], r["item_id"], r["to_id"]): f"{r['from_id']}→{r['to_id']}"
             for r in first if r["kind"] == "shipment"}  # fmt: skip
    levels: dict[tuple[str, str], tuple[int, int]] = {}
    for row in sorted(seen, key=lambda row: row["event_time"]):
        levels.setdefault((row["item_id"], row["location_id"]), (row["event_time"], atomic(row)))
    total: dict[Account, int] = defaultdict(int)

    def post(item: str, place: str, rest: tuple[str | None, str, str | None], amount: int, at: int) -> None:
        cut = levels.get((item, place), (-1, 0))[0]
        total[item, "unknown" if at <= cut else place, *rest] += amount

    for row in first:
        left, into = ends(row, lanes)
        old = row.get("condition") or "unrestricted"
        new = row.get("to_condition") or ("returned" if row["kind"] == "return" else old)
        post(row["item_id"], left, (row.get("lot"), old, None), -atomic(row), row["event_time"])
        post(row["item_id"], into, (row.get("lot"), new, None), atomic(row), row["event_time"])
    for (item, place), (_, level) in levels.items():
        total[item, place, None, "unrestricted", None] += level
        total[item, "unknown", None, "unrestricted", None] -= level
    return {account: quantity for account, quantity in total.items() if quantity}


# ---- histories

SIDES = {
    "receipt": ((None, "S"), ("D1", "D2")), "shipment": (("S",), ("D1", "D2")), "sale": (("D1", "D2"), (None,)),
    "transfer_out": (("D1",), ("D2",)), "transfer_in": (("D1",), ("D2",)), "return": ((None,), ("D1", "D2")),
    "scrap": (("D1", "D2"), (None,)), "status": (("D1",), (None, "D1")), "transform": ((None,), ("D1",)),
    "adjustment": (("D1", None), ("D2",)),
}  # fmt: skip


@st.composite
def movement(draw: st.DrawFn, number: int) -> Row:
    """A movement whose event id is its number."""
    kind = draw(st.sampled_from(sorted(SIDES)))
    item = draw(st.sampled_from("IK"))
    row: Row = {
        "event_id": str(number),
        "event_time": START + draw(st.integers(0, 200)) * HOUR,
        "kind": kind,
        "item_id": item,
        "quantity": Decimal(draw(st.integers(1, 40))),
        "unit": draw(st.sampled_from([None, "case" if item == "I" else "bag"])),
        "from_id": draw(st.sampled_from(SIDES[kind][0])),
        "to_id": draw(st.sampled_from(SIDES[kind][1])),
        "lot": draw(st.sampled_from([None, None, "L"])),
        "system": "erp",
    }
    if kind in ("receipt", "shipment"):
        row |= {"shipment_id": draw(st.sampled_from(["A", "B"])), "from_id": "S" if kind == "shipment" else None}
    if kind == "status":
        row["to_condition"] = "blocked"
    return row


@st.composite
def observation(draw: st.DrawFn, number: int) -> Row:
    """A complete count; no two of a history share a cut-off."""
    return {
        "event_id": f"o{number}",
        "event_time": START + draw(st.integers(0, 200)) * HOUR + number,
        "method": "cycle_count",
        "item_id": draw(st.sampled_from("IK")),
        "location_id": draw(st.sampled_from(["D1", "D2"])),
        "quantity": Decimal(draw(st.integers(0, 90))),
        "system": "erp",
    }


MASTER: list[Fact] = [
    ("items", {"item_id": "I"}),
    ("items", {"item_id": "K", "unit": "kg", "scale": 3}),
    *(("units", {"item_id": item, "unit": unit, "factor": str(factor)}) for (item, unit), factor in FACTORS.items()),
    *(("locations", {"location_id": place, "kind": "supplier" if place == "S" else "dc"}) for place in PLACES),
]


@st.composite
def history(draw: st.DrawFn) -> list[Fact]:
    """Movements and counts of a small network, all different, in the order in which they were made up."""
    moves = [("movements", draw(movement(number))) for number in range(draw(st.integers(1, 12)))]
    return [*moves, *(("observations", draw(observation(number))) for number in range(draw(st.integers(0, 3))))]


@st.composite
def told(draw: st.DrawFn, facts: Sequence[Fact]) -> list[list[Fact]]:
    """The same facts and their master data in any order, some told twice, cut into batches anywhere."""
    everything = draw(st.permutations([*MASTER, *facts]))
    again = draw(st.lists(st.sampled_from(everything), max_size=4))
    rows = [*everything, *again]
    cuts = sorted(draw(st.sets(st.integers(1, len(rows) - 1), max_size=4)))
    return [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


def deliveries(batch: Sequence[Fact]) -> list[Delivery]:
    """One delivery per table, in the order in which the tables are first spoken of."""
    tables: dict[str, list[Row]] = {}
    for table, row in batch:
        rows = tables.setdefault(table, [])
        rows.append({**row, "_row": len(rows) + 1})
    return [
        Delivery("erp", table, f"{table}.csv", pa.Table.from_pylist(rows, TABLES[table].arrow_schema()), no_rejected())
        for table, rows in tables.items()
    ]


def twin(batches: Iterable[Sequence[Fact]], rules: Rules | None = None) -> Ledger:
    """A ledger that was told the batches, a second apart."""
    clock = FixedClock(NOW)
    ledger = Ledger.open(MemoryJournal(), None, clock)
    if rules is not None:
        ledger.configure(rules)
    for batch in batches:
        clock.advance(1_000_000)
        ledger.append(deliveries(batch))
    return ledger


def balances(ledger: Ledger, **asked: int) -> dict[Account, int]:
    """All accounts, real and virtual, that are not at zero."""
    names = ("item_id", "location_id", "lot", "condition", "owner")
    rows = ledger.balances(stocking_only=False, **asked).to_pylist()  # type: ignore[arg-type]
    return {tuple(row[name] for name in names): row["quantity"] for row in rows if row["quantity"]}  # type: ignore[misc]


def rows_of(facts: Iterable[Fact], table: str) -> list[Row]:
    return [row for name, row in facts if name == table]


# ---- the laws


@settings(max_examples=6)
@given(st.data())
def test_any_order_batching_and_repetition_gives_the_oracles_balances(data: st.DataObject) -> None:
    facts = data.draw(history())
    with twin([[*MASTER, *facts]]) as plain, twin(data.draw(told(facts))) as shuffled:
        expected = oracle(rows_of(facts, "movements"))
        assert balances(plain) == expected
        assert balances(shuffled) == expected
        assert shuffled.state_hash == plain.state_hash
        for ledger in (plain, shuffled):
            assert ledger.conservation_residual == 0
            status = ledger.status()
            assert status["quarantined"] == 0
            assert status["delivered"] == status["accepted"] + status["duplicates"]
            assert status["accepted"] == len(MASTER) + len(facts)


@settings(max_examples=6)
@given(st.data())
def test_accounts_open_the_same_in_any_order(data: st.DataObject) -> None:
    facts, rules = data.draw(history()), Rules(opening={"erp": "snapshot"})
    moves, seen = rows_of(facts, "movements"), rows_of(facts, "observations")
    with twin(data.draw(told(facts)), rules) as ledger:
        assert balances(ledger) == oracle(moves, seen)
        assert ledger.conservation_residual == 0


@settings(max_examples=5)
@given(st.data())
def test_what_was_known_is_what_a_twin_stopped_then_would_have_said(data: st.DataObject) -> None:
    batches = data.draw(told(data.draw(history())))
    stop = data.draw(st.integers(0, len(batches)))
    at = START + data.draw(st.integers(0, 200)) * HOUR
    with twin(batches) as whole, twin(batches[:stop]) as stopped:
        known_at = NOW + stop * 1_000_000
        assert balances(whole, known_at=known_at) == balances(stopped)
        assert balances(whole, known_at=known_at, at=at) == balances(stopped, at=at)


@settings(max_examples=2)
@given(st.data())
def test_verify_finds_every_law_kept(data: st.DataObject) -> None:
    rules = Rules(opening=data.draw(st.sampled_from([{}, {"erp": "snapshot"}])))
    with twin(data.draw(told(data.draw(history()))), rules) as ledger:
        assert [law for law in ledger.verify() if not law.ok] == []


def test_the_state_hash_is_the_documented_digest() -> None:
    """Worked by hand from the design: canonical text, MD5, XOR; the same in every version and on every machine."""
    row = {"event_id": "1", "event_time": START, "kind": "receipt", "item_id": "I", "quantity": Decimal(2)}
    row |= {"unit": "case", "to_id": "D1", "system": "erp", "recorded_at": START}
    texts = [
        "items\x1fitem_id=I",
        "units\x1fitem_id=I\x1funit=case\x1ffactor=12/1",
        "locations\x1flocation_id=D1\x1fkind=dc",
        f"movements\x1fevent_id=1\x1fevent_time={START}\x1fkind=receipt\x1fitem_id=I\x1fquantity=24\x1fto_id=D1\x1f"
        "system=erp",
    ]
    state = 0
    for text in texts:
        state ^= int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest(), "little")
    facts = [("items", {"item_id": "I"}), ("units", {"item_id": "I", "unit": "case", "factor": "12"}),
             ("locations", {"location_id": "D1", "kind": "dc"}), ("movements", row)]  # fmt: skip
    with twin([facts]) as ledger:
        assert ledger.state_hash == f"{state:032x}"
