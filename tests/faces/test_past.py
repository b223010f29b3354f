"""The past from the outside: command line, REST and pages over a real, small twin that lived a fortnight."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY, parse_instant
from stocktwin.domain.ports import FixedClock
from stocktwin.faces.cli.main import run_forwarded

EVIL = '<img src=x onerror="alert(1)">'
HTML = {"accept": "text/html"}
START = parse_instant("2026-03-01T18:00:00Z")


def moved(number: str, day: int, kind: str, quantity: int, **more: Any) -> dict[str, Any]:
    row = {"table": "movements", "event_id": number, "kind": kind, "item_id": "A/1", "quantity": quantity}
    return {**row, "event_time": f"2026-03-{day:02d}T08:00:00Z", "system": "erp", **more}


MASTER = [
    {"table": "items", "item_id": "A/1", "unit_cost": 2.5},
    {"table": "locations", "location_id": "D 1", "kind": "dc"},
    {"table": "locations", "location_id": "D2", "kind": "dc"},
]
DAYS: dict[int, list[dict[str, Any]]] = {
    2: [*MASTER, moved("1", 2, "receipt", 100, to_id="D 1", document="GR")],
    3: [moved("2", 3, "sale", 30, from_id="D 1", reason=EVIL)],
    5: [moved("2x", 5, "sale", 30, from_id="customer", to_id="D 1", corrects="2")],
    11: [moved("3", 4, "sale", 40, from_id="D 1")],
    12: [moved("4", 12, "transfer_out", 5, from_id="D 1", to_id="D2")],
}


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinService]:
    """It was told of a sale a week late; meanwhile somebody decided about that place."""
    root = tmp_path_factory.mktemp("past") / "twin"
    create_twin(root)
    clock = FixedClock(START)
    with TwinService.open(root, clock=clock) as service:
        for day in range(2, 13):
            clock.advance(MICROSECONDS_PER_DAY)
            service.post_facts("\n".join(json.dumps(row) for row in DAYS.get(day, [])))
            if day == 6:
                advice = {"kind": "safety_stock", "item_id": "A/1", "location_id": "D 1", "description": "keep more"}
                told = {"id": "R-1", "decision": "approve", "by": "Maya", "reason": "", "recommendation": advice}
                service.ledger.decide(told)
        yield service


class Said:
    tty = False

    def __init__(self) -> None:
        self.told, self.warned = "", ""

    def out(self, text: str) -> None:
        self.told += text

    def err(self, text: str) -> None:
        self.warned += text


def command(twin: TwinService, *words: str) -> tuple[int, Said]:
    said = Said()
    return run_forwarded(words, Path(), said, twin), said


@pytest.fixture(scope="module")
def served(twin: TwinService, client_of: Callable[[Any], Any]) -> Any:
    return client_of(twin)


def test_history_on_the_command_line_and_over_rest(twin: TwinService, served: Any) -> None:
    code, said = command(twin, "history", "A/1", "D 1")
    assert code == 0
    assert "A/1 at D 1: 5 facts, record" in said.told
    assert "corrected by 2x" in said.told
    assert re.search(r"facts@\S+:1", said.told), "file and row"
    answer = json.loads(command(twin, "history", "A/1", "D 1", "--json")[1].told)
    assert answer == served.get("/api/v1/history", params={"item": "A/1", "location": "D 1"}).json()
    assert [(row["event_id"], row["balance"]) for row in answer["rows"]] == [
        ("4", 55), ("2x", 60), ("3", 30), ("2", 70), ("1", 100)]  # fmt: skip
    first = served.get("/api/v1/history", params={"item": "A/1", "limit": 2}).json()
    rest = served.get("/api/v1/history", params={"item": "A/1", "after": first["next"]}).json()
    assert len(first["rows"]) + len(rest["rows"]) == first["total"]
    assert (rest["next"], served.get("/api/v1/history", params={"item": "A/1", "after": "x"}).status_code) == (
        None,
        400,
    )
    assert command(twin, "history", "nothing")[0] == 2
    for wrong in ("--lot", "--condition"):
        code, said = command(twin, "history", "A/1", wrong, "rotten")
        assert (code, "rotten" in said.warned) == (2, True), "what is not known is named"
    code, said = command(twin, "history", "A/1", "--known-at", "2026-03-05", "--learned-by", "2026-03-05")
    assert (code, "give one of them" in said.warned) == (2, True)


def test_late_says_what_was_believed_and_who_decided_on_it(twin: TwinService, served: Any) -> None:
    answer = served.get("/api/v1/late").json()
    assert [row["event_id"] for row in answer["rows"]] == ["3"]
    row = answer["rows"][0]
    assert (row["days_closed"], row["clock"], row["changes"][0]["quantity"]) == (7, "twin", -40)
    assert (row["changes"][0]["until_then"], row["changes"][0]["until_now"]) == (100, 60)
    assert answer["balances"][0]["value"] == pytest.approx(-100.0)
    (decision,) = answer["decisions"]
    assert (decision["id"], decision["then"], decision["now"], decision["late_facts"]) == ("R-1", 100, 60, ["3"])
    assert "not decided on" in answer["assumptions"][-1]
    assert json.loads(command(twin, "late", "--json")[1].told)["rows"] == answer["rows"]
    told = command(twin, "late")[1].told
    assert "1 fact came late" in told
    assert "Decisions taken while it was wrong" in told
    assert "nothing came late" in command(twin, "late", "--item", "A/1", "--hours", "500")[1].told


def test_stock_then_beside_now(twin: TwinService, served: Any) -> None:
    asked = {"at": "2026-03-08", "learned_by": "2026-03-08"}
    answer = served.get("/api/v1/then", params=asked).json()
    assert [(row["location_id"], row["on_hand"], row["on_hand_known_now"]) for row in answer["rows"]] == [
        ("D 1", 100, 60)
    ]
    assert answer["differing"] == 1
    known = {"at": asked["at"], "known_at": asked["learned_by"]}
    assert served.get("/api/v1/then", params=known).json()["rows"] == answer["rows"], (
        "a twin that lived it knows no other"
    )
    assert served.get("/api/v1/stock", params=asked).json()["rows"][0]["on_hand"] == 100
    code, said = command(twin, "then", "--at", "2026-03-08", "--learned-by", "2026-03-08", "--changed")
    assert (code, "1 item-location was known otherwise" in said.told) == (0, True)
    line = served.get("/api/v1/curve", params={"item": "A/1", "learned_by": "2026-03-08"}).json()
    assert [level for _, level in line["then"]] == [100, 70, 100]
    assert [level for _, level in line["now"]] == [100, 70, 30, 60, 55]
    assert served.get("/api/v1/span").json()["first_event"] == "2026-03-02T08:00:00Z"


def test_the_laws_are_proved_in_the_background(twin: TwinService, served: Any) -> None:
    json_body = {"content-type": "application/json"}
    assert served.post("/api/v1/verify", headers=json_body).status_code == 202
    for _ in range(600):
        health = served.get("/api/v1/ledger").json()
        if health["verification"]["running"] is None:
            break
        time.sleep(0.1)
    last = health["verification"]["last"]
    assert last["ok"]
    assert [law["law"] for law in last["laws"]][:2] == ["conservation", "idempotence"]
    assert (health["facts"]["movements"], health["journal_head"]["seq"]) == (5, twin.ledger.head)
    assert health["sizes"]["journal"] > 0
    assert sum(row["batches"] for row in health["contents"]) == health["batches"] == twin.ledger.head


class Page(HTMLParser):
    """Ids, inline styles and handlers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids += [str(named["id"])] if named.get("id") else []
        self.inline += [name for name in named if name == "style" or name.startswith("on")]


PAGES = (
    "ledger", "late", "late?hours=1&item=A%2F1", "history", "history?item=A%2F1&location=D+1",
    "history?item=A%2F1&learned_by=2026-03-04&book=erp", "then", "then?at=2026-03-08&learned_by=2026-03-08&item=A%2F1",
    "then-rows?at=2026-03-08&learned_by=2026-03-08&changed=true",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_pages_render(served: Any, path: str) -> None:
    response = served.get(f"/{path}", headers=HTML)
    assert response.status_code == 200, response.text[:300]
    page = Page(response.text)
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    assert page.inline == []
    assert EVIL not in response.text
    assert not re.search(r"\b(None|Undefined|nan)\b", re.sub(r"<script.*?</script>", "", response.text, flags=re.S))


@pytest.mark.parametrize("path", ["ledger", "late", "history", "then", "then-rows"])
def test_pages_render_with_nothing(path: str, tmp_path: Path, client_of: Callable[[Any], Any]) -> None:
    create_twin(tmp_path / "empty")
    with TwinService.open(tmp_path / "empty") as empty:
        response = client_of(empty).get(f"/{path}", headers=HTML)
    assert response.status_code == 200, response.text[:300]
    assert not re.search(r"\b(None|Undefined|nan)\b", response.text)


def test_a_page_says_what_the_twin_says(served: Any) -> None:
    text = served.get("/history?item=A%2F1&location=D+1", headers=HTML).text
    assert "corrected by" in text
    assert "&lt;img src=x onerror=" in text
    text = served.get("/late", headers=HTML).text
    assert "7 days closed" in text
    assert "Decisions taken while it was wrong" in text
    text = served.get("/then?at=2026-03-08&learned_by=2026-03-08", headers=HTML).text
    assert "−40" in text
    assert served.get("/history?item=nothing", headers=HTML).status_code == 404
    assert served.get("/then?at=tomorrowish", headers=HTML).status_code == 400


def test_what_is_reserved_and_available(tmp_path: Path, client_of: Callable[[Any], Any]) -> None:
    create_twin(tmp_path / "shop")
    line = {"table": "orders", "line": "1", "kind": "sales", "item_id": "A/1", "from_id": "D 1", "system": "erp"}
    orders = [
        {**line, "order_id": "late", "quantity": 60, "ordered_at": "2026-03-02T09:00:00Z", "customer_priority": 2},
        {**line, "order_id": "first", "quantity": 70, "ordered_at": "2026-03-02T10:00:00Z", "customer_priority": 1},
        {**line, "order_id": "gone", "quantity": 9, "ordered_at": "2026-03-02T10:00:00Z", "status": "cancelled"},
    ]
    with TwinService.open(tmp_path / "shop") as shop:
        shop.post_facts("\n".join(json.dumps(row) for row in [*DAYS[2], *orders]))
        served = client_of(shop)
        answer = served.get("/api/v1/reservations").json()
        shown = [(row["order_id"], row["pending"], row["covered"]) for row in answer["rows"]]
        assert shown == [("first", 70, 70), ("late", 60, 30)]
        assert answer == json.loads(command(shop, "reservations", "--json")[1].told)
        row = served.get("/api/v1/available", params={"location": "D 1"}).json()["rows"][0]
        assert (row["on_hand"], row["reserved"], row["available"], row["lines"]) == (100, 130, -30, 2)
        assert command(shop, "reservations", "--state", "void")[1].told.count("gone") == 1
        assert "-30" in command(shop, "available")[1].told
        first = served.get("/api/v1/reservations", params={"limit": 1, "state": "all"}).json()
        rest = served.get("/api/v1/reservations", params={"state": "all", "after": first["next"]}).json()
        assert [row["order_id"] for row in first["rows"] + rest["rows"]] == ["first", "late", "gone"]
        assert served.get("/api/v1/reservations", params={"state": "x"}).status_code == 400
        text = served.get("/stock/A%2F1/D%201", headers=HTML).text
        assert "130 reserved, 2 lines" in text
