"""Applies one map of a source to a chunk: renames, fills, reshapes, parses; what cannot be read becomes a finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ingest.chunk import FILE, ROW, Chunk, each_distinct, text_of
from stocktwin.ingest.findings import Finding
from stocktwin.ingest.instants import read_times, resolve
from stocktwin.ingest.normalize import Parsed, parse_column, parse_distinct
from stocktwin.ingest.places import PLACES, UNKNOWN_PLACE, Clocks, arriving_rows, clocks
from stocktwin.ingest.specs import ColumnSpec, MapSpec, SourceSpec
from stocktwin.tables.schema import TABLES, Column, ColumnType

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
LINE = "_line"
"""Optional last column of facts: the line of a text file on which the row begins."""
Key = tuple[str, ...]
"""(kind, external id) of a cross reference, or (system, kind, external id)."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "item": ("item_id", "substitute", "parent", "component"),
    "location": (*PLACES, "source_id", "via"),
    "unit": ("unit",),
}
"""Kind of cross reference → columns that hold such names."""


@dataclass
class Context:
    """What a mapping needs beside the row: whose it is, time zones of locations, other names of our things."""

    source: SourceSpec
    location_timezones: dict[str, str] = field(default_factory=dict)
    """Zones of the locations that are known; empty where a location has none of its own."""
    crossref: dict[Key, str] = field(default_factory=dict)
    knows_locations: bool = False
    """Whether `location_timezones` has every location that is known."""

    @classmethod
    def of(cls, source: SourceSpec, timezones: Mapping[str, str] | None, names: Mapping[Key, str] | None) -> Context:
        """Starts with what the twin knows; names of other systems than the source's are left out."""
        mine = {key: name for key, name in (names or {}).items() if len(key) == 2 or key[0] == source.system}
        ours = {key[-2:]: name for key, name in mine.items()}
        return cls(source, dict(timezones or {}), ours, timezones is not None)

    def learn(self, table: str, facts: pa.Table) -> None:
        """Takes time zones and cross references from master data delivered in the same folder."""
        if table == "locations":
            rows = zip(facts["location_id"].to_pylist(), facts["timezone"].to_pylist(), strict=True)
            self.location_timezones.update({place: name or "" for place, name in rows})
        if table == "crossref":
            columns = (facts[name].to_pylist() for name in ("system", "kind", "external_id", "internal_id"))
            for system, kind, external, internal in zip(*columns, strict=True):
                if system == self.source.system:
                    self.crossref[(kind, external)] = internal


@dataclass(frozen=True)
class Mapped:
    """What became of a chunk: facts with their positions in it, and one finding per row that is none."""

    facts: pa.Table
    kept: npt.NDArray[np.int64]
    findings: list[Finding]


@dataclass(frozen=True)
class _Cells:
    """One exchange column on its way: parsed, with the source columns to blame."""

    column: Column
    parsed: Parsed
    blame: tuple[str, ...]


def resolved(spec: MapSpec, names: Mapping[str, object]) -> MapSpec:
    """A map of an exchange table as it is, with the columns that the file has."""
    if not spec.as_it_is:
        return spec
    known = {column.name for column in TABLES[spec.table].columns}
    return replace(
        spec,
        columns={name: ColumnSpec(columns=(name,)) for name in names if name in known},
        attributes=tuple(name for name in names if name not in known and name != ROW),
    )


def header_findings(spec: MapSpec, chunk: Chunk) -> list[Finding]:
    """What is wrong with the file as a whole: columns that the map needs and the file has not, or has twice."""
    line = None if chunk.lines is None else 1
    header = ", ".join(chunk.columns)
    spec = resolved(spec, chunk.columns)
    findings = [Finding(0, line, name, header, f"column {name!r} stands more than once in the header")
                for name in sorted(chunk.ambiguous)]  # fmt: skip
    wanted = {name for column in spec.columns.values() if len(column.columns) < 2 for name in column.sources}
    wanted |= {condition.column for condition in spec.where} | set(spec.attributes)
    wanted |= {name for name in TABLES[spec.table].required if spec.as_it_is and not _filled_in(name, spec.table)}
    for name in sorted(wanted - set(chunk.columns) - {ROW, FILE}):
        required = name in TABLES[spec.table].required and spec.as_it_is
        words = "required column" if required else f"column named by {spec.key}"
        findings.append(Finding(0, line, name, header, f"{words} is missing: {name!r}; the file has: {header}"))
    return findings


def without_plain_lines(facts: pa.Table, file: str) -> pa.Table:
    """Facts without their lines where these are what everybody expects: row + 1 in a text file."""
    if LINE not in facts.column_names or not file.lower().endswith(TEXT_SUFFIXES):
        return facts
    plain = pc.all(pc.equal(facts[LINE], pc.add(facts[ROW], 1))).as_py()
    return facts if plain is False else facts.drop_columns([LINE])


def apply(spec: MapSpec, chunk: Chunk, context: Context) -> Mapped:
    """Maps every row of a chunk (its `where` has been applied before)."""
    spec = resolved(spec, chunk.columns)
    table = TABLES[spec.table]
    done: dict[str, _Cells] = {}
    for column in (*table.columns, *table.columns):
        later = column.type is ColumnType.INSTANT and not done.keys() >= {*PLACES} & {c.name for c in table.columns}
        if column.name not in done and not later:
            done[column.name] = _column(column, spec, chunk, context, done)
    cells = [done[column.name] for column in table.columns]
    attributes, spoilt = _attributes(spec.attributes, chunk)
    findings = _findings(chunk, [*cells, spoilt], _systems(done.get("system"), spec.table))
    good = np.ones(len(chunk), bool)
    good[list(findings)] = False
    arrays = [*(cell.parsed.values for cell in cells), attributes, pa.array(chunk.rows)]
    facts = pa.Table.from_arrays(arrays, schema=table.arrow_schema())
    if chunk.lines is not None:
        facts = facts.append_column(LINE, pa.array(chunk.lines))
    facts = facts if good.all() else facts.filter(pa.array(good))
    return Mapped(facts, np.flatnonzero(good), [findings[at] for at in sorted(findings)])


def _column(column: Column, spec: MapSpec, chunk: Chunk, context: Context, done: dict[str, _Cells]) -> _Cells:
    made = spec.columns.get(column.name)
    if made is None:
        parsed = Parsed(pa.nulls(len(chunk), column.arrow))
        made = ColumnSpec(columns=(column.name,))
    else:
        parsed = _parse(column, made, chunk, context, done)
    if _filled_in(column.name, spec.table):
        parsed = replace(parsed, values=parsed.values.fill_null(context.source.system))
    elif spec.table != "crossref" and context.crossref:
        parsed = replace(parsed, values=_translated(column.name, parsed.values, context.crossref))
    blame = made.sources or (column.name,)
    parsed = _with_bad_bytes(parsed, made, chunk)
    return _Cells(column, _with_missing(parsed, blame, chunk) if column.required else parsed, blame)


def _filled_in(name: str, table: str) -> bool:
    return name == "system" and table != "crossref"


def _parse(column: Column, made: ColumnSpec, chunk: Chunk, context: Context, done: dict[str, _Cells]) -> Parsed:
    shaped = _reshape(_origin(made, chunk), made)
    if column.type is ColumnType.INSTANT:
        times = read_times(shaped.values, made.format)
        clock = _clocks(column.name, len(chunk), context, done)
        _wait(done, clock, times.naive & times.valid)
        values, outside, reasons = resolve(times, clock.zones, clock.which, made.after_days)
        parsed = Parsed(values, np.concatenate([times.index, outside]), times.reasons + reasons)
    else:
        parsed = parse_column(column, shaped.values, made.format, made.after_days)
    return replace(parsed, index=np.concatenate([shaped.index, parsed.index]), reasons=shaped.reasons + parsed.reasons)


def _origin(made: ColumnSpec, chunk: Chunk) -> pa.Array:
    """The cells a column starts from; null where the file has no such column."""
    if made.value is not None:
        return pa.array([made.value], pa.string()).take(pa.array(np.zeros(len(chunk), np.int64)))
    if made.template:
        return _fill_template(made.template, chunk)
    present = [name for name in made.columns if _usable(name, chunk)]
    if not present:
        return pa.nulls(len(chunk), pa.string())
    arrays = [chunk.columns[name] if name in chunk.columns else chunk.text(name) for name in present]
    if len(arrays) == 1:
        return arrays[0]
    if any(array.type != arrays[0].type for array in arrays):
        arrays = [text_of(array) for array in arrays]
    if pa.types.is_string(arrays[0].type):
        arrays = [pc.if_else(pc.equal(pc.utf8_trim_whitespace(array), ""), None, array) for array in arrays]
    return pc.coalesce(*arrays)


def _usable(name: str, chunk: Chunk) -> bool:
    return (name in chunk.columns and name not in chunk.ambiguous) or name in (ROW, FILE)


def _fill_template(template: tuple[tuple[str, str], ...], chunk: Chunk) -> pa.Array:
    """Literal texts and source columns joined; null where one of the columns is empty."""
    parts: list[pa.Array | pa.Scalar] = []
    for literal, name in template:
        parts.append(pa.scalar(literal, pa.string()))
        if name:
            cells = chunk.text(name) if _usable(name, chunk) else pa.nulls(len(chunk), pa.string())
            cells = pc.utf8_trim_whitespace(cells)
            parts.append(pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells))
    joined = pc.binary_join_element_wise(*parts, "")
    return joined if isinstance(joined, pa.Array) else pa.array([joined.as_py()] * len(chunk), pa.string())


def _reshape(cells: pa.Array, made: ColumnSpec) -> Parsed:
    """Applies the text transformations to each distinct value."""
    if not made.reshapes:
        return Parsed(cells)
    kind = cells.type
    plain = replace(made, absolute=False)
    if made.absolute and not plain.reshapes and (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        return Parsed(pc.abs(cells))
    parsed = parse_distinct(cells, _reshaper(made), pa.string())
    if made.default is None:
        return parsed
    filled = pc.fill_null(parsed.values, made.default).to_pylist() if parsed.reasons else None
    if filled is None:
        return replace(parsed, values=pc.fill_null(parsed.values, made.default))
    return replace(parsed, values=pa.array(filled, pa.string()))


def _reshaper(made: ColumnSpec) -> Callable[[str], str | None]:
    search = re.compile(made.match).search if made.match else None

    def reshape(text: str) -> str | None:
        text = text.strip() if made.strip else text
        text = text.upper() if made.upper else text.lower() if made.lower else text
        if search:
            found = search(text)
            if found is None or found.group(1) is None:
                return made.default
            text = found.group(1)
        if made.translate is not None:
            if text.strip() not in made.translate and made.default is None:
                raise ValueError(f"the mapping has no word for {text!r}")
            text = made.translate.get(text.strip(), made.default or "")
        return _scaled(text, made) if made.absolute or made.multiply is not None else text

    return reshape


def _scaled(text: str, made: ColumnSpec) -> str:
    """What is no number stays as it is: the parser says so."""
    try:
        value = Decimal(text.strip()) * (1 if made.multiply is None else made.multiply)
        return format(abs(value) if made.absolute else value, "f") if abs(value.adjusted()) < 40 else text
    except (InvalidOperation, ArithmeticError, ValueError):
        return text


def internal_name(column: str, text: str | None, crossref: Mapping[Key, str]) -> str | None:
    """Our name of what a column of that name holds; the text itself where no cross reference knows it."""
    kinds = [kind for kind, names in NAMES.items() if column in names]
    kinds += ["party"] if kinds == ["location"] else []
    return next((crossref[(kind, text)] for kind in kinds if text is not None and (kind, text) in crossref), text)


def _translated(name: str, values: pa.Array, crossref: Mapping[Key, str]) -> pa.Array:
    if not any(name in names for names in NAMES.values()):
        return values

    def translate(texts: pa.Array) -> pa.Array:
        return pa.array([internal_name(name, text, crossref) for text in texts.to_pylist()], pa.string())

    return each_distinct(values, translate)


def _clocks(name: str, rows: int, context: Context, done: Mapping[str, _Cells]) -> Clocks:
    source = context.source
    if source.timezone:
        return Clocks([source.timezone], np.zeros(rows, np.int64), {})
    places = {place: done[place].parsed.values for place in PLACES if place in done}
    known = context.location_timezones
    said = [done[column].parsed.values for column in ("kind", "corrects") if column in done]
    arriving = arriving_rows(*said) if len(said) == 2 else None
    return clocks(name, rows, source.twin_timezone, places, known, context.knows_locations, arriving)


def _wait(done: dict[str, _Cells], clock: Clocks, naive: npt.NDArray[np.bool_]) -> None:
    """Rows with a local time at a location that is not known yet: the place is what they wait for."""
    for place, rows in clock.waiting.items():
        held = done[place]
        new = np.setdiff1d(np.flatnonzero(rows & naive), held.parsed.index)
        index = np.concatenate([held.parsed.index, new])
        parsed = replace(held.parsed, index=index, reasons=held.parsed.reasons + [UNKNOWN_PLACE] * len(new))
        done[place] = replace(held, parsed=parsed)


def _with_bad_bytes(parsed: Parsed, made: ColumnSpec, chunk: Chunk) -> Parsed:
    bad = sorted({at for name in made.sources for at in chunk.bad_text.get(name, ())})
    if not bad:
        return parsed
    index = np.concatenate([np.array(bad, np.int64), parsed.index])
    return replace(parsed, index=index, reasons=["bytes that are not UTF-8 text"] * len(bad) + parsed.reasons)


def _with_missing(parsed: Parsed, blame: tuple[str, ...], chunk: Chunk) -> Parsed:
    missing = np.flatnonzero(parsed.values.is_null().to_numpy(zero_copy_only=False))
    missing = np.setdiff1d(missing, parsed.index)
    if not len(missing):
        return parsed
    absent = [name for name in blame if not _usable(name, chunk)]
    reason = "required value is missing"
    if len(absent) == len(blame):
        twice = [name for name in absent if name in chunk.ambiguous]
        reason += f": column {twice[0]!r} stands twice" if twice else f": the file has no column {absent[0]!r}"
    index = np.concatenate([parsed.index, missing])
    return replace(parsed, index=index, reasons=parsed.reasons + [reason] * len(missing))


def _attributes(names: tuple[str, ...], chunk: Chunk) -> tuple[pa.Array, _Cells]:
    """Unknown columns as JSON text per row, and the cells among them that are no text."""
    column = Column("attributes", ColumnType.TEXT, "")
    present = sorted(name for name in names if name in chunk.columns)
    made = ColumnSpec(columns=tuple(present))
    cells = _Cells(column, _with_bad_bytes(Parsed(pa.nulls(len(chunk), pa.string())), made, chunk), tuple(present))
    if not present:
        return pa.nulls(len(chunk), pa.string()), cells
    fragments = [each_distinct(chunk.text(name), partial(_fragments, name)) for name in present]
    # Not null_handling="skip": it drops a row whose parts are all null (Arrow 26).
    joined = pc.binary_join_element_wise(*fragments, "", null_handling="replace", null_replacement="")
    filled = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(joined, 2), "}", "")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), filled), cells


def _fragments(name: str, texts: pa.Array) -> pa.Array:
    """`, "name": "text"`; a column called `attributes` that holds a JSON object is taken apart (a round trip)."""

    def fragment(text: str | None) -> str | None:
        if text is None or text == "":
            return None
        inner = _inner_object(text) if name == "attributes" else None
        inner = f"{json.dumps(name)}: {json.dumps(text, ensure_ascii=False)}" if inner is None else inner
        return f", {inner}" if inner else None

    return pa.array([fragment(text) for text in texts.to_pylist()], pa.string())


def _inner_object(text: str) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return json.dumps(found, ensure_ascii=False, sort_keys=True)[1:-1] if isinstance(found, dict) else None


def _systems(cells: _Cells | None, table: str) -> pa.Array | None:
    """The system that each row names, where rows of the table do; null where it could not be read."""
    if cells is None or not _filled_in("system", table):
        return None
    readable = np.ones(len(cells.parsed.values), bool)
    readable[cells.parsed.index] = False
    return pc.if_else(pa.array(readable), cells.parsed.values, None)


def _findings(chunk: Chunk, cells: list[_Cells], systems: pa.Array | None) -> dict[int, Finding]:
    """The first fault of each row, in the order of the table's columns."""
    first: dict[int, tuple[_Cells, str]] = {}
    for cell in cells:
        for at, reason in _faults(cell.parsed):
            first.setdefault(at, (cell, reason))
    places = sorted(first)
    found = {}
    for at, raw in zip(places, chunk.raws(places), strict=True):
        cell, reason = first[at]
        name, value = _offender(cell, chunk, at)
        system = None if systems is None else systems[at].as_py()
        waits = reason == UNKNOWN_PLACE
        found[at] = Finding(int(chunk.rows[at]), chunk.line(at), name, value, reason, raw, system, waits)
    return found


def _faults(parsed: Parsed) -> Iterator[tuple[int, str]]:
    return zip((int(at) for at in parsed.index), parsed.reasons, strict=True)


def _offender(cell: _Cells, chunk: Chunk, at: int) -> tuple[str, str | None]:
    """The source column to blame and its text: the one with bad bytes, else the first filled, else the first."""
    texts = {name: chunk.cell(name, at) for name in cell.blame}
    spoilt = [name for name in cell.blame if at in chunk.bad_text.get(name, {})]
    filled = [name for name in cell.blame if (texts[name] or "").strip()]
    name = (spoilt or filled or list(cell.blame))[0]
    if texts[name] is not None:
        return name, texts[name]
    made = cell.parsed.values[at]  # by a constant or a template of the mapping
    return name, str(made.as_py()) if made.is_valid else "" if name in chunk.columns else None
