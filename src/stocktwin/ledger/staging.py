"""Staging: delivered rows with their references resolved, units converted, contents digested and faults found; all in
SQL over a relation of delivered rows (`seq, pos, source, _row, _line` and the canonical columns).

A fault is a number into `faults(form)`; the first that holds counts. Nothing raises: bad data is quarantined.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from stocktwin.domain.quantity import MAX_QUANTITY
from stocktwin.ledger import booking
from stocktwin.ledger.digest import content_sql, decimal_text_sql, key_sql
from stocktwin.ledger.layout import Form, code_name

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


def stage_sql(form: Form, relation: str, filled: Collection[str], latest: int) -> str:
    """The CREATE statement of `stage`: one row per delivered row of `relation` with key, digest, codes, atomic
    quantities and fault. `filled` names columns that are not wholly null; events after `latest` (µs) lie in the future.
    """
    codes = [code_name(column, kind) for column, kind in form.references]
    atoms = [f"atomic_{name}" for name in form.quantities]
    kept = ["seq", "pos", "source", "_row", "_line", "system_name", *(["system_code"] if form.has_system else [])]
    kept += codes + atoms + (["num", "den"] if form.name == "units" else [])
    kinds = "kind, from_id, to_id, " if form.name == "movements" else ""
    return f"""
CREATE OR REPLACE TEMP TABLE stage AS
WITH resolved AS ({_resolved_sql(form, relation, latest)}),
measured AS (SELECT *{_numerators(form)} FROM resolved),
atoms AS (SELECT *{_atoms(form)} FROM measured)
SELECT {", ".join(kept)}, {kinds}{key_sql(form)} AS key, {content_sql(form, filled)} AS digest,
    {_fault_case(form)} AS fault
FROM atoms"""


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
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS INTEGER)"


def resolved_sql(form: Form, relation: str) -> str:
    """Delivered rows with codes and units beside them, for the text of findings."""
    return f"SELECT *{_numerators(form)} FROM ({_resolved_sql(form, relation, BIGGEST)})"


def _resolved_sql(form: Form, relation: str, latest: int) -> str:
    columns = [f"CAST({latest} AS BIGINT) AS latest", "batch.record_time AS recorded"]
    joins = ["JOIN batch ON batch.seq = i.seq"]
    if form.has_system:
        columns += ["sy.code AS system_code", "sy.name AS system_name"]
        joins.append("LEFT JOIN system sy ON sy.name = i.system")
    else:
        columns.append("batch.system AS system_name")
    for column, kind in form.references:
        alias, name = f"r_{column}", "item" if kind == "item" else "place"
        columns.append(f"{alias}.code AS {code_name(column, kind)}")
        joins.append(f'LEFT JOIN {name} {alias} ON {alias}.{name}_id = i."{column}"')
    if form.quantities:
        columns += ["r_item_id.unit AS base_unit", "r_item_id.scale", "r_item_id.power"]
        columns += ["u.num AS unit_num", "u.den AS unit_den"]
        joins.append("LEFT JOIN unit_factor u ON u.item_id = i.item_id AND u.unit = i.unit")
    if form.name == "items":
        first = "OVER (PARTITION BY i.item_id ORDER BY i.seq, i.pos)"
        columns.append(f"coalesce(known.scale, first_value(coalesce(i.scale, 0)) {first}) AS fixed_scale")
        columns.append(f"coalesce(known.unit, first_value(coalesce(i.unit, 'each')) {first}) AS fixed_unit")
        joins.append("LEFT JOIN item known ON known.item_id = i.item_id")
    return f"SELECT i.*, {', '.join(columns)} FROM {relation} i {' '.join(joins)}"


def _numerators(form: Form) -> str:
    if not form.quantities:
        return ""
    own = "unit IS NULL OR unit = base_unit"
    return f", CASE WHEN {own} THEN 1 ELSE unit_num END AS num, CASE WHEN {own} THEN 1 ELSE unit_den END AS den"


def _atoms(form: Form) -> str:
    """Exact conversion: atomic = quantity × num × 10^scale ÷ den, in 128-bit integers (at most 10³⁶)."""
    if not form.quantities:
        return ""
    nano = "CAST({0} * 1000000000 AS HUGEINT) * num * power"
    columns = ["CAST(den AS HUGEINT) * 1000000000 AS divisor"]
    for name in form.quantities:
        columns.append(f"CASE WHEN abs({name}) <= {MAX_QUANTITY} THEN {nano.format(name)} END AS n_{name}")
        columns.append(f"TRY_CAST(n_{name} // divisor AS BIGINT) AS atomic_{name}")
    return ", " + ", ".join(columns)
