"""Text files: CSV with `,`, `;` or tab, in chunks, with the line of every row; what is no row becomes a finding."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from stocktwin.ingest.chunk import CHUNK_ROWS, Chunk, chunk_of_rows, unique_names
from stocktwin.ingest.findings import Finding, raw_json

DELIMITERS = (",", ";", "\t")
BLOCK = 2_000
CELLS = "_cells"
"""Key of the raw JSON of a row that has no columns: its cells, or its line, as they stand."""


class Unreadable(Exception):
    """The file as a whole cannot be read (further)."""

    def __init__(self, reason: str, line: int | None = None, value: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.line, self.value = reason, line, value


class _Lines:
    """Lines of a file, counted; those of a record that went wrong can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.number += 1
        self.taken.append(line)
        return line

    def block(self, size: int) -> list[str]:
        """The next lines, as they stand."""
        lines = [self._again.popleft() for _ in range(min(size, len(self._again)))]
        lines += islice(self._lines, size - len(lines))
        self.number += len(lines)
        return lines

    def restore(self, lines: list[str]) -> None:
        """Takes back a block that was not used."""
        self.number -= len(lines)
        self._again.extendleft(reversed(lines))

    def give_back(self) -> None:
        """Keeps the first line of the record: an unclosed quote must not swallow the rows after it."""
        self.number -= len(self.taken) - 1
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def read_text(path: Path, file: str, encoding: str = "utf-8") -> Iterator[Chunk]:
    """Chunks of a CSV file, at least one (without rows where there is only a header); Unreadable where it is empty."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with path.open(encoding=codec, errors="surrogateescape", newline="") as handle:
            yield from _chunks(_Lines(iter(handle)), file)
    except (OSError, UnicodeError) as error:
        raise Unreadable(f"the file cannot be read: {error}") from None


def _chunks(lines: _Lines, file: str) -> Iterator[Chunk]:
    header, delimiter = _header(lines)
    names, ambiguous = unique_names(header)
    records = _records(lines, delimiter, len(names))
    row = 0
    while True:
        gathered = _Gathered(names)
        for start, record in records:
            row += 1
            if isinstance(record, str):
                gathered.broken.append(_broken(row, start, record, lines, names))
            elif len(record) != len(names):
                gathered.broken.append(_ragged(row, start, record, names))
            else:
                gathered.add(row, start, record)
            if len(gathered.rows) + len(gathered.broken) >= CHUNK_ROWS:
                break
        else:
            yield gathered.chunk(file, ambiguous)
            return
        yield gathered.chunk(file, ambiguous)


class _Gathered:
    """Rows on their way into columns. Few are kept as lists at a time: the garbage collector walks every one of them,
    which took half the time of reading."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.columns: list[list[str]] = [[] for _ in names]
        self.cells: list[list[str]] = []
        self.rows: list[int] = []
        self.starts: list[int] = []
        self.broken: list[Finding] = []

    def add(self, row: int, line: int, cells: list[str]) -> None:
        self.rows.append(row)
        self.starts.append(line)
        self.cells.append(cells)
        if len(self.cells) >= BLOCK:
            self._turn()

    def _turn(self) -> None:
        for column, part in zip(self.columns, zip(*self.cells, strict=True), strict=False):
            column.extend(part)
        self.cells.clear()

    def chunk(self, file: str, ambiguous: frozenset[str]) -> Chunk:
        """The chunk of what was gathered."""
        self._turn()
        return chunk_of_rows(file, self.names, self.columns, self.rows, self.starts, tuple(self.broken), ambiguous)


def _header(lines: _Lines) -> tuple[list[str], str]:
    for line in lines:
        if line.strip():
            delimiter = sniff(line)
            lines.give_back()
            try:
                return next(csv.reader([line], delimiter=delimiter, strict=True)), delimiter
            except (csv.Error, StopIteration) as error:
                raise Unreadable(f"the header cannot be read: {error}", lines.number, line.rstrip("\r\n")) from None
        lines.taken.clear()
    raise Unreadable("the file is empty: it has no header", 1, "")


def sniff(header: str) -> str:
    r"""The delimiter of a header line: the most frequent of `,`, `;` and tab outside quotes, else a comma.

    >>> sniff('"a,b,c";d')
    ';'
    """
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[tuple[int, list[str] | str]]:
    """(line, cells) of each record, or (line, what is wrong with it); blank lines are no records.

    Blocks without a quote, where a line is a record, go through the reader at once; others record by record.
    """
    while block := lines.block(BLOCK):
        first = lines.number - len(block) + 1
        plain = _plain(block, delimiter)
        if plain is None:
            lines.restore(block)
            yield from _careful(lines, delimiter, width, first + len(block) - 1)
        else:
            yield from ((line, record) for line, record in enumerate(plain, first) if record)


def _plain(block: list[str], delimiter: str) -> list[list[str]] | None:
    if any('"' in line for line in block):
        return None
    try:
        records = list(csv.reader(block, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records if len(records) == len(block) else None


def _careful(lines: _Lines, delimiter: str, width: int, last: int) -> Iterator[tuple[int, list[str] | str]]:
    """Records that begin on lines up to `last`."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    taken = lines.taken
    while lines.number < last:
        taken.clear()
        start = lines.number + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            yield start, str(error)
            continue
        if len(record) != width and len(taken) > 1:
            lines.give_back()
            yield start, "a quote is opened and not closed on the line"
        elif record:
            yield start, record


def _broken(row: int, line: int, reason: str, lines: _Lines, names: list[str]) -> Finding:
    text = lines.taken[0].rstrip("\r\n") if lines.taken else ""
    return Finding(
        row, line, names[0], text, f"the line cannot be split into cells: {reason}", raw_json({CELLS: [text]})
    )


def _ragged(row: int, line: int, record: list[str], names: list[str]) -> Finding:
    """The first cell too many or the first column without a cell."""
    at = min(len(record), len(names))
    column = names[at] if at < len(names) else None
    value = record[at] if at < len(record) else None
    reason = f"the row has {len(record)} cells where the header has {len(names)}"
    return Finding(row, line, column, value, reason, raw_json({CELLS: record}))
