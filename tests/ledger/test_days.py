"""Local days and cut-offs, in SQL as in plain Python, through every change of clocks; openings line by line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, local_day, parse_instant
from stocktwin.domain.rules import Rules
from stocktwin.ledger import days
from stocktwin.ledger.account_query import Account, Times, history_of
from stocktwin.ledger.days import day_sql, day_table, local_day_number
from stocktwin.ledger.ledger import Ledger

HOUR = MICROSECONDS_PER_DAY // 24
ZONES = ("America/New_York", "Europe/Paris", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
CUTOFFS = (None, "00:00", "00:30", "02:30", "12:00", "18:00", "23:59")
FIRST, LAST = parse_instant("2024-12-01"), parse_instant("2026-01-31")


def in_sql(instants: list[int], zone: str, cutoff: str | None) -> list[date]:
    con = duckdb.connect()
    con.register("day_of", day_table([(7, zone, cutoff)], "UTC", FIRST, LAST))
    wanted = ", ".join(f"({at})" for at in instants)
    found = con.execute(f"""SELECT {day_sql("t")} FROM (VALUES {wanted}) v(t)
        JOIN day_of ON t >= since AND t < until ORDER BY t""").fetchall()
    return [date(1970, 1, 1) + timedelta(days=number) for (number,) in found]


@settings(max_examples=60)
@given(
    st.lists(st.integers(FIRST, LAST), min_size=1, max_size=8, unique=True),
    st.sampled_from(ZONES),
    st.sampled_from(CUTOFFS),
)
def test_the_local_day_is_the_same_in_sql_and_in_plain_python(
    instants: list[int], zone: str, cutoff: str | None
) -> None:
    plain = [local_day(at, zone, cutoff) for at in sorted(instants)]
    assert in_sql(instants, zone, cutoff) == plain
    numbers = [local_day_number(at, zone, cutoff) for at in sorted(instants)]
    assert [date(1970, 1, 1) + timedelta(days=number) for number in numbers] == plain


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Paris", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cutoff", [None, "02:30", "18:00"])
def test_every_hour_of_the_days_on_which_clocks_change(zone: str, cutoff: str | None) -> None:
    """Steps of a quarter of an hour over both changes of a year: no day is skipped, none comes twice."""
    quarters = list(range(parse_instant("2025-03-01"), parse_instant("2025-11-10"), HOUR // 4))
    found = np.array([local_day_number(at, zone, cutoff) for at in quarters])
    assert set(np.diff(found).tolist()) == {0, 1}
    lengths = {int(count) for count in np.bincount(found - found[0])[1:-1]}
    assert len(lengths) == 3, "a day of change is shorter, another longer, all others alike"
    odd = np.bincount(found - found[0])[found - found[0]] != 96
    near = [at for at, is_odd in zip(quarters, odd, strict=True) if is_odd]
    assert in_sql(near, zone, cutoff) == [local_day(at, zone, cutoff) for at in near]


def test_at_the_cutoff_the_next_day_has_begun() -> None:
    before, at = (parse_instant(f"2025-06-30T{clock}", "Europe/Paris") for clock in ("17:59:59.999999", "18:00"))
    assert [day.isoformat() for day in in_sql([before, at], "Europe/Paris", "18:00")] == ["2025-06-30", "2025-07-01"]


def test_midnight_written_out_is_midnight() -> None:
    noon = parse_instant("2025-06-30T12:00", "Europe/Paris")
    assert local_day(noon, "Europe/Paris", "00:00") == local_day(noon, "Europe/Paris")


def test_a_defect_in_the_shift_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    at = parse_instant("2025-06-30T20:00", "Europe/Paris")
    monkeypatch.setattr(days, "cutoff_shift", lambda cutoff: 0)
    assert in_sql([at], "Europe/Paris", "18:00") != [local_day(at, "Europe/Paris", "18:00")]


# ---- openings


def test_an_opening_and_what_was_before_it(
    ledger: Ledger, master: list[Any], deliver: Callable[..., Any], move: Callable[..., Any], see: Callable[..., Any]
) -> None:
    """The earliest complete level opens, not a partial one, a lot's or a sensor's; what was before feeds history."""
    ledger.configure(Rules(opening={"erp": "snapshot"}))
    seen = [
        see("part", "cycle_count", 1, 0, scope="shelf 3"),
        see("lot", "cycle_count", 2, 0, lot="L"),
        see("rfid", "rfid", 3, 0),
        see("book", "erp_book", 40, 10),
        see("count", "cycle_count", 41, 10),
        see("later", "cycle_count", 90, 20),
    ]
    moves = [
        move("old", "sale", 9, 1, from_id="D1"),
        move("same moment", "sale", 2, 10, from_id="D1"),
        move("s", "sale", 5, 30, from_id="D1"),
        move("elsewhere", "sale", 4, 30, from_id="D2"),
    ]
    ledger.append([*master, deliver("observations", *seen), deliver("movements", *moves)])
    levels = {row["location_id"]: row for row in ledger.balances(item_id="I").to_pylist()}
    assert (levels["D1"]["quantity"], levels["D1"]["anchored"]) == (36, True), "of two levels the count is the better"
    assert (levels["D2"]["quantity"], levels["D2"]["anchored"]) == (-4, False), "a net change, not a negative stock"
    assert ledger.status()["unanchored"] == 1
    assert ledger.conservation_residual == 0
    before = ledger.balances(item_id="I", location_id="D1", at=seen[3]["event_time"] - 1).to_pylist()
    assert [(row["quantity"], row["anchored"]) for row in before] == [(-9, False)]
    snapshot = ledger.snapshot()
    row = snapshot.row("I", "D1")
    assert snapshot.sales.series(row)[1].sum() == 16
    assert [one["kind"] for one in history_of(ledger, Account("I", "D1"), Times())[0]][-1] == "cycle_count"
