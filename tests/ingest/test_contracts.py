"""A mapping that is wrong is told with its exact key; one that is right is read as it says."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from stocktwin.domain.errors import ConfigError
from stocktwin.ingest.contracts import default_source, mapping_digest, parse_source
from stocktwin.ingest.specs import Condition

GOOD: dict[str, Any] = {
    "folder": "feeds/erp",
    "timezone": "Europe/London",
    "map": [
        {
            "file": "sales.*",
            "table": "movements",
            "where": [{"column": "Q", "above": 0, "below": 10}, {"column": "No", "not_matches": "^C"}],
            "columns": {
                "event_id": "{No}-{_row}",
                "event_time": {"column": "When", "format": "%d.%m.%Y"},
                "kind": {"value": "sale"},
                "item_id": {"column": "Code", "upper": True},
                "quantity": {"column": "Q", "absolute": True, "multiply": 2},
            },
        }
    ],
}


def _broken(path: list[Any], value: Any) -> dict[str, Any]:
    section = copy.deepcopy(GOOD)
    inner: Any = section
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return section


def test_reads_what_is_declared() -> None:
    source = parse_source("retail", GOOD, "UTC")
    (spec,) = source.maps
    assert (source.system, source.folder, source.timezone) == ("retail", "feeds/erp", "Europe/London")
    assert spec.key == "sources.retail.map[0]"
    assert spec.columns["event_id"].template == (("", "No"), ("-", "_row"))
    assert spec.columns["quantity"].multiply == Decimal(2)
    assert spec.where == (
        Condition("Q", "above", Decimal(0)),
        Condition("Q", "below", Decimal(10)),
        Condition("No", "not_matches", "^C"),
    )


MAP = ["map", 0]
COLUMNS = [*MAP, "columns"]


@pytest.mark.parametrize(
    ("path", "value", "key", "says"),
    [
        (["folders"], "x", "folders", "did you mean 'folder'"),
        (["timezone"], "Europe/Lundon", "timezone", "Europe/Lundon"),
        (["encoding"], "utf-9", "encoding", "utf-9"),
        (["map"], {"file": "x"}, "map", "[[sources.retail.map]]"),
        (["map", 0], "x", "map[0]", "'x'"),
        ([*MAP, "table"], "movement", "map[0].table", "did you mean 'movements'"),
        ([*MAP, "file"], None, "map[0].file", "is missing"),
        ([*MAP, "distinct"], "yes", "map[0].distinct", "'yes'"),
        ([*MAP, "colums"], {}, "map[0].colums", "did you mean 'columns'"),
        ([*MAP, "attributes"], "Country", "map[0].attributes", "'Country'"),
        ([*COLUMNS, "evnt_id"], "No", "map[0].columns.evnt_id", "did you mean 'event_id'"),
        ([*COLUMNS, "quantity"], None, "map[0].columns", "'quantity' of movements is not mapped"),
        ([*COLUMNS, "event_id"], "{No", "map[0].columns.event_id", "unmatched brace"),
        ([*COLUMNS, "event_id"], "{}", "map[0].columns.event_id", "empty braces"),
        ([*COLUMNS, "event_id"], 7, "map[0].columns.event_id", "not 7"),
        ([*COLUMNS, "event_id"], {}, "map[0].columns.event_id", "exactly one of"),
        ([*COLUMNS, "event_id"], {"column": "a", "value": "b"}, "map[0].columns.event_id", "column, value"),
        ([*COLUMNS, "event_id"], {"column": "a", "uper": True}, "map[0].columns.event_id.uper", "'upper'"),
        ([*COLUMNS, "kind", "value"], "sell", "map[0].columns.kind.value", "'sell'"),
        ([*COLUMNS, "quantity", "multiply"], "2", "map[0].columns.quantity.multiply", "'2'"),
        ([*COLUMNS, "quantity", "after_days"], 1, "map[0].columns.quantity.after_days", "no date"),
        ([*COLUMNS, "event_time", "format"], "dd.mm", "map[0].columns.event_time.format", "'dd.mm'"),
        ([*COLUMNS, "item_id", "match"], "abc", "map[0].columns.item_id.match", "one group"),
        ([*COLUMNS, "item_id", "match"], "(", "map[0].columns.item_id.match", "regular expression"),
        ([*MAP, "where", 0, "above"], "0", "map[0].where[0].above", "'0'"),
        ([*MAP, "where", 1, "not_matches"], "[", "map[0].where[1].not_matches", "'['"),
        ([*MAP, "where", 1], {"column": "No"}, "map[0].where[1]", "has no test"),
        ([*MAP, "where", 1], {"matches": "x"}, "map[0].where[1].column", "is missing"),
        ([*MAP, "where", 1], {"column": "x", "abov": 1}, "map[0].where[1].abov", "'above'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_key(path: list[Any], value: Any, key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source("retail", _broken(path, value), "UTC")
    assert caught.value.key == f"sources.retail.{key}"
    assert says in str(caught.value)


def test_digest_is_of_the_meaning_not_of_the_order() -> None:
    changed = _broken([*COLUMNS, "kind", "value"], "return")
    assert mapping_digest({"retail": GOOD}) == mapping_digest({"retail": dict(reversed(GOOD.items()))})
    assert mapping_digest({"retail": GOOD}) != mapping_digest({"retail": changed})


def test_default_source_delivers_as_exchange() -> None:
    assert default_source().system == "exchange"
    assert default_source("erp").maps == ()
