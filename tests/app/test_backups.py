"""Backups of a whole twin: made while facts come in, put back with and without an owner, in files and in PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.journals import copy_journal, restore_closed
from stocktwin.app.standby import Standby
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import BusyError, JournalDamaged, UsageError
from stocktwin.faces.cli.main import main

MASTER: list[dict[str, Any]] = [
    {"table": "items", "item_id": "I"},
    {"table": "locations", "location_id": "D", "kind": "dc"},
    {"table": "locations", "location_id": "S", "kind": "supplier"},
]


def post(twin: TwinService, *numbers: int) -> None:
    """A receipt of one piece for each number."""
    same = {"table": "movements", "event_time": "2026-01-05T08:00:00Z", "kind": "receipt", "item_id": "I"}
    more = {"quantity": 1, "from_id": "S", "to_id": "D", "system": "erp"}
    rows = [{**same, **more, "event_id": f"R{number}"} for number in numbers]
    twin.post_facts("\n".join(json.dumps(row) for row in rows))


def state(twin: TwinService) -> tuple[str, int]:
    """State hash and head."""
    return twin.ledger.state_hash, twin.ledger.head


@pytest.fixture(params=["sqlite", "postgres"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A twin with three items of master data and two receipts, its journal in a file or in PostgreSQL."""
    folder = tmp_path / "twin"
    create_twin(folder)
    if request.param == "postgres":
        settings = folder / "twin.toml"
        settings.write_text(f'journal = "{request.getfixturevalue("postgres")}"\n' + settings.read_text())
    with TwinService.open(folder) as twin:
        twin.post_facts("\n".join(json.dumps(row) for row in MASTER))
        post(twin, 1)
        post(twin, 2)
    return folder


@pytest.fixture
def twin(root: Path) -> Iterator[TwinService]:
    """That twin, open."""
    with TwinService.open(root) as opened:
        yield opened


def test_a_backup_put_back_gives_the_same_state(root: Path, tmp_path: Path) -> None:
    with TwinService.open(root) as twin:
        before = state(twin)
        made = twin.backup()
        assert twin.backups()["backups"] == [made]
        assert made["head"] == twin.journal_head()["head"]
    fresh = tmp_path / "fresh"
    create_twin(fresh)
    restore_closed(fresh, Path(made["file"]), force=True)
    with TwinService.open(fresh) as twin:
        assert state(twin) == before
        assert twin.verify()["ok"]


def test_what_came_after_the_backup_is_kept(twin: TwinService) -> None:
    made = twin.backup()
    post(twin, 3)
    before = state(twin)
    told = twin.restore(Path(made["file"]))
    assert (told["from_backup"], told["continued"], told["given_up"]) == (made["batches"], 1, 0)
    assert told["state_hash"] == before[0]
    assert state(twin) == before
    post(twin, 3, 4)
    assert twin.stock()["rows"][0]["on_hand"] == 4
    assert twin.verify()["ok"]


def test_a_backup_of_something_else_is_refused_and_nothing_changes(twin: TwinService, tmp_path: Path) -> None:
    create_twin(tmp_path / "other")
    with TwinService.open(tmp_path / "other") as other:
        post(other, 1)
        made = other.backup()
    before = state(twin)
    with pytest.raises(UsageError, match="another journal"):
        twin.restore(Path(made["file"]))
    assert state(twin) == before
    post(twin, 3)
    told = twin.restore(Path(made["file"]), force=True)
    assert told["given_up"] > 0
    assert twin.ledger.journal.head().hash in made["head"]  # type: ignore[union-attr]
    assert twin.verify()["ok"]
    assert twin.status()["accepted"] == 0, "its receipt waits for master data again"


def test_a_damaged_backup_is_refused_or_taken_as_far_as_it_is_sound(twin: TwinService, tmp_path: Path) -> None:
    made = Path(twin.backup()["file"])
    with closing(sqlite3.connect(made)) as con:
        con.execute("UPDATE blobs SET data = x'00' WHERE seq = 4")
        con.commit()
    before = state(twin)
    with pytest.raises(UsageError, match="batch 4"):
        twin.restore(made)
    assert state(twin) == before
    told = twin.restore(made, force=True)
    assert (told["from_backup"], told["continued"]) == (3, before[1] - 3), "the rest is still here"
    assert state(twin) == before


def test_the_twin_restores_beside_questions(twin: TwinService) -> None:
    """Readers in other threads get answers before, while and after the journal is replaced."""
    made, stop, wrong = Path(twin.backup()["file"]), threading.Event(), list[BaseException]()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert twin.stock()["rows"][0]["on_hand"] == 2
            except BaseException as error:
                wrong.append(error)
                return

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            twin.restore(made)
    finally:
        stop.set()
        asking.join()
    assert wrong == []


def test_a_server_on_a_shared_journal_writes_on_after_a_restore(postgres: str, tmp_path: Path) -> None:
    create_twin(tmp_path / "shop")
    settings = tmp_path / "shop" / "twin.toml"
    settings.write_text(f'journal = "{postgres}"\n' + settings.read_text())
    told: list[str] = []
    with TwinService.open(tmp_path / "shop") as twin, TwinService.open(copied(tmp_path)) as other:
        first, second = (Standby(one, lambda: told.append("begins"), told.append) for one in (twin, other))
        first.step()
        assert told == ["this process writes the journal", "begins"]
        second.step()
        assert "standing by" in told[-1]
        twin.post_facts("\n".join(json.dumps(row) for row in MASTER))
        post(twin, 1)
        made = Path(twin.backup()["file"])
        post(twin, 2)
        with pytest.raises(BusyError, match="is written by"):
            other.restore(made)
        twin.restore(made)
        first.step()
        post(twin, 3)
        second.step()
        assert state(other) == state(twin)
        assert other.stock()["rows"][0]["on_hand"] == 3
        assert told[2:] == told[2:3], "nobody changed places"


def copied(folder: Path) -> Path:
    """Another machine's folder of the same twin: the settings only."""
    other = folder / "other"
    create_twin(other)
    (other / "twin.toml").write_text((folder / "shop" / "twin.toml").read_text())
    return other


# ---- files only


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A twin whose journal is a file, with a backup in `backups` and one more batch after it."""
    folder = tmp_path / "shop"
    create_twin(folder)
    with TwinService.open(folder) as twin:
        twin.post_facts("\n".join(json.dumps(row) for row in MASTER))
        post(twin, 1)
        twin.backup(folder / "backups" / "one.sqlite")
        post(twin, 2)
    return folder


def damage(root: Path, sql: str) -> None:
    """Somebody edits the journal behind our back."""
    with closing(sqlite3.connect(root / "journal.sqlite")) as con:
        con.execute(sql)
        con.commit()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE blobs SET data = x'00' WHERE seq = 3",
        "UPDATE batches SET header = '{}' WHERE seq = 2",
        "DELETE FROM batches WHERE seq = 3",
        "UPDATE batches SET hash = prev_hash WHERE seq = 1",
    ],
)
def test_a_backup_mends_a_damaged_journal_and_nothing_of_today_is_lost(shop: Path, sql: str) -> None:
    with TwinService.open(shop) as twin:
        before = state(twin)
    damage(shop, sql)
    (shop / "projection.duckdb").unlink()
    with pytest.raises(JournalDamaged, match="batch"):
        TwinService.open(shop)
    told = restore_closed(shop, shop / "backups" / "one.sqlite")
    assert told["continued"] == 1
    assert "batch" in told["present_problem"]
    with TwinService.open(shop) as twin:
        assert state(twin) == before
        assert twin.verify()["ok"]
    assert list(shop.glob("journal.sqlite.replaced-*")), "the old one is kept"


def test_where_todays_batches_are_damaged_too_they_are_given_up_only_if_forced(shop: Path) -> None:
    damage(shop, "UPDATE blobs SET data = x'00' WHERE seq = (SELECT max(seq) FROM batches)")
    with pytest.raises(UsageError, match="--force gives up what follows"):
        restore_closed(shop, shop / "backups" / "one.sqlite")
    assert not list(shop.glob("journal.sqlite.re*")), "nothing was begun"
    assert restore_closed(shop, shop / "backups" / "one.sqlite", force=True)["given_up"] == 1
    with TwinService.open(shop) as twin:
        assert twin.stock()["rows"][0]["on_hand"] == 1


def test_a_journal_that_is_gone_or_is_none_comes_back(shop: Path) -> None:
    (shop / "journal.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(UsageError, match="the journal that is here at batch"):
        restore_closed(shop, shop / "backups" / "one.sqlite")
    restore_closed(shop, shop / "backups" / "one.sqlite", force=True)
    with TwinService.open(shop) as twin:
        assert twin.verify()["ok"]
    for file in shop.glob("journal.sqlite*"):
        file.unlink()
    restore_closed(shop, shop / "backups" / "one.sqlite")
    with TwinService.open(shop) as twin:
        assert twin.stock()["rows"][0]["on_hand"] == 1


def test_a_twin_in_use_is_left_alone(shop: Path) -> None:
    with TwinService.open(shop), pytest.raises(BusyError, match="in use"):
        copy_journal(str(shop / "backups" / "one.sqlite"), str(shop), Path())


def test_a_journal_moves_to_postgresql_and_back(shop: Path, postgres: str, tmp_path: Path) -> None:
    with TwinService.open(shop) as twin:
        before = state(twin)
    assert copy_journal("shop", postgres, tmp_path)["copied"] == before[1]
    settings = shop / "twin.toml"
    settings.write_text(f'journal = "{postgres}"\n' + settings.read_text())
    with TwinService.open(shop) as twin:
        assert state(twin) == before
        post(twin, 3)
        after = state(twin)
    told = copy_journal(postgres, "back.sqlite", tmp_path)
    assert told["batches"] == after[1]
    assert copy_journal(postgres, "back.sqlite", tmp_path)["copied"] == 0


def test_the_commands(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int, Any]:
        code = main(["--twin", str(shop), "journal", *words, "--json"])
        return code, json.loads(capsys.readouterr().out or "null")

    code, made = run("backup")
    assert code == 0
    assert run("backups")[1]["backups"][0] == made
    assert run("check")[1]["head"] == made["head"]
    assert run("check", made["file"])[1]["ok"]
    code, told = run("restore", made["file"])
    assert (code, told["head"], told["continued"]) == (0, made["head"], 0)
    assert len(told["state_hash"]) == 32
    assert run("copy", made["file"], str(shop / "copy.sqlite"))[1]["copied"] == made["batches"]
    assert run("restore", "nowhere.sqlite")[0] == 2
    damage(shop, "UPDATE blobs SET data = x'00' WHERE seq = 3")
    assert run("check")[0] == 1
    for words in (["backups"], ["restore", made["file"]], ["check"], ["backup", str(shop / "b.sqlite")]):
        assert main(["--twin", str(shop), "journal", *words]) == 0
        assert capsys.readouterr().out
