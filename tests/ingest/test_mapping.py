"""Each way to make a column, and each test of a condition."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from stocktwin.ingest.chunk import Chunk, chunk_of_rows
from stocktwin.ingest.conditions import takes
from stocktwin.ingest.contracts import parse_source
from stocktwin.ingest.mapping import Context, Mapped, apply

BASE: dict[str, Any] = {"name": {"value": "x"}, "date": {"value": "2025-01-01"}, "value": {"value": 1}}


def _chunk(**columns: list[str | None]) -> Chunk:
    rows = len(next(iter(columns.values())))
    return chunk_of_rows("f.csv", list(columns), list(columns.values()), range(1, rows + 1), range(2, rows + 2))


def _map(chunk: Chunk, table: str = "signals", **columns: Any) -> Mapped:
    entry = {"file": "*", "table": table, "columns": {**(BASE if table == "signals" else {}), **columns}}
    source = parse_source("s", {"map": [entry]})
    return apply(source.maps[0], chunk, Context(source))


@pytest.mark.parametrize(("spec", "expected"), [
    ("a", ["x1", "Y-2", None]),
    ({"column": "a"}, ["x1", "Y-2", None]),
    ("{a}/{_row} of {_file}", ["x1/1 of f.csv", "Y-2/2 of f.csv", None]),
    ("{{{a}}}", ["{x1}", "{Y-2}", None]),
    ({"template": "fixed"}, ["fixed"] * 3),
    ({"value": 7}, ["7"] * 3),
    ({"column": "a", "upper": True}, ["X1", "Y-2", None]),
    ({"column": "a", "lower": True}, ["x1", "y-2", None]),
    ({"column": "a", "default": "none"}, ["x1", "Y-2", "none"]),
    ({"column": "a", "match": r"(\d)"}, ["1", "2", None]),
    ({"column": "a", "match": r"-(\d)", "default": "0"}, ["0", "2", "0"]),
    ({"column": "a", "map": {"x1": "one"}, "default": "other"}, ["one", "other", "other"]),
    ({"column": ["a", "b"]}, ["x1", "Y-2", "b3"]),
    ({"column": ["missing", "b"]}, ["b1", None, "b3"]),
    ("_row", ["1", "2", "3"]),
    ("missing", [None] * 3),
])  # fmt: skip
def test_ways_to_make_a_column(spec: Any, expected: list[str | None]) -> None:
    mapped = _map(_chunk(a=["x1", "Y-2", " "], b=["b1", None, "b3"]), item_id=spec)
    assert mapped.findings == []
    assert mapped.facts["item_id"].to_pylist() == expected


def test_numbers_are_scaled_and_made_positive() -> None:
    chunk = _chunk(q=["-2", "1.5", "x", "", "1e400"])
    mapped = _map(chunk, value={"column": "q", "absolute": True, "multiply": 0.001})
    assert mapped.facts["value"].to_pylist() == [Decimal("0.002"), Decimal("0.0015")]
    assert [(f.row, f.value) for f in mapped.findings] == [(3, "x"), (4, ""), (5, "1e400")]
    typed = Chunk("f", {"q": pa.array([-2, 3])}, chunk.rows[:2])
    assert _map(typed, value={"column": "q", "absolute": True}).facts["value"].to_pylist() == [Decimal(2), Decimal(3)]
    assert _map(typed, value={"column": "q", "multiply": 12}).facts["value"].to_pylist() == [Decimal(-24), Decimal(36)]


def test_an_unmapped_code_is_a_finding_with_the_code() -> None:
    mapped = _map(_chunk(a=["x1", "Q", None]), item_id={"column": "a", "map": {"x1": "one"}})
    assert mapped.facts["item_id"].to_pylist() == ["one", None]
    assert [(f.line, f.column, f.value, f.reason) for f in mapped.findings] == [
        (3, "a", "Q", "the mapping has no word for 'Q'")
    ]


def test_days_are_added_to_dates_and_instants() -> None:
    chunk = _chunk(d=["2025-03-30", "31.03.2025"])
    mapped = _map(chunk, date={"column": "d", "after_days": 2})
    assert str(mapped.facts["date"][0]) == "2025-04-01"
    source = parse_source("s", {"timezone": "Europe/Paris", "map": [{
        "file": "*", "table": "positions",
        "columns": {"shipment_id": {"value": "S"}, "latitude": {"value": 1}, "longitude": {"value": 2},
                    "event_time": {"column": "d", "after_days": 1}},
    }]})  # fmt: skip
    facts = apply(source.maps[0], chunk, Context(source)).facts
    assert facts["event_time"].to_pylist() == [1743372000000000]  # 2025-03-31 local: the clocks changed on the 30th


CONDITIONS: dict[str, list[str | None]] = {"t": ["A1", "c2", "", None], "q": ["1", "-2.5", "", "x"]}


@pytest.mark.parametrize(("condition", "yes", "undecided"), [
    ({"column": "t", "equals": "A1"}, [1, 0, 0, 0], [0] * 4),
    ({"column": "t", "not_equals": "A1"}, [0, 1, 1, 1], [0] * 4),
    ({"column": "t", "in": ["A1", "c2"]}, [1, 1, 0, 0], [0] * 4),
    ({"column": "t", "not_in": ["A1", "c2"]}, [0, 0, 1, 1], [0] * 4),
    ({"column": "t", "matches": "^[A-Z]"}, [1, 0, 0, 0], [0] * 4),
    ({"column": "t", "not_matches": "^[A-Z]"}, [0, 1, 1, 1], [0] * 4),
    ({"column": "t", "empty": True}, [0, 0, 1, 1], [0] * 4),
    ({"column": "t", "filled": True}, [1, 1, 0, 0], [0] * 4),
    ({"column": "t", "empty": False}, [1, 1, 0, 0], [0] * 4),
    ({"column": "t", "filled": False}, [0, 0, 1, 1], [0] * 4),
    ({"column": "q", "above": 0}, [1, 0, 0, 0], [0, 0, 0, 1]),
    ({"column": "q", "below": 0}, [0, 1, 0, 0], [0, 0, 0, 1]),
    ({"column": "q", "at_least": 1}, [1, 0, 0, 0], [0, 0, 0, 1]),
    ({"column": "q", "at_most": -2.5}, [0, 1, 0, 0], [0, 0, 0, 1]),
    ({"column": "q", "equals": 1}, [1, 0, 0, 0], [0, 0, 0, 1]),
    ({"column": "q", "not_equals": 1}, [0, 1, 1, 0], [0, 0, 0, 1]),
    ({"column": "none", "filled": True}, [0] * 4, [1] * 4),
    ({"column": "_row", "above": 2}, [0, 0, 1, 1], [0] * 4),
    ({"column": "_file", "matches": "csv$"}, [1] * 4, [0] * 4),
])  # fmt: skip
def test_conditions(condition: Mapping[str, Any], yes: list[int], undecided: list[int]) -> None:
    source = parse_source("s", {"map": [{"file": "*", "table": "signals", "where": [condition], "columns": BASE}]})
    taken = takes(source.maps[0], _chunk(**CONDITIONS))
    assert taken.yes.tolist() == [bool(one) for one in yes]
    assert taken.undecided.tolist() == [bool(one) for one in undecided]


def test_a_row_that_another_condition_refuses_is_decided() -> None:
    where = [{"column": "q", "above": 0}, {"column": "t", "filled": True}]
    source = parse_source("s", {"map": [{"file": "*", "table": "signals", "where": where, "columns": BASE}]})
    assert takes(source.maps[0], _chunk(**CONDITIONS)).undecided.tolist() == [False] * 4


@pytest.mark.parametrize("cells", [pa.array([1, None, -2]), pa.array([1.0, None, -2.0]), pa.array(["1", None, "-2"])])
def test_typed_conditions_say_what_text_says(cells: pa.Array) -> None:
    import numpy as np

    chunk = Chunk("f", {"q": cells}, np.arange(1, 4))
    for test, expected in (
        ("above", [1, 0, 0]),
        ("equals", [0, 0, 0]),
        ("not_equals", [1, 1, 1]),
        ("at_most", [0, 0, 1]),
    ):
        where = [{"column": "q", test: 0}]
        source = parse_source("s", {"map": [{"file": "*", "table": "signals", "where": where, "columns": BASE}]})
        assert takes(source.maps[0], chunk).yes.tolist() == [bool(one) for one in expected]
