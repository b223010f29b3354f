"""Anomalies: documented rules over every system's movements and claims, each with the evidence shown, most money first.

A fault shows in several places. Rules that name a cause come first; a count or book that only shows the same quantity
becomes evidence of the cause instead of another anomaly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from typing import Any

from stocktwin.analytics.anomaly_rules.counts import book_findings, count_findings, differences, open_counts
from stocktwin.analytics.anomaly_rules.duplicates import duplicate_posts
from stocktwin.analytics.anomaly_rules.facts import Facts
from stocktwin.analytics.anomaly_rules.losses import unexplained_losses
from stocktwin.analytics.anomaly_rules.matching import match_systems
from stocktwin.analytics.anomaly_rules.misposts import wrong_quantities
from stocktwin.analytics.anomaly_rules.missing import missing_posts
from stocktwin.analytics.anomaly_rules.model import Anomaly, Finding, Thresholds
from stocktwin.tables.evidence import Evidence
from stocktwin.tables.snapshot import Snapshot

KINDS = (
    "record_against_count",
    "record_against_book",
    "duplicate_post",
    "pack_factor",
    "digit_swap",
    "missing_post",
    "unexplained_loss",
)
CONFIRMED = 0.97
"""Confidence of a cause that a count or book bears out to the unit."""
SIDE_BOOK = 0.3
"""Weight of a fault that leaves the record right."""
MOST_CAUSES = 3
"""Causes that are tried together to explain one difference."""


def find_anomalies(evidence: Evidence, snapshot: Snapshot, thresholds: Thresholds | None = None) -> list[Anomaly]:
    """What looks wrong in a window of evidence, ranked by value at risk times confidence.

    `snapshot` gives places, units and costs. Quantities are corrections to the record (or to the named system's book).
    """
    facts = Facts.of(evidence, snapshot, thresholds or Thresholds())
    matches = match_systems(facts)
    found = differences(facts)
    standing = open_counts(facts, found)
    doubles = duplicate_posts(facts)
    causes = [*doubles, *wrong_quantities(facts, matches, standing)]
    causes += missing_posts(facts, matches, _posted_in(causes))
    symptoms = [*count_findings(facts, standing), *book_findings(facts, matches)]
    causes, symptoms = _explained(causes, symptoms)
    losses = unexplained_losses(facts, found, causes)
    counted = [loss for loss in losses if any(fact["fact"] == "observation" for fact in loss.evidence)]
    drifting = {(loss.item, loss.place) for loss in counted}
    symptoms = [s for s in symptoms if s.kind != "record_against_count" or (s.item, s.place) not in drifting]
    return _ranked(facts, [*causes, *symptoms, *losses])


def _posted_in(causes: list[Finding]) -> frozenset[str]:
    """Event ids that already belong to a finding."""
    return frozenset(fact["event_id"] for cause in causes for fact in cause.evidence if fact["fact"] == "movement")


def _explained(causes: list[Finding], symptoms: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Gives a difference to the causes that add up to it, as their evidence; returns causes and what is left over."""
    at: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, cause in enumerate(causes):
        at[cause.item, cause.place].append(place)
    out, left = list(causes), []
    for symptom in symptoms:
        known = [k for k in at[symptom.item, symptom.place] if causes[k].event_time <= symptom.event_time]
        blamed = _adding_up(causes, known, symptom)
        if not blamed:
            left.append(symptom)
        for k in blamed:
            systems = tuple(dict.fromkeys((*out[k].systems, *symptom.systems)))
            out[k] = replace(out[k], confidence=max(out[k].confidence, CONFIRMED), systems=systems,
                             evidence=(*out[k].evidence, *symptom.evidence))  # fmt: skip
    return out, left


def _adding_up(causes: list[Finding], known: list[int], symptom: Finding) -> tuple[int, ...]:
    """The fewest causes whose corrections add up to a difference.

    A fault in the record shifts every claim by its correction; one in a side book shifts that system's statement back.
    """
    shift: dict[int, int] = {}
    for k in known:
        if causes[k].on_record:
            shift[k] = causes[k].quantity
        elif symptom.kind == "record_against_book" and causes[k].systems[0] == symptom.systems[0]:
            shift[k] = -causes[k].quantity
    for size in range(1, min(MOST_CAUSES, len(shift)) + 1):
        for chosen in combinations(shift, size):
            if sum(shift[k] for k in chosen) == symptom.quantity:
                return chosen
    return ()


def _ranked(facts: Facts, findings: list[Finding]) -> list[Anomaly]:
    """Valued at unit cost and sorted: value at risk × confidence, side books less, without a cost last."""
    cost: list[float | None] = facts.snapshot.items.column("unit_cost").to_pylist()
    scale = facts.snapshot.scale()
    valued = []
    for finding in findings:
        unit = cost[finding.item]
        places = int(scale[finding.item])
        valued.append((finding, places, None if unit is None else abs(finding.quantity) / 10**places * unit))
    largest = max((value or 0.0 for _, _, value in valued), default=0.0)
    anomalies = [_anomaly(facts, finding, places, value, largest) for finding, places, value in valued]
    return sorted(anomalies, key=_order)


def _anomaly(facts: Facts, finding: Finding, places: int, value: float | None, largest: float) -> Anomaly:
    item, location = facts.item_id(finding.item), facts.location_id(finding.place)
    weight = 1.0 if finding.on_record else SIDE_BOOK
    share = math.log1p(value) / math.log1p(largest) if value and largest > 0 else 0.0
    return Anomaly(
        finding.identity(item, location), finding.kind, item, location, finding.event_time, finding.quantity, places,
        None if value is None else round(value, 2), round(weight * share, 4), round(finding.confidence, 3),
        finding.systems, finding.evidence, finding.explanation, finding.cheapest_check, finding.on_record,
    )  # fmt: skip


def _order(anomaly: Anomaly) -> tuple[Any, ...]:
    weight = (1.0 if anomaly.on_record else SIDE_BOOK) * anomaly.confidence
    return (anomaly.value is None, -weight * (anomaly.value or abs(anomaly.quantity)), anomaly.kind, anomaly.id)


__all__ = ["KINDS", "Anomaly", "Thresholds", "find_anomalies"]
