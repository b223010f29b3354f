"""`twin.toml`: what a twin is called, whose word counts, where its facts come from. A broken one names the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stocktwin.domain.calendar import zone
from stocktwin.domain.errors import ConfigError, EnvironmentFault, UsageError
from stocktwin.domain.rules import ISSUE_RULES, Rules
from stocktwin.tables.schema import MOVEMENT_KINDS

FILE = "twin.toml"
JOURNAL_FILE = "journal.sqlite"
TOP_KEYS = ("name", "currency", "timezone", "holding_rate", "journal", "authority", "lots", "sources")
LOT_KEYS = ("issue", "locations", "categories")
DEFAULT_SOURCE = "exchange"
"""Source of a folder that no section of `twin.toml` describes."""

TEMPLATE = """\
# A Stocktwin twin. Every key has a default; see docs/settings.md.
name = {name}
currency = "USD"          # amounts in other currencies are never added to it
timezone = "UTC"          # of local days, where a location has no timezone of its own
holding_rate = 0.20       # cost of holding stock: share of its unit cost a year

# Whose word is the record, where several systems report the same kind of movement:
# [authority]
# default = "erp"
# receipt = "wms"

# Where facts come from. `stocktwin ingest` without a folder reads every source that has one:
# [sources.erp]
# folder = "feeds/erp"
"""


@dataclass(frozen=True)
class Settings:
    """A parsed `twin.toml`."""

    root: Path
    name: str
    currency: str = "USD"
    timezone: str = "UTC"
    holding_rate: float = 0.20
    authority: Mapping[str, str] = field(default_factory=dict)
    authority_by_location: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    journal: str = JOURNAL_FILE
    """Where the journal lies: `postgresql://…`, or a file relative to `root`."""
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Source name → its section, as read; `ingest` understands `map`, `system`, `timezone`."""
    issue: str = "fefo"
    issue_by_location: Mapping[str, str] = field(default_factory=dict)
    issue_by_category: Mapping[str, str] = field(default_factory=dict)

    def rules(self, mapping_digest: str) -> Rules:
        """The part that decides what facts mean, journalled as a fact at each change."""
        opening = {name: str(section["opening"]) for name, section in self.sources.items() if "opening" in section}
        return Rules(
            self.timezone,
            dict(self.authority),
            dict(self.authority_by_location),
            opening,
            mapping_digest,
            self.issue,
            dict(self.issue_by_location),
            dict(self.issue_by_category),
        )

    @property
    def journal_address(self) -> str:
        """Where the journal lies, from anywhere."""
        return self.journal if "://" in self.journal else str((self.root / self.journal).resolve())

    def folder_of(self, source: str) -> Path | None:
        """Folder that a source is read from, or None."""
        folder = self.sources[source].get("folder")
        return None if folder is None else self.root / str(folder)


def read_settings(root: Path) -> Settings:
    """Reads `root/twin.toml`; UsageError when there is no twin, ConfigError naming the key when it is broken."""
    path = root / FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "make a twin with `stocktwin new FOLDER`, or name one with --twin"
        raise UsageError(f"no twin in {root.resolve()}: it has no {FILE} ({hint})") from None
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("syntax", str(error)) from None
    return parse_settings(root, raw)


def parse_settings(root: Path, raw: Mapping[str, Any]) -> Settings:
    """Checks every key of a `twin.toml` read from `root`."""
    for key in raw:
        if key not in TOP_KEYS:
            raise ConfigError(key, f"unknown key{_suggest(key, TOP_KEYS)}")
    sources = _section(raw, "sources")
    for name, section in sources.items():
        if not isinstance(section, dict):
            raise ConfigError(f"sources.{name}", f"must be a section, not {section!r}")
        if section.get("opening", "zero") not in ("zero", "snapshot"):
            raise ConfigError(f"sources.{name}.opening", f"must be zero or snapshot, not {section['opening']!r}")
    timezone = _text(raw, "timezone", "UTC")
    try:
        zone(timezone)
    except ValueError as error:
        raise ConfigError("timezone", str(error)) from None
    authority, by_location = _authority(_section(raw, "authority"))
    return Settings(
        root=root,
        name=_text(raw, "name", root.resolve().name),
        currency=_text(raw, "currency", "USD"),
        timezone=timezone,
        holding_rate=_number(raw, "holding_rate", 0.20),
        journal=_journal(raw),
        authority=authority,
        authority_by_location=by_location,
        sources=sources,
        **_lots(_section(raw, "lots")),
    )


def write_template(root: Path, name: str) -> None:
    """Writes the `twin.toml` of a new twin."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    (root / FILE).write_text(TEMPLATE.format(name=quoted), encoding="utf-8")


def _authority(section: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    by_kind: dict[str, str] = {}
    by_location: dict[str, dict[str, str]] = {}
    for key, value in section.items():
        if key == "locations":
            for location, kinds in _section(section, "locations", "authority.locations").items():
                if not isinstance(kinds, dict):
                    raise ConfigError(f"authority.locations.{location}", f"must be a section, not {kinds!r}")
                by_location[location] = {
                    kind: _system(f"authority.locations.{location}.{kind}", kind, system)
                    for kind, system in kinds.items()
                }
        else:
            by_kind[key] = _system(f"authority.{key}", key, value)
    return by_kind, by_location


def _lots(section: Mapping[str, Any]) -> dict[str, Any]:
    for key in section:
        if key not in LOT_KEYS:
            raise ConfigError(f"lots.{key}", f"unknown key{_suggest(key, LOT_KEYS)}")
    by = {key: _section(section, key, f"lots.{key}") for key in LOT_KEYS[1:]}
    told = {"lots.issue": section.get("issue", ISSUE_RULES[0])}
    told |= {f"lots.{key}.{name}": rule for key, rules in by.items() for name, rule in rules.items()}
    for path, rule in told.items():
        if rule not in ISSUE_RULES:
            raise ConfigError(path, f"must be one of {', '.join(ISSUE_RULES)}, not {rule!r}")
    return {
        "issue": told["lots.issue"], "issue_by_location": by["locations"], "issue_by_category": by["categories"]
    }  # fmt: skip


def _system(path: str, kind: str, value: object) -> str:
    allowed = (*MOVEMENT_KINDS, "default")
    if kind not in allowed:
        raise ConfigError(path, f"unknown kind of movement{_suggest(kind, allowed)}")
    if not isinstance(value, str) or not value:
        raise ConfigError(path, f"must name a system, not {value!r}")
    return value


def _section(raw: Mapping[str, Any], key: str, path: str | None = None) -> dict[str, Any]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(path or key, f"must be a section, not {value!r}")
    return value


def _text(raw: Mapping[str, Any], key: str, default: str) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or not value:
        raise ConfigError(key, f"must be a text, not {value!r}")
    return value


def _journal(raw: Mapping[str, Any]) -> str:
    from stocktwin.ledger.journal.stores import check_address

    address = _text(raw, "journal", JOURNAL_FILE)
    try:
        check_address(address)
    except UsageError as error:
        raise ConfigError("journal", str(error)) from None
    return address


def _number(raw: Mapping[str, Any], key: str, default: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
        raise ConfigError(key, f"must be a number from 0 to 10, not {value!r}")
    return float(value)


def _suggest(key: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
