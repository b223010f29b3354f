"""Rows over REST, and quarantined rows through the mapping again."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.ingest.contracts import SourceSpec, default_source, parse_source
from stocktwin.ingest.replay import replay
from stocktwin.ingest.rows import read_json_lines, read_rows
from stocktwin.ingest.sources.files import read_folder
from stocktwin.tables.batch import Delivery

COUNT = {"event_id": "c1", "event_time": "2025-01-02T00:00:00Z", "method": "cycle_count", "item_id": "A",
         "location_id": "DC-1", "quantity": 7}  # fmt: skip


def test_rows_of_one_table() -> None:
    one = read_rows([COUNT, {**COUNT, "quantity": -1}, {**COUNT, "event_id": 2, "colour": "red"}], "observations",
                    default_source("api"))  # fmt: skip
    assert one.facts["quantity"].to_pylist() == [Decimal(7), Decimal(7)]
    assert one.facts["event_id"].to_pylist() == ["c1", "2"]
    assert one.facts["attributes"].to_pylist() == [None, '{"colour": "red"}']
    assert one.facts["_row"].to_pylist() == [1, 3]
    (bad,) = one.rejected.to_pylist()
    assert (bad["row"], bad["column"], bad["value"]) == (2, "quantity", "-1")
    assert json.loads(bad["raw"])["quantity"] == "-1"
    assert (one.source, one.file) == ("api", "rows")


def test_an_unknown_table_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="'stock'"):
        read_rows([], "stock", default_source())


def test_json_lines_of_several_tables() -> None:
    text = "\n".join(
        [
            json.dumps({"table": "observations", **COUNT}),
            "not json",
            json.dumps({"table": "items", "item_id": "A"}),
            "",
            json.dumps({"table": "stock"}),
            "[1]",
        ]
    )
    deliveries = read_json_lines(text, default_source())
    assert [(one.table, one.facts.num_rows, one.rejected.num_rows) for one in deliveries] == [
        ("items", 1, 0),
        ("movements", 0, 3),
        ("observations", 1, 0),
    ]
    bad = deliveries[1].rejected.to_pylist()
    assert [(row["row"], row["line"], row["value"]) for row in bad] == [
        (2, 2, "not json"),
        (4, 5, '{"table": "stock"}'),
        (5, 6, "[1]"),
    ]
    assert deliveries[0].facts["_line"].to_pylist() == [3]


def test_json_lines_of_one_table() -> None:
    (one,) = read_json_lines(json.dumps(COUNT).encode() + b"\n\xff\n", default_source(), table="observations")
    assert (one.table, one.facts.num_rows) == ("observations", 1)
    assert [(row["line"], row["value"]) for row in one.rejected.to_pylist()] == [(2, "\\xff")]


def _quarantine(deliveries: list[Delivery]) -> list[dict[str, Any]]:
    rows = [(one, row) for one in deliveries for row in one.rejected.to_pylist() if row["row"]]
    return [
        {"quarantine_id": at, "source": one.source, "table": one.table, "file": one.file, **row}
        for at, (one, row) in enumerate(rows, 100)
    ]


def _source(kinds: dict[str, str], **section: Any) -> SourceSpec:
    columns = {
        "event_id": "{no}-{_row}",
        "event_time": "when",
        "kind": {"column": "why", "map": kinds},
        "item_id": "code",
        "quantity": "q",
    }
    return parse_source("wms", {"map": [{"file": "l.*", "table": "movements", "columns": columns}], **section})


LINES = (
    b"no,when,why,code,q\n1,2025-01-01,S,A,1\n2,2025-01-01,R,A,2\n3,2025-01-01,S,caf\xe9,3\n4,2025-01-01,S\n5,x,S,A,5\n"
)


def test_a_mended_mapping_settles_what_it_can_read(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(LINES)
    held = _quarantine(list(read_folder(tmp_path, _source({"S": "sale"}))))
    assert [(row["row"], row["column"]) for row in held] == [(2, "why"), (3, "code"), (4, "code"), (5, "when")]
    assert list(replay(held, _source({"S": "sale"}))) == []

    (one,) = replay(held, _source({"S": "sale", "R": "return"}))
    assert one.facts.select(["event_id", "kind", "quantity", "_row"]).to_pylist() == [
        {"event_id": "2-2", "kind": "return", "quantity": Decimal(2), "_row": 2}
    ]
    assert (one.table, one.file, one.replays, one.rejected.num_rows) == ("movements", "l.csv", (100,), 0)

    (one,) = replay(pa.Table.from_pylist(held), _source({"S": "sale"}, encoding="cp1252"))
    assert (one.facts["item_id"].to_pylist(), one.replays) == (["café"], (101,))


def test_a_mended_row_is_settled_and_a_broken_line_is_not(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(LINES)
    held = _quarantine(list(read_folder(tmp_path, _source({"S": "sale"}))))
    held[3]["raw"] = held[3]["raw"].replace('"x"', '"2025-01-05"')
    (one,) = replay(held, _source({"S": "sale"}))
    assert (one.facts["event_id"].to_pylist(), one.replays) == (["5-5"], (103,))


def test_replay_leaves_other_sources_and_exchange_rows_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,unit_cost\nA,-1\nB,x\n")
    held = _quarantine(list(read_folder(tmp_path, default_source())))
    assert list(replay(held, default_source("other"))) == []
    held[0]["raw"] = held[0]["raw"].replace("-1", "1")
    (one,) = replay(held, default_source())
    assert (one.table, one.facts["unit_cost"].to_pylist(), one.replays) == ("items", [Decimal(1)], (100,))


def test_replay_never_turns_a_transaction_into_master_data(tmp_path: Path) -> None:
    columns = {"event_id": "no", "event_time": "when", "kind": {"value": "sale"}, "item_id": "code", "quantity": "q"}
    maps = [
        {"file": "l.*", "table": "items", "distinct": True, "columns": {"item_id": "code"}},
        {"file": "l.*", "table": "movements", "where": {"column": "q", "above": 0}, "columns": columns},
    ]
    (tmp_path / "l.csv").write_bytes(b"no,when,code,q\n1,2025-01-01,A,many\n")
    source = parse_source("wms", {"map": maps})
    held = _quarantine(list(read_folder(tmp_path, source)))
    assert [row["column"] for row in held] == ["q"]
    assert list(replay(held, source)) == []


def test_typed_times_come_back_from_quarantine(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    when = pa.array([1735787045000000] * 2, pa.timestamp("us"))
    rows = pa.table({"no": [1, 2], "when": when, "why": ["S", "R"], "code": ["A", "A"], "q": [1.5, 2.0]})
    pq.write_table(rows, tmp_path / "l.parquet")
    columns = _source({}).maps[0]
    assert columns.table == "movements"
    first = list(read_folder(tmp_path, _source({"S": "sale"})))
    (again,) = replay(_quarantine(first), _source({"S": "sale", "R": "return"}))
    assert again.facts["event_time"].to_pylist() == first[0].facts["event_time"].to_pylist() == [1735787045000000]
    assert again.facts["event_id"].to_pylist() == ["2-2"]


def test_rows_that_the_ledger_holds() -> None:
    """Parked rows wait for the ledger unless a cross reference renames them; conflicts stand; future ones try again."""
    cells = {"event_id": "e", "event_time": "2025-01-02T00:00:00.000000Z", "kind": "sale", "item_id": "4711",
             "quantity": "3.000000000", "system": "wms", "attributes": '{"a": "b"}'}  # fmt: skip
    states = ("parked", "conflict", "future", "parked")
    held = [
        {"quarantine_id": at, "state": state, "canonical": True, "source": "wms", "table": "movements", "file": "l.csv",
         "row": at, "line": at + 1, "raw": json.dumps({**cells, "event_id": str(at)})}
        for at, state in enumerate(states, 1)
    ]  # fmt: skip
    held[3]["raw"] = held[3]["raw"].replace("4711", "unknown")
    source = _source({"S": "sale"})
    (one,) = replay(held, source)
    assert one.replays == (3,)
    (one,) = replay(held, source, crossref={("item", "4711"): "A"})
    assert (one.replays, one.facts["item_id"].to_pylist()) == ((1, 3), ["A", "A"])
    assert one.facts["attributes"].to_pylist() == ['{"a": "b"}'] * 2
    assert one.facts["event_time"].to_pylist() == [1735776000000000] * 2
