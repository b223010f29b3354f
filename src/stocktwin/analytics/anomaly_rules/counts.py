"""record_against_count, record_against_book: what was seen or claimed against the record at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.analytics.anomaly_rules.facts import UNSURE, Facts, Flags, Ints, encoded, observation_fact
from stocktwin.analytics.anomaly_rules.matching import Match
from stocktwin.analytics.anomaly_rules.model import DAY, MINUTE, Finding
from stocktwin.analytics.anomaly_rules.sensing import Floats, tolerances

SEEN = ("cycle_count", "rfid", "weight")
BOOKS = ("erp_book", "wms_book")
MOST_PARTS = 10
"""Movements whose combinations are tried to explain a difference."""


@dataclass(frozen=True)
class Difference:
    """A claim about a level that the record does not bear out; `quantity` = claim − record."""

    item: int
    place: int
    claim: dict[str, Any]
    quantity: int
    before: int
    """Time of the previous claim of the same sort, or the start of the window."""
    mended: bool
    """Whether the difference has been posted away since."""
    fresh: bool
    """Whether late postings may still explain it."""

    @property
    def time(self) -> int:
        """When the claim was made."""
        return int(self.claim["event_time"])

    def since_last(self, facts: Facts) -> list[int]:
        """Movements between the previous claim and this one that still stand."""
        moves = facts.movements
        rows = moves.by_pair.get((self.item, self.place), np.zeros(0, np.int64))
        inside = (moves.time[rows] > self.before) & (moves.time[rows] <= self.time) & ~moves.settled[rows]
        return [int(row) for row in rows[inside]]


def differences(facts: Facts) -> list[Difference]:
    """Every count and reading of an anchored item-location that differs from the record beyond doubt, in time order of
    each item-location and method."""
    claims = _claims(facts, SEEN)
    at = np.flatnonzero(np.abs(claims.off) > _own_noise(facts, claims))
    before = np.where(claims.first, facts.evidence.since, np.roll(claims.time, 1))[at].tolist()
    rows = zip(claims.item[at].tolist(), claims.place[at].tolist(), claims.rows(at), before, strict=True)
    found = (_difference(facts, item, place, claim, since) for item, place, claim, since in rows)
    return [difference for difference in found if difference is not None]


def open_counts(facts: Facts, found: list[Difference]) -> list[Difference]:
    """The last claim of each item-location and method, where it still differs."""
    claims = _claims(facts, SEEN)
    names = claims.table.filter(pa.array(claims.last)).select(["system", "event_id"]).to_pylist()
    last = {(name["system"], name["event_id"]) for name in names}
    key_of = {(d.item, d.place, d.claim["method"], d.claim["lot"] or ""): d for d in found}
    standing = (d for d in key_of.values() if not d.mended and not d.fresh)
    return [d for d in standing if (d.claim["system"], d.claim["event_id"]) in last]


def count_findings(facts: Facts, found: list[Difference]) -> list[Finding]:
    """Counts and readings that the record does not bear out and nobody has posted away."""
    out = []
    for difference in found:
        claim, off = difference.claim, difference.quantity
        sure = {"cycle_count": 0.9, "weight": 0.7, "rfid": 0.6}[claim["method"]]
        words = "less" if off < 0 else "more"
        say = partial(facts.said, difference.item)
        out.append(
            Finding(
                "record_against_count", difference.item, difference.place, difference.time, off, sure,
                (claim["system"],), (observation_fact(claim),),
                f"A {claim['method']} by {claim['system']} found {say(claim['quantity'])}, {say(abs(off))} {words} "
                f"than the record's {say(claim['record_balance'])}, and nothing posted since explains it.",
                "Count this item-location again, with its neighbours.",
            )
        )  # fmt: skip
    return out


def book_findings(facts: Facts, matches: list[Match]) -> list[Finding]:
    """A system's latest stated level against the record, beyond what may be in flight between the two.

    Between claim and record lies at most what moved within the usual delay before the claim: of record times, and of
    that system's postings after the others'.
    """
    out = []
    names = facts.movements.systems
    lags = {names[code]: match.lag for match in matches for code in (match.first, match.second)}
    stated = _claims(facts, BOOKS)
    at = np.flatnonzero(stated.last)
    for item, place, claim in zip(stated.item[at].tolist(), stated.place[at].tolist(), stated.rows(at), strict=True):
        off = claim["quantity"] - claim["record_balance"]
        low, high = _in_flight(facts, item, place, claim, max(lags.get(claim["system"], 0), facts.longest_lag))
        if low <= off <= high:
            continue
        book, system = claim["book_balance"], claim["system"]
        say = partial(facts.said, item)
        own = "Its own postings agree with it." if book == claim["quantity"] else f"Its own postings give {say(book)}."
        out.append(
            Finding(
                "record_against_book", item, place, claim["event_time"], off, 0.6, (system,),
                (observation_fact(claim),),
                f"{system} states {say(claim['quantity'])}, the record {say(claim['record_balance'])}; what was in "
                f"flight explains {say(low)} to {say(high)}." + ("" if book is None else f" {own}"),
                "List both systems' postings of this item-location since they last agreed; count it if they all match.",
            )
        )  # fmt: skip
    return out


@dataclass(frozen=True)
class Claims:
    """Claims with a record to compare to, by item, place, method (books: and system) and lot, each in time order."""

    table: pa.Table
    item: Ints
    place: Ints
    time: Ints
    off: Ints
    """Claim − record."""
    first: Flags
    """The first of its kind,"""
    last: Flags
    """and the last."""

    def rows(self, at: Ints) -> list[dict[str, Any]]:
        """Some of them, as dictionaries."""
        chosen: list[dict[str, Any]] = self.table.take(pa.array(at)).to_pylist()
        return chosen


def _claims(facts: Facts, methods: tuple[str, ...]) -> Claims:
    seen = facts.evidence.observations
    asked = pc.and_(
        pc.is_in(seen["method"], pa.array(methods)), pc.and_(seen["anchored"], seen["record_balance"].is_valid())
    )
    seen = seen.filter(asked)
    keys = [
        encoded(seen["item_id"], facts.snapshot.item_codes)[0],
        encoded(seen["location_id"], facts.snapshot.location_codes)[0],
        _ranked(seen["method"]),
        _ranked(seen["lot"].fill_null("")),
        _ranked(seen["system"]) if methods is BOOKS else np.zeros(len(seen), np.int64),
    ]
    time = seen["event_time"].to_numpy()
    order = np.lexsort((_ranked(seen["event_id"]), time, *reversed(keys)))
    order = order[(keys[0][order] >= 0) & (keys[1][order] >= 0)]
    table, keys = seen.take(pa.array(order)), [key[order] for key in keys]
    new = np.ones(len(order) + 1, bool)
    new[1:-1] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    off = table["quantity"].to_numpy() - table["record_balance"].to_numpy()
    return Claims(table, keys[0], keys[1], time[order], off, new[:-1], new[1:])


def _own_noise(facts: Facts, claims: Claims) -> Floats:
    """How far each claim may be off by itself."""
    method = claims.table["method"].to_numpy()
    series, system = np.cumsum(claims.first, dtype=np.int64), _ranked(claims.table["system"])
    record = claims.table["record_balance"].to_numpy()
    return tolerances(method, system, series, claims.off, record, facts.thresholds)


def _ranked(column: pa.ChunkedArray) -> Ints:
    """The rank of each text among all of its column."""
    return np.asarray(pc.rank(column.combine_chunks(), tiebreaker="dense").to_numpy(), np.int64)


def _difference(facts: Facts, item: int, place: int, claim: dict[str, Any], before: int) -> Difference | None:
    off = claim["quantity"] - claim["record_balance"]
    if _either_side(facts, item, place, claim, off):
        return None
    mended = _mended(facts, item, place, claim["event_time"], off)
    return Difference(item, place, claim, off, before, mended, _fresh(facts, item, place, claim, off))


def _window(facts: Facts, item: int, place: int, begin: float, end: float) -> Ints:
    moves = facts.movements
    rows = moves.by_pair.get((item, place), np.zeros(0, np.int64))
    return rows[(moves.time[rows] > begin) & (moves.time[rows] <= end)]


def _either_side(facts: Facts, item: int, place: int, claim: dict[str, Any], off: int) -> bool:
    """Whether movements within an hour of the cut-off, taken on its other side, give the difference."""
    moves, when, near = facts.movements, claim["event_time"], facts.thresholds.cutoff_minutes * MINUTE
    rows = [row for row in _window(facts, item, place, when - near, when + near) if moves.on_record[row]]
    sides = [(1 if moves.time[row] > when else -1) * int(moves.effect[row] * moves.quantity[row]) for row in rows]
    return some_sum_is(sides, off)


def _mended(facts: Facts, item: int, place: int, when: int, off: int) -> bool:
    """Whether adjustments or corrections in the two weeks after the claim add up to the difference."""
    moves = facts.movements
    rows = _window(facts, item, place, when, when + facts.thresholds.mend_days * DAY)
    rows = rows[moves.mending[rows] & moves.on_record[rows]]
    return some_sum_is((moves.effect[rows] * moves.quantity[rows]).tolist(), off)


def _fresh(facts: Facts, item: int, place: int, claim: dict[str, Any], off: int) -> bool:
    """Whether the claim is younger than the usual delay and no larger than what moves in twice that time."""
    moves, lag = facts.movements, facts.longest_lag
    if facts.evidence.as_of - claim["event_time"] >= lag:
        return False
    rows = moves.by_pair.get((item, place), np.zeros(0, np.int64))
    days = max((facts.evidence.as_of - facts.evidence.since) / DAY, 1)
    moved = float(moves.quantity[rows][moves.on_record[rows]].sum()) / days
    return abs(off) <= 2 * moved * lag / DAY


def _in_flight(facts: Facts, item: int, place: int, claim: dict[str, Any], lag: int) -> tuple[int, int]:
    """Least and most by which a claim may differ from the record for reasons of time alone."""
    moves, when = facts.movements, claim["event_time"]
    near = facts.thresholds.cutoff_minutes * MINUTE
    rows = _window(facts, item, place, when - lag, when + near)
    effects = (moves.effect[rows] * moves.quantity[rows]).tolist()
    unsure = [moves.kind_name(int(row)) in UNSURE for row in rows]
    low = high = 0
    for row, effect, either in zip(rows.tolist(), effects, unsure, strict=True):
        known_late = moves.time[row] > when
        shift = effect if known_late else -effect
        low += min(shift, 0) - (abs(effect) if either and shift > 0 else 0)
        high += max(shift, 0) + (abs(effect) if either and shift < 0 else 0)
    return low, high


def some_sum_is(parts: list[int], total: int) -> bool:
    """Whether some of the parts add up to the total (all of them only, where they are many).

    >>> some_sum_is([5, -3, 8], 2), some_sum_is([5, -3], 8)
    (True, False)
    """
    if len(parts) > MOST_PARTS:
        return sum(parts) == total
    sums = {0}
    for part in parts:
        sums |= {part + other for other in sums}
    return total != 0 and total in sums
