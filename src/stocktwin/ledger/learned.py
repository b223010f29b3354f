"""When a fact was learned: by the twin, or, of history that was loaded, by its source.

A twin that is given years of history in an afternoon learned all of it that afternoon. What it may be asked about those
years goes by its sources' clocks (DESIGN section 5, "As of"); from then on by its own. So there is one axis:

    history   happened before the twin first heard of its system, and came within a day of that
    learned   of history: `recorded_at`, else event time + the usual lag of its system, never after the twin's record
              time; of everything else: the record time at which the twin knew it
    lag       learned − event time; of what happened before the twin listened and came later than its history: learned −
              the moment from which it listened, for so long was it asked without knowing

A fact is late when its lag is more than a day, and more than twice the lag within which nine of ten facts of its
system come; or, where hours are given, more than those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.ledger.balances import balances
from stocktwin.ledger.healing import healing

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from stocktwin.ledger.ledger import Ledger

HOUR: Final = 3_600_000_000
BUCKET: Final = 60_000_000
"""Lags are counted by the minute."""
FEW: Final = 10
"""Fewer facts than that say nothing about a habit: taken as usually told at once."""
CLOCKS: Final = {"movements": "event_time", "observations": "event_time", "orders": "coalesce(updated_at, ordered_at)"}
"""Tables whose facts may be late, and when each of them happened."""
SAYS: Final = {"movements": "recorded_at", "observations": "recorded_at", "orders": "updated_at"}
"""The source's own clock in each of them."""
EVENTS: Final = ("movements", "observations")


@dataclass(frozen=True)
class Heard:
    """What the twin knows of a system's habits. Times in µs."""

    code: int
    system: str
    since: int
    """Record time from which the twin listened to it."""
    usual: int = 0
    """The lag within which half of its facts come."""
    nine_of_ten: int = 0
    facts: int = 0
    undated: int = 0
    """Facts of history that do not say when their source recorded them."""

    @property
    def patience(self) -> int:
        """The lag beyond which a fact of this system is late, µs."""
        return max(MICROSECONDS_PER_DAY, 2 * self.nine_of_ten)


def heard(con: duckdb.DuckDBPyConnection) -> list[Heard]:
    """Every system that told of movements, observations or orders, by name, with its lags."""
    union = " UNION ALL ".join(f"SELECT system, min(known_at) AS since FROM fact_{name} GROUP BY system"
                               for name in CLOCKS)  # fmt: skip
    first = con.execute(f"""SELECT s.code, s.name, min(since) FROM ({union}) f JOIN system s ON s.code = f.system
        GROUP BY ALL ORDER BY s.name""").fetchall()
    systems = [Heard(*row) for row in first]
    if not systems:
        return []
    parts = [
        f"""SELECT system, ({lag_sql(systems, name)}) // {BUCKET} AS lag, count(*) AS n, count(*) FILTER (
            {SAYS[name]} IS NULL AND {history_sql(systems, name)}) AS undated FROM fact_{name} GROUP BY ALL"""
        for name in CLOCKS
    ]
    rows = con.execute(f"""SELECT system, lag, CAST(sum(n) AS BIGINT), CAST(sum(undated) AS BIGINT)
        FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL ORDER BY ALL""").fetchall()
    counted = np.array(rows, np.int64).reshape(-1, 4)
    return [_with_lags(one, counted[counted[:, 0] == one.code]) for one in systems]


def _with_lags(one: Heard, counted: npt.NDArray[np.int64]) -> Heard:
    """The quantiles of a system's lags, from rows of (system, lag, facts, those of them that do not say)."""
    undated, until = counted[:, 3], np.cumsum(counted[:, 2] - counted[:, 3])
    told, facts = int(until[-1]), int(counted[:, 2].sum())
    if told < FEW:
        return replace(one, facts=facts, undated=int(undated.sum()))
    wanted = np.searchsorted(until, [max(1, int(share * told)) for share in (0.5, 0.9)])
    half, nine = (max(0, int(counted[at, 1])) * BUCKET for at in wanted)
    return replace(one, usual=half, nine_of_ten=nine, facts=facts, undated=int(undated.sum()))


def history_sql(systems: Sequence[Heard], name: str) -> str:
    """SQL condition on a fact table: history that was loaded."""
    since = _by_system(systems, [one.since for one in systems])
    return f"({CLOCKS[name]} < {since} AND known_at < {since} + {MICROSECONDS_PER_DAY})"


def learned_sql(systems: Sequence[Heard], name: str) -> str:
    """SQL expression on a fact table: when each fact was learned (µs)."""
    usual = _by_system(systems, [one.usual for one in systems])
    said = f"least(greatest(coalesce({SAYS[name]}, {CLOCKS[name]} + {usual}), {CLOCKS[name]}), known_at)"
    return f"CASE WHEN {history_sql(systems, name)} THEN {said} ELSE known_at END"


def lag_sql(systems: Sequence[Heard], name: str) -> str:
    """SQL expression on a fact table: for how long the twin, or its source, was asked without knowing it (µs); 0 for
    history that does not say."""
    since = _by_system(systems, [one.since for one in systems])
    said = f"greatest(coalesce({SAYS[name]}, {CLOCKS[name]}) - {CLOCKS[name]}, 0)"
    return f"CASE WHEN {history_sql(systems, name)} THEN {said} ELSE known_at - greatest({CLOCKS[name]}, {since}) END"


def patience_sql(systems: Sequence[Heard], hours: float | None = None) -> str:
    """SQL expression: the lag of its system beyond which a fact is late."""
    limits = [one.patience if hours is None else int(hours * HOUR) for one in systems]
    return _by_system(systems, limits)


def _by_system(systems: Sequence[Heard], values: Sequence[int]) -> str:
    if len(set(values)) == 1:
        return f"CAST({values[0]} AS BIGINT)"
    cases = " ".join(f"WHEN {one.code} THEN {value}" for one, value in zip(systems, values, strict=True))
    return f"CAST(CASE system {cases} ELSE 0 END AS BIGINT)" if cases else "CAST(0 AS BIGINT)"


def history_ends(systems: Sequence[Heard]) -> int:
    """The record time from which on nothing counts as history any more: learned by D is then known at D."""
    return max((one.since for one in systems), default=0) + MICROSECONDS_PER_DAY


@contextmanager
def past(ledger: Ledger, learned_by: int | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, int | None]]:
    """A connection on which nothing is known that was learned later, and the `known_at` to ask it with.

    After the twin's history that is a plain `known_at`. Within it, relations of the connection's own hide what was not
    learned yet; the rules are today's.
    """
    con = ledger._projection.cursor()
    try:
        if learned_by is None:
            yield con, None
            return
        systems = habits(ledger)
        if learned_by >= history_ends(systems):
            yield con, learned_by
            return
        hide(con, systems, learned_by)
        yield con, None
    finally:
        con.close()


def hide(con: duckdb.DuckDBPyConnection, systems: Sequence[Heard], learned_by: int) -> None:
    """Puts the events that were learned by an instant in place of the fact tables, for this connection."""
    home = f'"{con.execute("SELECT current_database()").fetchall()[0][0]}".main'
    for name in EVENTS:
        con.execute(f"""CREATE TEMP VIEW fact_{name} AS SELECT * FROM {home}.fact_{name}
            WHERE {learned_sql(systems, name)} <= {int(learned_by)}""")


@healing
def balances_learned(ledger: Ledger, learned_by: int, /, **asked: Any) -> pa.Table:
    """`Ledger.balances`, with what was learned by an instant (µs)."""
    with past(ledger, learned_by) as (con, known_at):
        return balances(con, known_at=known_at, **asked)


@healing
def habits(ledger: Ledger) -> list[Heard]:
    """Every system with its lags; read once a state."""
    head, kept = ledger.head, _KEPT.get(ledger)
    if kept is None or kept[0] != head:
        kept = _KEPT[ledger] = (head, heard(ledger._projection.cursor()))
    return kept[1]


_KEPT: Final[WeakKeyDictionary[Ledger, tuple[int, list[Heard]]]] = WeakKeyDictionary()
"""The last answer of `habits`, by ledger."""


@healing
def learned_range(ledger: Ledger) -> tuple[int, int, int, int] | None:
    """First and last moment at which anything happened, first and last at which anything was learned; None where
    nothing has happened."""
    con = ledger._projection.cursor()
    systems = habits(ledger)
    parts = [f"""SELECT min(event_time) AS a, max(event_time) AS b, min({learned_sql(systems, name)}) AS c,
        max({learned_sql(systems, name)}) AS d FROM fact_{name}""" for name in EVENTS]  # fmt: skip
    found = con.execute(f"SELECT min(a), max(b), min(c), max(d) FROM ({' UNION ALL '.join(parts)})").fetchall()[0]
    return None if found[0] is None else (int(found[0]), int(found[1]), int(found[2]), int(found[3]))
