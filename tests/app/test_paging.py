"""Pages go on behind a row, whatever came in between: nothing that was there all along is missed or told twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocktwin.app.answers.paging import cursor, falling, page
from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import UsageError

Ask = Callable[..., dict[str, Any]]
MASTER = """\
{"table": "locations", "location_id": "N", "kind": "dc"}
{"table": "locations", "location_id": "S", "kind": "dc"}
{"table": "locations", "location_id": "SUP", "kind": "supplier"}
"""
ITEM = '{"table": "items", "item_id": "%s", "description": "%s", "unit_cost": %s}\n'
RECEIPT = (
    '{"table": "movements", "event_id": "R-%s-%s", "event_time": "2025-03-01T08:00:00Z", "kind": "receipt", '
    '"item_id": "%s", "quantity": %d, "to_id": "%s", "system": "erp"}\n'
)
SALE = (
    '{"table": "movements", "event_id": "S-%d", "event_time": "2025-03-%02dT08:00:00Z", "kind": "sale", '
    '"item_id": "B1", "quantity": 1, "from_id": "N", "system": "erp"}\n'
)
COUNT = (
    '{"table": "observations", "event_id": "C-%d", "event_time": "2025-03-%02dT09:00:00Z", "method": "cycle_count", '
    '"item_id": "B1", "location_id": "N", "quantity": %d, "system": "%s"}\n'
)
ORDER = (
    '{"table": "orders", "order_id": "P-%d", "line": "1", "kind": "purchase", "item_id": "B1", "quantity": 5, '
    '"from_id": "SUP", "to_id": "N", "ordered_at": "2025-03-09T08:00:00Z", "status": "open", "system": "erp"}\n'
)


UNEXPLAINED = (
    '{"table": "observations", "event_id": "D-%s", "event_time": "2025-03-10T09:00:00Z", "method": "cycle_count", '
    '"item_id": "%s", "location_id": "N", "quantity": 900, "system": "erp"}\n'
)
OTHER = "".join(
    RECEIPT.replace('"erp"', '"wms"') % (name, "W", name, 50, "S") + UNEXPLAINED % (name, name)
    for name in ("B2", "B3", "B4", "B5")
)
"""What another system says of four items, and counts that nothing explains."""


def items(letter: str, numbers: range, cost: str = "null") -> str:
    """Items and what came in of them at both places; texts and costs repeat, so that ties are common."""
    rows = []
    for k in numbers:
        name = f"{letter}{k}"
        rows.append(ITEM % (name, ["Gloves", "masks", "Gowns"][k % 3], cost if k % 4 else "2.5"))
        rows += [RECEIPT % (name, place, name, 3 + k % 5, place) for place in "NS"]
    return "".join(rows)


def history(days: range) -> str:
    """Sales, counts and orders of one item; a row in ten cannot be read."""
    told = [SALE % (day, day) + COUNT % (day, day, day % 3, ["erp", "wms"][day % 2]) + ORDER % day for day in days]
    return "".join([*told, *(f'{{"table": "items", "scale": "{day}"}}\n' for day in days)])


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinService]:
    """A twin that hears more of everything while `walk` walks through its lists."""
    root = tmp_path_factory.mktemp("paging") / "twin"
    create_twin(root)
    with TwinService.open(root) as service:
        service.post_facts(MASTER + items("B", range(9)) + history(range(2, 9)) + OTHER)
        yield service


def walk(ask: Ask, rows: str, limit: int, between: Callable[[], None] = lambda: None) -> list[Any]:
    """All pages of a list, one after the other; `between` happens after the first of them."""
    found: list[Any] = []
    after = None
    while True:
        answer = ask(limit=limit, after=after)
        assert len(answer[rows]) <= limit
        if after is None:
            between()
        found += answer[rows]
        after = answer["next"]
        if after is None:
            return found


LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "stock": ("rows", {}),
    "movements": ("rows", {"item": "B1", "location": "N"}),
    "observations": ("rows", {"item": "B1", "location": "N"}),
    "quarantine": ("rows", {}),
    "arrivals": ("rows", {}),
    "forecast": ("rows", {"horizon": 7}),
    "anomalies": ("anomalies", {}),
    "reconcile": ("rows", {}),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [1, 3])
def test_the_pages_of_a_list_are_the_list(twin: TwinService, name: str, limit: int) -> None:
    rows, query = LISTS[name]
    whole = getattr(twin, name)(**query)
    assert whole["next"] is None
    assert whole["total"] == len(whole[rows])
    assert len(whole[rows]) > 1, f"{name}: nothing to page through"
    assert walk(lambda **where: getattr(twin, name)(**query, **where), rows, limit) == whole[rows]


@pytest.mark.parametrize(
    "sort", ["item_id", "description", "category", "location_id", "on_hand", "value", "safety_stock"]
)
@pytest.mark.parametrize("descending", [False, True])
def test_the_pages_of_the_grid_are_the_grid(twin: TwinService, sort: str, descending: bool) -> None:
    query = {"sort": sort, "descending": descending}
    whole = twin.grid(limit=1_000, **query)["rows"]
    assert walk(lambda **where: twin.grid(**query, **where), "rows", 4) == whole
    second = twin.grid(limit=4, after=twin.grid(limit=4, **query)["next"], **query)
    assert second["offset"] == 4
    chosen = {"search": "gloves", "location": "S", **query}
    assert walk(lambda **where: twin.grid(**chosen, **where), "rows", 1) == twin.grid(limit=99, **chosen)["rows"]


@pytest.mark.parametrize("sort", ["item_id", "description", "on_hand"])
@pytest.mark.parametrize("descending", [False, True])
def test_what_was_there_all_along_is_told_once_whatever_comes_in_between(
    tmp_path: Path, sort: str, descending: bool
) -> None:
    create_twin(tmp_path / "twin")
    with TwinService.open(tmp_path / "twin") as twin:
        twin.post_facts(MASTER + items("B", range(6)) + history(range(2, 5)))
        news = items("A", range(5)) + items("C", range(3)) + history(range(5, 9))

        def ids(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
            return [(row["item_id"], row["location_id"]) for row in rows]

        before = ids(twin.grid(limit=99)["rows"])
        grid = walk(lambda **w: twin.grid(sort=sort, descending=descending, **w), "rows", 3, lambda: post(twin, news))
        walked = [one for one in ids(grid) if one in before and one != ("B1", "N")]  # B1 was sold at N meanwhile
        assert sorted(walked) == sorted(one for one in before if one != ("B1", "N"))
        assert len(twin.grid(limit=99)["rows"]) > len(before)


def post(twin: TwinService, lines: str) -> None:
    assert twin.post_facts(lines)["accepted"] > 0


def test_a_cursor_holds_after_its_row_is_gone_or_another_took_its_place() -> None:
    key = lambda row: (row,)  # noqa: E731
    _, after = page("bdf", key, name="x", limit=2, after=None)
    assert page("abcef", key, name="x", limit=None, after=after) == (["e", "f"], None)


@pytest.mark.parametrize("text", ["", "nonsense", "é", "W10", cursor("other", ("a",)), cursor("x", (3,))])
def test_a_cursor_of_another_list_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(UsageError, match="after: no cursor of this list"):
        page("abc", lambda row: (row,), name="x", limit=1, after=text)


@pytest.mark.parametrize(
    "key", [("A",), ("A", "B"), (1.0, "A", "B"), (None, "A", 3), (True, "A", "B"), ([], "A", "B"), ({}, "A", "B")]
)
def test_a_cursor_that_was_made_up_is_refused_by_the_grid(twin: TwinService, key: Any) -> None:
    with pytest.raises(UsageError, match="after: no cursor of this list"):
        twin.grid(after=cursor("item-locations item_id ascending", key))
    with pytest.raises(UsageError, match="after: no cursor of this list"):
        twin.grid(sort="value", after=cursor("item-locations item_id ascending", ("A", "A", "N")))


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(-5, 5)), st.text(max_size=3)), unique=True),
    st.integers(1, 7),
)
def test_pages_add_up_in_any_order(rows: list[tuple[int | None, str]], limit: int) -> None:
    def ask(limit: int, after: str | None) -> dict[str, Any]:
        shown, following = page(rows, lambda row: (*falling(row[0]), row[1]), name="x", limit=limit, after=after)
        return {"rows": shown, "next": following}

    assert sorted(walk(ask, "rows", limit), key=repr) == sorted(rows, key=repr)
