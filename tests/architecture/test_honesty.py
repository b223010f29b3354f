"""The truth never reaches the twin: who may import the world, who may open its truth."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "stocktwin"
OPENS_TRUTH = {"world/score.py", "world/settings.py"}
"""The scorer, and the world's own state (`truth/state`)."""
WRITES_TRUTH = {"world/build.py", "world/blocks.py", "world/truth.py", "world/parts.py", "world/advance.py"}


@pytest.fixture(scope="module")
def sources() -> dict[str, ast.Module]:
    root = Path(__file__).resolve().parents[2] / "src" / PACKAGE
    return {str(path.relative_to(root)): ast.parse(path.read_text("utf-8")) for path in sorted(root.rglob("*.py"))}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def texts(tree: ast.Module) -> Iterator[str]:
    """Texts of the code; one that stands alone (a docstring, a remark on the line above) is none."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_only_app_and_the_world_itself_import_the_world(sources: dict[str, ast.Module]) -> None:
    using = {
        name
        for name, tree in sources.items()
        if any(one.startswith(f"{PACKAGE}.world") for one in imported(tree)) and not name.startswith("world/")
    }
    assert using
    assert {name for name in using if not name.startswith("app/")} == set()


def test_only_the_scorer_and_the_worlds_state_know_where_the_truth_lies(sources: dict[str, ast.Module]) -> None:
    naming = {
        name
        for name, tree in sources.items()
        if any(text == "truth" or text.startswith("truth/") for text in texts(tree)) and name.startswith(("world/",))
    }
    assert "world/score.py" in naming
    assert naming <= OPENS_TRUTH | WRITES_TRUTH
    outside = {
        name: [text for text in texts(tree) if text.startswith("truth/")]
        for name, tree in sources.items()
        if not name.startswith("world/")
    }
    assert {name: found for name, found in outside.items() if found} == {}


def test_the_worlds_that_read_truth_are_asked_by_three_modules_of_app(sources: dict[str, ast.Module]) -> None:
    readers = {
        name
        for name, tree in sources.items()
        if any(one.startswith(f"{PACKAGE}.world.score") for one in imported(tree)) and not name.startswith("world/")
    }
    assert readers == {"app/scoring.py", "app/answers/truth.py"}


def test_no_answer_but_the_truth_page_asks_for_it(sources: dict[str, ast.Module]) -> None:
    name = f"{PACKAGE}.app.answers.truth.truth"
    assert {one for one, tree in sources.items() if name in imported(tree)} == {"app/usecases.py"}
