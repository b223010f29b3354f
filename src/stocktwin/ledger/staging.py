"""Staging: delivered rows with their references resolved, units converted, contents digested and faults found; all in
SQL over a relation of delivered rows (`seq, pos, recorded, whose, source, _row, _line` and the canonical columns).

A fault is a number into `faults(form)`; the first that holds counts. Nothing raises: bad data is quarantined.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from stocktwin.domain.calendar import FUTURE_TOLERANCE_US
from stocktwin.domain.quantity import MAX_QUANTITY
from stocktwin.ledger import booking
from stocktwin.ledger.digest import content_sql, decimal_text_sql, key_sql
from stocktwin.ledger.layout import Form, code_name
from stocktwin.tables.schema import Column

BIGGEST = 2**63 - 1


@dataclass(frozen=True)
class Fault:
    """Something that keeps a delivered row out of the facts. `when`, `value` and `reason` are SQL expressions over the
    delivered columns; `reason` also sees the item's `scale`."""

    state: str
    """`parked` (may resolve), `rejected`, `future` or `conflict`."""
    column: str
    when: str
    value: str
    reason: str
    needs: str = ""
    """What a parked row waits for: `item`, `place` or `unit`."""


@cache
def faults(form: Form) -> tuple[Fault, ...]:
    """Everything that can be wrong with a row of a table, the first to hold being the one that is told."""
    found: list[Fault] = []
    if form.table.column("event_time"):
        reason = "'lies more than five minutes after ' || strftime(make_timestamp(recorded), '%Y-%m-%dT%H:%M:%SZ') || '"
        found.append(Fault("future", "event_time", "event_time > latest", _instant_text("event_time"),
                           reason + ", when it was delivered'"))  # fmt: skip
    for column, kind in form.references:
        what = "item" if kind == "item" else "location"
        when = f"{column} IS NOT NULL AND {code_name(column, kind)} IS NULL"
        found.append(Fault("parked", column, when, column, f"'unknown {what}'", needs=kind))
    if form.quantities:
        when = "unit IS NOT NULL AND unit <> base_unit AND num IS NULL"
        reason = "'unknown unit of item ' || item_id || ', whose base unit is ' || base_unit"
        found.append(Fault("parked", "unit", when, "unit", reason, needs="unit"))
    found += [fault for name in form.quantities for fault in _quantity_faults(name)]
    if form.name == "movements":
        for side in ("from_id", "to_id"):
            when = f"{booking.missing_sql()} = '{side}'"
            found.append(Fault("rejected", side, when, "NULL", f"kind || ' needs {side}'"))
    if form.name == "items":
        found += [_fixed("scale", "0"), _fixed("unit", "'each'")]
    return tuple(found)


def _quantity_faults(name: str) -> list[Fault]:
    text = decimal_text_sql(name)
    huge = f"{name} IS NOT NULL AND (abs({name}) > {MAX_QUANTITY} OR abs(n_{name} // divisor) > {BIGGEST})"
    whole = "'not a whole number of atomic units of item ' || item_id || ' (unit ' || coalesce(unit, base_unit) || "
    return [
        Fault("rejected", name, huge, text, "'absurd quantity'"),
        Fault("rejected", name, f"n_{name} % divisor <> 0", text, whole + "', scale ' || scale || ')'"),
    ]


def _fixed(name: str, default: str) -> Fault:
    stated = f"coalesce({name}, {default})"
    reason = f"'the {name} of an item is fixed when it is created (' || fixed_{name} || ')'"
    return Fault("conflict", name, f"{stated} <> fixed_{name}", f"CAST({stated} AS VARCHAR)", reason)


def _instant_text(column: str) -> str:
    return f"strftime(make_timestamp({column}), '%Y-%m-%dT%H:%M:%SZ')"


def stage_sql(form: Form, relation: str, filled: Collection[str], *, lanes: bool, retried: int | None = None) -> str:
    """The CREATE statement of `stage`: one row per delivered row of `relation` with key, digest, fault, system and the
    columns as facts keep them. `filled` names columns that are not wholly null: the others stand in no column. Events
    of more than five minutes after their record time lie in the future; facts `retried` are known since then (µs).
    """
    known_at, latest = ("recorded", f"recorded + {FUTURE_TOLERANCE_US}") if retried is None else (retried, BIGGEST)
    kept = ["seq", "pos", f"CAST({known_at} AS BIGINT) AS known_at", "source", "system_name"]
    kept += ["num", "den"] if form.name == "units" else []
    if form.name == "movements":
        ends = (
            ("out_place", booking.out_sql(lanes)),
            ("into_place", booking.into_sql(lanes)),
            ("site", booking.site_sql()),
        )
        kept += [f"{end} AS {name}" for name, end in ends]
    kept += [f'{_kept_sql(form, column)} AS "{form.stored(column)[0]}"' for column in _stored(form, filled)]
    kept += ["attributes"] if "attributes" in filled else []
    lane = "LEFT JOIN (SELECT code, origin, destination FROM place WHERE origin IS NOT NULL) lane "
    lane += "ON lane.origin = from_place AND lane.destination = to_place"
    return f"""
CREATE OR REPLACE TEMP TABLE stage AS
WITH resolved AS ({_resolved_sql(form, relation, filled)}),
measured AS (SELECT *, {latest} AS latest{_numerators(form, filled)} FROM resolved),
atoms AS (SELECT *{_atoms(form)} FROM measured)
SELECT {", ".join(kept)}, {key_sql(form)} AS key, {content_sql(form, filled)} AS digest,
    {_fault_case(form)} AS fault
FROM atoms {lane if lanes else ""}"""


def stored_names(form: Form, filled: Collection[str]) -> list[str]:
    """Columns of `stage` that hold what was delivered, named as facts keep them."""
    return [form.stored(column)[0] for column in _stored(form, filled)] + ["attributes"] * ("attributes" in filled)


def _stored(form: Form, filled: Collection[str]) -> list[Column]:
    return [column for column in form.table.columns if column.name in filled]


def _kept_sql(form: Form, column: Column) -> str:
    """A delivered column as facts keep it: codes, atomic integers, enums."""
    stored, kind = form.stored(column)
    if form.coded and column.name == "system":
        return "system_code"
    if column.name in form.quantities:
        return f"atomic_{column.name}"
    if stored != column.name:
        return stored
    return f'CAST("{column.name}" AS {kind})' if kind in ("movement_kind", "condition") else f'"{column.name}"'


def fault_values_sql(form: Form, attribute: str) -> str:
    """SQL expression: `state`, `column`, `value`, `reason`, `needs` of a row by its fault number."""
    plain = attribute in ("state", "column", "needs")
    cases = [
        f"WHEN {number} THEN " + (f"'{getattr(fault, attribute)}'" if plain else getattr(fault, attribute))
        for number, fault in enumerate(faults(form))
    ]
    return f"CASE fault {' '.join(cases)} END" if cases else "NULL"


def _fault_case(form: Form) -> str:
    cases = [f"WHEN {fault.when} THEN {number}" for number, fault in enumerate(faults(form))]
    usual = [f"WHEN {_sound_sql(form)} THEN NULL"] if form.quantities else []
    return f"CASE {' '.join([*usual, *cases])} END" if cases else "CAST(NULL AS INTEGER)"


def _sound_sql(form: Form) -> str:
    """SQL condition that holds for most rows and for none with a fault: told at once, so that none is looked for."""
    known = [f"{code_name(column, kind)} IS NOT NULL" for column, kind in form.references]
    plain = [f"plain_{name} IS NOT NULL" for name in form.quantities]
    past = ["event_time <= latest"] if form.table.column("event_time") else []
    return " AND ".join([*known, *plain, *past])


def resolved_sql(form: Form, relation: str) -> str:
    """Delivered rows with codes and units beside them, for the text of findings."""
    return f"SELECT *{_numerators(form)} FROM ({_resolved_sql(form, relation)})"


def _resolved_sql(form: Form, relation: str, filled: Collection[str] | None = None) -> str:
    """Delivered rows with the codes of what they name, their system, and their item's unit."""
    columns, joins = [], []
    if form.has_system:
        columns += ["sy.code AS system_code", "sy.name AS system_name"]
        joins.append("LEFT JOIN system sy ON sy.name = i.system")
    else:
        columns.append("i.whose AS system_name")
    for column, kind in form.references:
        alias, name = f"r_{column}", "item" if kind == "item" else "place"
        columns.append(f"{alias}.code AS {code_name(column, kind)}")
        joins.append(f'LEFT JOIN {name} {alias} ON {alias}.{name}_id = i."{column}"')
    if form.quantities:
        columns += ["r_item_id.unit AS base_unit", "r_item_id.scale", "r_item_id.power"]
        if _has_units(filled):
            columns += ["u.num AS unit_num", "u.den AS unit_den"]
            joins.append("LEFT JOIN unit_factor u ON u.item_id = i.item_id AND u.unit = i.unit")
    if form.name == "items":
        first = "OVER (PARTITION BY i.item_id ORDER BY i.seq, i.pos)"
        columns.append(f"coalesce(known.scale, first_value(coalesce(i.scale, 0)) {first}) AS fixed_scale")
        columns.append(f"coalesce(known.unit, first_value(coalesce(i.unit, 'each')) {first}) AS fixed_unit")
        joins.append("LEFT JOIN item known ON known.item_id = i.item_id")
    return f"SELECT i.*, {', '.join(columns)} FROM {relation} i {' '.join(joins)}"


def _has_units(filled: Collection[str] | None) -> bool:
    return filled is None or "unit" in filled


def _numerators(form: Form, filled: Collection[str] | None = None) -> str:
    if not form.quantities:
        return ""
    if not _has_units(filled):
        return ", CAST(1 AS BIGINT) AS num, CAST(1 AS BIGINT) AS den"
    own = "unit IS NULL OR unit = base_unit"
    return f", CASE WHEN {own} THEN 1 ELSE unit_num END AS num, CASE WHEN {own} THEN 1 ELSE unit_den END AS den"


def _atoms(form: Form) -> str:
    """Exact conversion: atomic = quantity × num × 10^scale ÷ den, in 128-bit integers (at most 10³⁶). A whole number of
    a base unit that is the atomic one (`plain`) needs none: 128-bit division is what costs most."""
    if not form.quantities:
        return ""
    columns = ["CAST(den AS HUGEINT) * 1000000000 AS divisor"]
    for name in form.quantities:
        whole = f"TRY_CAST({name} AS BIGINT)"
        usual = f"num = 1 AND den = 1 AND power = 1 AND abs({name}) <= {MAX_QUANTITY} AND {name} = {whole}"
        nano = f"CAST({name} * 1000000000 AS HUGEINT) * num * power"
        columns.append(f"CASE WHEN {usual} THEN {whole} END AS plain_{name}")
        columns.append(f"CASE WHEN plain_{name} IS NULL AND abs({name}) <= {MAX_QUANTITY} THEN {nano} END AS n_{name}")
        columns.append(f"coalesce(plain_{name}, TRY_CAST(n_{name} // divisor AS BIGINT)) AS atomic_{name}")
    return ", " + ", ".join(columns)
