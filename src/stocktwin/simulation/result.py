"""What a simulation says: KPIs with intervals, paired differences, curves over days, the item-locations hit hardest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.network import COLUMN, DAY_COLUMNS, UNIT_COLUMNS
from stocktwin.simulation.compile import Compiled
from stocktwin.simulation.risk import risk
from stocktwin.simulation.statistics import UNDEFINED, Estimate, estimate, ratio, ratio_difference

Floats = npt.NDArray[np.float64]
MONEY: Final = (
    "holding_cost", "transit_holding_cost", "ordering_cost", "transport_cost", "backlog_cost", "lost_sales_cost",
    "write_off_cost",
)  # fmt: skip
"""Components of total cost; what each lacks when it cannot be known stands in `NEEDS`."""
NEEDS: Final = {
    "holding_cost": "unit_cost (or holding_cost)",
    "transit_holding_cost": "unit_cost (or holding_cost)",
    "lost_sales_cost": "unit_price and unit_cost (or lost_sale_cost)",
    "write_off_cost": "unit_cost",
    "on_hand_value": "unit_cost",
}
WORST: Final = 20


@dataclass
class Tally:
    """Sums over item-locations of one scenario, per replication, in base units and money."""

    units: dict[str, Floats]
    """UNIT_COLUMNS → [replication]."""
    money: dict[str, Floats]
    """MONEY and on_hand_value → [replication]; nan where a cost is missing."""
    days: Floats
    """[day, DAY_COLUMNS], summed over replications."""
    rows: Floats
    """[item-location, UNIT_COLUMNS] means over replications, base units."""
    counted: int
    """Item-locations with demand: those whose readiness counts."""
    ready: Floats
    """[replication] days with stock at them."""

    @classmethod
    def empty(cls, compiled: Compiled, replications: int, days: int) -> Tally:
        """Nothing yet."""
        zero = {name: np.zeros(replications) for name in UNIT_COLUMNS}
        money = {name: np.zeros(replications) for name in (*MONEY, "on_hand_value")}
        rows = np.zeros((len(compiled), len(UNIT_COLUMNS)))
        return cls(zero, money, np.zeros((days, len(DAY_COLUMNS))), rows, 0, np.zeros(replications))

    @classmethod
    def of(cls, compiled: Compiled, places: npt.NDArray[np.int64], units: npt.NDArray[np.int64],
           days: npt.NDArray[np.int64]) -> Tally:  # fmt: skip
        """A shard's sums: units[place, UNIT_COLUMNS, replication] and days[day, DAY_COLUMNS] in atomic units."""
        scale = compiled.unit[places]
        weight = 1.0 / scale
        counts = {"orders", "cycles", "cycles_short", "ready_days"}

        def total(name: str, by: Floats) -> Floats:
            return np.asarray((units[:, COLUMN[name]] * by[:, None]).sum(axis=0))

        one = np.ones(len(places))
        costs = compiled.costs
        summed = {name: total(name, one if name in counts else weight) for name in UNIT_COLUMNS}
        lost, waits = compiled.lost[places] == 1, compiled.lost[places] == 0
        money = {
            "holding_cost": total("on_hand_days", costs.holding[places]),
            "transit_holding_cost": total("in_transit_days", _owned(compiled, places) * costs.holding[places]),
            "ordering_cost": total("orders", costs.order[places]),
            "transport_cost": total("ordered", costs.transport[places]),
            "backlog_cost": total("backlog_days", np.where(waits, costs.backlog[places], 0.0)),
            "lost_sales_cost": total("lost", np.where(lost, costs.lost[places], 0.0)),
            "write_off_cost": total("destroyed", costs.unit_cost[places]),
            "on_hand_value": total("on_hand_days", costs.unit_cost[places]),
        }
        demanded = compiled.demand.per_day[places] > 0
        ready = np.asarray(units[demanded, COLUMN["ready_days"]].sum(axis=0), np.float64)
        rows = np.zeros((len(compiled), len(UNIT_COLUMNS)))
        per_row = units.mean(axis=2)
        for name, at in COLUMN.items():
            rows[places, at] = per_row[:, at] * (one if name in counts else weight)
        return cls(summed, money, days / scale[0], rows, int(demanded.sum()), ready)

    def add(self, other: Tally) -> None:
        """Adds a shard's sums."""
        for mine, theirs in ((self.units, other.units), (self.money, other.money)):
            for name, values in theirs.items():
                mine[name] = mine[name] + values
        self.days = self.days + other.days
        self.rows = self.rows + other.rows
        self.counted += other.counted
        self.ready = self.ready + other.ready


def _owned(compiled: Compiled, places: npt.NDArray[np.int64]) -> Floats:
    """1 where goods on the way are already ours (they come from one of our own places), else 0: a supplier's goods in
    transit are on order, not stock."""
    kinds = dict(
        zip(
            compiled.snapshot.location_codes.ids,
            compiled.snapshot.locations.column("kind").to_pylist(),
            strict=True,
        )
    )
    ours = [kinds.get(compiled.routes[route].origin) in ("dc", "store", "plant", "port") for route in compiled.route]
    return np.array(ours, np.float64)[places]


@dataclass(frozen=True)
class Outcome:
    """One scenario's sums and what they mean."""

    compiled: Compiled
    tally: Tally
    days: int
    """Counted days."""

    @cached_property
    def series(self) -> dict[str, Floats | None]:
        """KPI → value per replication, for those that are sums; None where a cost is missing."""
        units, money = self.tally.units, self.tally.money
        parts = {name: None if np.isnan(money[name]).any() else money[name] for name in MONEY}
        total = _sum(list(parts.values()))
        textbook = _sum([parts[name] for name in ("holding_cost", "ordering_cost", "backlog_cost")])
        daily = None if textbook is None else textbook / self.days
        value = money["on_hand_value"]
        return {
            "lost_sales_units": units["lost"],
            "backlog_units": units["backlog_days"] / self.days,
            "on_hand_units": units["on_hand_days"] / self.days,
            "in_transit_units": units["in_transit_days"] / self.days,
            "destroyed_units": units["destroyed"],
            "internal_backlog_units": units["owed_days"] / self.days,
            "on_hand_value": None if np.isnan(value).any() else value / self.days,
            "total_cost": total,
            "average_cost_per_day": daily,
            "demand_units": units["demand"],
            "orders": units["orders"],
            "ordered_units": units["ordered"],
            **parts,
        }

    @cached_property
    def ratios(self) -> dict[str, tuple[Floats, Floats]]:
        """KPI → (above, below) per replication, for those that are ratios of sums."""
        units = self.tally.units
        counts = np.full(len(self.tally.ready), float(self.tally.counted * self.days))
        return {
            "fill_rate": (units["served"], units["demand"]),
            "cycle_service_level": (units["cycles"] - units["cycles_short"], units["cycles"]),
            "ready_rate": (self.tally.ready, counts),
            "internal_fill_rate": (units["shipped_at_once"], units["requested"]),
        }

    def kpis(self) -> dict[str, Estimate]:
        """Every KPI with its interval; undefined where there was no demand, no cycle or no cost."""
        sums = {name: UNDEFINED if one is None else estimate(one) for name, one in self.series.items()}
        return {name: ratio(*pair) for name, pair in self.ratios.items()} | sums

    def difference(self, base: Outcome) -> dict[str, Estimate]:
        """Every KPI minus the baseline's, paired by replication."""
        found = {name: ratio_difference(*pair, *base.ratios[name]) for name, pair in self.ratios.items()}
        for name, mine in self.series.items():
            other = base.series[name]
            found[name] = UNDEFINED if mine is None or other is None else estimate(mine - other)
        return found

    def daily(self, replications: int) -> dict[str, list[float | None]]:
        """Means per day over replications, base units; the fill rate of each day."""
        means = self.tally.days / replications
        at = {name: means[:, k] for k, name in enumerate(DAY_COLUMNS)}
        with np.errstate(divide="ignore", invalid="ignore"):
            fill = np.where(at["demand"] > 0, at["served"] / at["demand"], np.nan)
        curves = {"fill_rate": fill, **at}
        return {name: [None if np.isnan(x) else float(x) for x in values] for name, values in curves.items()}

    def missing(self) -> list[str]:
        """Fields whose absence leaves a KPI undefined."""
        money = self.tally.money
        return sorted({NEEDS[name] for name in NEEDS if np.isnan(money[name]).any()})


@dataclass(frozen=True)
class SimulationResult:
    """The baseline and the scenarios, on the same luck."""

    baseline: Outcome
    scenarios: tuple[Outcome, ...]
    names: tuple[str, ...]
    titles: tuple[str, ...]
    parameters: tuple[Mapping[str, Any], ...]
    """Of each scenario, as it ran."""
    windows: tuple[tuple[int, int] | None, ...]
    first_day: int
    horizon_days: int
    warmup_days: int
    replications: int
    seed: int
    seconds: float
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def item_location_days(self) -> int:
        """Item-locations × days × replications × scenarios (the baseline is one)."""
        return len(self.baseline.compiled) * self.horizon_days * self.replications * (1 + len(self.scenarios))

    def to_dict(self) -> dict[str, Any]:
        """The answer of `simulate --json` and REST."""
        from datetime import date, timedelta

        day_zero = date(1970, 1, 1) + timedelta(days=self.first_day)
        missing = [f"{field} is missing for some items, so costs that need it are null" for field in
                   self.baseline.missing()]  # fmt: skip
        return {
            "baseline": {"kpis": _plain(self.baseline.kpis())},
            "scenarios": [self._scenario(at) for at in range(len(self.scenarios))],
            "seconds": self.seconds,
            "item_location_days": self.item_location_days,
            "item_locations": len(self.baseline.compiled),
            "replications": self.replications,
            "horizon_days": self.horizon_days,
            "warmup_days": self.warmup_days,
            "seed": self.seed,
            "first_day": day_zero.isoformat(),
            "parameters": "frozen",
            "belief": "record",
            "assumptions": list(self.assumptions),
            "warnings": [*self.warnings, *missing],
            "daily": self._daily(day_zero),
        }

    def _scenario(self, at: int) -> dict[str, Any]:
        outcome, window = self.scenarios[at], self.windows[at]
        return {
            "name": self.names[at],
            "title": self.titles[at],
            "parameters": dict(self.parameters[at]),
            "kpis": _plain(outcome.kpis()),
            "difference": _plain(outcome.difference(self.baseline)),
            "window": None if window is None else {"first_day": window[0], "end_day": window[1]},
            "risk": risk(
                outcome.daily(self.replications)["fill_rate"],
                self.baseline.daily(self.replications)["fill_rate"],
                window,
                outcome.series["total_cost"],
                self.baseline.series["total_cost"],
            ),
            "worst": self._worst(outcome),
        }

    def _daily(self, day_zero: Any) -> dict[str, Any]:
        from datetime import timedelta

        return {
            "days": [(day_zero + timedelta(days=at)).isoformat() for at in range(self.horizon_days)],
            "baseline": self.baseline.daily(self.replications),
            "scenarios": [
                {"name": name, **outcome.daily(self.replications)}
                for name, outcome in zip(self.names, self.scenarios, strict=True)
            ],
        }

    def _worst(self, outcome: Outcome) -> list[dict[str, Any]]:
        """Item-locations that lose most service against the baseline: units not served from stock when asked for."""
        mine, base = outcome.tally.rows, self.baseline.tally.rows
        unserved = mine[:, COLUMN["demand"]] - mine[:, COLUMN["served"]]
        before = base[:, COLUMN["demand"]] - base[:, COLUMN["served"]]
        price = np.nan_to_num(outcome.compiled.costs.unit_price * outcome.compiled.unit, nan=1.0)
        loss = (unserved - before) * price
        snapshot, rows = outcome.compiled.snapshot, outcome.compiled.rows
        found = []
        for at in np.argsort(-loss, kind="stable")[:WORST]:
            if loss[at] <= 0:
                break
            row = int(rows[at])
            asked = mine[at, COLUMN["demand"]]
            found.append(
                {
                    "item_id": snapshot.item_codes.ids[int(snapshot.item[row])],
                    "location_id": snapshot.location_codes.ids[int(snapshot.location[row])],
                    "unserved_units": float(unserved[at]),
                    "lost_sales_difference": float(unserved[at] - before[at]),
                    "fill_rate": float(mine[at, COLUMN["served"]] / asked) if asked > 0 else None,
                    "fill_rate_baseline": float(base[at, COLUMN["served"]] / base[at, COLUMN["demand"]])
                    if base[at, COLUMN["demand"]] > 0
                    else None,
                }
            )
        return found


def _sum(parts: list[Floats | None]) -> Floats | None:
    """The sum of components; None where one is not known."""
    known = [part for part in parts if part is not None]
    return np.asarray(np.sum(known, axis=0)) if len(known) == len(parts) else None


def _plain(kpis: dict[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: one.to_dict() for name, one in kpis.items()}
