"""Scripted events: what befalls the network on given days, in the words of scenarios (`[[disruption]]` tables in TOML).

Day 0 is the first day of the world. Unlike in a scenario, everything scripted happens for certain.

>>> script = parse_events({"disruption": [{"kind": "port_closed", "location": "PORT-LALB", "start_day": 5, "days": 3}]})
>>> script.reopens("PORT-LALB", np.array([4, 5, 7, 8])).tolist()
[4, 8, 8, 8]
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from stocktwin.domain.errors import ConfigError, EnvironmentFault
from stocktwin.world.clock import START

Ints = npt.NDArray[np.int64]

FOREVER: Final = 2**30
MAX_DAYS: Final = 36_500
MAX_FACTOR: Final = 1000.0
SELECTORS: Final = ("item", "category", "location", "region")
_WHEN: Final = ("kind", "start_day", "start_date", "days")
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "supplier_offline": ("location", "failover_after_days"),
    "port_closed": ("location",),
    "lane_delay": ("origin", "destination", "mode", "extra_days"),
    "location_closed": ("location",),
    "demand_scale": (*SELECTORS, "factor"),
}
_REQUIRED: Final = {
    "supplier_offline": "location",
    "port_closed": "location",
    "lane_delay": "extra_days",
    "location_closed": "location",
    "demand_scale": "factor",
}
_TOP: Final = ("name", "description", "start", "horizon_days", "replications", "disruption")


@dataclass(frozen=True)
class Disruption:
    """One thing that happens, from day `start` up to, not including, day `end`. Selectors that are None mean any."""

    kind: str
    start: int
    end: int
    location: str | None = None
    origin: str | None = None
    destination: str | None = None
    mode: str | None = None
    item: str | None = None
    category: str | None = None
    region: str | None = None
    factor: float = 1.0
    extra_days: int = 0
    failover_after_days: int | None = None

    def acts(self, day: int) -> bool:
        """Whether it is so on a day."""
        return self.start <= day < self.end


@dataclass(frozen=True)
class Known:
    """The words that a script may use, to be checked against."""

    suppliers: tuple[str, ...]
    ports: tuple[str, ...]
    dcs: tuple[str, ...]
    regions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    items: frozenset[str] | None = None
    """None where they are not checked."""
    modes: tuple[str, ...] = ("road", "sea")


@dataclass(frozen=True)
class Script:
    """Everything scripted. An empty one is a world left to itself."""

    disruptions: tuple[Disruption, ...] = ()
    file: str = "events.toml"

    def of(self, *kinds: str) -> tuple[Disruption, ...]:
        """The disruptions of some kinds."""
        return tuple(one for one in self.disruptions if one.kind in kinds)

    def ahead(self, days: int) -> tuple[Disruption, ...]:
        """Those that a world of so many days has not come to: they act when it lives on."""
        return tuple(sorted((one for one in self.disruptions if one.start >= days), key=lambda one: one.start))

    def closed(self, location: str, day: int) -> bool:
        """Whether a supplier, port or DC stands still on a day."""
        return any(one.acts(day) for one in self._closures(location))

    def reopens(self, location: str, day: Ints) -> Ints:
        """First day, on or after each given one, on which a supplier, port or DC is open."""
        for one in sorted(self._closures(location), key=lambda one: one.start):
            day = np.where((day >= one.start) & (day < one.end), one.end, day)
        return np.asarray(day)

    def extra_days(self, origin: str, destination: str, mode: str, day: int) -> int:
        """Days by which goods that leave on a day are slowed on a lane."""
        mine = {"origin": origin, "destination": destination, "mode": mode}
        return sum(
            one.extra_days
            for one in self.of("lane_delay")
            if one.acts(day) and all(getattr(one, key) in (None, value) for key, value in mine.items())
        )

    def failed_over(self, supplier: str, day: int) -> bool:
        """Whether people have given up waiting for a supplier."""
        return any(
            one.failover_after_days is not None and one.start + one.failover_after_days <= day < one.end
            for one in self._closures(supplier)
        )

    def check(self, known: Known) -> None:
        """ConfigError at the first word that the world does not know."""
        places = {"supplier_offline": known.suppliers, "port_closed": known.ports, "demand_scale": known.dcs,
                  "location_closed": (*known.dcs, *known.ports, *known.suppliers)}  # fmt: skip
        for number, one in enumerate(self.disruptions):
            words: dict[str, Collection[str] | None] = {
                "location": places.get(one.kind, ()), "origin": (*known.suppliers, *known.dcs),
                "destination": known.dcs, "mode": known.modes, "item": known.items, "category": known.categories,
                "region": known.regions,
            }  # fmt: skip
            for key, allowed in words.items():
                word = getattr(one, key)
                if word is not None and allowed is not None and word not in allowed:
                    _fail(self.file, f"disruption[{number}].{key}", f"unknown: {word!r}{_suggest(word, allowed)}")

    def _closures(self, location: str) -> list[Disruption]:
        kinds = ("supplier_offline", "port_closed", "location_closed")
        return [one for one in self.of(*kinds) if one.location == location]


def load_events(path: Path) -> Script:
    """The script of a TOML file; ConfigError names file and key, EnvironmentFault where it cannot be read."""
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not TOML, an integer of thousands of digits
        raise ConfigError("file", f"not TOML: {error}", path.name) from None
    return parse_events(raw, path.name)


def parse_events(raw: Mapping[str, Any], file: str = "events.toml") -> Script:
    """A script from parsed TOML; ConfigError names the key. A scenario file without changes is a script, too."""
    for key in raw:
        if key not in _TOP:
            _fail(file, key, f"unknown key{_suggest(key, _TOP)}")
    tables = raw.get("disruption", [])
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        _fail(file, "disruption", "must be [[disruption]] tables")
    start = _day(_Table(file, "", raw), "start", 0)
    return Script(tuple(_disruption(_Table(file, f"disruption[{k}].", t), start) for k, t in enumerate(tables)), file)


@dataclass(frozen=True)
class _Table:
    file: str
    path: str
    raw: Mapping[str, Any]

    def fail(self, key: str, reason: str) -> NoReturn:
        _fail(self.file, self.path + key, reason)

    def text(self, key: str) -> str | None:
        value = self.raw.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.fail(key, f"must be a text, not {value!r}")
        return None if value is None else value.strip()

    def whole(self, key: str, low: int) -> int | None:
        value = self.raw.get(key)
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= MAX_DAYS
        if value is not None and not fits:
            self.fail(key, f"must be a whole number from {low} to {MAX_DAYS}, not {value!r}")
        return value

    def number(self, key: str) -> float | None:
        value = self.raw.get(key)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_FACTOR
        if value is not None and not (fits and math.isfinite(value)):
            self.fail(key, f"must be a number from 0 to {MAX_FACTOR:g}, not {value!r}")
        return None if value is None else float(value)


def _disruption(table: _Table, start: int) -> Disruption:
    kind = table.text("kind")
    if kind not in _KEYS:
        table.fail("kind", "is missing" if kind is None else f"unknown: {kind!r}{_suggest(kind, _KEYS)}")
    allowed = (*_WHEN, *_KEYS[kind])
    for key in table.raw:
        if key not in allowed:
            table.fail(key, f"unknown key of {kind}{_suggest(key, allowed)}")
    if table.raw.get(_REQUIRED[kind]) is None:
        table.fail(_REQUIRED[kind], f"is missing; {kind} needs it")
    since = "start_date" if "start_date" in table.raw else "start_day"
    first, days = _day(table, since, start), table.whole("days", 1)
    if days is not None and first + days <= 0:
        table.fail(since, f"is over before the world begins on {START}: {table.raw.get(since, first)} for {days} days")
    factor = table.number("factor")
    return Disruption(
        kind=kind,
        start=first,
        end=FOREVER if days is None else first + days,
        **{key: table.text(key) for key in ("location", "origin", "destination", "mode", "item", "category", "region")},
        factor=1.0 if factor is None else factor,
        extra_days=table.whole("extra_days", 0) or 0,
        failover_after_days=table.whole("failover_after_days", 0),
    )


def _day(table: _Table, key: str, default: int) -> int:
    """A day of the world, given as its number or as a date."""
    value = table.raw.get(key)
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            table.fail(key, f"must be a day or an ISO 8601 date, not {value!r}")
    if isinstance(value, date):
        return value.toordinal() - START.toordinal()
    number = table.whole(key, 0)
    return default if number is None else number


def _fail(file: str, key: str, reason: str) -> NoReturn:
    raise ConfigError(key, reason, file)


def _suggest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if len(names) > 30:
        return f"; did you mean {close[0]!r}?" if close else ""
    return (f"; did you mean {close[0]!r}? Known: " if close else "; known: ") + ", ".join(names)
