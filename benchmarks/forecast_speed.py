"""How long all forecasts take: fit, and eleven quantiles of the horizon's sum for every series, written to Parquet.

    python benchmarks/forecast_speed.py [--series 100000 1000000 4500000] [--horizon 90]

Series come in blocks of 100,000, a location each with its own categories, over two years. The random histories of one
block are used again for each block (making 4.5 million anew would take longer than forecasting them). Model time is
calibration, fit and quantiles; the file is timed beside it, and days of 100,000 series.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin.analytics.demand import forecast_of
from stocktwin.analytics.demand_fit import GRID, Calibration, Panel, calibrate, fit_origin
from stocktwin.analytics.horizon import totals
from stocktwin.kernels.jit import warm
from stocktwin.tables.history import History

DAYS, BLOCK, CATEGORIES, PART = 730, 100_000, 12, 5_000
NAMES = [f"q{round(1000 * p):03d}" for p in GRID]


def block(seed: int) -> Panel:
    """100,000 histories with rates like those of shops: most sell less than a piece a day."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(-1.0, 1.4, BLOCK))
    days, quantity, counts = [], [], []
    for begin in range(0, BLOCK, PART):
        mean = rng.gamma(0.8, rate[begin : begin + PART, None] / 0.8, (PART, DAYS))
        sold = rng.poisson(mean)
        row, day = np.nonzero(sold)
        days.append(day.astype(np.int32))
        quantity.append(sold[row, day].astype(np.int64))
        counts.append(np.bincount(row, minlength=PART))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    start = np.where(rng.random(BLOCK) < 0.2, rng.integers(0, DAYS, BLOCK), 0).astype(np.int32)
    history = History(0, DAYS - 1, offsets, np.concatenate(days), np.concatenate(quantity), start)
    group = rng.integers(0, CATEGORIES, BLOCK).astype(np.int32)
    return Panel(history, group, np.zeros(CATEGORIES, np.int32), np.ones(BLOCK))


def forecasts(panel: Panel, count: int, horizon: int, spent: list[float]) -> Iterator[pa.Table]:
    """Quantiles of the sum, block by block; CPU seconds of the model are added to `spent`."""
    began = time.process_time()
    calibration: Calibration = calibrate(panel, DAYS, horizon)
    spent.append(time.process_time() - began)
    for number in range(0, count, BLOCK):
        rows = np.arange(min(BLOCK, count - number), dtype=np.int64)
        began = time.process_time()
        ahead = forecast_of(panel, fit_origin(panel, DAYS, rows), calibration, horizon)
        mean = ahead.total_mean(slice(None), DAYS, horizon)
        quantile = totals(ahead, rows, DAYS, horizon, GRID)
        spent.append(time.process_time() - began)
        columns = {"series": pa.array(rows + number), "mean": pa.array(mean)}
        yield pa.table(columns | {name: pa.array(quantile[:, k]) for k, name in enumerate(NAMES)})


def daily(panel: Panel, horizon: int, path: Path) -> tuple[float, float]:
    """CPU seconds for daily quantiles of one block, and with writing them."""
    began = time.process_time()
    rows = np.arange(BLOCK, dtype=np.int64)
    ahead = forecast_of(panel, fit_origin(panel, DAYS, rows), calibrate(panel, DAYS, horizon), horizon)
    model, place = 0.0, np.arange(horizon) % 7
    writer = None
    for begin in range(0, BLOCK, PART):
        part = rows[begin : begin + PART]
        started = time.process_time()
        quantile = ahead.daily_quantiles(part, DAYS + np.arange(7), GRID)
        model += time.process_time() - started
        table = pa.table(
            {"series": pa.array(np.repeat(part, horizon))}
            | {name: pa.array(quantile[:, place, k].ravel().astype(np.float32)) for k, name in enumerate(NAMES)}
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return model, time.process_time() - began


def main() -> None:
    """Prints one line per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="*", default=[100_000, 1_000_000, 4_500_000])
    parser.add_argument("--horizon", type=int, default=90)
    options = parser.parse_args()
    warm()
    panel = block(0)
    print(f"{len(panel.history.days) / BLOCK:.0f} days with demand in two years and series, on average")
    print(f"{'series':>10}{'model, CPU-s':>14}{'in all, CPU-s':>15}{'wall, s':>9}{'per CPU-s':>12}{'peak, MiB':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.series:
            spent: list[float] = []
            began, wall = time.process_time(), time.monotonic()
            writer = None
            for table in forecasts(panel, count, options.horizon, spent):
                writer = writer or pq.ParquetWriter(Path(folder) / f"{count}.parquet", table.schema)
                writer.write_table(table)
            assert writer is not None
            writer.close()
            whole, clock = time.process_time() - began, time.monotonic() - wall
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{count:10,}{sum(spent):14.1f}{whole:15.1f}{clock:9.1f}{count / sum(spent):12,.0f}{peak:11,}")
        model, whole = daily(panel, options.horizon, Path(folder) / "daily.parquet")
        print(f"days: 100,000 series × {options.horizon} days × 11 quantiles in {model:.1f} CPU-s, "
              f"written in {whole:.1f} with the fit")  # fmt: skip


if __name__ == "__main__":
    main()
