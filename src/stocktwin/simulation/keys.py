"""Reading the keys of a scenario: each value is checked, and an error names the whole path of its key."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NoReturn

from stocktwin.domain.errors import ScenarioError

MAX_DAYS: Final = 36_500
"""Largest number of days anywhere in a scenario: a century, past which a number is a slip."""
MAX_NUMBER: Final = 1e15


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known one, and all of them.

    >>> suggest("days_lo", ["days_low", "item"])
    "; did you mean 'days_low'? Known: days_low, item"
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    listed = ", ".join(names)
    return f"; did you mean {close[0]!r}? Known: {listed}" if close else f"; known: {listed}"


@dataclass(frozen=True)
class Table:
    """One table of a scenario. Raises ScenarioError at whatever is not as asked for."""

    scenario: str
    path: str
    """Path of the table with its dot, "" at the top."""
    raw: Mapping[str, Any]

    def fail(self, key: str, reason: str) -> NoReturn:
        """Raises the error at a key."""
        raise ScenarioError(self.scenario, f"{self.path}{key}", reason)

    def allow(self, known: tuple[str, ...], of: str = "") -> None:
        """Refuses keys beyond `known`; `of` says what it is that has no such key."""
        for key in self.raw:
            if key not in known:
                self.fail(key, f"unknown key{of}{suggest(key, known)}")

    def text(self, key: str, *, empty: bool = False) -> str | None:
        """A text, by default not an empty one; None where it is not given."""
        value = self.raw.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not (empty or value.strip()):
            self.fail(key, f"must be a text, not {value!r}")
        return value.strip()

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """One of some words; required."""
        value = self.text(key)
        if value is None:
            self.fail(key, f"is missing; one of {', '.join(known)}")
        if value not in known:
            self.fail(key, f"unknown: {value!r}{suggest(value, known)}")
        return value

    def whole(self, key: str, *, low: int = 0, high: int = MAX_DAYS) -> int | None:
        """A whole number from low to high; None where it is not given."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"must be a whole number from {low} to {high}, not {value!r}")
        return value

    def number(self, key: str, *, low: float = 0.0, high: float = math.inf) -> float | None:
        """A finite number from low to high; None where it is not given."""
        value = self.raw.get(key)
        if value is None:
            return None
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not fits or abs(value) > MAX_NUMBER:
            self.fail(key, f"must be a finite number{_bounds(low, high)}, not {value!r}")
        return float(value)

    def day(self, key: str) -> date | None:
        """A calendar date, as ISO text or a TOML date; None where it is not given."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                return date.fromisoformat(value.strip())
            except ValueError:
                self.fail(key, f"not an ISO 8601 date: {value!r}")
        if isinstance(value, datetime) or not isinstance(value, date):
            self.fail(key, f"must be an ISO 8601 date, not {value!r}")
        return value

    def tables(self, key: str) -> list[Table]:
        """The tables of an array of tables; none where it is not given."""
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.fail(key, f"must be an array of tables ([[{key}]]), not {value!r}")
        return [read_table(self.scenario, f"{key}[{index}]", one) for index, one in enumerate(value)]


def read_table(scenario: str, path: str, raw: object) -> Table:
    """The table at a path; keys that are null (JSON) count as not given."""
    if not isinstance(raw, Mapping):
        raise ScenarioError(scenario, path or "file", f"must be a table, not {raw!r}")
    given = {str(key): value for key, value in raw.items() if value is not None}
    return Table(scenario, f"{path}." if path else "", given)


def _bounds(low: float, high: float) -> str:
    if low == -math.inf:
        return ""
    return f" of at least {low:g}" if high == math.inf else f" from {low:g} to {high:g}"
