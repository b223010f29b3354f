"""Which labelled faults the twin found, how soon, and how often it cried wolf."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY

HOUR: Final = DAY // 24
TOLERANCE: Final = 2 * DAY
"""How far a case and a fault may lie apart and still be about the same thing: labels are dated by local day, books are
put right on the evening of a day, and what is put right is told the next."""
SILENCE: Final = 3 * DAY
"""A finding that was not told for so long and then again is a new case."""
FOREVER: Final = 2**62

TELLINGS: Final = pa.schema(
    [
        ("told_at", pa.int64()),  # when the twin was asked, µs
        ("cause", pa.string()),  # null: a symptom, no cause named
        ("item_id", pa.string()),
        ("location_id", pa.string()),
        ("of_book", pa.bool_()),  # a symptom of one system's book, not of the record
        ("moments", pa.list_(pa.int64())),  # event times of what it names and of the facts behind it, µs
    ]
)
"""What the twin told at each asking: the same finding again every time, while it stands."""


ALIKE: Final[Mapping[str, frozenset[str]]] = {
    "missing_post": frozenset(
        {
            "late_post", "silent_system", "schema_change", "missing_crossref", "wrong_crossref", "wrong_item",
            "wrong_location", "wrong_lot", "duplicate_post",
        }
    ),
    "pack_factor": frozenset({"wrong_unit", "decimal_slip"}),
    "unexplained_loss": frozenset({"theft", "bulk_theft", "damage", "misplacement"}),
}  # fmt: skip
"""Cause that a case names → causes of labels that it is about all the same, because they leave the same trace: a
posting without its counterpart may be missing there, late, held back, under another name, or one too many here; a
factor is a factor; what is gone is gone."""
RECORD, BOOK, NOTHING = "record", "book", "nothing"
"""What a fault makes wrong: the record, one system's book alone, or no balance at all."""


@dataclass(frozen=True)
class Fault:
    """A labelled fault: from `start` until `end` (µs; `FOREVER` where nobody put it right). An empty item or location
    stands for all of them. `wrong` is what it makes wrong."""

    cause: str
    item_id: str | None
    location_id: str | None
    start: int
    end: int
    wrong: str = RECORD


@dataclass(frozen=True)
class Case:
    """A finding, each time that it was told."""

    cause: str | None
    item_id: str
    location_id: str
    of_book: bool
    moments: tuple[int, ...]
    """When what it names and the facts behind it happened (µs), oldest first."""
    told: tuple[int, ...]
    """When, oldest first."""

    @property
    def told_at(self) -> int:
        """When it was told for the first time."""
        return self.told[0]


def cases_of(tellings: pa.Table, every: int = 1) -> list[Case]:
    """Findings told evening after evening (`TELLINGS`) as cases: the same cause, item and location, until it was not
    told for longer than `SILENCE`, or than the `every` nights from one asking to the next where that is more."""
    silence = max(SILENCE, every * DAY)
    told: dict[tuple[str, str, str, bool], list[tuple[int, list[int]]]] = defaultdict(list)
    for row in tellings.to_pylist():
        key = (row["cause"] or "", row["item_id"], row["location_id"], row["of_book"])
        told[key].append((row["told_at"], row["moments"]))
    out = []
    for (cause, item, location, of_book), rows in sorted(told.items()):
        for run in _runs(sorted(rows), silence):
            moments = sorted({moment for row in run for moment in row[1]})
            out.append(Case(cause or None, item, location, of_book, tuple(moments), tuple(row[0] for row in run)))
    return out


def _runs(rows: Sequence[tuple[int, list[int]]], silence: int) -> Iterable[list[tuple[int, list[int]]]]:
    run: list[tuple[int, list[int]]] = []
    for row in rows:
        if run and row[0] - run[-1][0] > silence:
            yield run
            run = []
        run.append(row)
    yield run


def about(case: Case, fault: Fault) -> bool:
    """Whether a case is about a fault: one of its moments lies within the fault's time at the same item-location, and
    its name fits.

    >>> fault = Fault("theft", "A", "D", 10 * DAY, 20 * DAY)
    >>> [about(Case(None, "A", "D", False, (day * DAY,), (0,)), fault) for day in (7, 8, 22, 23)]
    [False, True, True, False]
    """
    return (
        fault.item_id in (None, case.item_id)
        and fault.location_id in (None, case.location_id)
        and fits(case, fault)
        and any(fault.start - TOLERANCE <= moment <= fault.end + TOLERANCE for moment in case.moments)
    )


def fits(case: Case, fault: Fault) -> bool:
    """Whether what a case names may be a fault of this cause: the cause itself, or one that leaves the same trace
    (`ALIKE`). A symptom fits what makes the record wrong, one of a book also what makes a book wrong. What makes
    nothing wrong, or has no item, fits its own name only.

    >>> case, stray = Case("missing_post", "A", "D", False, (0,), (0,)), Fault("stray_read", "A", "D", 0, 0, NOTHING)
    >>> fits(case, Fault("late_post", "A", "D", 0, 0)), fits(case, Fault("theft", "A", "D", 0, 0)), fits(case, stray)
    (True, False, False)
    """
    if case.cause == fault.cause:
        return True
    if fault.item_id is None or fault.wrong == NOTHING:
        return False
    if case.cause is None:
        return fault.wrong == RECORD or case.of_book
    return fault.cause in ALIKE.get(case.cause, ())


def score_cases(
    faults: Sequence[Fault], tellings: pa.Table, *, since: int, until: int, item_locations: int, every: int = 1
) -> dict[str, Any]:
    """Found faults and false alarms of a twin that was asked every so many nights from `since` until `until`
    (µs).

    `causes`: per cause named by a label or by the twin, `recall` (faults that stood in the period and were told under
    their own cause ÷ faults that stood in it), `precision` (cases of that cause that are about a fault of that cause ÷
    cases of that cause), `median_hours` and `p90_hours` from the start of a fault that began in the period to the first
    asking since at which it was told. `false_cases_per_1000_month`: cases that are about no fault (`about`), per 1,000
    item-locations and 30 days. `cases`: how many there were of each. Cases that were told at the first asking already
    (the backlog of the time before) find faults, but enter neither precision nor false cases. Nothing to divide by is
    null.
    """
    standing = [fault for fault in faults if fault.start <= until and fault.end >= since]
    known = cases_of(tellings, every)
    fresh = [case for case in known if case.told_at > since]
    near = _near(fresh, faults)
    noticed = {id(fault) for found in _near(known, faults) for fault in found} & {id(fault) for fault in standing}
    false = sum(not found for found in near)
    months = (until - since) / (30 * DAY)
    names = sorted({fault.cause for fault in standing} | {case.cause for case in known if case.cause})
    return {
        "causes": {name: _cause(name, standing, known, faults, since) for name in names},
        "false_cases_per_1000_month": _share(1000 * false, item_locations * months),
        "cases": {
            "faults": len(standing),
            "noticed": len(noticed),
            "told": len(fresh),
            "right": sum(any(f.cause == c.cause for f in found) for c, found in zip(fresh, near, strict=True)),
            "false": false,
        },
    }


def _near(cases: Sequence[Case], faults: Sequence[Fault]) -> list[list[Fault]]:
    """For each case the faults that it is about: of those that had begun when it was told for the last time."""
    at: dict[tuple[str | None, str | None], list[Fault]] = defaultdict(list)
    for fault in faults:
        at[fault.item_id, fault.location_id].append(fault)
    out = []
    for case in cases:
        keys = [(item, place) for item in (case.item_id, None) for place in (case.location_id, None)]
        begun = (fault for key in keys for fault in at.get(key, ()) if fault.start <= case.told[-1])
        out.append([fault for fault in begun if about(case, fault)])
    return out


def _cause(
    name: str, standing: Sequence[Fault], cases: Sequence[Case], faults: Sequence[Fault], since: int
) -> dict[str, float | None]:
    """The four figures of one cause."""
    mine = [fault for fault in standing if fault.cause == name]
    told = [case for case in cases if case.cause == name]
    near = _near(told, [fault for fault in faults if fault.cause == name])
    first: dict[int, int] = {}
    for case, found in zip(told, near, strict=True):
        for fault in found:
            told_at = next(when for when in case.told if when >= fault.start)
            first[id(fault)] = min(first.get(id(fault), told_at), told_at)
    waits = [(first[id(fault)] - fault.start) / HOUR for fault in mine if id(fault) in first and fault.start >= since]
    right = [bool(found) for case, found in zip(told, near, strict=True) if case.told_at > since]
    return {
        "precision": _share(sum(right), len(right)),
        "recall": _share(sum(id(fault) in first for fault in mine), len(mine)),
        "median_hours": float(np.median(waits)) if waits else None,
        "p90_hours": float(np.quantile(waits, 0.9)) if waits else None,
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
