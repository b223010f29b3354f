"""Quarantined rows through the mapping again, once the mapping, the cross references or the row itself were mended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stocktwin.ingest.chunk import CHUNK_ROWS, Chunk, chunk_of_rows, repeated_names
from stocktwin.ingest.conditions import takes
from stocktwin.ingest.findings import rejected_table
from stocktwin.ingest.mapping import Context, Key, apply, internal_name, without_plain_lines
from stocktwin.ingest.sources.files import maps_of
from stocktwin.ingest.sources.text import CELLS
from stocktwin.ingest.specs import READING_ORDER, MapSpec, SourceSpec, exchange_map
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

Row = Mapping[str, Any]


def replay(
    rows: pa.Table | Iterable[Row],
    source: SourceSpec,
    *,
    location_timezones: Mapping[str, str] | None = None,
    crossref: Mapping[Key, str] | None = None,
) -> Iterator[Delivery]:
    """Deliveries of the quarantined rows that can be read now; `replays` names them. Rows that still cannot be read,
    that no map takes, or that never were rows (a broken line) are not delivered and stay where they are.

    Of the rows that the ledger quarantined (`canonical`), those that were ahead of the clock are delivered again, and
    those that a cross reference renames; other parked ones wait for master data, other rejected ones and conflicts
    stand.

    `rows` have quarantine_id, source, table, file, raw; row and line where they are known (templates with `_row` need
    them); state and canonical where the ledger says. Rows of other sources are left alone.
    """
    context = Context.of(source, location_timezones, crossref)
    groups: dict[tuple[str, str, bool], list[tuple[Row, dict[str, str]]]] = {}
    for row in rows.to_pylist() if isinstance(rows, pa.Table) else rows:
        cells = _cells(row, context)
        if cells is not None:
            groups.setdefault((row["table"], row["file"], bool(row.get("canonical"))), []).append((row, cells))
    for (table, file, canonical), members in sorted(groups.items(), key=lambda group: READING_ORDER.index(group[0][0])):
        for start in range(0, len(members), CHUNK_ROWS):
            yield from _again(members[start : start + CHUNK_ROWS], _maps(table, file, canonical, source), context)


def _cells(row: Row, context: Context) -> dict[str, str] | None:
    """The row's cells, decoded as the source now says; None where there is nothing to map."""
    source = context.source
    if (
        row.get("state") == "conflict"
        or row.get("source", source.name) != source.name
        or row.get("table") not in TABLES
        or not row.get("raw")
    ):
        return None
    try:
        cells = json.loads(row["raw"])
    except ValueError:
        return None
    if not isinstance(cells, dict) or CELLS in cells:
        return None
    if row.get("canonical") and row.get("state") in ("parked", "rejected") and not _renamed(cells, context):
        return None
    return {str(name): _decoded(str(text), source.encoding) for name, text in cells.items() if text is not None}


def _renamed(cells: Row, context: Context) -> bool:
    return any(internal_name(name, text, context.crossref) != text for name, text in cells.items())


def _maps(table: str, file: str, canonical: bool, source: SourceSpec) -> list[MapSpec]:
    """The maps that may take the row, those of its table first; master data is not made of a transaction."""
    specs = () if canonical else maps_of(source, file)
    fitting = [spec for spec in specs if spec.table == table or not spec.distinct]
    return sorted(fitting, key=lambda one: one.table != table) or [exchange_map(table, file)]


def _decoded(text: str, encoding: str) -> str:
    """Bytes that were no UTF-8, in the encoding that the source declares now."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape").decode(encoding)
        except UnicodeError:
            return text
    return text


def _again(members: list[tuple[Row, dict[str, str]]], specs: list[MapSpec], context: Context) -> Iterator[Delivery]:
    chunk = _chunk(members, members[0][0]["file"])
    ids = np.array([row["quarantine_id"] for row, _ in members], np.int64)
    free = np.ones(len(members), bool)
    for spec in specs:
        mine = free & takes(spec, chunk).yes
        free &= ~mine
        if mine.any():
            yield from _deliver(spec, chunk.select(mine), ids[mine], context)


def _deliver(spec: MapSpec, chunk: Chunk, ids: np.ndarray[Any, Any], context: Context) -> Iterator[Delivery]:
    mapped = apply(spec, chunk, context)
    context.learn(spec.table, mapped.facts)
    if mapped.facts.num_rows:
        settled = tuple(int(one) for one in ids[mapped.kept])
        none = rejected_table([])
        facts = without_plain_lines(mapped.facts, chunk.file)
        source = context.source
        yield Delivery(source.name, spec.table, chunk.file, facts, none, system=source.system, replays=settled)


def _chunk(members: list[tuple[Row, dict[str, str]]], file: str) -> Chunk:
    names = list(dict.fromkeys(name for _, cells in members for name in cells))
    columns = [[cells.get(name) for _, cells in members] for name in names]
    rows = [int(row.get("row") or 0) for row, _ in members]
    lines = [int(row.get("line") or 0) for row, _ in members]
    twice = repeated_names(names)
    return chunk_of_rows(file, names, columns, rows, lines if any(lines) else None, ambiguous=twice)
