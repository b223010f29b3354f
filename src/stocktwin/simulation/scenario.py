"""Scenarios: what happens to the network (disruptions) and what its planners do differently (changes), from TOML.

A scenario is an overlay on the live twin: it names what differs and nothing else. Day 0 is the first day not yet lived.

>>> outage = parse_scenario({
...     "name": "SUP-01 offline for three weeks",
...     "disruption": [{"kind": "supplier_offline", "location": "SUP-01", "start_day": 7, "days": 21}],
... })
>>> outage.disruptions[0].days, outage.last_day(as_of_day=20_000)
(21, 27)
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from stocktwin.domain.errors import EnvironmentFault, NotFoundError, ScenarioError
from stocktwin.simulation.adjust import adjusted, parameters_of
from stocktwin.simulation.compose import JOINT, composed
from stocktwin.simulation.keys import Table, read_table, suggest

PRIMARY_LARGEST: Final = "primary-largest"
"""Location of `supplier_offline`: the priority-1 source with the largest planned inbound volume."""
PORT_BUSIEST: Final = "port-busiest"
"""Location of `port_closed`: the port that most planned volume passes."""
DC_LARGEST: Final = "dc-largest"
"""Location of `location_closed`: the place of our own that most demand is served from."""
BASELINE: Final = "baseline"
MAX_REPLICATIONS: Final = 1_000_000

_EPOCH: Final = date(1970, 1, 1).toordinal()
_TOP: Final = ("name", "description", "start", "horizon_days", "replications", "disruption", "change")
_WHEN: Final = ("start_day", "start_date", "start_window", "days", "days_low", "days_high", "probability", "after")
_WHERE: Final = ("item", "category", "location", "region")
_DEMAND: Final = (*_WHERE, "factor")
_OWN_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "supplier_offline": ("location", "failover_after_days"),
    "port_closed": ("location",),
    "lane_delay": ("origin", "destination", "mode", "extra_days"),
    "demand_scale": _DEMAND,
    "demand_variability": _DEMAND,
    "location_closed": ("location",),
    "orders_stopped": ("location",),
    "supplier_switch": ("location",),
    "destroy": (*_WHERE, "share"),
    "recall": (*_WHERE, "share"),
    "yield": (*_WHERE, "share"),
}
_REQUIRED: Final[dict[str, str]] = {
    "supplier_offline": "location",
    "port_closed": "location",
    "lane_delay": "extra_days",
    "demand_scale": "factor",
    "demand_variability": "factor",
    "location_closed": "location",
    "supplier_switch": "location",
    "destroy": "share",
    "recall": "share",
    "yield": "share",
}
_PLACEHOLDERS: Final = {
    PRIMARY_LARGEST: ("supplier_offline", "supplier_switch"),
    PORT_BUSIEST: ("port_closed",),
    DC_LARGEST: ("location_closed", "orders_stopped"),
}
_CHANGE_KEYS: Final = ("item", "location", "category", "criticality", "factor", "value", "add", "from_day")

DISRUPTION_KINDS: Final = tuple(_OWN_KEYS)
CHANGE_KINDS: Final = ("safety_stock", "reorder_point", "order_up_to")


@dataclass(frozen=True)
class Disruption:
    """One thing that happens to the network, from its start for some days, for certain or with a probability."""

    kind: str
    """One of `DISRUPTION_KINDS`."""
    location: str | None = None
    """Supplier, port or location id, or a placeholder; a selector for kinds of demand and of loss."""
    origin: str | None = None
    """Lanes of `lane_delay`; None is any."""
    destination: str | None = None
    mode: str | None = None
    item: str | None = None
    """Selectors of the kinds of demand and of loss; None is any."""
    category: str | None = None
    region: str | None = None
    start_day: int = 0
    """First day, counted from day 0; without meaning where `start_date` is given."""
    days: int | None = None
    """Length in days; None is to the end of the horizon, unless `days_low` and `days_high` are given."""
    factor: float = 1.0
    """Of demand (`demand_scale`) or of its standard deviation (`demand_variability`)."""
    share: float = 0.0
    """Of stock (`destroy`), of stock and of what arrives (`recall`) that is lost; of what arrives that can be used
    (`yield`)."""
    extra_days: int = 0
    """Days added to the lead time of what is dispatched meanwhile (`lane_delay`)."""
    probability: float = 1.0
    """Share of replications in which it happens at all."""
    start_window: int = 0
    """Days by which it may start later, each equally likely: 0 … start_window."""
    days_low: int | None = None
    """Shortest and longest length where the length is uncertain, each in between equally likely."""
    days_high: int | None = None
    failover_after_days: int | None = None
    """Days offline after which orders go to the next source by priority; None is never."""
    start_date: date | None = None
    """First day as a calendar date; it may lie before day 0."""
    after: int | None = None
    """Number (from 0) of an earlier disruption of the scenario that this one follows: it happens only where that one
    does, and `start_day` counts from the day after its last."""

    def first_day(self, as_of_day: int) -> int:
        """Earliest day it may start, relative to day 0 = `as_of_day` (days since 1970); negative if begun before."""
        if self.start_date is None:
            return self.start_day
        return self.start_date.toordinal() - _EPOCH - as_of_day

    def last_day(self, as_of_day: int) -> int:
        """Latest day it may act; the latest day it may start if it lasts to the end of the horizon."""
        latest_start = self.first_day(as_of_day) + self.start_window
        longest = self.days if self.days_high is None else self.days_high
        return latest_start if longest is None else latest_start + longest - 1


@dataclass(frozen=True)
class Change:
    """Another policy parameter for the item-locations selected; exactly one of factor, value and add is given."""

    kind: str
    """One of `CHANGE_KINDS`."""
    item: str | None = None
    """Selectors; None is any."""
    location: str | None = None
    category: str | None = None
    criticality: str | None = None
    factor: float | None = None
    """The parameter is multiplied by this,"""
    value: float | None = None
    """replaced by this (base units),"""
    add: float | None = None
    """or raised by this (base units; may be negative)."""
    from_day: int = 0
    """First day it holds, counted from day 0."""


@dataclass(frozen=True)
class Scenario:
    """What differs from the live twin."""

    name: str
    """Short: the stem of the file."""
    title: str
    """A sentence: `name` in the TOML."""
    description: str = ""
    horizon_days: int | None = None
    """None leaves the length to the simulation: end of the disruption + 2 × the 95 % lead time + review."""
    replications: int | None = None
    disruptions: tuple[Disruption, ...] = ()
    changes: tuple[Change, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The values its text gives, by their keys, as they were read (`adjust.py`)."""

    @property
    def acts(self) -> bool:
        """Whether anything at all differs from the baseline."""
        return bool(self.disruptions or self.changes)

    def last_day(self, as_of_day: int) -> int:
        """Latest day on which a disruption may act, from day 0 = `as_of_day` (days since 1970); 0 where none does.

        One that lasts to the end of the horizon counts with its start. Probabilities do not matter: scenarios that
        differ in nothing else are compared over the same days.
        """
        return max((0, *self.last_days(as_of_day)))

    def last_days(self, as_of_day: int) -> list[int]:
        """Latest day on which each disruption may act; of one that follows another, counted on from that one's."""
        days: list[int] = []
        for one in self.disruptions:
            days.append(one.last_day(as_of_day) + (0 if one.after is None else days[one.after] + 1))
        return days


def parse_scenario(raw: Mapping[str, Any], name: str = "scenario") -> Scenario:
    """A scenario from parsed TOML or JSON; a key that is null counts as not given.

    `start` (days from day 0, or an ISO date) is the start of every disruption that does not give its own
    `start_day` or `start_date`. Raises ScenarioError naming the key and the value.
    """
    top = read_table(name, "", raw)
    top.allow(_TOP)
    title = top.text("name")
    start = _start(top)
    return Scenario(
        name=name,
        title=name if title is None else title,
        description=top.text("description", empty=True) or "",
        horizon_days=top.whole("horizon_days", low=1),
        replications=top.whole("replications", low=1, high=MAX_REPLICATIONS),
        disruptions=tuple(_disruption(table, start, at) for at, table in enumerate(top.tables("disruption"))),
        changes=tuple(_change(table) for table in top.tables("change")),
        parameters=_plain(parameters_of(top.raw)),
    )


def load_scenario(name_or_path: str | Path, parameters: Mapping[str, Any] | None = None) -> Scenario:
    """A scenario of the library by its name, else from a `.toml` file, named by the file's stem; several that happen
    together are joined by a plus sign. `parameters` are other values than its text gives (`adjust.py`).

    Raises NotFoundError listing the library where there is neither, ScenarioError where the file or a value is wrong.
    """
    name, raw = _load(name_or_path)
    return parse_scenario(adjusted(raw, parameters or {}, name), name)


def describe_scenario(name_or_path: str | Path) -> dict[str, Any]:
    """Name, title, description and parameters of a scenario."""
    name, raw = _load(name_or_path)
    known = parse_scenario(raw, name)
    told = {"name": name, "title": known.title, "description": known.description}
    return {**told, "parameters": dict(known.parameters)}


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them; a null is none."""
    given = {key: one for key, one in parameters.items() if one is not None}
    return {key: str(one) if isinstance(one, date) else one for key, one in given.items()}


def _load(name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
    """Name and parsed text."""
    if isinstance(name_or_path, str) and JOINT in name_or_path:
        parts = [_load(part.strip()) for part in name_or_path.split(JOINT)]
        return JOINT.join(name for name, _ in parts), composed([raw for _, raw in parts])
    if isinstance(name_or_path, str) and name_or_path in library_names():
        return name_or_path, _parse_text(library_text(name_or_path), name_or_path)
    path = Path(name_or_path)
    try:
        if path.suffix != ".toml" or not path.is_file():
            raise _unknown(str(name_or_path))
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(path.stem, "file", f"not UTF-8 at byte {error.start}: {path}") from None
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {error.strerror}") from error
    return path.stem, _parse_text(text, path.stem)


def library_names() -> tuple[str, ...]:
    """Names of the built-in scenarios: the baseline, then in alphabetical order."""
    stems = [entry.name.removesuffix(".toml") for entry in _library().iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted(stems, key=lambda stem: (stem != BASELINE, stem)))


def library_text(name: str) -> str:
    """A built-in scenario as TOML, to read or to start one's own from; NotFoundError lists the names there are."""
    if name not in library_names():
        raise _unknown(name)
    return (_library() / f"{name}.toml").read_text(encoding="utf-8")


def describe_library() -> list[dict[str, Any]]:
    """What `describe_scenario` says of each built-in scenario."""
    return [describe_scenario(name) for name in library_names()]


def _library() -> Traversable:
    return resources.files("stocktwin.simulation.library")


def _unknown(name: str) -> NotFoundError:
    error = NotFoundError("scenario", name)
    error.args = (f"{error}{suggest(name, library_names())}",)
    return error


def _parse_text(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: an integer of thousands of digits, too
        raise ScenarioError(name, "file", f"not TOML: {error}") from None


def _start(top: Table) -> int | date:
    given = top.raw.get("start", 0)
    if isinstance(given, str | date):
        return top.day("start") or 0
    if not isinstance(given, int):
        top.fail("start", f"must be days from now or an ISO 8601 date, not {given!r}")
    return top.whole("start") or 0


def _disruption(table: Table, start: int | date, at: int) -> Disruption:
    kind = table.choice("kind", DISRUPTION_KINDS)
    table.allow(("kind", *_WHEN, *_OWN_KEYS[kind]), f" of {kind}")
    required = _REQUIRED.get(kind)
    if required is not None and required not in table.raw:
        table.fail(required, f"is missing; {kind} needs it")
    factor = table.number("factor")
    probability = table.number("probability", high=1.0)
    after = None if "after" not in table.raw else table.whole("after", high=at - 1)
    start_day, start_date = _own_start(table, start if after is None else 0)
    if after is not None and start_date is not None:
        table.fail("start_date", f"follows disruption {after}: give start_day, the days between them")
    days, days_low, days_high = _length(table)
    return Disruption(
        kind=kind,
        location=_place(table, kind),
        origin=table.text("origin"),
        destination=table.text("destination"),
        mode=table.text("mode"),
        item=table.text("item"),
        category=table.text("category"),
        region=table.text("region"),
        start_day=start_day,
        days=days,
        factor=1.0 if factor is None else factor,
        share=table.number("share", high=1.0) or 0.0,
        extra_days=table.whole("extra_days") or 0,
        probability=1.0 if probability is None else probability,
        start_window=table.whole("start_window") or 0,
        days_low=days_low,
        days_high=days_high,
        failover_after_days=table.whole("failover_after_days"),
        start_date=start_date,
        after=after,
    )


def _place(table: Table, kind: str) -> str | None:
    location = table.text("location")
    owners = _PLACEHOLDERS.get(location or "", (kind,))
    if kind not in owners:
        table.fail("location", f"{location!r} is for {' and '.join(owners)}, not for {kind}")
    return location


def _own_start(table: Table, start: int | date) -> tuple[int, date | None]:
    day, calendar = table.whole("start_day"), table.day("start_date")
    if day is not None and calendar is not None:
        table.fail("start_date", f"either this ({calendar}) or start_day ({day}), not both")
    chosen = next((one for one in (day, calendar) if one is not None), start)
    return (0, chosen) if isinstance(chosen, date) else (chosen, None)


def _length(table: Table) -> tuple[int | None, int | None, int | None]:
    """Length, or its shortest and longest."""
    days, low, high = table.whole("days"), table.whole("days_low"), table.whole("days_high")
    if (low is None) != (high is None):
        given, absent = ("days_high", "days_low") if low is None else ("days_low", "days_high")
        table.fail(absent, f"is missing; {given} alone ({table.raw[given]}) is no range")
    if low is not None and high is not None:
        if days is not None:
            table.fail("days", f"either this ({days}) or days_low and days_high ({low} to {high}), not both")
        if low > high:
            table.fail("days_low", f"must not exceed days_high ({high}), not {low}")
    return days, low, high


def _change(table: Table) -> Change:
    kind = table.choice("kind", CHANGE_KINDS)
    table.allow(("kind", *_CHANGE_KEYS), f" of {kind}")
    factor, value, add = table.number("factor"), table.number("value"), table.number("add", low=-math.inf)
    given = {key: one for key, one in (("factor", factor), ("value", value), ("add", add)) if one is not None}
    if not given:
        table.fail("factor", "is missing; give factor, value or add")
    if len(given) > 1:
        table.fail(list(given)[1], f"only one of factor, value and add, not {given}")
    return Change(
        kind=kind,
        item=table.text("item"),
        location=table.text("location"),
        category=table.text("category"),
        criticality=table.text("criticality"),
        factor=factor,
        value=value,
        add=add,
        from_day=table.whole("from_day") or 0,
    )
