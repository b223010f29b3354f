"""A real ledger (SQLite and DuckDB on disk) through made-up lives, against plain Python after every step."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from stocktwin.ledger import books
from stocktwin.ledger.fold import Fold
from stocktwin.ledger.journal import protocol, sqlite
from stocktwin.ledger.ledger import Ledger

Plant = Callable[[pytest.MonkeyPatch], None]


def _machine() -> ModuleType:
    spec = importlib.util.spec_from_file_location("laws_machine", Path(__file__).with_name("machine.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


machine = _machine()


def live(lives: int, steps: int, **options: object) -> None:
    """So many lives of so many steps."""
    run_state_machine_as_test(
        machine.Twin, settings=settings(max_examples=lives, stateful_step_count=steps, deadline=None, **options)  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_few_lives() -> None:
    live(4, 10)


@pytest.mark.slow
def test_long_lives() -> None:
    live(12, 20)


# ---- the tests are tested: each planted bug must be found


def after_each_batch(sql: str) -> Plant:
    """A fold that does something more to every batch: `{seq}` is the batch's number."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        whole = Fold.apply_all

        def spoilt(self: Fold, batches: Any, *rest: Any) -> None:
            whole(self, batches, *rest)
            for batch in batches:
                if batch.header.table == "movements":
                    self._con.execute(sql.format(seq=batch.seq))

        patch.setattr(Fold, "apply_all", spoilt)

    return plant


def plant_record_time_goes_back(patch: pytest.MonkeyPatch) -> None:
    whole = protocol.seal

    def sealed(drafts: Any, previous: Any) -> Any:
        first = previous and replace(previous, header=replace(previous.header, record_time=0))
        return whole(drafts, first)

    patch.setattr(sqlite, "seal", sealed)


def plant_cursor_kept_elsewhere(patch: pytest.MonkeyPatch) -> None:
    """Cursors are remembered by the process and written when it is closed: a crash loses them."""
    whole = sqlite.SqliteJournal._insert

    def insert(self: Any, batch: Any, data: Any) -> None:
        bare = replace(batch, header=replace(batch.header, cursor=""))
        whole(self, bare, data)
        self.__dict__.setdefault("late", []).append(batch.header)

    def cursors(self: Any) -> dict[tuple[str, str], str]:
        return {
            (header.source, header.file): header.cursor for header in self.__dict__.get("late", ()) if header.cursor
        }

    patch.setattr(sqlite.SqliteJournal, "_insert", insert)
    patch.setattr(sqlite.SqliteJournal, "cursors", cursors)


def plant_authority_ignores_the_site(patch: pytest.MonkeyPatch) -> None:
    whole = books._authority
    patch.setattr(books, "_authority", lambda *given: replace(whole(*given), by_site=()))


def plant_known_at_ignored(patch: pytest.MonkeyPatch) -> None:
    whole = Ledger.balances
    patch.setattr(Ledger, "balances", lambda self, **asked: whole(self, **{**asked, "known_at": None}))


def plant_the_missed_is_not_folded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "_catch_up", lambda self: None)


def plant_repeated_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Deduplication by what this process has seen: a restart forgets."""
    after_each_batch("""INSERT INTO fact_movements SELECT * REPLACE ({seq} AS seq) FROM fact_movements
        WHERE NOT EXISTS (FROM fact_movements WHERE seq = {seq}) ORDER BY seq, pos LIMIT 1""")(patch)


PLANTS: dict[str, Plant] = {
    "an entry has one leg": after_each_batch("UPDATE fact_movements SET into_place = NULL WHERE seq = {seq}"),
    "a repeated row counts again": plant_repeated_keys_forgotten,
    "the cursor is not in the commit": plant_cursor_kept_elsewhere,
    "record time goes back": plant_record_time_goes_back,
    "the state hash misses a batch": after_each_batch(
        "UPDATE watermark SET state = (SELECT coalesce(bit_xor(digest), 0) FROM fact_items)"),
    "authority ignores the site": plant_authority_ignores_the_site,
    "a late fact is dropped": after_each_batch("""DELETE FROM fact_movements WHERE seq = {seq}
        AND event_time < (SELECT max(event_time) FROM fact_movements) - 20 * 3600000000"""),
    "a contradiction overwrites": after_each_batch("""UPDATE fact_movements SET quantity = quantity + 1
        WHERE EXISTS (FROM quarantine WHERE seq = {seq} AND state = 'conflict')"""),
    "a contradiction vanishes": after_each_batch("DELETE FROM quarantine WHERE seq = {seq} AND state = 'conflict'"),
    "what waited stays away": after_each_batch("DELETE FROM parked_movements WHERE seq = {seq}"),
    "the unit is forgotten": after_each_batch(
        "UPDATE fact_movements SET quantity = quantity / 12 WHERE seq = {seq} AND quantity % 12 = 0"),
    "what was known then is what is known now": plant_known_at_ignored,
    "what a killed process had not folded is left out": plant_the_missed_is_not_folded,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTS[bug](monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        live(40, 12, phases=[Phase.generate], derandomize=True, database=None, report_multiple_bugs=False)
