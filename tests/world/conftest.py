"""One world for all tests of the room, and a fold of its feeds in plain Python."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stocktwin.world import build

DAYS = 90


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

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of a file; instants as microseconds, quantities exact in Parquet, texts in CSV."""
        if name not in self.read:
            self.read[name] = self._csv(name) if (self.root / f"{name}.csv").exists() else self._parquet(name)
        return self.read[name]

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
    rows = world.rows("truth/balances")
    last = max(row["date"] for row in rows)
    level: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    for row in rows:
        if row["date"] == last:
            level[row["location_id"], row["item_id"], "unrestricted"] += Fraction(row["quantity"])
    return dict(level)
