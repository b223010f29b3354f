"""What somebody outside decides for the firm: orders, changes of orders and policies, read from exchange tables.

`orders` rows ask for transfers and purchases (`kind`, item_id, quantity, unit, from_id, to_id, `ordered_at` where it is
to be later than the next day); those that name an order and line of the ERP change that line (`requested_at` or
`promised_at` another day, `status` cancelled, `quantity_cancelled`). `policies` rows change settings from the next day
on: reorder_point, order_up_to, safety_stock (which shifts the other two), review_days, in `units` or `days` of demand.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.quantity import parse_decimal, parse_quantity, to_atomic
from stocktwin.world.catalogue import Catalogue
from stocktwin.world.clock import START
from stocktwin.world.network import Network
from stocktwin.world.places import Place

TABLES: Final = ("orders", "policies")
SUFFIXES: Final = (".csv", ".parquet")
SETTINGS: Final = ("reorder_point", "order_up_to", "safety_stock", "review_days")
LEVELS: Final = SETTINGS[:3]
REVIEWS: Final = ("1", "7")
POLICIES: Final = {"": None, "min_max": False, "base_stock": True}
ORDER: Final = re.compile(r"(PO|TO)-(\d{6})-([A-Z]+)-([A-Z]+)(-B\d+)?")
"""Numbers of the ERP's orders: see `order_feed.order_ids`."""
WHOLE: Final = -1
"""All of a line."""
MOST: Final = 2**40
"""Atomic units; no quantity is larger."""
DAY_SCALE: Final = 3
"""Decimal places of levels in days of demand."""
Row = Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """One decision, quantities atomic. `kind` is transfer, purchase, change (of an order line) or policy; None leaves a
    setting as it is."""

    day: int
    kind: str
    item_id: str
    location_id: str
    source_id: str = ""
    """Who delivers; of a purchase without one it is the item's own supplier."""
    quantity: int = 0
    """Of a change: what the line is said to be of, 0 where nothing is said."""
    reorder_point: int | None = None
    order_up_to: int | None = None
    safety_stock: int | None = None
    in_days: bool = False
    """Whether levels are thousandths of a day's demand."""
    review_days: int | None = None
    base_stock: bool | None = None
    order_id: str = ""
    line: int = 0
    ordered_day: int = 0
    asked_day: int | None = None
    """Day on which a changed line should arrive."""
    cancelled: int = 0
    """What is cancelled of it, or WHOLE."""
    file: str = ""
    row: int = 0
    """Where it stands, rows counted from 1."""


@dataclass(frozen=True)
class Rejected:
    """A row that makes no sense."""

    file: str
    row: int
    raw: Row
    reason: str


@dataclass(frozen=True)
class Words:
    """What decisions may speak of: the places, by id and by the name they have in order numbers, and each item's scale
    and units (base units in one)."""

    dcs: frozenset[str]
    suppliers: frozenset[str]
    shorts: Mapping[str, Mapping[str, str]]
    """`PO` and `TO`, who delivers by such an order; `to`, who receives: short name → id."""
    scales: Mapping[str, int]
    units: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, network: Network, catalogues: Iterator[Catalogue]) -> Words:
        """The words of a world."""
        scales: dict[str, int] = {}
        units: dict[str, Mapping[str, int]] = {}
        for items in catalogues:
            pallet = (items.case * items.cases_per_pallet).tolist()
            scales.update(zip(items.item_id, items.scale.tolist(), strict=True))
            for item_id, base, case, many in zip(items.item_id, items.unit, items.case.tolist(), pallet, strict=True):
                units[item_id] = {"": 1, base: 1, "case": case, "pallet": many}
        dcs, suppliers = _by_short(network.dcs), _by_short(network.suppliers)
        shorts = {"PO": suppliers, "TO": dcs, "to": dcs}
        return cls(frozenset(dcs.values()), frozenset(suppliers.values()), shorts, scales, units)


def _by_short(places: tuple[Place, ...]) -> dict[str, str]:
    return {place.short: place.location_id for place in places}


def read_decisions(path: Path, words: Words, first_day: int) -> tuple[tuple[Decision, ...], tuple[Rejected, ...]]:
    """The decisions of a file (`orders…` or `policies…`, CSV or Parquet) or of all such files of a folder, carried out
    on `first_day` unless they say a later one; and the rows that make no sense, with the reason. UsageError where there
    is no such file, EnvironmentFault where one cannot be read."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path.name}: {error.strerror}") from None
    files = [file for file in files if _is_one(file)]
    if not files:
        raise UsageError(f"no decisions in {path.name!r}: files are called orders… or policies…, .csv or .parquet")
    found = [one for file in files for one in _read(file, words, first_day)]
    return (tuple(one for one in found if isinstance(one, Decision)),
            tuple(one for one in found if isinstance(one, Rejected)))  # fmt: skip


def _is_one(path: Path) -> bool:
    return path.name.lower().startswith(TABLES) and path.suffix.lower() in SUFFIXES


def _read(path: Path, words: Words, first_day: int) -> Iterator[Decision | Rejected]:
    for number, row in enumerate(_rows(path), 1):
        make: Callable[[Row, Words, int], Decision] = _policy
        if path.name.lower().startswith("orders"):
            make = _change if row.get("order_id") else _order
        try:
            yield replace(make(row, words, first_day), file=path.name, row=number)
        except ValueError as error:
            yield Rejected(path.name, number, row, str(error))


def _rows(path: Path) -> list[Row]:
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as stream:
                return [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(stream)]
        rows = pq.read_table(path).to_pylist()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EnvironmentFault(f"cannot read {path.name}: {error}") from None
    return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]


def _order(row: Row, words: Words, first_day: int) -> Decision:
    item, to, source = _known_item(row, words), row.get("to_id", ""), row.get("from_id", "")
    kind = row.get("kind") or ("transfer" if source in words.dcs else "purchase")
    if kind not in ("transfer", "purchase"):
        raise ValueError(f"kind must be transfer or purchase, not {kind!r}")
    if to not in words.dcs:
        raise ValueError(f"to_id is no distribution centre: {to!r}")
    if source == to or (source not in words.dcs if kind == "transfer" else source and source not in words.suppliers):
        raise ValueError(f"there is no lane for a {kind} from {source!r} to {to}")
    quantity = _quantity(row, "quantity", item, words)
    return Decision(_day(row.get("ordered_at", ""), first_day), kind, item, to, source, quantity)


def _change(row: Row, words: Words, first_day: int) -> Decision:
    """Another day for an order line, or its end."""
    item, name, line = _known_item(row, words), row["order_id"], row.get("line", "")
    found = ORDER.fullmatch(name)
    source = words.shorts[found[1]].get(found[3]) if found else None
    to = words.shorts["to"].get(found[4]) if found else None
    if found is None or source is None or to is None or not line.isdecimal():
        raise ValueError(f"unknown order: {name!r}, line {line!r}")
    ordered = _day_of(f"20{found[2]}")
    asked = row.get("requested_at") or row.get("promised_at") or ""
    status = row.get("status", "")
    cancelled = WHOLE if status == "cancelled" else 0
    if not cancelled and parse_decimal(row.get("quantity_cancelled") or "0"):
        cancelled = _quantity(row, "quantity_cancelled", item, words)
    if status not in ("", "open", "confirmed", "cancelled"):
        raise ValueError(f"a decision cannot make a line {status!r}")
    if not cancelled and not asked:
        raise ValueError("nothing is asked for: no requested_at, no promised_at, nothing cancelled")
    quantity = _quantity(row, "quantity", item, words) if row.get("quantity") else 0
    asked_day = _day_of(asked) if asked and cancelled != WHOLE else None
    return Decision(first_day, "change", item, to, source, quantity, order_id=name, line=int(line), ordered_day=ordered,
                    asked_day=asked_day, cancelled=cancelled)  # fmt: skip


def _policy(row: Row, words: Words, first_day: int) -> Decision:
    item, place = _known_item(row, words), row.get("location_id", "")
    if place not in words.dcs:
        raise ValueError(f"location_id is no distribution centre: {place!r}")
    in_days = row.get("parameter_unit") == "days"
    if row.get("parameter_unit") not in (None, "", "units", "days"):
        raise ValueError(f"parameter_unit must be units or days, not {row['parameter_unit']!r}")
    if row.get("policy", "") not in POLICIES:
        raise ValueError(f"policy must be min_max or base_stock, not {row['policy']!r}")
    if not any(row.get(name) for name in SETTINGS):
        raise ValueError(f"none of {', '.join(SETTINGS)} is given")
    scale = DAY_SCALE if in_days else words.scales[item]
    s, S, safety = (_level(row, name, scale) for name in LEVELS)
    days = row.get("review_days")
    if days and days not in REVIEWS:
        raise ValueError(f"review_days must be 1 or 7 (people look every day, or on Mondays), not {days!r}")
    return Decision(first_day, "policy", item, place, reorder_point=s, order_up_to=S, safety_stock=safety,
                    in_days=in_days, review_days=int(days) if days else None,
                    base_stock=POLICIES[row.get("policy", "")])  # fmt: skip


def _known_item(row: Row, words: Words) -> str:
    item = row.get("item_id", "")
    if item not in words.scales:
        raise ValueError(f"unknown item: {item!r}")
    return item


def _quantity(row: Row, name: str, item: str, words: Words) -> int:
    unit, units = row.get("unit", ""), words.units[item]
    if unit not in units:
        raise ValueError(f"{item} is not counted in {unit!r}")
    if not row.get(name):
        raise ValueError(f"{name} is missing")
    return _atoms(row, name, parse_quantity, Fraction(units[unit]), words.scales[item])


def _level(row: Row, name: str, scale: int) -> int | None:
    return _atoms(row, name, parse_decimal, Fraction(1), scale) if row.get(name) else None


def _atoms(row: Row, name: str, parse: Callable[[str], Decimal], factor: Fraction, scale: int) -> int:
    """A column in atomic units; ValueError names it."""
    try:
        atoms = to_atomic(parse(row[name]), factor, scale)
    except ValueError as error:
        reason = str(error)
        raise ValueError(reason if reason.startswith(name) else f"{name}: {reason}") from None
    if not 0 <= atoms < MOST:
        raise ValueError(f"{name}: out of range: {row[name]!r}")
    return atoms


def _day(text: str, first_day: int) -> int:
    """The day of a date or instant, not before the first."""
    return max(first_day, _day_of(text)) if text else first_day


def _day_of(text: str) -> int:
    try:
        return (date.fromisoformat(text[:10]) - START).days
    except ValueError:
        raise ValueError(f"not a date: {text!r}") from None
