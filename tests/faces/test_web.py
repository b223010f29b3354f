"""Pages as HTML: they render with much, little and nothing in the twin; nothing from outside becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stocktwin.faces.web.comparison import lines
from stocktwin.faces.web.render import item_location_url, item_url, json_data

HTML = {"accept": "text/html"}
PAGES = ("", "stock", "lots", "scenarios", "recommendations", "data", "ledger", "then", "late", "history", "reference")
FRAGMENTS = ("attention", "recommendations", "anomalies", "laws")
STATIC = Path(__file__).parents[2] / "src" / "stocktwin" / "faces" / "web" / "static"


class Page(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given_ = dict(attrs)
        if given_.get("id"):
            self.ids.append(str(given_["id"]))
        self.addresses += [str(given_[name]) for name in ("href", "src", "action", "data-src") if given_.get(name)]
        self.inline += [name for name in given_ if name == "style" or name.startswith("on")]


def read(client: Any, path: str) -> tuple[Page, str]:
    response = client.get(f"/{path}", headers=HTML)
    assert response.status_code == 200, (path, response.text[:300])
    return Page(response.text), response.text


@pytest.mark.parametrize("path", [*PAGES, *(f"fragments/{name}" for name in FRAGMENTS)])
@pytest.mark.parametrize("empty", [False, True])
def test_pages_render_with_much_and_with_nothing(
    client_of: Callable[[Any], Any], fakes: Any, path: str, empty: bool
) -> None:
    page, text = read(client_of(fakes.FakeTwin(empty=empty)), path)
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    assert page.inline == [], "the content policy forbids inline styles and handlers"
    assert not re.search(r"\b(None|Undefined|nan)\b", re.sub(r"<script.*?</script>", "", text, flags=re.S))


def test_pages_say_what_the_twin_says(client: Any) -> None:
    _, text = read(client, "")
    assert "Fake &amp; Sons" in text
    assert "$4.81m" in text
    assert "30 Nov 2025, 17:15" in text, "times are shown in the twin's zone"
    assert "2025-11-30 22:15:00 UTC" in text
    _, text = read(client, "data")
    assert "accepted + duplicates + quarantined = delivered" in text
    assert "movements.csv:117" in text


def test_the_map_says_by_what_share_a_warehouse_is_coloured(client: Any) -> None:
    _, text = read(client, "")
    assert "out of stock or at risk" in text
    assert all(f">{words}<" in text for words in ("below 15 %", "15 % to 30 %", "30 % or more"))
    assert [row for row in ("0 %", "12.0 %", "24.0 %", "36.0 %") if f"{row}</span>" not in text] == []
    network = json.loads(text.partition('id="network" data-live>')[2].partition("<")[0])
    assert network["thresholds"] == {"watch": 0.15, "short": 0.3}
    assert {one["short_share"] for one in network["locations"]} == {0.0, 0.12, 0.24, 0.36, None}


def test_the_truth_is_a_page_only_where_there_is_one(client: Any, client_of: Callable[[Any], Any], fakes: Any) -> None:
    page, text = read(client, "truth")
    assert len(page.ids) == len(set(page.ids))
    assert page.inline == []
    assert "+48 off" in text
    assert "still wrong" in text
    assert "not found" in text
    assert "put right" not in text, "a fault that the twin noticed shows under what name"
    assert "told as record against count" in text
    assert not re.search(r"\b(None|Undefined|nan)\b", re.sub(r"<script.*?</script>", "", text, flags=re.S))
    assert "./truth" in read(client, "")[0].addresses
    without = client_of(fakes.FakeTwin(empty=True))
    assert "./truth" not in read(without, "")[0].addresses
    assert without.get("/truth", headers=HTML).status_code == 404


def test_rows_that_do_not_add_up_are_told(client: Any, fake: Any) -> None:
    honest = fake.status()
    fake.status = lambda: honest | {"delivered": honest["delivered"] + 5}
    _, text = read(client, "data")
    assert "5 rows are unaccounted for" in text


def test_text_from_outside_is_never_markup(client: Any, fakes: Any) -> None:
    evil = fakes.EVIL
    for path in (item_location_url("", evil, "DC-NJ"), item_url("", evil), "data", "fragments/anomalies"):
        page, text = read(client, path)
        assert evil not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "/alert(1)" not in " ".join(page.addresses)


def test_json_in_a_page_cannot_end_its_element() -> None:
    value = {"name": "</script><!--&\u2028"}
    text = str(json_data(value))
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text) == value


ids = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def echo(client_of: Callable[[Any], Any], fakes: Any) -> tuple[Any, list[tuple[str, str]]]:
    """A client, and the ids that its requests have asked the twin for."""
    twin = fakes.FakeTwin()
    asked: list[tuple[str, str]] = []
    answer = twin.item_location("MED-0001", "DC-NJ")
    twin.item_location = lambda item, location, movements: asked.append((item, location)) or answer
    return client_of(twin), asked


@given(item=ids, location=ids)
@example(item="..", location="%2F")
@example(item="a/../b", location="/")
def test_links_to_an_item_location_lead_there_whatever_its_ids(
    echo: tuple[Any, list[tuple[str, str]]], item: str, location: str
) -> None:
    client, asked = echo
    asked.clear()
    assert client.get(item_location_url("/", item, location), headers=HTML).status_code == 200
    if not {item, location} & {".", ".."}:
        path = f"/api/v1/item-locations/{quote(item, safe='')}/{quote(location, safe='')}"
        assert client.get(path).status_code == 200
    assert set(asked) == {(item, location)}


def test_every_link_of_every_page_leads_somewhere_under_any_mount(client: Any) -> None:
    seen: set[str] = set()
    todo = ["http://localhost/"]
    while todo:
        address = todo.pop()
        response = client.get(address, headers=HTML)
        assert response.status_code == 200, address
        if "text/html" not in response.headers["content-type"]:
            continue
        for link in Page(response.text).addresses:
            assert not link.startswith(("/", "http")), f"{link} is not relative"
            target = urljoin(address, link).partition("#")[0]
            shape = re.sub(r"MED-\d+", "MED", unquote(urlsplit(target).path))
            if shape not in seen and "/live" not in target:
                seen.add(shape)
                todo.append(target)
    assert {"/data", "/stock", "/reference", "/api/v1/status"} <= seen


def test_a_mistake_is_a_page_for_people_and_a_document_for_programs(client: Any) -> None:
    page = client.get("/stock/NOPE/DC-NJ", headers=HTML)
    assert page.status_code == 404
    assert "NOPE at DC-NJ" in page.text
    assert "<h1>Not found</h1>" in page.text
    assert client.get("/stock/NOPE/DC-NJ").headers["content-type"] == "application/problem+json"
    assert client.get("/api/v1/items/NOPE", headers=HTML).headers["content-type"] == "application/problem+json"


def test_static_files_are_kept_and_pages_are_not(client: Any) -> None:
    page, _ = read(client, "")
    sheet = next(address for address in page.addresses if address.endswith("app.css"))
    assert "immutable" in client.get(f"/{sheet.removeprefix('./')}").headers["cache-control"]
    assert client.get("/").headers["cache-control"] == "no-store"
    assert client.get("/static/000000000000/app.css").status_code == 404
    assert client.get(f"/{sheet.removeprefix('./')}/../../../pages.py").status_code == 404


def test_assets_of_others_are_named_with_their_licence() -> None:
    notice = (STATIC / "vendor" / "NOTICE").read_text(encoding="utf-8")
    for path in (STATIC / "vendor").iterdir():
        if path.suffix in (".js", ".json"):
            assert path.name in notice
            assert b"sourceMappingURL" not in path.read_bytes()


def test_own_scripts_load_nothing_from_elsewhere() -> None:
    for path in [*STATIC.glob("*.js"), *STATIC.glob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path.name
        assert "eval(" not in text


def test_a_scenario_is_compared_in_words(client: Any, fake: Any) -> None:
    response = client.post("/scenarios/result", json={"scenarios": ["supplier_outage"], "replications": 10})
    assert response.status_code == 200
    assert "worse: lower" in response.text
    assert "better: lower" in response.text
    assert "no clear difference" in response.text
    assert fake.calls[-1][1]["replications"] == 10
    assert client.post("/scenarios/result", json={"scenarios": ["nope"]}).status_code == 404


@pytest.mark.parametrize(
    ("name", "mean", "lo", "hi", "tone", "verdict"),
    [
        ("fill_rate", -0.01, -0.02, -0.005, "bad", "worse: lower"),
        ("fill_rate", 0.01, 0.005, 0.02, "good", "better: higher"),
        ("fill_rate", 0.01, -0.005, 0.02, "none", "no clear difference"),
        ("total_cost", 9.0, 1.0, 17.0, "bad", "worse: higher"),
        ("lost_sales_units", -9.0, -17.0, -1.0, "good", "better: lower"),
        ("on_hand_units", 9.0, 1.0, 17.0, "neutral", "higher"),
        ("on_hand_units", 0.0, 0.0, 0.0, "none", "unchanged"),
        ("total_cost", None, None, None, "none", "not known"),
    ],
)
def test_a_difference_is_judged_by_its_interval(
    name: str, mean: float | None, lo: float | None, hi: float | None, tone: str, verdict: str
) -> None:
    estimate = {"mean": 1.0, "se": 0.1, "lo": 0.8, "hi": 1.2}
    difference = {"mean": mean, "se": None, "lo": lo, "hi": hi}
    result = {
        "baseline": {"kpis": {name: estimate}},
        "scenarios": [{"name": "x", "kpis": {name: estimate}, "difference": {name: difference}}],
    }
    cell = lines(result, "USD")[0].cells[0]
    assert (cell.tone, cell.verdict) == (tone, verdict)


def test_a_figure_unknown_everywhere_is_left_out() -> None:
    unknown = {"mean": None, "se": None, "lo": None, "hi": None}
    result = {
        "baseline": {"kpis": {"fill_rate": unknown, "orders": {"mean": 4.0}}},
        "scenarios": [{"name": "x", "kpis": {"fill_rate": unknown}, "difference": {}}],
    }
    assert [line.name for line in lines(result, "USD")] == ["Orders"]


def walk(client: Any, path: str, name: str, text: str) -> list[str]:
    """Every page of a list on a page, each read from the link on the one before: what `text` finds in them."""
    found: list[str] = []
    anchor = {"quarantined": "quarantine"}.get(name, name)
    for _ in range(20):
        page, shown = read(client, path)
        found += re.findall(text, shown)
        links = [one for one in page.addresses if one.endswith(f"#{anchor}-title")]
        onward = [one for one in links if re.search(rf"[?&]{name}=[^&#]", one)]
        if not onward:
            return found
        path = onward[0].lstrip("./").partition("#")[0]
    raise AssertionError(f"{name} has no last page")


def test_a_list_cut_short_leads_to_the_rest(client: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for rows in ("QUARANTINE_ROWS", "ANOMALY_ROWS", "MOVEMENTS", "OBSERVATIONS"):
        monkeypatch.setattr(f"stocktwin.faces.web.pages.{rows}", 1 if rows == "ANOMALY_ROWS" else 5)
    row = fake.rows[0]
    place = f"stock/at?item={row['item_id']}&location={row['location_id']}"
    assert walk(client, place, "movements", r"<td>(DOC-\d+)</td>") == [f"DOC-{k}" for k in range(12)]
    dates = [f"2025-11-{24 - k}T16:00:00Z" for k in range(6)]
    assert walk(client, place, "observations", r'<time datetime="([^"]*T16:00:00Z)"') == dates
    assert walk(client, "data", "quarantined", r"movements\.csv:(\d+)</td>") == [str(117 + k) for k in range(12)]
    page, _ = read(client, "fragments/anomalies")
    (onward,) = [one for one in page.addresses if "data?anomalies=" in one]
    page, _ = read(client, onward.lstrip("./").partition("#")[0])
    (fragment,) = [one for one in page.addresses if "fragments/anomalies?after=" in one]
    assert "Counts fall below the record" in read(client, fragment.lstrip("./"))[1]


def test_counts_and_claims_stand_beside_the_record_then(client: Any) -> None:
    _, text = read(client, "stock/MED-0003/DC-NJ")
    part = text.partition('id="observations-title"')[2].partition("</section>")[0]
    assert "Cycle count" in part
    assert '<span class="warn">−48</span>' in part
    assert '<td class="num">–</td>' in part, "a claim of one lot is not held against the whole"
    assert "ERP book" in part
