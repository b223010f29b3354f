"""missing_post: an event that one system or an order line tells of and another system, which should, does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from stocktwin.analytics.anomaly_rules.facts import Facts, dense, order_fact
from stocktwin.analytics.anomaly_rules.matching import Match
from stocktwin.analytics.anomaly_rules.model import DAY, Finding


def missing_posts(facts: Facts, matches: list[Match], extra: frozenset[str]) -> list[Finding]:
    """Postings without a counterpart, and received order lines without a receipt, after the usual delay.

    A counterpart is expected where the silent system posted at least 80 % of what the other told of the same kind at
    the same place. `extra` names postings already known to be duplicates: they have no counterpart by nature.
    """
    told: dict[tuple[int, int, str | None, str | None, int], Finding] = {}
    for finding in (*_between_systems(facts, matches, extra), *_of_orders(facts)):
        fact = finding.evidence[0]
        key = (finding.item, finding.place, fact.get("order_id"), fact.get("line"),
               0 if fact.get("order_id") else finding.event_time)  # fmt: skip
        if key not in told or finding.confidence > told[key].confidence:
            told[key] = finding
    return list(told.values())


def _between_systems(facts: Facts, matches: list[Match], extra: frozenset[str]) -> Iterator[Finding]:
    moves = facts.movements
    scope = dense(moves.kind, moves.place)
    for match in matches:
        joined = scope[match.pairs[:, 0]]
        paired = np.bincount(joined, minlength=int(scope.max(initial=0)) + 1)
        silence = match.lag + facts.longest_lag
        early, late = facts.evidence.since + match.lag, facts.evidence.as_of - silence
        ripe = (moves.time[match.alone] >= early) & (moves.time[match.alone] <= late)
        alone = match.alone[ripe]
        for teller, silent in ((match.first, match.second), (match.second, match.first)):
            rows = alone[moves.system[alone] == teller]
            unpaired = np.bincount(scope[rows], minlength=len(paired))
            for row in rows.tolist():
                both, lone = int(paired[scope[row]]), int(unpaired[scope[row]])
                usual = both / (both + lone)
                if both < facts.thresholds.posting_sample or usual < facts.thresholds.posting_share:
                    continue
                if moves.amended[row] or moves.row(row)["event_id"] in extra or _told_before(facts, row, early):
                    continue
                yield _silent(facts, row, silent, usual, match)


def _told_before(facts: Facts, row: int, early: int) -> bool:
    """Whether the order line arrived before the window: then so, perhaps, did the other system's posting."""
    posting = facts.movements.row(row)
    line = facts.orders.get((posting["order_id"], posting["line"], int(facts.movements.item[row])))
    return line is not None and line["received_at"] is not None and bool(line["received_at"] < early)


def _silent(facts: Facts, row: int, silent: int, usual: float, match: Match) -> Finding:
    moves = facts.movements
    posting, silent_name = moves.row(row), moves.systems[silent]
    kind, days = posting["kind"], (facts.evidence.as_of - posting["event_time"]) / DAY
    on_record = _authority(facts, silent, int(moves.kind[row]), int(moves.place[row]))
    said = facts.said(int(moves.item[row]), posting["quantity"])
    paper = posting["document"] or posting["order_id"] or posting["event_id"]
    confidence = min(0.5 + 0.45 * usual, 0.95) if on_record else 0.4 + 0.4 * usual
    return Finding(
        "missing_post", int(moves.item[row]), int(moves.place[row]), int(moves.time[row]),
        int(moves.effect[row]) * int(moves.quantity[row]), confidence, (silent_name, posting["system"]),
        (moves.fact(row),),
        f"{posting['system']} posted a {kind} of {said} {days:.0f} days ago; {silent_name}, which posts "
        f"{usual:.0%} of these within {match.lag / DAY:.1f} days, has not.",
        f"Search {silent_name} for {paper}; if it is not there, ask who handled it.",
        on_record,
    )  # fmt: skip


def _authority(facts: Facts, system: int, kind: int, place: int) -> bool:
    """Whether what the system posts of this kind at this place is the record."""
    moves = facts.movements
    same = (moves.system == system) & (moves.kind == kind) & (moves.place == place)
    return bool(same.any() and moves.on_record[same].mean() > 0.5)


def _of_orders(facts: Facts) -> Iterator[Finding]:
    """Lines that count as received while no receipt names them, where receipts there usually name their line."""
    moves = facts.movements
    kinds = [code for code, name in enumerate(moves.kinds) if name in ("receipt", "transfer_in")]
    rows = np.flatnonzero(np.isin(moves.kind, kinds) & (moves.order >= 0))
    pick = moves.table.select(["order_id", "line"]).take(rows).to_pylist()
    named = {(row["order_id"], row["line"], int(moves.item[k])) for row, k in zip(pick, rows.tolist(), strict=True)}
    silence = facts.longest_lag + round(facts.thresholds.default_lag_days * DAY)
    low, high = facts.evidence.since + silence, facts.evidence.as_of - silence
    ripe: dict[int, list[tuple[bool, dict[str, Any]]]] = {}
    for (order, line, item), told in facts.orders.items():
        when, place = told["received_at"], facts.snapshot.location_codes.code(told["to_id"])
        if (
            told["kind"] == "sales"
            or when is None
            or not told["quantity_received"]
            or not low <= when <= high
            or place < 0
        ):
            continue
        ripe.setdefault(place, []).append(((order, line, item) in named, told))
    for place, lines in ripe.items():
        posted = sum(there for there, _ in lines)
        usual = posted / len(lines)
        if posted >= facts.thresholds.posting_sample and usual >= facts.thresholds.posting_share:
            yield from (_unposted(facts, place, told, usual) for there, told in lines if not there)


def _unposted(facts: Facts, place: int, told: dict[str, Any], usual: float) -> Finding:
    item = facts.snapshot.item_codes.code(told["item_id"])
    said = facts.said(item, told["quantity_received"])
    return Finding(
        "missing_post", item, place, told["received_at"],
        told["quantity_received"], 0.5 + 0.4 * usual, (told["system"],), (order_fact(told),),
        f"Order {told['order_id']} line {told['line']} counts as received ({said}), but no receipt was posted for it; "
        f"{usual:.0%} of the lines received there have one.",
        f"Look for the delivery note of order {told['order_id']} and post its receipt, or reopen the line.",
    )  # fmt: skip
