"""The pages in a browser, over a real twin served by a process of its own: nothing here is faked."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = ("", "stock", "scenarios", "recommendations", "data", "ledger", "then", "late", "history", "truth", "reference")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE = 60_000
"""Milliseconds that a first forecast or proof may take on a busy machine; what must be fast is timed by itself."""
SERVE = """
import sys
from pathlib import Path
from stocktwin.app.usecases import TwinService
from stocktwin.faces.serve import serve
with TwinService.open(Path(sys.argv[1])) as twin:
    twin.go_live()
    serve(twin, "127.0.0.1", 0, ready=lambda url: print(url, flush=True))
"""


def missing(what: str) -> None:
    """Skips with a reason; fails where skipping is forbidden."""
    if os.environ.get("STOCKTWIN_NO_SKIP") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        missing("no Chromium, or no playwright, on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Sixty days of the reference world, taken in and served."""
    from stocktwin.app.usecases import TwinService
    from stocktwin.world.build import build

    root = tmp_path_factory.mktemp("browser") / "twin"
    build(root, days=60)
    with TwinService.open(root) as twin:
        assert twin.ingest()["accepted"] > 0
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(root)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=15) == 0
    server.stdout.close()


class Watched:
    """A page, and all that went wrong on it."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.wrong.append(f"external request: {request.url}")

    def open(self, path: str) -> Any:
        """Goes there and waits until nothing on the page is still being fetched."""
        self.page.goto(self.url + path)
        self.page.locator("html[data-ready='1']").wait_for()
        self.page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
        return self.page


@pytest.fixture
def watched(browser: Any, url: str) -> Iterator[Callable[..., Watched]]:
    """Opens watched pages; at the end of the test none of them may have seen anything wrong."""
    contexts, pages = [], []

    def start(**options: Any) -> Watched:
        context = browser.new_context(bypass_csp=False, **options)
        contexts.append(context)
        pages.append(Watched(context.new_page(), url))
        return pages[-1]

    yield start
    for context in contexts:
        context.close()
    assert [text for page in pages for text in page.wrong] == []


def ask(url: str, path: str, body: str | None = None) -> Any:
    """A REST answer."""
    headers = {"content-type": "application/x-ndjson"}
    request = urllib.request.Request(f"{url}api/v1/{path}", body.encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def busiest(url: str) -> dict[str, Any]:
    """The item-location with most on hand: a sale of one changes it and nothing else."""
    row: dict[str, Any] = ask(url, "item-locations?limit=1&sort=on_hand&descending=true")["rows"][0]
    return row


def item_page(row: dict[str, Any]) -> str:
    return f"stock/{quote(row['item_id'], safe='')}/{quote(row['location_id'], safe='')}"


def sell(url: str, row: dict[str, Any], event_id: str, quantity: int) -> None:
    """Posts one sale just after the newest fact."""
    fact = {
        "table": "movements",
        "event_id": event_id,
        "event_time": ask(url, "status")["as_of"],
        "kind": "sale",
        "item_id": row["item_id"],
        "from_id": row["location_id"],
        "quantity": quantity,
        "system": "erp",
    }
    answer = ask(url, "facts", json.dumps(fact))
    assert (answer["accepted"], answer["quarantined"]) == (1, 0), answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 390])
def test_every_page_loads_quietly_fits_and_is_accessible(
    watched: Callable[..., Watched], url: str, scheme: str, width: int
) -> None:
    view = watched(color_scheme=scheme, viewport={"width": width, "height": 860})
    row = busiest(url)
    for path in [*PAGES, item_page(row), f"items/{quote(row['item_id'], safe='')}"]:
        page = view.open(path)
        assert page.locator("main h1").inner_text().strip()
        assert page.locator(".problem:visible").count() == 0, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is wider than the screen"
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("() => axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes[0].html]))")
        assert found == [], path


def test_an_accepted_fact_changes_open_pages_by_itself(watched: Callable[..., Watched], url: str) -> None:
    row = busiest(url)
    item = watched().open(item_page(row))
    grid = watched().open("stock?sort=on_hand&descending=true")
    tile = item.locator("#position .figure").first
    cell = grid.locator(".grid-row", has_text=row["item_id"]).filter(has_text=row["location_id"]).first
    before = int(tile.inner_text().replace(",", ""))
    cell.wait_for()
    for page in (item, grid):
        page.locator("#live[data-state=on]").wait_for()
    after = f"{before - 1:,}"
    sell(url, row, f"BROWSER-{before}", 1)
    for shown in (tile, cell):
        shown.filter(has_text=after).wait_for()
    assert "Sale" in item.locator("#movements tbody tr").first.inner_text()


def test_a_scenario_runs_from_the_page_and_its_address_can_be_shared(watched: Callable[..., Watched]) -> None:
    page = watched().open("scenarios")
    page.get_by_role("checkbox").first.check()
    page.get_by_label("Replications").fill("4")
    page.get_by_label("Horizon, days").fill("30")
    page.get_by_role("button", name="Run").click()
    page.locator("table.comparison").wait_for()
    text = page.locator("#result").inner_text()
    assert "Fill rate" in text
    assert "4 replications over 30 days" in text
    assert re.search(r"worse|better|no clear difference|unchanged", text)
    shared = watched()
    shared.page.goto(page.url)
    shared.page.locator("table.comparison").wait_for()
    rows = page.locator("table.comparison tbody tr").all_inner_texts()
    assert shared.page.locator("table.comparison tbody tr").all_inner_texts() == rows, "same seed, same figures"


def test_a_recommendation_is_approved_by_a_person_for_good(watched: Callable[..., Watched], url: str) -> None:
    page = watched().open("recommendations")
    card = page.locator(".recommendation", has=page.locator("[data-decide=approve]")).first
    id_ = card.get_attribute("data-id")
    card.get_by_role("button", name="Approve").click()
    page.get_by_label("Your name").fill("Maya <b>Ortiz</b>")
    page.get_by_label("Reason").fill("agreed with the warehouse")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    page.locator("#decisions", has_text="agreed with the warehouse").wait_for()
    assert "Maya <b>Ortiz</b>" in page.locator("#decisions").inner_text()
    page.locator(f"[data-id='{id_}'] .chip", has_text="Approved").wait_for()
    logged = ask(url, "decisions")["decisions"][0]
    assert (logged["id"], logged["decision"], logged["by"]) == (id_, "approve", "Maya <b>Ortiz</b>")
    assert ask(url, "verify")["ok"]


def test_verify_runs_from_the_page(watched: Callable[..., Watched]) -> None:
    page = watched().open("data")
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("all laws hold").wait_for()


def test_a_map_without_room_is_left_alone(watched: Callable[..., Watched]) -> None:
    page = watched().open("")
    for display in ("none", ""):
        page.evaluate("(display) => { document.getElementById('map').style.display = display; }", display)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#map canvas").first.wait_for()


def test_a_parameter_chosen_on_the_page_is_what_runs(watched: Callable[..., Watched]) -> None:
    page = watched().open("scenarios")
    card = page.locator(".scenario", has=page.locator("[value=supplier_outage]"))
    card.get_by_role("checkbox").check()
    card.get_by_label("Days", exact=True).fill("4")
    page.get_by_label("Replications").fill("4")
    page.get_by_role("button", name="Run").click()
    page.locator("table.comparison th", has_text="(days 4)").wait_for()
