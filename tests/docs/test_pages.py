"""The pages: their examples run, their links lead somewhere, each stands in the index."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.M)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchor(heading: str) -> str:
    """The anchor that a heading gets on the usual forges."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def run_block(block: str, names: dict[str, object], where: str) -> None:
    """Runs one example: as a doctest when it shows a prompt, else as a program."""
    if ">>>" not in block:
        exec(compile(block, where, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(block, names, where, where, 0)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, clear_globs=False)
    names.update(test.globs)
    assert runner.failures == 0


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text("utf-8"))], ids=name_of)
def test_the_python_examples_of_the_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page in one namespace, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1):
        run_block(match.group(1), names, f"{name_of(page)}[{number}]")


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link of a page names a file that is there, and a heading in it; other sites are not asked."""
    if re.match(r"[a-z]+:", target):
        return True
    path, _, part = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not part or not file.is_file():
        return file.exists()
    return part in {anchor(heading) for heading in HEADING.findall(FENCED.sub("", file.read_text("utf-8")))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_the_page_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(FENCED.sub("", page.read_text("utf-8")))
    assert [target for target in targets if not leads_somewhere(page, target)] == []


def test_every_page_stands_in_the_index() -> None:
    docs = ROOT / "docs"
    listed = {(docs / target).resolve() for target in LINK.findall((docs / "README.md").read_text("utf-8"))}
    pages = {page for page in docs.rglob("*.md") if page.parent.name != "decisions"} - {docs / "README.md"}
    assert {name_of(page) for page in pages - listed} == set()


def test_every_decision_stands_in_its_index_and_says_its_state() -> None:
    decisions = ROOT / "docs" / "decisions"
    pages = sorted(decisions.glob("[0-9]*.md"))
    listed = set(LINK.findall((decisions / "README.md").read_text("utf-8")))
    assert {page.name for page in pages} == {target for target in listed if "/" not in target}
    numbers = [page.name[:4] for page in pages]
    assert len(numbers) == len(set(numbers))
    for page in pages:
        assert re.search(r"^Status: (accepted|superseded by \d{4})\b", page.read_text("utf-8"), re.M), page.name
