"""What becomes of a decision from outside: carried out, in part, or refused, and why. Nothing is dropped silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stocktwin.world.decisions import Decision, Rejected

DONE: Final = "done"
PARTLY: Final = "partly"
REFUSED: Final = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one row of a decision file. `row` counts from 1, headings left out; `reason` is empty where all of
    it was done."""

    file: str
    row: int
    day: int
    kind: str
    item_id: str
    location_id: str
    order_id: str
    line: str
    status: str
    reason: str

    @classmethod
    def of(cls, one: Decision, status: str = DONE, reason: str = "") -> Outcome:
        """The outcome of a decision."""
        line = str(one.line) if one.order_id else ""
        return cls(one.file, one.row, one.day, one.kind, one.item_id, one.location_id, one.order_id, line, status,
                   reason)  # fmt: skip

    @classmethod
    def rejected(cls, one: Rejected, day: int) -> Outcome:
        """That of a row that makes no sense."""
        raw = {name: one.raw.get(name, "") for name in ("kind", "item_id", "order_id", "line")}
        place = one.raw.get("location_id") or one.raw.get("to_id", "")
        kind = raw["kind"] or ("policy" if one.file.lower().startswith("policies") else "")
        return cls(one.file, one.row, day, kind, raw["item_id"], place, raw["order_id"], raw["line"], REFUSED,
                   one.reason)  # fmt: skip
