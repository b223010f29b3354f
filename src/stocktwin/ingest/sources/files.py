"""A folder of CSV and Parquet files → deliveries, master data first, and a report of what was not delivered and why."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.ingest.chunk import CHUNK_ROWS, Chunk
from stocktwin.ingest.conditions import takes, undecided_findings
from stocktwin.ingest.findings import Finding, rejected_table
from stocktwin.ingest.mapping import TEXT_SUFFIXES, Context, Key, Mapped, apply, header_findings, without_plain_lines
from stocktwin.ingest.sources.parquet import read_parquet
from stocktwin.ingest.sources.text import Unreadable, read_text
from stocktwin.ingest.specs import READING_ORDER, MapSpec, SourceSpec, exchange_map
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

PARQUET_SUFFIXES: Final = (".parquet", ".pq")
PART: Final = re.compile(r"[-_.]\d.*")
"""What may follow a table's name in a file name: `movements-2026-01-05.csv` is one of `movements`."""


@dataclass
class FileReport:
    """What became of the rows of one file under one map."""

    file: str
    table: str
    rows: int = 0
    """Rows read from the file (by every map that reads it)."""
    facts: int = 0
    rejected: int = 0
    collapsed: int = 0
    """Further rows of a key under `distinct`."""


@dataclass
class FolderReport:
    """Filled while a folder is read."""

    files: list[FileReport] = field(default_factory=list)
    untaken: dict[str, int] = field(default_factory=dict)
    """File → rows that no map's `where` takes (maps with `distinct` do not count)."""
    ignored: dict[str, str] = field(default_factory=dict)
    """File → why it was not read."""


@dataclass(frozen=True)
class _Pass:
    """One reading of one file under one map.

    The lead pass answers for rows that no map takes; master data drawn from transactions (`distinct`) takes none.
    """

    path: Path
    spec: MapSpec
    answering: tuple[MapSpec, ...]
    lead: bool


def read_folder(
    folder: Path,
    source: SourceSpec,
    *,
    location_timezones: Mapping[str, str] | None = None,
    crossref: Mapping[Key, str] | None = None,
    progress: Progress = silent,
    report: FolderReport | None = None,
    whole: bool = True,
) -> Iterator[Delivery]:
    """Reads a folder lazily, one delivery of at most 100,000 rows after the other, in `READING_ORDER`. With `whole`, a
    map that no file fits is a finding.

    Raises NotFoundError where there is no such folder and UsageError where nothing in it can be read; whatever is
    wrong with the data comes as findings in the deliveries.
    """
    report = FolderReport() if report is None else report
    if not folder.is_dir():
        raise NotFoundError("folder", str(folder))
    passes = plan(folder, source, report)
    if not passes:
        raise UsageError(_nothing(folder, source, report))
    context = Context.of(source, location_timezones, crossref)
    missing = missing_files(folder, source) if whole else []
    return chain(missing, _read(passes, context, progress, report))


def missing_files(folder: Path, source: SourceSpec) -> list[Delivery]:
    """A finding for each file that the source's maps speak of and the folder has not."""
    names = [path.name for path in folder.iterdir()]
    missing: dict[str, MapSpec] = {}
    for spec in source.maps:
        if not any(fnmatchcase(name, spec.file) for name in names):
            missing.setdefault(spec.file, spec)
    return [
        Delivery(
            source=source.name,
            table=spec.table,
            file=file,
            facts=TABLES[spec.table].arrow_schema().empty_table(),
            rejected=rejected_table([Finding(0, None, None, file, f"no such file in the folder; {spec.key} reads it")]),
            system=source.system,
        )
        for file, spec in missing.items()
    ]


def maps_of(source: SourceSpec, file: str) -> tuple[MapSpec, ...]:
    """The maps that read a file of this name: those declared for it, else its own name if that is an exchange table."""
    declared = tuple(spec for spec in source.maps if fnmatchcase(file, spec.file))
    if declared:
        return declared
    stem = file.rsplit(".", 1)[0].lower()
    tables = [name for name in TABLES if stem == name or (stem.startswith(name) and PART.fullmatch(stem[len(name) :]))]
    return (exchange_map(tables[0], file),) if tables else ()


def plan(folder: Path, source: SourceSpec, report: FolderReport) -> list[_Pass]:
    """Which file is read under which map, master data first; files that are not read are put into the report."""
    passes: list[_Pass] = []
    for path in sorted(folder.iterdir()):
        specs = maps_of(source, path.name)
        why = _why_not(path, specs, source)
        if why:
            report.ignored[path.name] = why
            continue
        answering = tuple(spec for spec in specs if not spec.distinct) or specs
        passes += [_Pass(path, spec, answering, spec is answering[0]) for spec in specs]
    return sorted(passes, key=lambda one: READING_ORDER.index(one.spec.table))


def _why_not(path: Path, specs: tuple[MapSpec, ...], source: SourceSpec) -> str:
    declared = next((reason for pattern, reason in source.ignore.items() if fnmatchcase(path.name, pattern)), "")
    if declared:
        return declared
    if path.is_dir():
        return "a folder; folders inside a source's folder are not read"
    if path.suffix.lower() not in TEXT_SUFFIXES + PARQUET_SUFFIXES:
        return "neither CSV nor Parquet"
    if not specs:
        return "no map names it and its name is no exchange table"
    if specs[0].as_it_is and path.suffix.lower() == ".csv" and path.with_suffix(".parquet").exists():
        return "the same table is there as Parquet"
    return ""


def _nothing(folder: Path, source: SourceSpec, report: FolderReport) -> str:
    patterns = sorted({spec.file for spec in source.maps})
    looked = [*patterns, *(f"{table}.csv or .parquet" for table in ("items", "movements", "orders"))]
    there = "; ".join(f"{file} ({why})" for file, why in list(report.ignored.items())[:5]) or "it is empty"
    return f"nothing to read in {str(folder)!r}: looked for {', '.join(looked)} and the other exchange tables; {there}"


def _read(passes: list[_Pass], context: Context, progress: Progress, report: FolderReport) -> Iterator[Delivery]:
    seen: dict[str, set[tuple[object, ...]]] = {}
    digests: dict[Path, str] = {}
    for at, one in enumerate(passes):
        progress(at, len(passes), f"{one.path.name} → {one.spec.table}")
        if one.path not in digests:
            digests[one.path] = digest_of(one.path)
        reading = _Reading(one, context, FileReport(one.path.name, one.spec.table), digests[one.path], seen)
        report.files.append(reading.count)
        yield from reading.deliveries(report)
    progress(len(passes), len(passes), "read")


def digest_of(path: Path) -> str:
    """SHA-256 of a file, empty where it cannot be read (which the reader reports)."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


class _Reading:
    """One pass: chunks in, deliveries out; small remainders are collected into full batches."""

    def __init__(
        self, one: _Pass, context: Context, count: FileReport, digest: str, seen: dict[str, set[tuple[object, ...]]]
    ) -> None:
        self.one, self.context, self.count, self.digest = one, context, count, digest
        self.seen = seen.setdefault(one.spec.table, set())
        self.facts: list[pa.Table] = []
        self.findings: list[Finding] = []
        self.position = 0

    def deliveries(self, report: FolderReport) -> Iterator[Delivery]:
        """Deliveries of this pass; a file that cannot be read (further) ends in a finding about the file."""
        first = True
        chunks = _open(self.one.path, self.context.source.encoding)
        while True:
            try:
                chunk = next(chunks, None)
            except Unreadable as error:
                if self.one.lead:
                    self.findings.append(Finding(0, error.line, None, error.value, error.reason))
                break
            if chunk is None:
                break
            mapped = self._map(chunk, report)
            new = mapped.facts.num_rows + len(mapped.findings)
            if self._held() and self._held() + new > CHUNK_ROWS:
                yield self._flush()
            if first:
                self.findings += header_findings(self.one.spec, chunk)
            first = False
            self._hold(chunk, mapped)
        if self.facts or self.findings:
            yield self._flush()

    def _map(self, chunk: Chunk, report: FolderReport) -> Mapped:
        spec = self.one.spec
        taken = takes(spec, chunk)
        findings = self._leftovers(chunk, report) if self.one.lead else []
        mapped = apply(spec, chunk.select(taken.yes), self.context)
        facts = self._distinct(mapped.facts) if spec.distinct else mapped.facts
        self.context.learn(spec.table, facts)
        return Mapped(facts, mapped.kept, mapped.findings + findings)

    def _leftovers(self, chunk: Chunk, report: FolderReport) -> list[Finding]:
        """Rows that no map takes: broken ones and undecided ones are findings, the others are counted."""
        judged = [takes(spec, chunk) for spec in self.one.answering]
        free = ~np.logical_or.reduce([taken.yes for taken in judged])
        findings = list(chunk.broken)
        for spec, taken in zip(self.one.answering, judged, strict=True):
            findings += undecided_findings(spec, chunk, taken, taken.undecided & free)
            free &= ~taken.undecided
        report.untaken[chunk.file] = report.untaken.get(chunk.file, 0) + int(free.sum())
        return findings

    def _distinct(self, facts: pa.Table) -> pa.Table:
        """The first row of each key not delivered yet."""
        key = list(TABLES[self.one.spec.table].key)
        groups = facts.group_by(key, use_threads=False).aggregate([("_row", "min")])
        rows = groups["_row_min"].to_pylist()
        keys = zip(*(groups[name].to_pylist() for name in key), strict=True)
        first = []
        for row, value in zip(rows, keys, strict=True):
            if value not in self.seen:
                self.seen.add(value)
                first.append(row)
        keep = np.isin(facts["_row"].to_numpy(), np.array(first, np.int64))
        self.count.collapsed += len(keep) - int(keep.sum())
        return facts.filter(pa.array(keep))

    def _hold(self, chunk: Chunk, mapped: Mapped) -> None:
        self.position += len(chunk) + len(chunk.broken)
        self.count.rows = self.position
        self.count.facts += mapped.facts.num_rows
        self.count.rejected += len(mapped.findings)
        if mapped.facts.num_rows:
            self.facts.append(mapped.facts)
        self.findings += mapped.findings

    def _held(self) -> int:
        return sum(int(table.num_rows) for table in self.facts) + len(self.findings)

    def _flush(self) -> Delivery:
        schema = TABLES[self.one.spec.table].arrow_schema()
        facts = pa.concat_tables(self.facts) if self.facts else schema.empty_table()
        file = self.one.path.name
        delivery = Delivery(
            source=self.context.source.name,
            table=self.one.spec.table,
            file=file,
            facts=without_plain_lines(facts, file).combine_chunks(),
            rejected=rejected_table(self.findings),
            cursor=f"{file}:{self.digest[:16]}:{self.position}",
            raw_digest=self.digest,
            system=self.context.source.system,
        )
        self.facts, self.findings = [], []
        return delivery


def _open(path: Path, encoding: str) -> Iterator[Chunk]:
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return read_parquet(path, path.name)
    return read_text(path, path.name, encoding)
