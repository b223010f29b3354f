"""Worlds on the command line: built, lived on, copied, scored; wrong use is one line that names the value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stocktwin.faces.cli.main import main


class Output:
    """What a command said."""

    tty = False

    def __init__(self) -> None:
        self.said, self.noted = "", ""

    def out(self, text: str) -> None:
        self.said += text

    def err(self, text: str) -> None:
        self.noted += text


def run(*words: str) -> tuple[int, Output]:
    output = Output()
    return main(list(words), output=output), output


def asked(*words: str) -> dict[str, Any]:
    code, output = run(*words, "--json")
    assert code == 0, output.noted
    answer: dict[str, Any] = json.loads(output.said)
    return answer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cli") / "world"
    answer = asked("world", "build", str(root), "--days", "30", "--seed", "2", "--processes", "1")
    assert answer["rows"]["truth/balances"] > 0
    assert (root / "twin.toml").exists()
    return root


def test_a_world_lives_on_and_carries_out_decisions(world: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert asked("world", "fork", str(world), str(copy), "--at", "2025-01-20")["at"] == "2025-01-20"
    with (world / "feeds/erp/items.csv").open(encoding="utf-8") as stream:
        item = stream.read().splitlines()[1].split(",")[0]
    orders = tmp_path / "orders.csv"
    orders.write_text(
        f"kind,item_id,quantity,unit,from_id,to_id\npurchase,{item},1,pallet,,DC-RENO\npurchase,NO-1,1,,,DC-RENO\n",
        encoding="utf-8",
    )
    answer = asked("world", "step", str(copy), "--days", "2", "--decisions", str(orders))
    assert answer["rows"]["feeds/erp/orders"] > 0
    assert list((copy / "feeds" / "erp").glob("orders-2025-01-21.*"))
    decided = answer["decisions"]
    assert (decided["done"], decided["refused"], decided["later"]) == (1, 1, 0)
    (lost,) = decided["exceptions"]
    assert (lost["file"], lost["row"], lost["reason"]) == ("orders.csv", 2, "unknown item: 'NO-1'")
    code, output = run("world", "step", str(copy), "--days", "1", "--decisions", str(orders))
    assert code == 0
    assert "1 done, 1 refused" in output.said
    assert all(word in output.said for word in ("orders.csv", "NO-1", "unknown item"))


def test_what_is_scripted_for_later_is_said(tmp_path: Path) -> None:
    events = tmp_path / "events.toml"
    events.write_text(
        '[[disruption]]\nkind = "port_closed"\nlocation = "PORT-LALB"\nstart_day = 200\n', encoding="utf-8"
    )
    code, output = run("world", "build", str(tmp_path / "world"), "--days", "2", "--events", str(events))
    assert code == 0
    assert "Still ahead: port_closed PORT-LALB from 2025-07-20" in output.said


@pytest.mark.parametrize(
    ("words", "code", "value"),
    [
        (("world", "build", "{world}"), 2, "not empty"),
        (("world", "build", "{new}", "--profile", "huge"), 2, "huge"),
        (("world", "build", "{new}", "--faults", "{new}.toml"), 2, ".toml"),
        (("world", "step", "{new}", "--days", "1"), 2, "world"),
        (("world", "step", "{world}", "--days", "0"), 2, "0"),
        (("world", "fork", "{world}", "{new}", "--at", "2031-01-01"), 2, "2031-01-01"),
        (("world", "fork", "{world}", "{new}", "--at", "someday"), 2, "someday"),
        (("world", "play", "{new}"), 2, "feeds"),
        (("world", "play", "{world}", "--from", "2031-01-01"), 2, "2031-01-01"),
        (("score", "{new}"), 2, "truth"),
        (("score", "{world}", "--days", "300"), 2, "300"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_value(
    world: Path, tmp_path: Path, words: tuple[str, ...], code: int, value: str
) -> None:
    given = [word.format(world=world, new=tmp_path / "new") for word in words]
    got, output = run(*given)
    assert got == code, output.noted
    assert output.noted.count("\n") == 1
    assert value in output.noted
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_twin_is_scored_as_the_contract_says(world: Path) -> None:
    answer = asked("score", str(world), "--days", "15")
    assert {"record", "books", "causes", "false_cases_per_1000_month", "arrivals", "demand"} <= set(answer)
    assert "belief" not in answer
    assert all(set(f) == {"precision", "recall", "median_hours", "p90_hours"} for f in answer["causes"].values())
    assert 0 <= answer["arrivals"]["coverage_80"] <= 1
    assert answer["arrivals"]["pinball_days"] > 0
    assert answer["demand"]["weighted_quantile_loss"] is None, "28 days do not fit into 15"
    assert 0.9 < answer["record"]["exact"] <= 1
    assert answer["record"]["answered"] > 0.9, "new items have no account before they arrive"
    code, output = run("score", str(world), "--days", "5")
    assert code == 0
    assert "On hand against the truth" in output.said
    assert "asked for anomalies every 3 nights" in output.said
