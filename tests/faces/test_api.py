"""REST: every question is passed on unchanged, every error is a problem document, strangers are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stocktwin.domain.errors import BusyError, CheckFailed, JournalDamaged, UsageError

API = "/api/v1"
FACT = {
    "table": "movements",
    "event_id": "S-1",
    "event_time": "2025-11-30T10:00:00Z",
    "kind": "sale",
    "item_id": "MED-0003",
    "quantity": 2,
    "from_id": "DC-NJ",
    "system": "erp",
}


def test_every_question_is_answered_as_the_service_answers_it(client: Any, fake: Any) -> None:
    questions = {
        "status": fake.status(),
        "overview": fake.overview(),
        "verify": fake.verify(),
        "verify?head=7:ab": fake.verify("7:ab"),
        "journal/head": fake.journal_head(),
        "backups": fake.backups(),
        "quarantine": fake.quarantine(),
        "quarantine?limit=5": fake.quarantine(limit=5),
        "movements?item=MED-0003&location=DC-NJ&limit=5": fake.movements("MED-0003", "DC-NJ", 5),
        "observations?item=MED-0003&location=DC-NJ": fake.observations("MED-0003", "DC-NJ"),
        "stock?item=MED-0001": fake.stock(item="MED-0001"),
        "item-locations?limit=3&sort=value&descending=true": fake.grid(limit=3, sort="value", descending=True),
        "item-locations/MED-0003/DC-NJ": fake.item_location("MED-0003", "DC-NJ"),
        "items/MED-0003": fake.item("MED-0003"),
        "anomalies": fake.anomalies(),
        "forecast?item=MED-0003&location=DC-NJ&horizon=7": fake.forecast("MED-0003", "DC-NJ", 7),
        "forecast?horizon=9&limit=2": fake.forecast(None, None, 9, 2),
        "accuracy?horizon=7": fake.accuracy(7),
        "arrivals?item=MED-0003&limit=1": fake.arrivals("MED-0003", 1),
        "reconcile?limit=1": fake.reconcile(1),
        "scenarios": fake.scenarios(),
        "recommendations?top=2": fake.recommend(top=2),
        "recommendations/R-1%2Fx": fake.recommendation("R-1/x"),
        "decisions": fake.decisions(),
    }
    for path, answer in questions.items():
        response = client.get(f"{API}/{path}")
        assert response.status_code == 200, path
        assert response.json() == answer, path


def test_stock_takes_both_clocks_and_a_book(client: Any, fake: Any) -> None:
    client.get(f"{API}/stock", params={"at": "2025-11-01", "known_at": "2025-11-02", "book": "wms", "limit": 5})
    name, query = fake.calls[-1]
    assert name == "stock"
    assert query == {
        "item": None,
        "location": None,
        "at": "2025-11-01",
        "known_at": "2025-11-02",
        "learned_by": None,
        "book": "wms",
        "limit": 5,
        "after": None,
    }


@pytest.mark.parametrize("item", ["A/B 7 ü", "<script>alert(1)</script>"])
def test_ids_of_any_kind_stand_in_a_path_or_in_a_query(client: Any, fake: Any, item: str) -> None:
    from urllib.parse import quote

    by_path = client.get(f"{API}/item-locations/{quote(item, safe='')}/DC-NJ")
    by_query = client.get(f"{API}/item-location", params={"item": item, "location": "DC-NJ"})
    assert by_path.status_code == by_query.status_code == 200
    assert by_path.json() == by_query.json() == fake.item_location(item, "DC-NJ")
    assert client.get(f"{API}/item", params={"item": item}).json() == fake.item(item)


def test_the_pages_of_the_grid_are_the_whole_grid(client: Any, fake: Any) -> None:
    rows: list[Any] = []
    while True:
        page = client.get(f"{API}/item-locations", params={"offset": len(rows), "limit": 97}).json()
        rows += page["rows"]
        if not page["rows"]:
            break
    assert rows == fake.grid(limit=10_000)["rows"]
    assert page["total"] == len(rows)


LISTS = {
    "stock": "rows", "item-locations?sort=value": "rows", "movements?item=MED-0003&location=DC-NJ": "rows",
    "observations?item=MED-0003&location=DC-NJ": "rows", "anomalies": "anomalies", "quarantine": "rows",
    "recommendations": "recommendations", "arrivals": "rows", "forecast?horizon=7": "rows", "reconcile": "rows",
    "decisions": "decisions",
}  # fmt: skip


@pytest.mark.parametrize(("path", "rows"), LISTS.items())
def test_every_list_is_given_out_a_page_at_a_time(client: Any, fake: Any, path: str, rows: str) -> None:
    for number in range(3):
        fake.approve(f"R-{number}/x", "Maya", "agreed")
    path = f"{API}/{path}{'&' if '?' in path else '?'}"
    whole = client.get(f"{path}limit=1000").json()
    assert whole["next"] is None
    limit = max(1, len(whole[rows]) // 3)
    found: list[Any] = []
    after = ""
    while True:
        page = client.get(f"{path}limit={limit}{after}").json()
        found += page[rows]
        assert page["total"] == whole["total"] == len(whole[rows])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert after, "there was more than one page"
    assert found == whole[rows]
    response = client.get(f"{path}after=nonsense")
    assert (response.status_code, "'nonsense'" in response.json()["detail"]) == (400, True)


def test_decisions_are_taken_with_a_name(client: Any, fake: Any) -> None:
    response = client.post(f"{API}/recommendations/R-0%2Fx/approve", json={"by": "Maya", "reason": "agreed"})
    assert response.status_code == 200
    assert fake.decisions()["decisions"][0]["by"] == "Maya"
    assert client.get(f"{API}/recommendations/R-0%2Fx").json()["status"] == "approved"
    nameless = client.post(f"{API}/recommendations/R-1%2Fx/reject", json={"by": "  "})
    assert nameless.status_code == 422
    assert nameless.json()["errors"][0]["field"] == "by"


def test_rows_are_discarded_with_a_name_and_a_reason(client: Any, fake: Any) -> None:
    body = {"ids": [3_000_004], "by": "Maya", "reason": "a test"}
    assert client.post(f"{API}/quarantine/discard", json=body).json()["discarded"] == [3_000_004]
    (row,) = client.get(f"{API}/quarantine?discarded=true").json()["rows"]
    assert (row["quarantine_id"], row["discarded"]["by"], row["discarded"]["reason"]) == (3_000_004, "Maya", "a test")
    page = client.get("/data?discarded=true", headers={"accept": "text/html"}).text
    assert "movements.csv:121" in page
    assert "movements.csv:121" not in client.get("/data", headers={"accept": "text/html"}).text
    for wrong in ({"ids": []}, {"by": " "}, {"reason": ""}):
        assert client.post(f"{API}/quarantine/discard", json=body | wrong).status_code == 422


def test_a_simulation_is_passed_on(client: Any, fake: Any) -> None:
    body = {"scenarios": ["supplier_outage"], "replications": 20, "horizon": 10, "seed": 3}
    answer = client.post(f"{API}/simulations", json=body)
    assert answer.status_code == 200
    assert answer.json()["scenarios"][0]["name"] == "supplier_outage"
    assert fake.calls[-1][1]["replications"] == 20


@pytest.mark.parametrize("name", ["../secrets.toml", "plan.toml", "a/b", "a\\b", "", "   "])
def test_a_scenario_is_never_a_file_of_the_server(client: Any, fake: Any, name: str) -> None:
    response = client.post(f"{API}/simulations", json={"scenarios": [name]})
    assert response.status_code == 422
    assert fake.calls == []


def test_wrong_bodies_name_field_and_value(client: Any) -> None:
    response = client.post(f"{API}/simulations", json={"scenarios": ["winter"], "replications": 1, "horizn": 3})
    problem = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in problem["errors"]} == {"replications", "horizn"}
    assert "replications" in problem["detail"]
    assert "(given: 1)" in problem["detail"]


def test_facts_reach_the_twin_and_are_counted(client: Any, fake: Any) -> None:
    before = fake.item_location("MED-0003", "DC-NJ")["position"]["on_hand"]
    lines = json.dumps(FACT) + "\n"
    response = client.post(f"{API}/facts", content=lines, headers={"content-type": "application/x-ndjson"})
    assert response.json()["accepted"] == 1
    assert fake.item_location("MED-0003", "DC-NJ")["position"]["on_hand"] == before - 2


def test_a_body_that_is_too_long_is_refused(client: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stocktwin.faces.api.routes.MAX_FACTS_BYTES", 100)
    response = client.post(f"{API}/facts", content=b"x" * 101, headers={"content-type": "application/x-ndjson"})
    assert response.status_code == 413
    assert "100 bytes" in response.json()["detail"]
    assert fake.version() == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("sort: no column 'nope'"), 400),
        (CheckFailed("law broken"), 409),
        (BusyError("held by process 7"), 503),
        (JournalDamaged("batch 12"), 500),
    ],
)
def test_our_own_errors_keep_their_message(client: Any, fake: Any, error: Exception, status: int) -> None:
    def fails(**query: Any) -> Any:
        raise error

    fake.grid = fails
    response = client.get(f"{API}/item-locations")
    assert response.status_code == status
    assert response.json()["detail"] == str(error)
    assert response.json()["status"] == status


def test_an_unforeseen_error_keeps_its_details_inside(client: Any, fake: Any) -> None:
    def fails() -> Any:
        raise RuntimeError("the password is swordfish")

    fake.status = fails
    response = client.get(f"{API}/status")
    assert response.status_code == 500
    assert "swordfish" not in response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_what_is_not_there_is_a_problem_document(client: Any) -> None:
    for path, told in [("nope", "/api/v1/nope"), ("items/NOPE", "'NOPE'"), ("recommendations/R-9", "'R-9'")]:
        response = client.get(f"{API}/{path}")
        assert response.status_code == 404
        assert told in response.json()["detail"]
    assert client.delete(f"{API}/status", headers={"content-type": "application/json"}).status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json", "origin": "https://evil.example"}, 403),
        ({"content-type": "application/json", "origin": "null"}, 403),
        ({"content-type": "application/json", "origin": "http://localhost:9999"}, 403),
        ({"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "application/json", "host": "evil.example"}, 421),
        ({"content-type": "application/json", "origin": "http://localhost"}, 200),
        ({"content-type": "application/json; charset=utf-8", "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_only_our_own_pages_and_plain_clients_change_something(
    client: Any, fake: Any, headers: dict[str, str], status: int
) -> None:
    response = client.post(f"{API}/facts", content=json.dumps(FACT), headers=headers)
    assert response.status_code == status
    assert (fake.version() > 1) is (status == 200)
    if status != 200:
        assert response.json()["status"] == status


def test_a_name_that_resolves_here_is_not_enough_to_read(client: Any) -> None:
    assert client.get(f"{API}/status", headers={"host": "evil.example:8000"}).status_code == 421
    assert client.get(f"{API}/status", headers={"host": "[::1]:8000"}).status_code == 200


def test_a_trusted_origin_behind_a_proxy_may_write(fake: Any) -> None:
    from starlette.testclient import TestClient

    from stocktwin.faces.serve import web_app

    app = web_app(fake, hosts=None, origins=["https://twin.example.com"])
    client = TestClient(app, base_url="http://internal:8000")
    headers = {"content-type": "application/json", "origin": "https://twin.example.com"}
    assert client.post(f"{API}/facts", content=json.dumps(FACT), headers=headers).status_code == 200


def test_every_answer_carries_the_security_headers(client: Any) -> None:
    for path in ("/", f"{API}/status", "/nope", f"{API}/nope"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_description_is_openapi_3_1_and_names_every_path(client: Any, root: Path) -> None:
    description = client.get(f"{API}/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    documented = (root / "docs" / "rest.md").read_text(encoding="utf-8")
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"]
            assert f"`{method.upper()} {path}`" in documented, f"docs/rest.md does not mention {method} {path}"
    listed = re.findall(r"`(?:GET|POST) (/api/v1/[^`]*)`", documented)
    assert set(listed) <= set(description["paths"]), "docs/rest.md names a path that is not there"


def test_pages_of_other_hosts_are_never_asked_for_documentation(client: Any) -> None:
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404


@pytest.mark.parametrize("base", ["/etc/own.toml", "../own.toml", "a/b", ""])
def test_a_scenario_with_parameters_is_never_a_file_of_the_server(client: Any, base: str) -> None:
    body = {"scenarios": [{"base": base, "parameters": {}}]}
    response = client.post("/api/v1/simulations", json=body)
    assert (response.status_code, "not of a file" in response.json()["detail"]) == (422, True)


def test_a_backup_is_made_by_a_post(client: Any, fake: Any) -> None:
    reply = client.post("/api/v1/backups", json={})
    assert (reply.status_code, reply.json()) == (200, fake.backup())
