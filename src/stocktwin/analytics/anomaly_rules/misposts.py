"""pack_factor and digit_swap: an event posted with the wrong quantity, betrayed by the right one elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from stocktwin.analytics.anomaly_rules.counts import Difference
from stocktwin.analytics.anomaly_rules.facts import Facts, observation_fact, order_fact
from stocktwin.analytics.anomaly_rules.matching import Match
from stocktwin.analytics.anomaly_rules.model import Finding

KEYED = ("receipt", "transfer_in", "transfer_out", "return", "scrap", "adjustment")
"""Kinds whose quantities people key in: a count's difference is traced to these only."""


@dataclass(frozen=True)
class Slip:
    """A way in which a quantity goes wrong: the rule's name and how it is said."""

    kind: str
    words: str


def slip(posted: int, true: int, factors: frozenset[int]) -> Slip | None:
    """How `posted` could have come of `true`: a pack factor, or two neighbouring digits swapped.

    >>> slip(120, 10, frozenset({12})).kind, slip(540, 450, frozenset()).kind, slip(11, 10, frozenset({12}))
    ('pack_factor', 'digit_swap', None)
    """
    for factor in sorted(factors):
        if posted == true * factor or posted * factor == true:
            more = "times" if posted > true else "÷"
            return Slip("pack_factor", f"{more} {factor}, as if pieces and packs were mixed up")
    if swapped(posted, true):
        return Slip("digit_swap", "two neighbouring digits swapped (the difference is a multiple of 9)")
    return None


def swapped(posted: int, true: int) -> bool:
    """Whether swapping two neighbouring digits of one number gives the other.

    >>> swapped(1243, 1234), swapped(4321, 1234), swapped(10, 1)
    (True, False, False)
    """
    a, b = str(posted), str(true)
    if len(a) != len(b) or posted == true or (posted - true) % 9:
        return False
    apart = [k for k in range(len(a)) if a[k] != b[k]]
    return len(apart) == 2 and apart[1] == apart[0] + 1 and a[apart[0]] == b[apart[1]] and a[apart[1]] == b[apart[0]]


def wrong_quantities(facts: Facts, matches: list[Match], differences: list[Difference]) -> list[Finding]:
    """Postings whose quantity is another's times a pack factor, or with two digits swapped.

    The other quantity is another system's posting of the same event, the order line, or what the next count lacks.
    """
    found: dict[int, Finding] = {}
    for row, finding in (*_against_systems(facts, matches, differences), *_against_orders(facts)):
        if row not in found or finding.confidence > found[row].confidence:
            found[row] = finding
    for row, finding in _against_counts(facts, matches, differences, found):
        found.setdefault(row, finding)
    return list(found.values())


def _against_systems(
    facts: Facts, matches: list[Match], differences: list[Difference]
) -> Iterator[tuple[int, Finding]]:
    moves = facts.movements
    counted = _counted(facts, differences)
    for match in matches:
        unequal = match.pairs[moves.quantity[match.pairs[:, 0]] != moves.quantity[match.pairs[:, 1]]]
        for one, two in unequal.tolist():
            line = _line(facts, one)
            wrong, right, sure = _which(facts, one, two, line, counted)
            how = slip(int(moves.quantity[wrong]), int(moves.quantity[right]), facts.factors(int(moves.item[wrong])))
            if how is not None:
                evidence = [moves.fact(wrong), moves.fact(right)] + ([order_fact(line)] if line else [])
                yield wrong, _finding(facts, wrong, how, int(moves.quantity[right]), evidence, 0.97 if sure else 0.75)


def _counted(facts: Facts, differences: list[Difference]) -> dict[int, set[int]]:
    """Posting → what counts after it still lack."""
    lacking: dict[int, set[int]] = defaultdict(set)
    for difference in differences:
        for row in difference.since_last(facts):
            lacking[row].add(difference.quantity)
    return lacking


def _which(
    facts: Facts, one: int, two: int, line: dict[str, Any] | None, counted: dict[int, set[int]]
) -> tuple[int, int, bool]:
    """The wrong posting, the right one, and whether the order line or a count says so: one that lacks just what the
    record would gain by the other quantity. Else the larger is taken as wrong."""
    moves, quantity = facts.movements, facts.movements.quantity
    if line is not None:
        told = {line["quantity"], line["quantity_received"]}
        for wrong, right in ((one, two), (two, one)):
            if int(quantity[right]) in told and int(quantity[wrong]) not in told:
                return wrong, right, True
    for wrong, right in ((one, two), (two, one)):
        gain = int(moves.effect[wrong]) * int(quantity[right] - quantity[wrong])
        if moves.on_record[wrong] and gain in counted.get(wrong, ()):
            return wrong, right, True
    return (one, two, False) if quantity[one] > quantity[two] else (two, one, False)


def _against_orders(facts: Facts) -> Iterator[tuple[int, Finding]]:
    """A lone posting of an order line against its quantities.

    What the order says was received is the better witness; without it only more than was ordered is suspicious, since
    less may be a part delivery.
    """
    moves = facts.movements
    for row, line in _lone_receipts(facts):
        posted, received, ordered = int(moves.quantity[row]), line["quantity_received"] or 0, line["quantity"]
        if posted in (received, ordered) or (not received and posted < ordered):
            continue
        how = slip(posted, received or ordered, facts.factors(int(moves.item[row])))
        if how is not None:
            evidence = [moves.fact(row), order_fact(line)]
            yield row, _finding(facts, row, how, received or ordered, evidence, 0.9 if received else 0.7)


def _lone_receipts(facts: Facts) -> Iterator[tuple[int, dict[str, Any]]]:
    """Receipts that are their system's only posting for an order line, with the line."""
    moves = facts.movements
    kinds = {code for code, name in enumerate(moves.kinds) if name in ("receipt", "transfer_in")}
    posted: dict[tuple[int, int, int, int], list[int]] = {}
    for row in ((moves.place >= 0) & (moves.order >= 0) & ~moves.settled).nonzero()[0].tolist():
        if int(moves.kind[row]) in kinds:
            key = (int(moves.system[row]), int(moves.order[row]), int(moves.line[row]), int(moves.item[row]))
            posted.setdefault(key, []).append(row)
    for rows in posted.values():
        line = _line(facts, rows[0])
        if len(rows) == 1 and line is not None:
            yield rows[0], line


def _line(facts: Facts, row: int) -> dict[str, Any] | None:
    named = facts.movements.order_lines.get(row)
    return None if named is None else facts.orders.get((*named, int(facts.movements.item[row])))


def _against_counts(
    facts: Facts, matches: list[Match], differences: list[Difference], known: dict[int, Finding]
) -> Iterator[tuple[int, Finding]]:
    """A count's open difference that exactly one posting since the count before could have caused by such a slip.

    Postings that another system or their order line confirms are not suspected, nor is anything where a cause is known.
    """
    moves = facts.movements
    blamed = {(finding.item, finding.place) for finding in known.values()}
    confirmed = _confirmed(facts, matches)
    for difference in differences:
        if (difference.item, difference.place) in blamed:
            continue
        suspects = []
        for row in difference.since_last(facts):
            posted = int(moves.quantity[row])
            true = posted + int(moves.effect[row]) * difference.quantity
            if (
                row in confirmed
                or true <= 0
                or posted < 10
                or moves.kind_name(row) not in KEYED
                or not moves.on_record[row]
            ):
                continue
            how = slip(posted, true, facts.factors(difference.item))
            if how is not None:
                suspects.append((row, true, how))
        if len(suspects) == 1:
            row, true, how = suspects[0]
            evidence = [moves.fact(row), observation_fact(difference.claim)]
            yield row, _finding(facts, row, how, true, evidence, 0.6)


def _confirmed(facts: Facts, matches: list[Match]) -> set[int]:
    quantity = facts.movements.quantity
    equal = [match.pairs[quantity[match.pairs[:, 0]] == quantity[match.pairs[:, 1]]] for match in matches]
    rows = {row for pairs in equal for row in pairs.ravel().tolist()}
    lone = {
        row
        for row, line in _lone_receipts(facts)
        if int(quantity[row]) in (line["quantity"], line["quantity_received"])
    }
    return rows | lone


def _finding(
    facts: Facts, row: int, how: Slip, true: int, evidence: list[dict[str, Any]], confidence: float
) -> Finding:
    moves = facts.movements
    posted, effect = int(moves.quantity[row]), int(moves.effect[row])
    posting = moves.row(row)
    say = partial(facts.said, int(moves.item[row]))
    system = posting["system"]
    systems = tuple(dict.fromkeys(fact["system"] for fact in evidence if fact.get("system")))
    paper = posting["document"] or posting["order_id"] or posting["event_id"]
    return Finding(
        how.kind, int(moves.item[row]), int(moves.place[row]), int(moves.time[row]), effect * (true - posted),
        confidence, systems, tuple(evidence),
        f"{system} posted {say(posted)} where {say(true)} moved: {how.words}.",
        f"Read the quantity and unit on {paper}, or count this item-location.",
        bool(moves.on_record[row]),
    )  # fmt: skip
