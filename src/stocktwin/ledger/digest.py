"""The canonical text of a fact and its 128-bit digest, from which keys, contents and the state hash are made.

Text: the table's name and `name=value` pairs in schema order, joined by U+001F; nulls left out. Quantities with a unit
are atomic integers and the unit is left out; other decimals have nine places, instants are UTC microseconds, dates ISO,
flags `true`/`false`, unit factors reduced. Columns that only say when or where something was written down
(`Column.digest`) are left out unless they are part of the key. The digest is MD5 read as a little-endian number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from stocktwin.domain.quantity import parse_factor
from stocktwin.ledger.layout import Form
from stocktwin.tables.schema import Column, ColumnType

SEPARATOR = "\x1f"
DECIMALS = (ColumnType.QUANTITY, ColumnType.LEVEL, ColumnType.DECIMAL)


def content_columns(form: Form) -> list[Column]:
    """Columns that make a fact's content, in schema order."""
    return [c for c in form.table.columns if c.digest or c.name in form.table.key]


def content_sql(form: Form, filled: Collection[str]) -> str:
    """SQL expression: digest of staged rows' content. `filled` names the columns that are not wholly null."""
    parts = [f"'{c.name}=' || {_value_sql(form, c)}" for c in content_columns(form) if c.name in filled]
    if "attributes" in filled:
        parts.append("'attributes=' || attributes")
    return f"md5_number(concat_ws(chr(31), '{form.name}'{''.join(', ' + part for part in parts)}))"


def _value_sql(form: Form, column: Column) -> str:
    if column.name in form.quantities:
        return f"atomic_{column.name}"
    if column.type is ColumnType.FACTOR:
        return "(num || '/' || den)"
    return f'CAST("{column.name}" AS VARCHAR)'


def fingerprint_sql(form: Form) -> str:
    """SQL expression: digest of a row as it was delivered, before references and units are resolved."""
    columns = [c for c in form.table.columns if c.digest or c.name in form.table.key or c.name == "unit"]
    parts = ", ".join(f"'{c.name}=' || CAST(\"{c.name}\" AS VARCHAR)" for c in columns)
    return f"md5_number(concat_ws(chr(31), 'raw {form.name}', {parts}, 'attributes=' || attributes))"


def key_sql(form: Form) -> str:
    """SQL expression: digest of a row's key."""
    parts = ", chr(31), ".join(f"coalesce(CAST(\"{name}\" AS VARCHAR), '')" for name in form.table.key)
    return f"md5_number(concat({parts}))"


def raw_sql(form: Form) -> str:
    """SQL expression: the delivered row as JSON of its filled canonical columns, all as text."""
    pairs = ", ".join(f'"{c.name}" := {_text_sql(c)}' for c in form.table.columns)
    pairs += ', "attributes" := attributes'
    return f"CAST(json_merge_patch('{{}}', to_json(struct_pack({pairs}))) AS VARCHAR)"


def decimal_text_sql(column: str) -> str:
    """SQL expression: a decimal without the zeros that its type adds."""
    return f"rtrim(rtrim(CAST({column} AS VARCHAR), '0'), '.')"


def _text_sql(column: Column) -> str:
    if column.type in DECIMALS:
        return decimal_text_sql(f'"{column.name}"')
    if column.type is ColumnType.INSTANT:
        return f"strftime(make_timestamp({column.name}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f'CAST("{column.name}" AS VARCHAR)'


# ---- the same in plain Python: slow, independent, what `verify` and the tests compare with


def content_text(form: Form, fact: Mapping[str, Any]) -> str:
    """The canonical text of an accepted fact (quantities with a unit given as atomic integers)."""
    pairs = [(c.name, _plain(form, c, fact.get(c.name))) for c in content_columns(form)]
    pairs.append(("attributes", fact.get("attributes")))
    return SEPARATOR.join([form.name, *(f"{name}={value}" for name, value in pairs if value is not None)])


def content_digest(form: Form, fact: Mapping[str, Any]) -> int:
    """The digest of an accepted fact."""
    return int.from_bytes(hashlib.md5(content_text(form, fact).encode(), usedforsecurity=False).digest(), "little")


def _plain(form: Form, column: Column, value: Any) -> str | None:
    if value is None:
        return None
    if column.type is ColumnType.FACTOR:
        factor = parse_factor(value)
        return f"{factor.numerator}/{factor.denominator}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:.9f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def hex_hash(state: int) -> str:
    """A state hash as 32 hex digits."""
    return f"{state:032x}"
