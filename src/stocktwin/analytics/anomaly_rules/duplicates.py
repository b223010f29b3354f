"""duplicate_post: one event posted twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from stocktwin.analytics.anomaly_rules.facts import Facts, Flags, Ints, dense, order_fact, resolution
from stocktwin.analytics.anomaly_rules.model import DAY, HOUR, MINUTE, Finding

ACTIVE_SHARE = 3.0
"""Work is done in about a third of the hours, so coincidences are that much likelier than spread evenly."""


def duplicate_posts(facts: Facts) -> list[Finding]:
    """Same system, kind, item, ends and quantity within minutes, under different event ids.

    Linked twins (same document, or same order line) are reported unless the order line was to come in such parts,
    another system tells of two events as well, or the system repeats lines by habit; more than minutes apart, only if
    another system tells of one. Unlinked twins are reported only
    where such a coincidence is not to be expected anywhere in the window. Anything corrected is left alone.
    What is received of an order line counts as told only where another system says so: the one that posted twice has
    counted twice, too. Both systems may have posted twice, where one takes over what the other says; then only more
    than was ordered betrays it.
    """
    moves = facts.movements
    usable = np.flatnonzero((moves.place >= 0) & ~moves.settled)
    key = dense(moves.system, moves.kind, moves.item, moves.ends, moves.quantity)
    order = usable[np.lexsort((moves.time[usable], key[usable]))]
    near = np.diff(moves.time[order]) <= facts.thresholds.duplicate_linked_hours * HOUR
    twins = np.flatnonzero((np.diff(key[order]) == 0) & near)
    linked = _linked(facts, order[twins], order[twins + 1])
    close = np.diff(moves.time[order])[twins] <= facts.thresholds.duplicate_minutes * MINUTE
    twins, linked = twins[linked | close], linked[linked | close]
    one, two = order[twins], order[twins + 1]
    clash = _different_lines(facts, one, two) | _put_away_together(facts, one, two)
    keep = np.where(linked, ~_habitual(facts, one, linked), ~clash & _unexpected(facts, key, usable, one, two))
    found = [
        _judge(facts, int(a), int(b), bool(link)) for a, b, link in zip(one[keep], two[keep], linked[keep], strict=True)
    ]
    return [finding for finding in found if finding is not None]


def _linked(facts: Facts, one: Ints, two: Ints) -> Flags:
    moves = facts.movements
    same_document = (moves.document[one] >= 0) & (moves.document[one] == moves.document[two])
    same_line = (moves.order[one] == moves.order[two]) & (moves.line[one] == moves.line[two])
    other_document = (moves.document[one] >= 0) & (moves.document[two] >= 0) & ~same_document
    return np.asarray((same_document & same_line) | (same_line & (moves.order[one] >= 0) & ~other_document))


def _different_lines(facts: Facts, one: Ints, two: Ints) -> Flags:
    """Two lines of one document or order are two events, however alike."""
    moves = facts.movements
    same = (moves.document[one] >= 0) & (moves.document[one] == moves.document[two])
    same |= (moves.order[one] >= 0) & (moves.order[one] == moves.order[two])
    return np.asarray(same & (moves.line[one] != moves.line[two]))


def _put_away_together(facts: Facts, one: Ints, two: Ints) -> Flags:
    """Two papers of equal goods that change their place or condition at the same time: they came together."""
    moves = facts.movements
    papers = (moves.document[one] >= 0) & (moves.document[two] >= 0) & (moves.document[one] != moves.document[two])
    inner = [code for code, name in enumerate(moves.kinds) if name == "status"]
    return np.asarray(papers & np.isin(moves.kind[one], inner))


def _habitual(facts: Facts, one: Ints, linked: Flags) -> Flags:
    """Whether the system repeats lines of this kind so often that it must be its way of writing."""
    moves = facts.movements
    stream = dense(moves.system, moves.kind)
    repeated = np.bincount(stream[one[linked]], minlength=int(stream.max(initial=0)) + 1)
    posted = np.bincount(stream, minlength=len(repeated))
    habit = (repeated > facts.thresholds.duplicate_habit * posted) & (repeated >= 20)
    return np.asarray(habit[stream[one]])


def _unexpected(facts: Facts, key: Ints, usable: Ints, one: Ints, two: Ints) -> Flags:
    """Whether chance would hardly give such a coincidence, anywhere in the window, to equal postings of that stream.

    n equal postings at random moments of W hours of work make n(n − 1)·g/W pairs at most g apart.
    """
    moves = facts.movements
    window = max(facts.evidence.as_of - facts.evidence.since, DAY) / ACTIVE_SHARE
    count = np.bincount(key[usable], minlength=int(key.max(initial=0)) + 1).astype(np.float64)
    pairs = count * (count - 1)
    stream = dense(moves.system, moves.kind)
    _, first = np.unique(key[usable], return_index=True)
    total = np.zeros(int(stream.max(initial=0)) + 1)
    np.add.at(total, stream[usable[first]], pairs[key[usable[first]]])
    step = np.array([resolution(moves.time[moves.system == code]) for code in range(len(moves.systems))], np.float64)
    gap = np.maximum(moves.time[two] - moves.time[one], np.maximum(step, MINUTE)[moves.system[one]])
    allowed = facts.thresholds.duplicate_coincidences
    return np.asarray((total[stream[one]] * gap / window <= allowed) & (pairs[key[one]] * gap / window <= 0.01))


def _judge(facts: Facts, one: int, two: int, linked: bool) -> Finding | None:
    moves = facts.movements
    first, second = moves.row(one), moves.row(two)
    evidence = [moves.fact(one), moves.fact(two)]
    confidence = 0.85 if linked else 0.6
    told = sorted({*_told_elsewhere(facts, one), *([] if linked else _told_elsewhere(facts, two))})
    close = moves.time[two] - moves.time[one] <= facts.thresholds.duplicate_minutes * MINUTE
    line = facts.orders.get((first["order_id"], first["line"], int(moves.item[one])))
    if not (told or close) or (line is None and len(told) >= 2):
        return None
    if len(told) == 1:
        evidence.append(moves.fact(told[0]))
        confidence = 0.97
    if line is not None:
        if _total(facts, two) <= _expected(line, first["system"], passed_on=len(told) >= 2):
            return None
        evidence.append(order_fact(line))
        confidence = 0.7 if len(told) >= 2 else max(confidence, 0.95)
    apart = _span(second["event_time"] - first["event_time"])
    quantity, system = first["quantity"], first["system"]
    link = "no common document"
    if linked:
        link = (
            f"document {first['document']}" if first["document"] else f"order {first['order_id']} line {first['line']}"
        )
    return Finding(
        "duplicate_post", int(moves.item[one]), int(moves.place[one]), int(moves.time[two]),
        -int(moves.effect[one]) * quantity, confidence, (system,), tuple(evidence),
        f"{system} posted the same {first['kind']} twice within {apart} ({link}) under two event ids.",
        f"Look up {second['event_id']} in {system}: is there a second paper for it?",
        bool(moves.on_record[two]),
    )  # fmt: skip


def _expected(line: dict[str, Any], system: str, passed_on: bool) -> int:
    """What a system may have posted for an order line: what was ordered, or what another one says was received."""
    told = 0 if passed_on or line["system"] == system else line["quantity_received"] or 0
    return max(int(line["quantity"]), int(told))


def _span(micros: int) -> str:
    """How far apart, in words."""
    return f"{micros / MINUTE * 60:.0f} s" if micros < 2 * MINUTE else f"{micros / MINUTE:.0f} min"


def _told_elsewhere(facts: Facts, row: int) -> list[int]:
    """Postings of the same event by other systems: kind, item, place and quantity, within the usual lags."""
    moves = facts.movements
    same = moves.by_pair[int(moves.item[row]), int(moves.place[row])]
    same = same[(moves.system[same] != moves.system[row]) & (moves.kind[same] == moves.kind[row])]
    same = same[(moves.quantity[same] == moves.quantity[row]) & ~moves.settled[same]]
    by_line = same[(moves.order[same] == moves.order[row]) & (moves.line[same] == moves.line[row])]
    by_document = same[moves.document[same] == moves.document[row]]
    for known, told in ((moves.order[row] >= 0, by_line), (moves.document[row] >= 0, by_document)):
        if known and len(told):
            return [int(k) for k in told]
    return [int(k) for k in same[np.abs(moves.time[same] - moves.time[row]) <= facts.longest_lag]]


def _total(facts: Facts, row: int) -> int:
    """What the system posted for the order line of a posting, all told."""
    moves = facts.movements
    same = moves.by_pair[int(moves.item[row]), int(moves.place[row])]
    same = same[(moves.system[same] == moves.system[row]) & (moves.kind[same] == moves.kind[row])]
    same = same[(moves.order[same] == moves.order[row]) & (moves.line[same] == moves.line[row]) & ~moves.settled[same]]
    return int(moves.quantity[same].sum())
