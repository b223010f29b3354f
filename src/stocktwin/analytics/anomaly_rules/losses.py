"""unexplained_loss: stock written off without a reason, or going missing count after count."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np

from stocktwin.analytics.anomaly_rules.counts import Difference
from stocktwin.analytics.anomaly_rules.facts import Facts, Ints, groups, observation_fact
from stocktwin.analytics.anomaly_rules.model import Finding

NO_REASON = re.compile(
    r"^\W*$|count|check|lost|loss|missing|found|adjust|invent|stock.?tak|differ|discrep|unknown|shrink|short|\?", re.I
)
"""Texts that say that stock is gone, not why."""
CAUSE = re.compile(
    r"damag|brok|scrap|expir|spoil|thrown|theft|stolen|own use|sample|donat|return|water|fire|rust", re.I
)
"""Words that say why, whatever else the text says."""
DRIFT_COUNTS = 3
"""Successive counts below the record that make a drift."""
SHOWN = 8
"""Pieces of evidence shown of many."""


def explains(reason: str | None) -> bool:
    """Whether the text of an adjustment says why; any text does that is not a mere statement of the difference.

    >>> explains("damaged in handling"), explains("cycle count"), explains(None), explains("??")
    (True, False, False, False)
    """
    return bool(reason) and bool(CAUSE.search(reason or "") or not NO_REASON.search(reason or ""))


def unexplained_losses(facts: Facts, found: list[Difference], causes: list[Finding]) -> list[Finding]:
    """One finding an item-location: adjustments out without a reason, net of those in; or three counts in a row below
    the record. Adjustments that settle a known cause (same item-location and quantity) are explained by it."""
    written = _written_off(facts, causes)
    drifting = _drifts(found)
    return [_finding(facts, key, written.get(key), drifting.get(key)) for key in sorted({*written, *drifting})]


def _written_off(facts: Facts, causes: list[Finding]) -> dict[tuple[int, int], tuple[int, list[int]]]:
    """(item, place) → net loss and the adjustments behind it."""
    moves = facts.movements
    settled: dict[tuple[int, int], set[int]] = defaultdict(set)
    for cause in causes:
        settled[cause.item, cause.place].add(cause.quantity)
    blank = _without_reason(facts)
    rows = blank[np.lexsort((moves.time[blank], moves.place[blank], moves.item[blank]))]
    out = {}
    for (item, place), group in groups(rows, moves.item[rows], moves.place[rows]).items():
        signed = {int(row): int(moves.effect[row] * moves.quantity[row]) for row in group}
        kept = {row: part for row, part in signed.items() if part not in settled[item, place]}
        net = sum(kept.values())
        every = moves.by_pair[item, place]
        moved = int(moves.quantity[every][moves.on_record[every]].sum()) - sum(abs(part) for part in kept.values())
        if net < 0 and -net >= max(facts.thresholds.material_share * moved, 1):
            out[item, place] = (-net, [row for row, part in kept.items() if part < 0])
    return out


def _without_reason(facts: Facts) -> Ints:
    """Standing adjustments on the record without a telling reason."""
    moves = facts.movements
    adjustment = [code for code, name in enumerate(moves.kinds) if name == "adjustment"]
    usable = np.isin(moves.kind, adjustment) & (moves.place >= 0) & moves.on_record & ~moves.settled
    rows = np.flatnonzero(usable)
    reasons = moves.table.column("reason").take(rows).to_pylist()
    return rows[np.array([not explains(reason) for reason in reasons], bool)] if len(rows) else rows


def _drifts(found: list[Difference]) -> dict[tuple[int, int], tuple[int, list[Difference]]]:
    """(item, place) → what went missing over its last counts, where three in a row found less than the record."""
    by_pair: dict[tuple[int, int], list[Difference]] = defaultdict(list)
    for difference in found:
        if difference.claim["method"] == "cycle_count" and not difference.fresh:
            by_pair[difference.item, difference.place].append(difference)
    out = {}
    for key, counts in by_pair.items():
        counts.sort(key=lambda difference: difference.time)
        run: list[tuple[int, Difference]] = []
        for at, difference in enumerate(counts):
            carried = 0 if at == 0 or counts[at - 1].mended else counts[at - 1].quantity
            together = at == 0 or difference.before == counts[at - 1].time
            step = difference.quantity - carried
            run = [*(run if together and step < 0 else []), *([(step, difference)] if step < 0 else [])]
        if len(run) >= DRIFT_COUNTS:
            out[key] = (-sum(step for step, _ in run), [difference for _, difference in run])
    return out


def _finding(
    facts: Facts,
    key: tuple[int, int],
    written: tuple[int, list[int]] | None,
    drift: tuple[int, list[Difference]] | None,
) -> Finding:
    evidence: list[dict[str, Any]] = []
    words, when, gone, sure = [], 0, 0, 0.5
    systems: list[str] = []
    if written is not None:
        gone, rows = written
        facts_shown = [facts.movements.fact(row) for row in rows[-SHOWN:]]
        evidence += facts_shown
        systems += [fact["system"] for fact in facts_shown]
        when = max(int(facts.movements.time[row]) for row in rows)
        words.append(f"{facts.said(key[0], gone)} were written off in {len(rows)} adjustment(s) that do not say why")
        sure = 0.7
    if drift is not None:
        lost, counts = drift
        evidence += [observation_fact(difference.claim) for difference in counts[-SHOWN:]]
        systems += [difference.claim["system"] for difference in counts]
        when, gone, sure = max(when, counts[-1].time), max(gone, lost), 0.85
        words.append(f"{len(counts)} counts in a row found less than the record, {facts.said(key[0], lost)} in all")
    return Finding(
        "unexplained_loss", *key, when, -gone, sure, tuple(dict.fromkeys(systems)), tuple(evidence),
        f"{'; '.join(words)}.".capitalize(),
        "Count this item-location weekly for a month and watch who handles it; look at damages never written down.",
    )  # fmt: skip
