"""Lots from the outside: command line, REST and pages over a real, small twin; the picture's graph."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.forward import Output
from stocktwin.app.usecases import TwinService
from stocktwin.faces.cli.main import run_forwarded
from stocktwin.faces.web.trace_graph import MOST, graph_of
from stocktwin.faces.web.trace_picture import picture

EVIL = '<img src=x onerror="alert(1)">'
HTML = {"accept": "text/html"}


def facts() -> Iterator[dict[str, Any]]:
    """Lot A goes into kit lot B by D1; B to D2 (a part is on its way) and to thirty customers; some comes back."""
    yield {"table": "items", "item_id": "PART"}
    yield {"table": "items", "item_id": "KIT"}
    for place, kind in (("S", "supplier"), ("D1", "dc"), ("D2", "dc")):
        yield {"table": "locations", "location_id": place, "kind": kind}
    for number in range(30):
        yield {
            "table": "locations",
            "location_id": f"C{number:02d}",
            "kind": "customer",
            "name": f"Shop {number} {EVIL}",
        }

    def moved(number: int, kind: str, item: str, quantity: int, **more: Any) -> dict[str, Any]:
        at = f"2026-01-{1 + number // 20:02d}T{8 + number // 4 % 5:02d}:{number % 4:02d}:00Z"
        row = {"event_id": str(number), "event_time": at, "kind": kind, "item_id": item, "quantity": quantity}
        return {"table": "movements", **row, "system": "erp", **more}

    yield moved(0, "receipt", "PART", 200, from_id="S", to_id="D1", lot="A", expiry="2026-01-02")
    yield moved(1, "transform", "PART", 150, from_id="D1", lot="A", document="KIT-1")
    yield moved(2, "transform", "KIT", 150, to_id="D1", lot=EVIL, document="KIT-1", expiry="2026-03-01")
    yield moved(3, "transfer_out", "KIT", 80, from_id="D1", to_id="D2", lot=EVIL)
    yield moved(4, "transfer_in", "KIT", 70, from_id="D1", to_id="D2", lot=EVIL)
    for number in range(30):
        yield moved(20 + number, "sale", "KIT", 1 + number % 3, from_id="D2" if number % 2 else "D1",
                    to_id=f"C{number:02d}", document=f"INV-{number}")  # fmt: skip
    yield moved(70, "return", "KIT", 1, from_id="C01", to_id="D2", lot=EVIL)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinService]:
    root = tmp_path_factory.mktemp("lots") / "twin"
    create_twin(root)
    with TwinService.open(root) as service:
        answer = service.post_facts("\n".join(json.dumps(row) for row in facts()))
        assert answer["quarantined"] == 0, answer
        yield service


class Said(Output):
    """Keeps what a command writes."""

    tty = False

    def __init__(self) -> None:
        self.told, self.wrong = "", ""

    def out(self, text: str) -> None:
        self.told += text

    def err(self, text: str) -> None:
        self.wrong += text


def command(twin: TwinService, cwd: Path, *words: str) -> tuple[int, Said]:
    said = Said()
    return run_forwarded(words, cwd, said, twin), said


def test_the_command_tells_where_a_lot_is(twin: TwinService, tmp_path: Path) -> None:
    code, said = command(twin, tmp_path, "trace", "PART", "A")
    assert code == 0
    assert "200 came in, 50 on hand, 150 used up" in said.told
    assert "rests on lots that no movement named (fefo)" in said.told
    code, said = command(twin, tmp_path, "trace", "PART", "A", "--back", "--json")
    assert json.loads(said.told)["customers"] == []
    assert json.loads(said.told) == twin.trace("PART", "A", "back")
    code, said = command(twin, tmp_path, "trace", "PART", "nothing")
    assert (code, said.wrong) == (2, "error: no lot called 'nothing of PART'\n")


def test_every_movement_goes_into_a_file(twin: TwinService, tmp_path: Path) -> None:
    code, said = command(twin, tmp_path, "trace", "PART", "A", "--csv", "recall.csv")
    lines = (tmp_path / "recall.csv").read_text("utf-8").splitlines()
    assert code == 0
    assert "36 movements in" in said.told
    assert len(lines) == 1 + 36
    assert command(twin, tmp_path, "trace", "PART", "A", "--csv", "x.csv", "--limit", "3")[0] == 2
    assert command(twin, tmp_path, "trace", "PART", "A", "--csv", "no/x.csv")[0] == 3


def test_stock_by_lot_is_listed(twin: TwinService, tmp_path: Path) -> None:
    code, said = command(twin, tmp_path, "stock", "--lots", "--json")
    answer = json.loads(said.told)
    assert code == 0
    assert answer == twin.lots()
    found = {(row["item_id"], row["location_id"]): (row["quantity"], row["condition"]) for row in answer["rows"]}
    returned = next(row for row in answer["rows"] if row["condition"] == "returned")
    assert (returned["location_id"], returned["quantity"]) == ("D2", 1)
    assert found["PART", "D1"] == (50, "expired")
    assert answer["summary"]["expired"] == 1
    sold = sum(1 + number % 3 for number in range(30))
    kits = sum(row["quantity"] for row in answer["rows"] if row["item_id"] == "KIT")
    assert kits == 150 - 10 - sold + 1
    assert command(twin, tmp_path, "stock", "--lots", "--item", "KIT")[1].told.count("*") >= 2


def test_pages_of_lots_go_on_behind_each_other(twin: TwinService) -> None:
    for order in ("item", "expiry"):
        whole = twin.lots(order=order)["rows"]
        first = twin.lots(order=order, limit=2)
        rest = twin.lots(order=order, limit=2, after=first["next"])
        assert [*first["rows"], *rest["rows"]] == whole[:4]


@pytest.fixture(scope="module")
def served(twin: TwinService, client_of: Callable[[Any], Any]) -> Any:
    return client_of(twin)


def test_rest_answers_what_the_command_does(served: Any, twin: TwinService) -> None:
    asked = {"item": "KIT", "lot": EVIL, "direction": "forward", "limit": 5}
    answer = served.get("/api/v1/trace", params=asked).json()
    assert answer == twin.trace("KIT", EVIL, "forward", limit=5)
    assert len(answer["documents"]) == 5
    more = served.get("/api/v1/trace", params={**asked, "after": answer["next"]}).json()
    assert more["documents"][0] not in answer["documents"]
    text = served.get("/api/v1/trace.csv", params={"item": "KIT", "lot": EVIL})
    assert text.headers["content-type"].startswith("text/csv")
    assert len(text.text.splitlines()) == 1 + answer["total"]
    assert served.get("/api/v1/trace", params={"item": "KIT", "lot": "no"}).status_code == 404
    assert served.get("/api/v1/lots", params={"state": "expired"}).json() == twin.lots(state="expired")


@pytest.mark.parametrize("path", ["lots", "lots?state=short", "lots?item=KIT", "lots/trace?item=PART&lot=A",
                                  "lots/trace?item=PART&lot=A&direction=back&at=2026-01-01"])  # fmt: skip
def test_pages_show_it_and_nothing_from_outside_becomes_markup(served: Any, path: str) -> None:
    response = served.get(f"/{path}", headers=HTML)
    assert response.status_code == 200, response.text[:400]
    assert "<img" not in response.text
    ids = re.findall(r'\bid="([^"]+)"', response.text)
    assert len(ids) == len(set(ids))
    assert not re.search(r"\sstyle=|\son[a-z]+=\"(?!alert)", re.sub(r"<title>.*?</title>", "", response.text))
    assert not re.search(r"\b(None|Undefined|nan)\b", response.text)


def test_a_lot_that_is_looked_for_leads_to_its_trace(served: Any) -> None:
    answer = served.get("/lots", params={"item": "PART", "lot": "A"}, headers=HTML)
    assert "Lot A" in answer.text
    assert served.get("/lots/trace", params={"item": "PART", "lot": "?"}, headers=HTML).status_code == 404


# ---- the graph


def test_lanes_are_edges_and_what_is_on_its_way_a_node(twin: TwinService) -> None:
    graph = graph_of(twin.trace("KIT", EVIL))
    ends = {(edge.source[-1], edge.target[-1]): edge.left for edge in graph.edges}
    assert ends["D1", "D2"] == 70
    assert ends["D1", "D1→D2"] == 10
    assert graph.nodes["transit", "KIT", EVIL, "D1→D2"].here == 10


def test_columns_follow_the_goods_and_returns_run_back(twin: TwinService) -> None:
    graph = graph_of(twin.trace("PART", "A"))
    column = {key[-1]: node.column for key, node in graph.nodes.items() if key[0] in ("supplier", "stock", "customer")}
    assert column["S"] < column["D1"] < column["D2"]
    assert all(graph.nodes[e.source].column < graph.nodes[e.target].column for e in graph.edges if not e.back)
    assert [edge.target[-1] for edge in graph.edges if edge.back] == ["D2"]


def test_a_crowd_is_put_together_and_nothing_of_it_is_lost(twin: TwinService) -> None:
    answer = twin.trace("KIT", EVIL)
    graph = graph_of(answer)
    customers = [node for node in graph.nodes.values() if node.role == "customer"]
    assert len(customers) == MOST["customer"] + 1
    assert sum(node.members for node in customers) == 30
    came = sum(edge.right for node in customers for edge in graph.edges_in(node.key))
    assert came == sum(row["quantity"] for row in answer["customers"])


def test_ribbons_fill_their_nodes_and_boxes_do_not_overlap(twin: TwinService) -> None:
    drawn = picture(twin.trace("PART", "A"))
    assert all(box.y >= 0 and box.y + box.height <= drawn.height and box.x < drawn.width for box in drawn.boxes)
    for one in drawn.boxes:
        for other in drawn.boxes:
            if one is not other and one.x == other.x:
                assert one.y + one.height <= other.y or other.y + other.height <= one.y
    assert sum(ribbon.back for ribbon in drawn.ribbons) == 1
    assert any("lots not named" in ribbon.title for ribbon in drawn.ribbons)


def test_no_ribbon_lies_across_a_node(twin: TwinService) -> None:
    def flow(start: str, end: str, amount: int) -> dict[str, Any]:
        same = {"item_id": "PART", "lot": "A", "quantity": amount, "movements": 1, "inferred": False}
        return {**same, "from_id": start, "to_id": end, "first": "2026-01-05T08:00:00Z", "last": "2026-01-05T08:00:00Z"}

    told = twin.trace("PART", "A")
    flows = [
        flow("S", "D1", 9),
        flow("S", "D2", 4),
        flow("D1", "D2", 5),
        flow("D2", "D3", 9),
        flow("D3", "C00", 5),
        flow("D1", "C00", 4),
    ]
    drawn = picture({**told, "flows": flows, "where": []})
    long = max(drawn.ribbons, key=lambda ribbon: ribbon.path.count("C"))
    assert long.path.count("C") == 4, "it goes round"
    floor = float(re.findall(r"L[\d.]+,([\d.]+)C", long.path)[0])
    between = [box for box in drawn.boxes if box.label.startswith(("D2", "D3"))]
    assert between
    assert all(box.y + box.height <= floor < drawn.height for box in between)


def test_documents_that_do_not_add_up_are_listed(twin: TwinService, served: Any, tmp_path: Path) -> None:
    code, said = command(twin, tmp_path, "transforms", "--json")
    answer = json.loads(said.told)
    assert code == 0
    assert answer == twin.transforms() == served.get("/api/v1/transforms").json()
    assert [(row["document"], row["faults"]) for row in answer["rows"]] == [("KIT-1", [])]
    assert answer["rows"][0]["took"] == [{"item_id": "PART", "lot": "A", "quantity": 150}]
    row = {"table": "movements", "event_id": "half", "event_time": "2026-01-09T08:00:00Z", "kind": "transform",
           "item_id": "PART", "quantity": 3, "from_id": "D1", "lot": "A", "document": "HALF",
           "system": "erp"}  # fmt: skip
    twin.post_facts("\n".join(json.dumps(row | more) for more in ({}, {"event_id": "bare", "document": None})))
    answer = twin.transforms(faulty=True)
    assert [(row["document"], row["faults"]) for row in answer["rows"]] == [("HALF", ["half told: nothing came out"])]
    assert (answer["faulty"], answer["without_document"]) == (1, 1)
    assert "half told: nothing came out" in command(twin, tmp_path, "transforms", "--faulty")[1].told
