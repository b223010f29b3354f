"""CSV: exact lines, and one finding per row that is none, whatever the bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stocktwin.ingest.chunk import Chunk
from stocktwin.ingest.sources.text import Unreadable, read_text, sniff


def _read(tmp_path: Path, data: bytes, encoding: str = "utf-8") -> list[Chunk]:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    return list(read_text(path, "a.csv", encoding))


def test_rows_know_their_line(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b'\n\nid,text\r\n1,"two\nlines"\n\n2,x\n')
    assert chunk.columns["id"].to_pylist() == ["1", "2"]
    assert chunk.columns["text"].to_pylist() == ["two\nlines", "x"]
    assert chunk.rows.tolist() == [1, 2]
    assert chunk.lines is not None
    assert chunk.lines.tolist() == [4, 7]


@pytest.mark.parametrize(("data", "names"), [
    (b"\xef\xbb\xbfid;q\n1;2\n", ["id", "q"]),
    (b"id\tq\n1\t2\n", ["id", "q"]),
    (b'"a,b";q\n1;2\n', ["a,b", "q"]),
    (b"id, q ,\n1,2,3\n", ["id", "q", "column_3"]),
])  # fmt: skip
def test_headers(tmp_path: Path, data: bytes, names: list[str]) -> None:
    (chunk,) = _read(tmp_path, data)
    assert list(chunk.columns) == names
    assert len(chunk) == 1
    assert not chunk.broken


def test_ragged_rows_become_findings_and_the_rest_is_read(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b"a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n")
    assert chunk.columns["a"].to_pylist() == ["1", "10"]
    assert chunk.rows.tolist() == [1, 4]
    assert [(f.row, f.line, f.column, f.value) for f in chunk.broken] == [(2, 3, "c", None), (3, 4, None, "9")]
    assert "2 cells where the header has 3" in chunk.broken[0].reason


def test_an_unclosed_quote_costs_one_row(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b'a,b\n1,"open\n2,x\n3,"y"\n4,z\n')
    assert chunk.columns["a"].to_pylist() == ["2", "3", "4"]
    assert [(f.row, f.line) for f in chunk.broken] == [(1, 2)]
    assert chunk.broken[0].value == '1,"open'
    assert chunk.rows.tolist() == [2, 3, 4]


def test_an_unclosed_quote_on_the_last_line(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b'a,b\n1,x\n2,"open')
    assert chunk.columns["a"].to_pylist() == ["1"]
    assert [(f.row, f.line, f.value) for f in chunk.broken] == [(2, 3, '2,"open')]


def test_text_after_a_closing_quote_is_not_guessed(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b'a,b\n"5" pipe,1\n6,2\n')
    assert chunk.columns["a"].to_pylist() == ["6"]
    assert chunk.broken[0].line == 2


def test_bytes_that_are_no_text_stay_with_their_cell(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b"a,b\ncaf\xe9,1\nok,2\n")
    assert chunk.columns["a"].to_pylist() == ["caf\\xe9", "ok"]
    assert chunk.bad_text == {"a": {0: "caf\udce9"}}


def test_declared_encoding(tmp_path: Path) -> None:
    (chunk,) = _read(tmp_path, b"a,b\ncaf\xe9,1\n", "cp1252")
    assert chunk.columns["a"].to_pylist() == ["café"]
    assert not chunk.bad_text


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Unreadable, match="empty"):
        _read(tmp_path, data)


def test_more_than_one_chunk(tmp_path: Path) -> None:
    chunks = _read(tmp_path, b"a\n" + b"".join(b"%d\n" % n for n in range(100_002)))
    assert [len(chunk) for chunk in chunks] == [100_000, 2]
    assert chunks[1].rows.tolist() == [100_001, 100_002]
    assert chunks[1].lines is not None
    assert chunks[1].lines.tolist() == [100_002, 100_003]


def test_sniff_prefers_the_most_frequent() -> None:
    assert sniff("a;b,c;d") == ";"
    assert sniff("alone") == ","
