"""One world for all tests of the room, and a fold of its feeds in plain Python."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from stocktwin.world import build
from stocktwin.world.rates import Rates

DAYS = 90
TROUBLED_DAYS = 50
TROUBLE = """
theft = 0.4
bulk_theft = 0.2
damage = 0.5
unexplained_loss = 0.3
misplacement = 0.4
receipt_missing_post = 0.03
receipt_duplicate_post = 0.03
receipt_late_post = 0.06
receipt_pack_factor = 0.03
receipt_wrong_unit = 0.03
receipt_digit_swap = 0.03
receipt_decimal_slip = 0.03
receipt_wrong_item = 0.04
receipt_wrong_location = 0.04
receipt_wrong_lot = 0.05
erp_receipt_missing_post = 0.01
erp_receipt_duplicate_post = 0.01
erp_receipt_late_post = 0.02
erp_receipt_pack_factor = 0.005
erp_receipt_digit_swap = 0.01
erp_receipt_wrong_item = 0.01
sale_missing_post = 0.002
sale_duplicate_post = 0.002
sale_late_post = 0.004
sale_wrong_item = 0.002
silent_system = 25
clock_skew = 8
duplicate_delivery = 40
reordered_delivery = 40
alias_codes = 1.0
missing_crossref = 0.3
wrong_crossref = 0.3
stray_read = 0.05
dead_sensor = 2
"""


@dataclass
class Fold:
    """Balances of accounts (location or lane, item, condition), and the lowest each stocking account ever was."""

    factors: dict[tuple[str, str], Fraction]
    level: dict[tuple[str, str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    lowest: dict[tuple[str, str, str], Fraction] = field(default_factory=lambda: defaultdict(Fraction))

    def post(self, movement: dict[str, Any]) -> None:
        """Takes a quantity from one account and gives it to another."""
        item, kind = movement["item_id"], movement["kind"]
        quantity = Fraction(movement["quantity"]) * self.factors.get((item, movement.get("unit")), Fraction(1))
        left = movement["condition"] or "unrestricted"
        entered = movement["to_condition"] or ("returned" if kind == "return" else left)
        source, target = movement["from_id"], movement["to_id"]
        lane = f"{source}→{target}"
        source = lane if kind == "transfer_in" else source
        target = lane if kind == "transfer_out" else target
        for account, change in (((source, item, left), -quantity), ((target, item, entered), quantity)):
            self.level[account] += change
            self.lowest[account] = min(self.lowest[account], self.level[account])


@dataclass
class World:
    """A built world, read back."""

    root: Path
    days: int
    read: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def raw(self, name: str) -> list[dict[str, Any]]:
        """Rows of a file as they stand there; times as microseconds, quantities exact in Parquet, texts in CSV."""
        if name not in self.read:
            self.read[name] = self._csv(name) if (self.root / f"{name}.csv").exists() else self._parquet(name)
        return self.read[name]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of a file as the twin should take them: in our names and UTC, each once, those of unknown items left
        out."""
        if not name.startswith(("feeds/wms/", "feeds/rfid/", "feeds/erp/movements")):
            return self.raw(name)
        if f"{name} as read" not in self.read:
            system = name.split("/")[1]
            unique = {row["event_id"]: row for row in self.raw(name)}
            ours = [self._in_our_words(system, row) for row in unique.values()]
            self.read[f"{name} as read"] = [row for row in ours if row["item_id"] in self.items]
        return self.read[f"{name} as read"]

    def _in_our_words(self, system: str, row: dict[str, Any]) -> dict[str, Any]:
        kinds = {"item_id": ("item",), "unit": ("unit",)} | dict.fromkeys(
            ("from_id", "to_id", "location_id"), ("location", "party")
        )
        out = dict(row)
        for column in kinds.keys() & row.keys():
            keys = ((system, kind, row[column]) for kind in kinds[column])
            out[column] = next((self.names[key] for key in keys if key in self.names), row[column])
        if system == "wms":
            arrives = (out.get("kind") in ("receipt", "transfer_in", "return")) != bool(out.get("corrects"))
            place = out.get("location_id") or out["to_id" if arrives else "from_id"]
            place = place if place in self.zones else out["from_id" if arrives else "to_id"]
            for column in ("event_time", "recorded_at"):
                out[column] = self.utc(row[column], self.zones[place])
        return out

    def utc(self, local: int, zone: str) -> int:
        """Microseconds UTC of a wall time."""
        hour = local // 3_600_000_000
        if (zone, hour) not in self.offsets:
            moment = datetime.fromtimestamp(hour * 3600, UTC).replace(tzinfo=ZoneInfo(zone))
            self.offsets[zone, hour] = int(moment.utcoffset().total_seconds()) * 1_000_000
        return local - self.offsets[zone, hour]

    @cached_property
    def names(self) -> dict[tuple[str, str, str], str]:
        """(system, kind, its name) → our name, as the ERP has it."""
        return {(r["system"], r["kind"], r["external_id"]): r["internal_id"] for r in self.raw("feeds/erp/crossref")}

    @cached_property
    def items(self) -> set[str]:
        """Item ids."""
        return {row["item_id"] for row in self.raw("feeds/erp/items")}

    @cached_property
    def zones(self) -> dict[str, str]:
        """Time zone of each location."""
        return {row["location_id"]: row["timezone"] for row in self.raw("feeds/erp/locations")}

    def _csv(self, name: str) -> list[dict[str, Any]]:
        with (self.root / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def _parquet(self, name: str) -> list[dict[str, Any]]:
        table = pq.read_table(self.root / f"{name}.parquet")
        for place, column in enumerate(table.schema):
            if str(column.type).startswith("timestamp"):
                table = table.set_column(place, column.name, table.column(place).cast("int64"))
        return table.to_pylist()

    @cached_property
    def factors(self) -> dict[tuple[str, str], Fraction]:
        """Base units in one of another unit."""
        return {(row["item_id"], row["unit"]): Fraction(row["factor"]) for row in self.rows("feeds/erp/units")}

    def truth(self) -> dict[tuple[str, str, str], Fraction]:
        """True stock at the end, by account."""
        rows = self.raw("truth/balances")
        last = max(row["date"] for row in rows)
        level: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
        for row in rows:
            if row["date"] == last:
                level[row["location_id"], row["item_id"], "unrestricted"] += Fraction(row["quantity"])
        return dict(level)

    def settings(self) -> dict[str, Any]:
        """What `twin.toml` says."""
        return tomllib.loads((self.root / "twin.toml").read_text(encoding="utf-8"))

    def fold(self, movements: Iterable[dict[str, Any]]) -> Fold:
        """Posts movements in the order in which they happened."""
        result = Fold(self.factors)
        for movement in sorted(movements, key=lambda row: row["event_time"]):
            result.post(movement)
        return result

    def on_record(self) -> Iterator[dict[str, Any]]:
        """The movements of the systems that `twin.toml` declares authoritative."""
        authority = self.settings()["authority"]
        for system in ("erp", "wms"):
            for row in self.rows(f"feeds/{system}/movements"):
                if authority.get(row["kind"], authority["default"]) == system:
                    yield row


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    build(root, days=DAYS, seed=3)
    return World(root, DAYS)


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which everything goes wrong often."""
    root = tmp_path_factory.mktemp("troubled")
    rates = root / "rates.toml"
    rates.write_text(TROUBLE, encoding="utf-8")
    build(root / "world", days=TROUBLED_DAYS, seed=11, rates=rates)
    return World(root / "world", TROUBLED_DAYS)


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which the warehouse's interface changes its columns."""
    root = tmp_path_factory.mktemp("changed")
    (root / "rates.toml").write_text("schema_change = 50\n", encoding="utf-8")
    build(root / "world", days=25, seed=1, rates=root / "rates.toml")
    return World(root / "world", 25)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which nothing goes wrong."""
    root = tmp_path_factory.mktemp("quiet")
    still = ("read_rate", "shelf_read_rate")
    rates = [f"{one.name} = {1 if one.name in still else 0}\n" for one in fields(Rates)]
    (root / "rates.toml").write_text("".join(rates), encoding="utf-8")
    build(root / "world", days=20, seed=2, rates=root / "rates.toml")
    return World(root / "world", 20)


@pytest.fixture(scope="session")
def record(world: World) -> Fold:
    return world.fold(world.on_record())


@pytest.fixture(scope="session")
def books(world: World) -> dict[str, Fold]:
    return {system: world.fold(world.rows(f"feeds/{system}/movements")) for system in ("erp", "wms")}


@pytest.fixture(scope="session")
def faults(world: World) -> list[dict[str, Any]]:
    return world.rows("truth/faults")


@pytest.fixture(scope="session")
def truth(world: World) -> dict[tuple[str, str, str], Fraction]:
    """True stock at the end, by account."""
    return world.truth()
