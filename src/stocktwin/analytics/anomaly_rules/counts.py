"""record_against_count, record_against_book: what was seen or claimed against the record at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.analytics.anomaly_rules.facts import UNSURE, Facts, Ints, observation_fact
from stocktwin.analytics.anomaly_rules.matching import Match
from stocktwin.analytics.anomaly_rules.model import DAY, MINUTE, Finding

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
    """Every count and reading of an anchored item-location that differs from the record beyond doubt, in time order."""
    out = []
    for key, claims in _claims(facts, SEEN).items():
        before = facts.evidence.since
        for claim in claims:
            difference = _difference(facts, key, claim, before)
            before = int(claim["event_time"])
            if difference is not None:
                out.append(difference)
    return out


def open_counts(facts: Facts, found: list[Difference]) -> list[Difference]:
    """The last claim of each item-location and method, where it still differs."""
    last = {key: claims[-1]["event_id"] for key, claims in _claims(facts, SEEN).items()}
    key_of = {(d.item, d.place, d.claim["method"], d.claim["lot"] or ""): d for d in found}
    return [
        d for key, d in key_of.items()
        if last[key] == d.claim["event_id"] and not d.mended and not d.fresh
    ]  # fmt: skip


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
    for (item, place, _, _), claims in _claims(facts, BOOKS).items():
        claim = claims[-1]
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


def _claims(facts: Facts, methods: tuple[str, ...]) -> dict[tuple[int, int, str, str], list[dict[str, Any]]]:
    """(item, place, method, lot) → claims with a record to compare to, in time order."""
    codes = facts.snapshot.item_codes.code, facts.snapshot.location_codes.code
    keyed = []
    seen = facts.evidence.observations
    asked = pc.and_(
        pc.is_in(seen["method"], pa.array(methods)), pc.and_(seen["anchored"], seen["record_balance"].is_valid())
    )
    for row in seen.filter(asked).to_pylist():
        item, place = codes[0](row["item_id"]), codes[1](row["location_id"])
        if item >= 0 and place >= 0:
            keyed.append(
                ((item, place, row["method"], row["lot"] or "", row["system"] if methods is BOOKS else ""), row)
            )
    keyed.sort(key=lambda pair: (pair[0], pair[1]["event_time"], pair[1]["event_id"]))
    out: dict[tuple[int, int, str, str], list[dict[str, Any]]] = {}
    for key, group in groupby(keyed, key=lambda pair: pair[0]):
        out[key[0], key[1], key[2] + key[4], key[3]] = [row for _, row in group]
    return out


def _difference(facts: Facts, key: tuple[int, int, str, str], claim: dict[str, Any], before: int) -> Difference | None:
    item, place = key[:2]
    off = claim["quantity"] - claim["record_balance"]
    noise = (
        facts.thresholds.sensed_tolerance * max(claim["record_balance"], 0) + 1
        if claim["method"] != "cycle_count"
        else 0
    )
    if off == 0 or abs(off) <= noise or _either_side(facts, item, place, claim, off):
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
