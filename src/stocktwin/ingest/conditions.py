"""`where`: which rows of a file a map takes. A row that a condition cannot judge is undecided, which is a finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.ingest.chunk import FILE, ROW, Chunk, encoded, text_of
from stocktwin.ingest.findings import Finding
from stocktwin.ingest.specs import Condition, MapSpec

Flags = npt.NDArray[np.bool_]

COMPARE: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "at_least": lambda value, limit: value >= limit,
    "at_most": lambda value, limit: value <= limit,
    "equals": lambda value, limit: value == limit,
    "not_equals": lambda value, limit: value != limit,
}
ARROW: Final = {"above": pc.greater, "below": pc.less, "at_least": pc.greater_equal, "at_most": pc.less_equal,
                "equals": pc.equal, "not_equals": pc.not_equal}  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """Rows a map takes, and rows that one of its conditions could not judge (and no other refused)."""

    yes: Flags
    undecided: Flags
    blocking: npt.NDArray[np.int64]
    """The condition that could not judge an undecided row."""


def takes(spec: MapSpec, chunk: Chunk) -> Taken:
    """Judges every row of a chunk; all conditions of the map must hold."""
    yes, refused = np.ones(len(chunk), bool), np.zeros(len(chunk), bool)
    blocking = np.full(len(chunk), -1, np.int64)
    for at, condition in enumerate(spec.where):
        holds, known = _judge(condition, chunk)
        yes &= holds & known
        refused |= known & ~holds
        blocking[~known & (blocking < 0)] = at
    return Taken(yes, (blocking >= 0) & ~refused, blocking)


def undecided_findings(spec: MapSpec, chunk: Chunk, taken: Taken, rows: Flags) -> list[Finding]:
    """Why the chosen `rows` could not be judged."""
    places = np.flatnonzero(rows).tolist()
    found = []
    for at, raw in zip(places, chunk.raws(places), strict=True):
        condition = spec.where[taken.blocking[at]]
        name, value = condition.column, chunk.cell(condition.column, at)
        reason = f"cannot be judged by {spec.key}.where ({condition.operator} {condition.operand}): {value!r}"
        if name not in chunk.columns or name in chunk.ambiguous:
            reason = f"cannot be judged by {spec.key}.where: the file has no (single) column {name!r}"
        found.append(Finding(int(chunk.rows[at]), chunk.line(at), name, value, reason, raw))
    return found


def _judge(condition: Condition, chunk: Chunk) -> tuple[Flags, Flags]:
    """(holds, could be judged) of each row."""
    name = condition.column
    if name in chunk.ambiguous or (name not in chunk.columns and name not in (ROW, FILE)):
        nothing = np.zeros(len(chunk), bool)
        return nothing, nothing
    numeric = isinstance(condition.operand, Decimal)
    cells = chunk.columns.get(name)
    if cells is None:
        cells = chunk.text(name)
    if numeric and (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        return _typed(condition, cells)
    return _each(condition, cells)


def _typed(condition: Condition, cells: pa.Array) -> tuple[Flags, Flags]:
    number = condition.operand
    operand = int(number) if number == number.to_integral_value() and abs(number) < 2**62 else float(number)
    empty = condition.operator == "not_equals"
    holds = ARROW[condition.operator](cells, pa.scalar(operand))
    return holds.fill_null(empty).to_numpy(zero_copy_only=False), np.ones(len(cells), bool)


def _each(condition: Condition, cells: pa.Array) -> tuple[Flags, Flags]:
    coded = encoded(cells)
    texts = [text or "" for text in text_of(coded.dictionary).to_pylist()]
    test = _test(condition)
    verdicts = [test(text) for text in [*texts, ""]]
    codes = coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return np.array([verdict is True for verdict in verdicts])[codes], np.array([v is not None for v in verdicts])[
        codes
    ]


def _test(condition: Condition) -> Callable[[str], bool | None]:
    """The test on one text; None: cannot be judged."""
    operator, operand = condition.operator, condition.operand
    if operator in ("matches", "not_matches"):
        search = re.compile(operand).search
        return lambda text: (search(text) is not None) == (operator == "matches")
    if operator in ("empty", "filled"):
        return lambda text: (not text.strip()) == (operand == (operator == "empty"))
    if operator in ("in", "not_in"):
        return lambda text: (text.strip() in operand) == (operator == "in")
    if isinstance(operand, Decimal):
        return lambda text: _compare(operator, text, operand)
    return lambda text: (text.strip() == operand) == (operator == "equals")


def _compare(operator: str, text: str, limit: Decimal) -> bool | None:
    """An empty cell is no number: it differs from every number and is neither above nor below one."""
    if not text.strip():
        return operator == "not_equals"
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return COMPARE[operator](value, limit) if value.is_finite() else None
