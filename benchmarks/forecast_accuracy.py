"""Forecast accuracy on the M5 sales (30,490 item-stores): three origins of 28 days, beside the seasonal naive forecast.

    python benchmarks/forecast_accuracy.py [FOLDER with m5/ in it] [--series N]

The data may not be redistributed; by default it is looked for in ../shared/datasets beside the project.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stocktwin.analytics.accuracy import backtest_matrix
from stocktwin.kernels.jit import warm

ROOT = Path(__file__).resolve().parent.parent
SHOWN = {
    "rmsse": "RMSSE",
    "weighted_rmsse": "WRMSSE level 12",
    "wape": "WAPE",
    "bias": "bias",
    "total_wape": "WAPE of 28-day sums",
    "scaled_pinball": "scaled pinball",
    "day_coverage": "80 % window, days",
    "total_wql": "wQL of 28-day sums",
    "total_coverage": "80 % window, sums",
    "total_below_975": "below 97.5 %, sums",
}


def load(folder: Path, series: int | None) -> dict[str, np.ndarray]:
    """Sales matrix, first-sale columns, groups and weights of (every k-th of) the M5 series."""
    sales = pq.read_table(folder / "m5" / "sales_wide.parquet")
    items = pq.read_table(folder / "m5" / "items.parquet")
    keep = np.arange(0, len(sales), max(1, len(sales) // series) if series else 1)
    first = (np.datetime64(sales.column_names[1]) - np.datetime64("1970-01-01")).astype(int)
    begins = items.column("first_sales_date").to_numpy().astype("datetime64[D]").astype(int) - first
    pairs = zip(items.column("store_id").to_pylist(), items.column("dept_id").to_pylist(), strict=True)
    return {
        "values": np.stack([sales.column(k).to_numpy()[keep] for k in range(1, sales.num_columns)], axis=1),
        "start": np.maximum(begins, 0)[keep],
        "group": np.array([f"{store}|{dept}" for store, dept in pairs])[keep],
        "weight": items.column("weight_level12").to_numpy()[keep],
        "first_day": np.asarray(first),
    }


def main() -> None:
    """Prints one line per measure: ours and the naive forecast, mean of the three origins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "datasets")
    parser.add_argument("--series", type=int, default=None)
    options = parser.parse_args()
    data = load(options.folder, options.series)
    warm()
    began = time.process_time()
    result = backtest_matrix(
        data["values"], data["start"], data["group"], first_day=int(data["first_day"]), weight=data["weight"]
    )
    print(f"M5, {result.series:,} series, {len(result.origins)} origins × {result.horizon} days, "
          f"{time.process_time() - began:.1f} CPU-s")  # fmt: skip
    print(f"{'':24}{'stocktwin':>12}{'naive 7':>12}")
    for name, label in SHOWN.items():
        print(f"{label:24}{getattr(result.forecast, name):12.4f}{getattr(result.naive, name):12.4f}")


if __name__ == "__main__":
    main()
