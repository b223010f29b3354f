"""The command line as a user types it: contracts of `--json`, exit codes, one-line errors, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stocktwin.faces.cli import render, session
from stocktwin.faces.cli.main import main

FILES = {
    "items": "item_id,unit_cost,unit_price,unit,scale\nA,2,5,each,0\nB,10,25,kg,3\n",
    "units": "item_id,unit,factor\nA,case,12\n",
    "locations": "location_id,kind,latitude,longitude\nDC-1,dc,40.7,-74\nDC-2,dc,33.7,-84.4\nSUP,supplier,31.2,121.5\n",
    "lanes": "origin_id,destination_id,lead_time_days\nSUP,DC-1,2\nSUP,DC-2,3\nDC-1,DC-2,1\n",
    "sourcing": "item_id,location_id,source_id\nA,DC-1,SUP\nA,DC-2,SUP\nB,DC-1,SUP\n",
    "policies": (
        "item_id,location_id,policy,reorder_point,order_up_to,order_cost\n"
        "A,DC-1,min_max,10,40,5\nA,DC-2,base_stock,,30,5\nB,DC-1,min_max,2,8,5\n"
    ),
    "movements": (
        "event_id,event_time,kind,item_id,quantity,unit,from_id,to_id,system\n"
        "1,2025-03-01T08:00:00Z,receipt,A,5,case,,DC-1,erp\n"
        "2,2025-03-02T09:00:00Z,sale,A,7,,DC-1,,erp\n"
        "3,2025-03-03T10:00:00Z,receipt,B,1.5,kg,,DC-1,erp\n"
        "4,2025-03-04T10:00:00Z,transfer_out,A,10,,DC-1,DC-2,erp\n"
        "5,2025-03-05T10:00:00Z,transfer_in,A,10,,DC-1,DC-2,erp\n"
    ),
}


class Heard:
    tty = False

    def __init__(self) -> None:
        self.said, self.warned = "", ""

    def out(self, text: str) -> None:
        self.said += text

    def err(self, text: str) -> None:
        self.warned += text


Run = Callable[..., Any]


def test_what_is_left_is_reckoned_from_the_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: now[0])
    heard = Heard()
    heard.tty = True
    report = session.Session(Path(), Path(), False, heard).progress()
    said = []
    for moment, done, total in ((5.0, 7, 0), (10.0, 1, 11), (12.0, 3, 11), (14.0, 5, 11)):
        now[0] = moment
        report(done, total, "work")
        said.append(heard.warned.rpartition("work: ")[2])
    assert said == ["7", "  9 %", " 27 %, about 8 s left", " 45 %, about 6 s left"]


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def call(*argv: str) -> tuple[int, str, str]:
    heard = Heard()
    code = main([str(word) for word in argv], output=heard)
    return code, heard.said, heard.warned


@pytest.fixture
def ask(tmp_path: Path) -> Run:
    """Asks a twin that has taken in FILES, with `--json`; the answer, parsed. The exit code must be 0."""
    root = tmp_path / "shop"
    assert call("new", str(root))[0] == 0
    assert call("--twin", str(root), "ingest", str(write(tmp_path / "feed", FILES)))[0] == 0

    def run(*argv: str, code: int = 0) -> Any:
        got, out, err = call(*argv, "--json", "--twin", str(root))
        assert got == code, err
        return json.loads(out)

    run.root = root  # type: ignore[attr-defined]
    return run


def test_stock_is_exact_integers_and_decimal_strings(ask: Run) -> None:
    rows = {(row["item_id"], row["location_id"]): row for row in ask("stock")["rows"]}
    assert rows["A", "DC-1"]["on_hand"] == 43
    assert rows["A", "DC-2"]["on_hand"] == 10
    assert rows["B", "DC-1"]["on_hand"] == "1.500"
    assert rows["B", "DC-1"]["unit"] == "kg"
    assert set(rows["A", "DC-1"]) >= {"item_id", "location_id", "lot", "on_hand", "unit"}


def test_stock_at_a_past_time_and_as_known_before(ask: Run) -> None:
    def on_hand(*options: str) -> dict[tuple[str, str], Any]:
        rows = ask("stock", "--item", "A", *options)["rows"]
        return {(row["item_id"], row["location_id"]): row["on_hand"] for row in rows}

    assert on_hand("--at", "2025-03-01") == {("A", "DC-1"): 60}
    assert on_hand("--at", "2025-03-04T12:00:00Z")["A", "DC-1"] == 43
    assert on_hand("--at", "2025-03-02T09:00:00Z")["A", "DC-1"] == 53
    assert on_hand("--known-at", "2020-01-01") == {}


def test_status_adds_up_and_keeps_its_contract(ask: Run) -> None:
    status = ask("status")
    assert set(status) >= {
        "delivered", "accepted", "duplicates", "quarantined", "items", "locations", "movements", "observations",
        "conservation_residual", "state_hash", "as_of", "sources",
    }  # fmt: skip
    assert status["delivered"] == status["accepted"] + status["duplicates"] + status["quarantined"]
    assert (status["items"], status["locations"], status["movements"], status["observations"]) == (2, 3, 5, 0)
    assert status["conservation_residual"] == 0
    assert status["as_of"] == "2025-03-05T10:00:00Z"
    for key in ("delivered", "accepted", "duplicates", "quarantined"):
        assert sum(source[key] for source in status["sources"]) == status[key]


def test_the_same_folder_again_is_all_duplicates(ask: Run, tmp_path: Path) -> None:
    before = ask("status")
    again = ask("ingest", str(tmp_path / "feed"))
    after = ask("status")
    assert again["delivered"] == again["duplicates"] == before["delivered"]
    assert after["state_hash"] == before["state_hash"]
    assert after["accepted"] == before["accepted"]


def test_verify_proves_every_law(ask: Run) -> None:
    answer = ask("verify")
    assert answer["ok"]
    assert all(set(law) == {"law", "ok", "detail"} for law in answer["laws"])
    assert answer["state_hash"] == ask("status")["state_hash"]


def test_a_published_head_shows_that_nothing_was_cut_off(ask: Run, tmp_path: Path) -> None:
    head = ask("journal", "head")
    assert head["head"] == f"{head['seq']}:{head['hash']}"
    answer = ask("verify", "--head", head["head"])
    assert answer["ok"]
    assert answer["journal_head"] == head["head"]
    assert answer["laws"][-1] == {
        "law": "published_head", "ok": True, "detail": f"batch {head['seq']} is the published one; 0 followed",
    }  # fmt: skip
    later = f"{head['seq'] + 1}:{head['hash']}"
    code, out, err = call("--twin", str(tmp_path / "shop"), "verify", "--head", later, "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    assert "published_head" in err
    assert call("--twin", str(tmp_path / "shop"), "verify", "--head", "7:x")[0] == 2


def test_an_export_read_again_is_the_same_state(ask: Run, tmp_path: Path) -> None:
    ask("export", str(tmp_path / "out"))
    other = tmp_path / "other"
    call("new", str(other))
    assert call("--twin", str(other), "ingest", str(tmp_path / "out"), "--source", "exchange")[0] == 0
    code, out, _ = call("--twin", str(other), "status", "--json")
    assert code == 0
    assert json.loads(out)["state_hash"] == ask("status")["state_hash"]


BAD_ROWS = [
    ("6,not a time,sale,A,1,,DC-1,,erp", "event_time", "not a time"),
    ("6,2025-03-06T10:00:00Z,sale,A,-3,,DC-1,,erp", "quantity", "-3"),
    ("6,2025-03-06T10:00:00Z,sale,A,9999999999999999,,DC-1,,erp", "quantity", "9999999999999999"),
    ("6,2025-03-06T10:00:00Z,sale,A,1.5,,DC-1,,erp", "quantity", "1.5"),
    ("6,2025-03-06T10:00:00Z,sale,A,2,gallon,DC-1,,erp", "unit", "gallon"),
    ("6,2025-03-06T10:00:00Z,sale,NOPE,1,,DC-1,,erp", "item_id", "NOPE"),
    ("6,2025-03-06T10:00:00Z,sale,A,1,,NOWHERE,,erp", "from_id", "NOWHERE"),
    ("6,2025-03-06T10:00:00Z,sold,A,1,,DC-1,,erp", "kind", "sold"),
    ("2,2025-03-02T09:00:00Z,sale,A,8,,DC-1,,erp", "event_id", "2"),
    ("6,2999-01-01T00:00:00Z,sale,A,1,,DC-1,,erp", "event_time", "2999-01-01"),
]


@pytest.mark.parametrize(("row", "column", "value"), BAD_ROWS)
def test_a_bad_row_is_a_finding_and_the_rest_is_taken(
    ask: Run, tmp_path: Path, row: str, column: str, value: str
) -> None:
    header = FILES["movements"].splitlines()[0]
    good = "7,2025-03-06T11:00:00Z,sale,A,1,,DC-1,,erp"
    answer = ask("ingest", str(write(tmp_path / "more", {"movements": f"{header}\n{row}\n{good}\n"})))
    assert (answer["delivered"], answer["accepted"], answer["quarantined"]) == (2, 1, 1)
    (finding,) = ask("quarantine", "list")["rows"]
    assert (finding["file"], finding["column"]) == ("movements.csv", column)
    assert value in finding["value"]
    assert finding["line"] == 2 or finding["row"] == 1
    assert finding["reason"]
    status = ask("status")
    assert status["delivered"] == status["accepted"] + status["duplicates"] + status["quarantined"]


def test_bytes_that_are_no_text_are_a_finding(ask: Run, tmp_path: Path) -> None:
    folder = write(tmp_path / "more", {"movements": FILES["movements"].splitlines()[0] + "\n"})
    with (folder / "movements.csv").open("ab") as file:
        file.write(b"8,2025-03-06T11:00:00Z,sale,A\xff,1,,DC-1,,erp\n9,2025-03-06T11:00:00Z,sale,A,1,,DC-1,,erp\n")
    answer = ask("ingest", str(folder))
    assert (answer["accepted"], answer["quarantined"]) == (1, 1)
    assert answer["findings"][0]["column"] == "item_id"


def test_a_wrong_header_is_a_finding_and_counts_its_rows(ask: Run, tmp_path: Path) -> None:
    answer = ask("ingest", str(write(tmp_path / "more", {"movements": "event,time\n1,2\n3,4\n"})))
    assert (answer["delivered"], answer["quarantined"]) == (2, 2)
    assert "event_id" in json.dumps(answer["findings"])


def test_a_row_is_replayed_once_its_item_is_known(ask: Run, tmp_path: Path) -> None:
    header = FILES["movements"].splitlines()[0]
    row = "6,2025-03-06T10:00:00Z,receipt,C,4,,,DC-1,erp"
    ask("ingest", str(write(tmp_path / "early", {"movements": f"{header}\n{row}\n"})))
    assert ask("status")["quarantined"] == 1
    ask("ingest", str(write(tmp_path / "late", {"items": "item_id\nC\n"})))
    status = ask("status")
    assert status["quarantined"] == 0
    assert status["delivered"] == status["accepted"] + status["duplicates"]
    assert ask("stock", "--item", "C")["rows"][0]["on_hand"] == 4


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("ingest", "/no/such/folder"), 2, "/no/such/folder"),
        (("stock", "--at", "yesterdayish"), 2, "error: at: not an ISO 8601 date or time: 'yesterdayish'"),
        (("stock", "--known-at", "yesterdayish"), 2, "error: known_at: not an ISO 8601 date or time: 'yesterdayish'"),
        (("quarantine", "list", "--source", "zz"), 2, "no source called 'zz'; there are: erp, exchange"),
        (("quarantine", "replay", "--source", "zz"), 2, "no source called 'zz'; there are: erp, exchange"),
        (("simulate", "no_such_scenario"), 2, "no_such_scenario"),
        (("approve", "no-such-id", "--by", "me"), 2, "no-such-id"),
        (("stok",), 2, "Did you mean 'stock'"),
        (("ingest",), 2, "no source in twin.toml has a folder"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_value(ask: Run, argv: tuple[str, ...], code: int, said: str) -> None:
    got, out, err = call("--twin", str(ask.root), *argv)  # type: ignore[attr-defined]
    assert (got, out) == (code, "")
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_broken_twin_toml_names_the_key(ask: Run) -> None:
    settings = ask.root / "twin.toml"  # type: ignore[attr-defined]
    settings.write_text(settings.read_text().replace("currency", "curency"))
    code, _, err = call("--twin", str(settings.parent), "status")
    assert code == 2
    assert "twin.toml: curency" in err


KPIS = {
    "fill_rate", "cycle_service_level", "ready_rate", "lost_sales_units", "backlog_units", "on_hand_units",
    "on_hand_value", "total_cost", "average_cost_per_day",
}  # fmt: skip


def test_simulate_keeps_its_contract_and_its_seed(ask: Run) -> None:
    argv = ("simulate", "supplier_outage", "--replications", "20", "--horizon", "30", "--seed", "5")
    answer = ask(*argv)
    assert set(answer["baseline"]["kpis"]) >= KPIS
    (scenario,) = answer["scenarios"]
    assert scenario["name"]
    assert set(scenario["kpis"]) >= KPIS
    assert set(scenario["difference"]) >= KPIS
    assert set(scenario["difference"]["on_hand_units"]) >= {"mean", "se", "lo", "hi"}
    assert answer["item_location_days"] > 0
    again = ask(*argv)
    assert again["baseline"] == answer["baseline"]
    assert again["scenarios"] == answer["scenarios"]


def test_recommend_keeps_its_contract(ask: Run) -> None:
    answer = ask("recommend", "--top", "5")
    keys = {
        "id", "kind", "item_id", "location_id", "from_id", "to_id", "quantity", "current", "proposed",
        "expected_value", "lo", "hi", "reason", "proof",
    }  # fmt: skip
    assert all(set(entry) >= keys for entry in answer["recommendations"])


def test_a_recommendation_in_words_says_what_to_do() -> None:
    entry = {
        "id": "R-1", "kind": "safety_stock", "expected_value": 12.0, "lo": 10.0, "hi": 14.0, "status": "open",
        "description": "Raise the safety stock of A at D from 0 to 5 units.", "reason": "It varies.",
    }  # fmt: skip
    text = render.recommendations({"recommendations": [entry]})
    assert "Raise the safety stock of A at D from 0 to 5 units." in text
    assert "It varies." in text


def test_every_answer_is_one_json_document(ask: Run) -> None:
    for argv in (("forecast",), ("arrivals",), ("anomalies",), ("scenario", "list"), ("decisions",), ("reconcile",)):
        assert isinstance(ask(*argv), dict)


def test_beside_the_demo_a_command_means_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCKTWIN_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert call("status")[0] == 2
    assert call("new", ".demo")[0] == 0
    code, out, _ = call("status", "--json")
    assert code == 0
    assert json.loads(out)["name"] == ".demo"


def test_a_scenario_takes_other_parameters(ask: Run) -> None:
    few = ("--replications", "2", "--horizon", "20")
    answer = ask("simulate", "demand_surge", "--set", "factor=2", "--set", "item=A", *few)
    assert answer["scenarios"][0]["title"].endswith("(factor 2, item A)")
    ran = answer["scenarios"][0]["parameters"]
    assert (ran["factor"], ran["item"]) == (2, "A")
    assert {"start_day", "days"} <= set(ran), "what was not changed ran too"
    assert answer["scenarios"][0]["difference"]["demand_units"]["mean"] > 0
    for wrong in ("days", "=3", "days=", "dayz=3", "item=none-such"):
        code, out, err = call("--twin", str(ask.root), "simulate", "demand_surge", "--set", wrong, *few)  # type: ignore[attr-defined]
        assert (code, out, err.count("\n")) == (2, "", 1), (wrong, out, err)
        assert wrong.split("=")[0] in err or repr(wrong) in err


def test_a_broken_scenario_of_the_twin_is_listed_with_what_is_wrong(ask: Run) -> None:
    (ask.root / "scenarios" / "mine.toml").write_text("[[disruption]]\nkind = 'flood'\n")  # type: ignore[attr-defined]
    last = ask("scenario", "list")["scenarios"][-1]
    assert last["name"] == "mine"
    assert "'flood'" in last["problem"]


def test_a_group_without_its_command_says_what_there_is(ask: Run) -> None:
    code, out, err = call("--twin", str(ask.root), "quarantine")  # type: ignore[attr-defined]
    assert (code, out) == (2, "")
    assert err == "error: quarantine needs a command: discard, list, replay (see `stocktwin quarantine --help`)\n"


@pytest.mark.parametrize("words", [["stock", "-h"], ["-h"], ["--version"], ["quarantine", "list", "--help"]])
def test_what_says_how_to_use_it_is_never_forwarded(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr("stocktwin.faces.cli.main.forward", lambda *args: pytest.fail("a server would print it"))
    assert call(*words)[0] == 0
