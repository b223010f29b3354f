"""Lead times on the SCMS deliveries: 25 quarterly origins, new orders and orders in flight, peers side by side.

    python benchmarks/leadtime_accuracy.py [FOLDER with scms/ in it]

One row per shipment note of a direct drop (purchase order sent to the vendor → delivered to the country). At each
origin all is fitted on what was known that day: what had not arrived is right-censored. Scored are the orders placed in
the following 91 days, and, given their age, those in flight for at most a year. Seven quantiles, 5 to 95 %. LightGBM's
quantile regression stands beside it where it is installed: on arrived orders, as it is commonly used.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from stocktwin.analytics.hazard import DAYS, Waits, pooled_cdf, recency, remaining_quantiles
from stocktwin.analytics.survival import kaplan_meier
from stocktwin.kernels.metrics import coverage, pinball

ROOT = Path(__file__).resolve().parent.parent
QUANTILES = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
FACTORS = ("shipment_mode", "country", "vendor", "product_group", "season")
MODE, COUNTRY, VENDOR, GROUP, SEASON = range(5)
LEVELS = ((MODE,), (COUNTRY,), (COUNTRY, MODE), (VENDOR,), (VENDOR, MODE), (VENDOR, COUNTRY), (VENDOR, COUNTRY, GROUP),
          (VENDOR, COUNTRY, SEASON))  # fmt: skip
STEP, HORIZON, LEAST_ARRIVED, OLDEST = 91, 91, 200, 365
Array = Any


@dataclass(frozen=True)
class Orders:
    """Direct drops, one per shipment note: its dearest line."""

    start: Array
    days: Array
    factors: Array


def load(folder: Path) -> Orders:
    """Reads the deliveries."""
    names = ("asn_dn_no", "fulfill_via", "po_sent_to_vendor_date", "delivered_to_client_date", "line_item_value")
    table = pq.read_table(folder / "scms" / "scms_delivery_history.parquet", columns=[*names, *FACTORS[:4]]).to_pylist()
    best: dict[str, tuple[float, int, int, list[str]]] = {}
    for row in table:
        if row["fulfill_via"] != "Direct Drop" or row["po_sent_to_vendor_date"] is None:
            continue
        start, end = (row[name].date().toordinal() for name in names[2:4])
        worth = row["line_item_value"] or 0.0
        if end > start and (row["asn_dn_no"] not in best or worth > best[row["asn_dn_no"]][0]):
            season = str((datetime.date.fromordinal(start).month - 1) // 3)
            best[row["asn_dn_no"]] = (worth, start, end, [*(str(row[name]) for name in FACTORS[:4]), season])
    kept = sorted(best.values(), key=lambda one: one[1])
    codes = [np.unique([one[3][k] for one in kept], return_inverse=True)[1] for k in range(len(FACTORS))]
    start = np.array([one[1] for one in kept])
    return Orders(start, np.array([one[2] for one in kept]) - start, np.column_stack(codes).astype(np.int64))


Model = Callable[[Waits, Array, Array], Array]
"""(what was seen, factors asked for, ages) → quantiles of the whole wait."""


def pooled(levels: tuple[tuple[int, ...], ...]) -> Model:
    """Our pooled hazards over some levels."""
    return lambda seen, asked, age: remaining_quantiles(pooled_cdf(seen, asked, levels), age, QUANTILES)


def grouped(level: tuple[int, ...], censored: bool, shrink: float = 0.0) -> Model:
    """Each group by itself (at least eight arrivals, else everybody), Kaplan–Meier or arrived orders only, or drawn
    towards everybody with weight n/(n + shrink)."""

    def cdf(days: Array, done: Array) -> Array:
        used = np.ones(len(days), bool) if censored else done
        when, share = kaplan_meier(days[used], done[used])
        at = np.searchsorted(when, np.arange(DAYS + 1), side="right")
        return np.concatenate([[0.0], share])[at]

    def model(seen: Waits, asked: Array, age: Array) -> Array:
        everybody = cdf(seen.days, seen.done)
        rows = []
        for one in asked:
            mine = (seen.factors[:, level] == one[list(level)]).all(axis=1) if level else np.ones(len(seen), bool)
            n = int(seen.done[mine].sum())
            own = cdf(seen.days[mine], seen.done[mine]) if n else everybody
            weight = n / (n + shrink) if shrink else float(n >= 8)
            rows.append(weight * own + (1 - weight) * everybody)
        return remaining_quantiles(np.array(rows), age, QUANTILES)

    return model


def boosted(seen: Waits, asked: Array, age: Array) -> Array:
    """LightGBM quantile regression on arrived orders."""
    lightgbm = importlib.import_module("lightgbm")

    settings = {"n_estimators": 150, "learning_rate": 0.05, "num_leaves": 8, "min_child_samples": 25, "verbose": -1,
                "num_threads": 1, "objective": "quantile"}  # fmt: skip
    fitted = [
        lightgbm.LGBMRegressor(alpha=q, **settings).fit(
            seen.factors[seen.done], seen.days[seen.done], categorical_feature=list(range(len(FACTORS)))
        )
        for q in QUANTILES
    ]
    return np.maximum(np.sort(np.stack([one.predict(asked) for one in fitted], 1), 1), age[:, None])


def peers() -> dict[str, Model]:
    """Everything that is compared."""
    models: dict[str, Model] = {
        "stocktwin": pooled(LEVELS),
        "global, arrived only": grouped((), censored=False),
        "global Kaplan-Meier": grouped((), censored=True),
        "per vendor, arrived only": grouped((VENDOR,), censored=False),
        "per country and mode, arrived only": grouped((COUNTRY, MODE), censored=False),
        "per vendor Kaplan-Meier, shrunk": grouped((VENDOR,), censored=True, shrink=15.0),
    }
    if importlib.util.find_spec("lightgbm"):
        models["LightGBM quantiles, arrived only"] = boosted
    return models


def run(orders: Orders) -> dict[str, list[list[tuple[Array, Array]]]]:
    """Per model: (remaining days, quantiles) of each origin for new orders and for those in flight."""
    models = peers()
    scored: dict[str, list[list[tuple[Array, Array]]]] = {name: [[], []] for name in models}
    first, last = (datetime.date(*day).toordinal() for day in ((2009, 1, 1), (2015, 3, 1)))
    for origin in range(first, last + 1, STEP):
        past = np.flatnonzero(orders.start < origin)
        done = orders.start[past] + orders.days[past] < origin
        days = np.where(done, orders.days[past], origin - orders.start[past])
        new = np.flatnonzero((orders.start >= origin) & (orders.start < origin + HORIZON))
        if done.sum() < LEAST_ARRIVED or len(new) < 5:
            continue
        kept = days > 0
        past, done, days = past[kept], done[kept], days[kept]
        seen = Waits(orders.factors[past], days.astype(float), done, recency(origin - orders.start[past]))
        flying = ~done & (days <= OLDEST)
        age = days[flying].astype(float)
        for name, model in models.items():
            scored[name][0].append((orders.days[new], model(seen, orders.factors[new], np.zeros(len(new)))))
            if flying.sum() >= 5:
                answer = model(seen, orders.factors[past[flying]], age) - age[:, None]
                scored[name][1].append((orders.days[past[flying]] - age, answer))
    return scored


def main() -> None:
    """Prints pinball loss, coverage of the 80 % window and share later than the 90 % date, per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "datasets")
    orders = load(parser.parse_args().folder)
    began = time.process_time()
    scored = run(orders)
    for part, label in enumerate(("new orders", "orders in flight, given their age")):
        one = next(iter(scored.values()))[part]
        print(f"\n{label}: {sum(len(y) for y, _ in one):,} shipments, {len(one)} origins")
        print(f"{'':36}{'pinball, days':>15}{'80 % window':>13}{'after 90 %':>12}")
        for name, parts in scored.items():
            actual = np.concatenate([y for y, _ in parts[part]])
            told = np.concatenate([q for _, q in parts[part]])
            loss = pinball(actual[:, None], told, QUANTILES).mean()
            inside = coverage(actual, told[:, 1], told[:, 5])
            print(f"{name:36}{loss:15.2f}{inside:13.3f}{(actual > told[:, 5]).mean():12.3f}")
    print(f"\n{time.process_time() - began:.0f} CPU-s in all")


if __name__ == "__main__":
    main()
