"""What somebody outside decides for the firm: transfers, purchases and policies, read from exchange tables.

`orders` rows ask for transfers and purchases (`kind`, item_id, quantity, unit, from_id, to_id, `ordered_at` where it is
to be later than the next day), `policies` rows change settings from the next day on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.quantity import parse_decimal, parse_quantity, to_atomic
from stocktwin.world.catalogue import Catalogue
from stocktwin.world.clock import START
from stocktwin.world.network import Network

TABLES: Final = ("orders", "policies")
SUFFIXES: Final = (".csv", ".parquet")
SETTINGS: Final = ("reorder_point", "order_up_to", "review_days")
POLICIES: Final = {"": None, "min_max": False, "base_stock": True}
Row = Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """One decision, quantities atomic. `kind` is transfer, purchase or policy; None leaves a setting as it is."""

    day: int
    kind: str
    item_id: str
    location_id: str
    source_id: str = ""
    """Who delivers; of a purchase without one it is the item's own supplier."""
    quantity: int = 0
    reorder_point: int | None = None
    order_up_to: int | None = None
    review_days: int | None = None
    base_stock: bool | None = None


@dataclass(frozen=True)
class Words:
    """What decisions may speak of: the places, and each item's scale and units (base units in one)."""

    dcs: frozenset[str]
    suppliers: frozenset[str]
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
        dcs = frozenset(dc.location_id for dc in network.dcs)
        return cls(dcs, frozenset(supplier.location_id for supplier in network.suppliers), scales, units)


def read_decisions(path: Path, words: Words, first_day: int) -> tuple[Decision, ...]:
    """The decisions of a file (`orders…` or `policies…`, CSV or Parquet) or of all such files of a folder, carried out
    on `first_day` unless they say a later one. UsageError names file, row and value where one makes no sense."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [decision for file in files if _is_one(file) for decision in _read(file, words, first_day)]
    if not any(map(_is_one, files)):
        raise UsageError(f"no decisions in {path.name!r}: files are called orders… or policies…, .csv or .parquet")
    return tuple(found)


def _is_one(path: Path) -> bool:
    return path.name.lower().startswith(TABLES) and path.suffix.lower() in SUFFIXES


def _read(path: Path, words: Words, first_day: int) -> Iterator[Decision]:
    make = _order if path.name.lower().startswith("orders") else _policy
    for number, row in enumerate(_rows(path)):
        try:
            yield make(row, words, first_day)
        except ValueError as error:
            raise UsageError(f"{path.name}, row {number + 1}: {error}") from None


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
        raise ValueError(f"from_id cannot deliver a {kind} to {to}: {source!r}")
    units = words.units[item]
    unit = row.get("unit", "")
    if unit not in units:
        raise ValueError(f"{item} is not counted in {unit!r}")
    quantity = to_atomic(parse_quantity(row.get("quantity", "")), Fraction(units[unit]), words.scales[item])
    return Decision(_day(row.get("ordered_at", ""), first_day), kind, item, to, source, quantity)


def _policy(row: Row, words: Words, first_day: int) -> Decision:
    item, place = _known_item(row, words), row.get("location_id", "")
    if place not in words.dcs:
        raise ValueError(f"location_id is no distribution centre: {place!r}")
    if row.get("parameter_unit") not in (None, "", "units"):
        raise ValueError(f"parameter_unit must be units, not {row['parameter_unit']!r}")
    if row.get("policy", "") not in POLICIES:
        raise ValueError(f"policy must be min_max or base_stock, not {row['policy']!r}")
    if not any(row.get(name) for name in SETTINGS):
        raise ValueError(f"none of {', '.join(SETTINGS)} is given")
    s, S = (_level(row.get(name, ""), words.scales[item]) for name in SETTINGS[:2])
    days = row.get("review_days")
    if days and not (days.isdigit() and int(days) > 0):
        raise ValueError(f"review_days must be a whole number of days, not {days!r}")
    return Decision(first_day, "policy", item, place, reorder_point=s, order_up_to=S,
                    review_days=int(days) if days else None, base_stock=POLICIES[row.get("policy", "")])  # fmt: skip


def _known_item(row: Row, words: Words) -> str:
    item = row.get("item_id", "")
    if item not in words.scales:
        raise ValueError(f"unknown item: {item!r}")
    return item


def _level(text: str, scale: int) -> int | None:
    return to_atomic(parse_decimal(text), Fraction(1), scale) if text else None


def _day(text: str, first_day: int) -> int:
    """The day of a date or instant, not before the first."""
    return max(first_day, (date.fromisoformat(text[:10]) - START).days) if text else first_day
