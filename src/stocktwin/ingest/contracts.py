"""Reads what `twin.toml` declares about a source: where its files are and how their columns become exchange columns.

The result is plain data (`specs.py`), checked when it is read: a mistake raises `ConfigError` with the exact key, for
example `sources.retail.map[0].columns.event_id`.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from stocktwin.domain.calendar import zone
from stocktwin.domain.errors import ConfigError
from stocktwin.ingest.specs import (
    EPOCHS,
    NUMERIC,
    OPERATORS,
    ColumnSpec,
    Condition,
    MapSpec,
    SourceSpec,
    default_source,
)
from stocktwin.tables.schema import TABLES, ColumnType

__all__ = ["SourceSpec", "default_source", "mapping_digest", "parse_source"]

SECTION_KEYS: Final = ("folder", "system", "timezone", "encoding", "ignore", "map")
ELSEWHERE: Final = ("opening", "live", "lag_days", "lag_seconds", "poll_seconds")
"""Keys of a source's section that other layers read."""
MAP_KEYS: Final = ("file", "table", "where", "distinct", "columns", "attributes")
COLUMN_KEYS: Final = ("column", "template", "value", "format", "map", "default", "match", "multiply", "absolute",
                      "upper", "lower", "strip", "after_days")  # fmt: skip


def parse_source(name: str, section: Mapping[str, Any], twin_timezone: str = "UTC") -> SourceSpec:
    """The source that `[sources.NAME]` declares; ConfigError names the key that is wrong.

    >>> parse_source("erp", {"folder": "feeds/erp"}).system
    'erp'
    """
    key = f"sources.{name}"
    _table(section, key)
    _known(section, (*SECTION_KEYS, *ELSEWHERE), key)
    maps = section.get("map", [])
    if not isinstance(maps, list):
        raise ConfigError(f"{key}.map", f"must be a list: write [[{key}.map]]")
    ignore = section.get("ignore", {})
    _table(ignore, f"{key}.ignore")
    return SourceSpec(
        name=name,
        system=_text(section, "system", key) or name,
        folder=_text(section, "folder", key),
        timezone=_timezone(_text(section, "timezone", key), f"{key}.timezone"),
        twin_timezone=_timezone(twin_timezone, "timezone") or "UTC",
        encoding=_encoding(_text(section, "encoding", key) or "utf-8", f"{key}.encoding"),
        ignore={str(pattern): str(reason) for pattern, reason in ignore.items()},
        maps=tuple(_parse_map(entry, f"{key}.map[{at}]") for at, entry in enumerate(maps)),
    )


def mapping_digest(sections: Mapping[str, Any]) -> str:
    """SHA-256 of the mappings in force, independent of the order of keys.

    >>> mapping_digest({"a": {"x": 1, "y": 2}}) == mapping_digest({"a": {"y": 2, "x": 1}})
    True
    """
    text = json.dumps(sections, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def parse_template(text: str, key: str) -> tuple[tuple[str, str], ...]:
    """The parts of a template; `{{` and `}}` are braces.

    >>> parse_template("{Invoice}-{_row}", "k")
    (('', 'Invoice'), ('-', '_row'))
    """
    parts: list[tuple[str, str]] = []
    literal, rest = "", text
    while rest:
        if rest[:2] in ("{{", "}}"):
            literal, rest = literal + rest[0], rest[2:]
        elif rest[0] == "{" and "}" in rest:
            name, rest = rest[1:].split("}", 1)
            parts.append((literal, _filled(name, key)))
            literal = ""
        elif rest[0] in "{}":
            raise ConfigError(key, f"unmatched brace in template {text!r}")
        else:
            literal, rest = literal + rest[0], rest[1:]
    return (*parts, (literal, "")) if literal else tuple(parts)


def _filled(name: str, key: str) -> str:
    if not name:
        raise ConfigError(key, "empty braces: name a source column")
    return name


def _parse_map(entry: Any, key: str) -> MapSpec:
    _table(entry, key)
    _known(entry, MAP_KEYS, key)
    table = _required(entry, "table", key)
    if table not in TABLES:
        raise ConfigError(f"{key}.table", f"no exchange table is called {table!r}{_like(table, TABLES)}")
    columns = entry.get("columns", {})
    _table(columns, f"{key}.columns")
    attributes = entry.get("attributes", [])
    if not isinstance(attributes, list) or not all(isinstance(one, str) for one in attributes):
        raise ConfigError(f"{key}.attributes", f"must be a list of source columns, not {attributes!r}")
    return MapSpec(
        key=key,
        file=_required(entry, "file", key),
        table=table,
        columns=_parse_columns(columns, table, f"{key}.columns"),
        where=_parse_where(entry.get("where", []), f"{key}.where"),
        distinct=_flag(entry, "distinct", key),
        attributes=tuple(attributes),
    )


def _parse_columns(columns: Mapping[str, Any], table: str, key: str) -> dict[str, ColumnSpec]:
    known = [column.name for column in TABLES[table].columns]
    for name in columns:
        if name not in known:
            raise ConfigError(f"{key}.{name}", f"{table} has no column {name!r}{_like(name, known)}")
    for name in TABLES[table].required:
        if name not in columns and not (name == "system" and table != "crossref"):
            raise ConfigError(key, f"required column {name!r} of {table} is not mapped")
    specs = {name: _parse_column(entry, f"{key}.{name}") for name, entry in columns.items()}
    for name, spec in specs.items():
        _fits(spec, table, name, f"{key}.{name}")
    return specs


def _fits(spec: ColumnSpec, table: str, name: str, key: str) -> None:
    column = TABLES[table].column(name)
    assert column is not None
    if column.type not in (ColumnType.INSTANT, ColumnType.DATE):
        for option in ("format", "after_days"):
            if getattr(spec, option):
                raise ConfigError(f"{key}.{option}", f"{name} is no date or time")
    if column.type is ColumnType.CHOICE and spec.value is not None and spec.value not in column.choices:
        raise ConfigError(f"{key}.value", f"{spec.value!r} is none of: {', '.join(column.choices)}")


def _parse_column(entry: Any, key: str) -> ColumnSpec:
    if isinstance(entry, str):
        braces = "{" in entry or "}" in entry
        return ColumnSpec(template=parse_template(entry, key)) if braces else ColumnSpec(columns=(_filled(entry, key),))
    _table(entry, key)
    _known(entry, COLUMN_KEYS, key)
    origins = [name for name in ("column", "template", "value") if name in entry]
    if len(origins) != 1:
        raise ConfigError(key, f"needs exactly one of column, template, value; has {', '.join(origins) or 'none'}")
    translate = entry.get("map")
    if translate is not None:
        _table(translate, f"{key}.map")
        translate = {str(code): constant_text(meaning) for code, meaning in translate.items()}
    return ColumnSpec(
        columns=_columns(entry["column"], f"{key}.column") if "column" in entry else (),
        template=parse_template(_required(entry, "template", key), f"{key}.template") if "template" in entry else (),
        value=constant_text(entry["value"]) if "value" in entry else None,
        format=_format(_text(entry, "format", key), f"{key}.format"),
        translate=translate,
        default=constant_text(entry["default"]) if "default" in entry else None,
        match=_regex(entry["match"], f"{key}.match", groups=1) if "match" in entry else None,
        multiply=_number(entry["multiply"], f"{key}.multiply") if "multiply" in entry else None,
        absolute=_flag(entry, "absolute", key),
        upper=_flag(entry, "upper", key),
        lower=_flag(entry, "lower", key),
        strip=_flag(entry, "strip", key),
        after_days=_whole(entry.get("after_days", 0), f"{key}.after_days"),
    )


def _parse_where(entries: Any, key: str) -> tuple[Condition, ...]:
    entries = [entries] if isinstance(entries, Mapping) else entries
    if not isinstance(entries, list):
        raise ConfigError(key, f"must be a list of conditions, not {entries!r}")
    return tuple(condition for at, entry in enumerate(entries) for condition in _parse_condition(entry, f"{key}[{at}]"))


def _parse_condition(entry: Any, key: str) -> Iterable[Condition]:
    _table(entry, key)
    _known(entry, ("column", *OPERATORS), key)
    column = _required(entry, "column", key)
    chosen = [name for name in OPERATORS if name in entry]
    if not chosen:
        raise ConfigError(key, f"has no test: use one of {', '.join(OPERATORS)}")
    return [Condition(column, name, _operand(name, entry[name], f"{key}.{name}")) for name in chosen]


def _operand(operator: str, value: Any, key: str) -> Any:
    if operator in NUMERIC:
        return _number(value, key)
    if operator in ("in", "not_in"):
        if not isinstance(value, list):
            raise ConfigError(key, f"must be a list, not {value!r}")
        return frozenset(constant_text(one) for one in value)
    if operator in ("matches", "not_matches"):
        return _regex(value, key)
    if operator in ("empty", "filled"):
        if not isinstance(value, bool):
            raise ConfigError(key, f"must be true or false, not {value!r}")
        return value
    return (
        _number(value, key) if isinstance(value, int | float) and not isinstance(value, bool) else constant_text(value)
    )


def constant_text(value: Any) -> str:
    """A TOML value as the text a file would have.

    >>> constant_text(True), constant_text(1.50), constant_text("x")
    ('true', '1.5', 'x')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _columns(value: Any, key: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(
            key, f"must name a source column, or a list of them of which the first filled counts: {value!r}"
        )
    return tuple(names)


def _format(value: str | None, key: str) -> str | None:
    if value is not None and value not in EPOCHS and "%" not in value:
        raise ConfigError(key, f"must be a strptime format such as %d.%m.%Y or one of {', '.join(EPOCHS)}: {value!r}")
    return value


def _regex(value: Any, key: str, groups: int | None = None) -> str:
    if not isinstance(value, str):
        raise ConfigError(key, f"must be a regular expression, not {value!r}")
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ConfigError(key, f"not a regular expression: {value!r} ({error})") from None
    if groups is not None and pattern.groups != groups:
        raise ConfigError(key, f"must have exactly one group in parentheses: {value!r}")
    return value


def _number(value: Any, key: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(key, f"must be a number, not {value!r}")
    return Decimal(repr(value))


def _whole(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 36_500:
        raise ConfigError(key, f"must be a whole number of days, not {value!r}")
    return value


def _flag(entry: Mapping[str, Any], name: str, key: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{key}.{name}", f"must be true or false, not {value!r}")
    return value


def _text(entry: Mapping[str, Any], name: str, key: str) -> str | None:
    value = entry.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigError(f"{key}.{name}", f"must be a text, not {value!r}")
    return value


def _required(entry: Mapping[str, Any], name: str, key: str) -> str:
    value = _text(entry, name, key)
    if value is None:
        raise ConfigError(f"{key}.{name}", "is missing")
    return value


def _table(value: Any, key: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(key, f"must be a table, not {value!r}")


def _known(entry: Mapping[str, Any], known: Iterable[str], key: str) -> None:
    for name in entry:
        if name not in known:
            raise ConfigError(f"{key}.{name}", f"unknown key{_like(name, known)}")


def _like(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _timezone(name: str | None, key: str) -> str | None:
    if name is not None:
        try:
            zone(name)
        except ValueError as error:
            raise ConfigError(key, str(error)) from None
    return name


def _encoding(name: str, key: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ConfigError(key, f"unknown encoding: {name!r}") from None
