"""From a movement to its two accounts: which side each kind needs, what it defaults to, whose stock it changes.

    receipt       supplier → to            (out of the lane, where its shipment was posted: `books.py`)
    shipment      from → lane              transfer_out  from → lane           transfer_in  lane → to
    sale          from → customer          return        customer → to (condition `returned`)
    adjustment    from, else gain → to, else loss         scrap         from → scrap
    transform     from, else transform → to, else transform
    status        the same place on both sides; the condition changes

An end that is itself a lane account (`A→B`) is taken as it is. Correcting movements swap their ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stocktwin.domain.identity import CUSTOMER, GAIN, LOSS, SCRAP, SUPPLIER, TRANSFORM, VIRTUAL_LOCATIONS, lane_account
from stocktwin.tables.schema import MOVEMENT_KINDS

LANE: Final = "lane"
SAME: Final = "same"
VIRTUAL_CODE: Final = {name: code for code, name in enumerate(VIRTUAL_LOCATIONS)}
"""Codes of the virtual places: they are interned first, in this order, in every projection."""


@dataclass(frozen=True)
class Booking:
    """How one kind of movement books."""

    needs_from: bool = False
    needs_to: bool = False
    default_from: str = ""
    """Virtual place, or `same` (the other end), where `from_id` is empty."""
    default_to: str = ""
    lane: str = ""
    """Which side is the lane between the two ends: `from`, `to` or none."""
    site: str = "from"
    """The end whose stock changes first of all: authority is declared for it."""


BOOKINGS: Final = {
    "receipt": Booking(needs_to=True, default_from=SUPPLIER, site="to"),
    "shipment": Booking(needs_from=True, needs_to=True, lane="to"),
    "transfer_out": Booking(needs_from=True, needs_to=True, lane="to"),
    "transfer_in": Booking(needs_from=True, needs_to=True, lane="from", site="to"),
    "sale": Booking(needs_from=True, default_to=CUSTOMER),
    "return": Booking(needs_to=True, default_from=CUSTOMER, site="to"),
    "adjustment": Booking(default_from=GAIN, default_to=LOSS),
    "scrap": Booking(needs_from=True, default_to=SCRAP),
    "transform": Booking(default_from=TRANSFORM, default_to=TRANSFORM),
    "status": Booking(default_from=SAME, default_to=SAME),
}


def missing_side(kind: str, from_id: str | None, to_id: str | None) -> str | None:
    """The column without which a movement cannot be booked, or None.

    >>> missing_side("sale", None, "C-1"), missing_side("adjustment", None, None), missing_side("sale", "DC-1", None)
    ('from_id', 'from_id', None)
    """
    rule = BOOKINGS[kind]
    if from_id is None and (rule.needs_from or to_id is None):
        return "to_id" if rule.needs_to and not rule.needs_from else "from_id"
    return "to_id" if to_id is None and rule.needs_to else None


def ends(kind: str, from_id: str | None, to_id: str | None) -> tuple[str, str]:
    """The places that a movement leaves and enters, before its shipment and openings are looked at.

    >>> ends("sale", "DC-1", None), ends("transfer_out", "DC-1", "DC-2")
    (('DC-1', 'customer'), ('DC-1', 'DC-1→DC-2'))
    """
    rule = BOOKINGS[kind]
    out = from_id or (rule.default_from if rule.default_from != SAME else to_id) or ""
    into = to_id or (rule.default_to if rule.default_to != SAME else from_id) or ""
    if rule.lane and not _is_lane(out) and not _is_lane(into):
        lane = lane_account(out, into)
        return (lane, into) if rule.lane == "from" else (out, lane)
    return out, into


def conditions(kind: str, condition: str | None, to_condition: str | None) -> tuple[str, str]:
    """The conditions that a movement leaves and enters.

    >>> conditions("return", None, None), conditions("sale", "blocked", None)
    (('unrestricted', 'returned'), ('blocked', 'blocked'))
    """
    left = condition or "unrestricted"
    return left, to_condition or ("returned" if kind == "return" else left)


def site(kind: str, from_id: str | None, to_id: str | None) -> str:
    """The location whose declared authority decides about a movement: the preferred end if it is a real place, else
    the other.

    >>> site("sale", "DC-1", None), site("sale", "customer", "DC-1"), site("adjustment", None, "DC-1")
    ('DC-1', 'DC-1', 'DC-1')
    """
    first, other = (to_id, from_id) if BOOKINGS[kind].site == "to" else (from_id, to_id)
    return first if first and first not in VIRTUAL_CODE else other or first or ""


def _is_lane(place: str) -> bool:
    return "→" in place


# ---- the same as SQL, over the codes `from_place`, `to_place` of a staged movement


def missing_sql() -> str:
    """SQL expression: the column without which the row cannot be booked, or NULL."""
    both = _among(lambda rule: rule.needs_from)
    to = _among(lambda rule: rule.needs_to and not rule.needs_from)
    to_also = _among(lambda rule: rule.needs_to)
    return (
        f"CASE WHEN from_id IS NULL AND {both} THEN 'from_id' WHEN to_id IS NULL AND {to_also} "
        f"THEN 'to_id' WHEN from_id IS NULL AND to_id IS NULL AND NOT {to} THEN 'from_id' END"
    )


def out_sql(lanes: bool = True) -> str:
    """SQL expression: code of the place the movement leaves. With `lanes`, `lane` is the lane joined by its ends."""
    return _end_sql("from", lanes)


def into_sql(lanes: bool = True) -> str:
    """SQL expression: code of the place the movement enters."""
    return _end_sql("to", lanes)


def _end_sql(side: str, lanes: bool) -> str:
    end = _side_sql(side)
    kinds = _among(lambda rule: rule.lane == side)
    return f"CASE WHEN {kinds} AND lane.code IS NOT NULL THEN lane.code ELSE {end} END" if lanes else end


def site_sql() -> str:
    """SQL expression: code of the place whose authority decides."""
    last = max(VIRTUAL_CODE.values())
    to = _among(lambda rule: rule.site == "to")
    first = f"CASE WHEN {to} THEN to_place ELSE from_place END"
    other = f"CASE WHEN {to} THEN from_place ELSE to_place END"
    return f"CASE WHEN {first} > {last} THEN {first} ELSE coalesce({other}, {first}) END"


def on_lane_sql() -> str:
    """SQL condition: the kind books onto or out of a lane."""
    return _among(lambda rule: bool(rule.lane))


def _side_sql(side: str) -> str:
    other = "to" if side == "from" else "from"
    cases = []
    for kind, rule in BOOKINGS.items():
        default = rule.default_from if side == "from" else rule.default_to
        if default:
            value = f"{other}_place" if default == SAME else str(VIRTUAL_CODE[default])
            cases.append(f"WHEN '{kind}' THEN {value}")
    return f"coalesce({side}_place, CASE kind {' '.join(cases)} END)"


def _among(wanted: Callable[[Booking], bool]) -> str:
    """SQL condition: the kind is one of those wanted. A bit per kind: DuckDB makes a join of an IN with many words."""
    bits = sum(1 << at for at, kind in enumerate(MOVEMENT_KINDS) if wanted(BOOKINGS[kind]))
    return f"(CAST({bits} AS BIGINT) >> CAST(enum_code(CAST(kind AS movement_kind)) AS BIGINT) & 1) = 1"
