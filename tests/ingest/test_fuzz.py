"""Whatever the bytes, reading never raises and no row is lost."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocktwin.ingest.contracts import default_source, parse_source
from stocktwin.ingest.rows import read_json_lines
from stocktwin.ingest.sources.files import FolderReport, read_folder
from stocktwin.tables.batch import Delivery

HEADER = b"event_id,event_time,kind,item_id,quantity,colour\n"
CELL = st.one_of(
    st.sampled_from(["", "e1", "2025-01-01", "sale", "3", "-1", "1e400", "NaN", "2025-01-01T00:00:00+14:00", "A"]),
    st.text(max_size=6),
)


def _read(folder: Path, report: FolderReport) -> list[Delivery]:
    return list(read_folder(folder, default_source(), report=report))


def _total(deliveries: list[Delivery]) -> int:
    rejected = sum(row > 0 for one in deliveries for row in one.rejected["row"].to_pylist())
    return sum(one.facts.num_rows for one in deliveries) + rejected


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_after_a_header(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "movements.csv").write_bytes(HEADER + body)
        report = FolderReport()
        assert _total(_read(Path(name), report)) == report.files[0].rows


@given(st.binary(max_size=100))
@settings(max_examples=100)
def test_any_bytes_at_all(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "items.csv").write_bytes(data)
        (Path(name) / "orders.parquet").write_bytes(data)
        report = FolderReport()
        assert _total(_read(Path(name), report)) == sum(file.rows for file in report.files)


@given(st.lists(st.tuples(*[CELL] * 6), max_size=8))
@settings(max_examples=100)
def test_every_written_row_is_accounted_for(rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "movements.csv").write_bytes(HEADER + text.getvalue().encode("utf-8", "surrogatepass"))
        report = FolderReport()
        deliveries = _read(Path(name), report)
        assert report.files[0].rows == len(rows)
        assert _total(deliveries) == len(rows)


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_as_json_lines(body: bytes) -> None:
    lines = [line for line in body.decode("utf-8", "surrogateescape").split("\n") if line.strip()]
    assert _total(read_json_lines(body, default_source())) == len(lines)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from(["item_id", "location_id", "quantity", "event_time", "policy", "attributes", "_row", "x"])


@given(st.lists(st.dictionaries(NAMES, JSON), max_size=4), st.sampled_from(["policies", "observations", "units", "fx"]))
@settings(max_examples=100)
def test_any_json_values(rows: list[dict[str, object]], table: str) -> None:
    from stocktwin.ingest.rows import read_rows

    one = read_rows(rows, table, default_source())
    assert one.facts.num_rows + one.rejected.num_rows == len(rows)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "ascii"])
def test_other_encodings_never_raise(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "items.csv").write_bytes(b"item_id\nA\n\xff\xfe\n")
    report = FolderReport()
    deliveries = list(read_folder(tmp_path, parse_source("erp", {"encoding": encoding}), report=report))
    assert _total(deliveries) == report.files[0].rows
