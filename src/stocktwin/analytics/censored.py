"""Demand behind empty shelves: what sales on days of stock-out say of what was asked for.

On a day that was empty throughout nothing could be sold, and nothing is learned: the day leaves the level's exposure.
That alone is the adjustment of health logistics (consumption × days ÷ days in stock; USAID | DELIVER, Logistics
Handbook). On a day that ended empty demand was at least what was sold: a right-censored observation, whose place the
expectation given that it is at least as large takes. Repeated, this is the EM algorithm for the censored likelihood
(Dempster, Laird & Rubin 1977; Nahmias 1994, Naval Research Logistics 41, for the normal case).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.demand import count_cdfs
from stocktwin.tables.history import History
from stocktwin.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEAST_DISPERSION = 0.02
ROUNDS = 8
"""Steps of EM; each closes most of what is left."""


@dataclass(frozen=True)
class Censored:
    """Days of stock-out of some series, sorted by series and day."""

    row: Ints
    day: Ints
    sold: Ints
    whole: Flags

    def __len__(self) -> int:
        return len(self.row)

    def of(self, rows: Ints, first: int, end: int) -> Censored:
        """Those of sorted `rows` on days first … end − 1, `row` being the place in `rows`."""
        at = np.minimum(np.searchsorted(rows, self.row), max(len(rows) - 1, 0))
        inside = (self.day >= first) & (self.day < end)
        inside &= (rows[at] == self.row) if len(rows) else False
        return Censored(at[inside], self.day[inside], self.sold[inside], self.whole[inside])


def censored_days(snapshot: Snapshot) -> Censored | None:
    """The days of stock-out of a snapshot; None where there are none.

    A day said to be empty throughout on which something was sold contradicts itself: the record was wrong, and the day
    counts as any other.
    """
    table = snapshot.stockouts
    if not len(table):
        return None
    row, day = (np.asarray(table.column(name).to_numpy(), np.int64) for name in ("row", "day"))
    whole = np.asarray(table.column("whole").to_numpy(zero_copy_only=False), bool)
    order = np.lexsort((day, row))
    row, day, whole = row[order], day[order], whole[order]
    sold = quantities(snapshot.sales, row, day)
    keep = ~(whole & (sold > 0)) & (day >= snapshot.sales.start[row])
    return Censored(row[keep], day[keep], sold[keep], whole[keep])


def quantities(history: History, row: Ints, day: Ints) -> Ints:
    """Quantity of some series on some days."""
    width = history.last_day + 2 - history.first_day
    series = np.repeat(np.arange(len(history)), np.diff(history.offsets))
    known = series * width + (history.days.astype(np.int64) - history.first_day)
    wanted = row * width + (day - history.first_day)
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    if not len(known):
        return np.zeros(len(row), np.int64)
    return np.where(known[at] == wanted, history.quantity[at], 0)


def expected_at_least(sold: Floats, mean: Floats, phi: Floats) -> Floats:
    """E[D | D ≥ y] of a negative binomial with mean m and dispersion φ: m P(D⁺ ≥ y − 1) ÷ P(D ≥ y), D⁺ of mean m + φ.

    >>> expected_at_least(np.array([0.0, 3.0]), np.array([2.0, 2.0]), np.array([1.0, 1.0])).round(3).tolist()
    [2.0, 4.4]
    """
    upper = 1.0 - count_cdfs(sold - 2.0, mean + phi, phi)
    reach = 1.0 - count_cdfs(sold - 1.0, mean, phi)
    # where the mean is far below what was sold both vanish; then demand was hardly more than that
    sound = reach > 1e-9
    return np.where(sound, np.maximum(mean * upper / np.maximum(reach, 1e-300), sold), sold + 1.0 + phi)


def unserved(censored: Censored, level: Floats, phi: Floats) -> Floats:
    """Expected demand beyond what was sold on each day of stock-out, given each one's level and dispersion."""
    sold = censored.sold.astype(np.float64)
    return np.where(censored.whole, level, expected_at_least(sold, np.maximum(level, 1e-6), phi) - sold)


@dataclass(frozen=True)
class Moments:
    """Weighted sums of n series over their days; the first two have a column per decay."""

    sold: Floats
    """[n, k] Σ w·x."""
    exposed: Floats
    """[n, k] Σ w·index."""
    square: Floats
    """[n] Σ w·x², and the next two, of the last decay."""
    cross: Floats
    """[n] Σ w·x·index."""
    spread: Floats
    """[n] Σ w·index²."""


@dataclass(frozen=True)
class Uncensored:
    """Levels with the days of stock-out put right, and sums over the other days alone."""

    level: Floats
    """[n, k]."""
    square: Floats
    cross: Floats
    spread: Floats
    exposed: Floats


def uncensored(censored: Censored, first: int, weight: Floats, shape: Floats, sums: Moments) -> Uncensored:
    """Σ w·x ÷ Σ w·index where the days of stock-out count as the module says.

    `weight` is [k, days from `first`], `shape` the [n, 7] weekday indices. The noise is that of the other days.
    """
    row, day = censored.row, censored.day - first
    index, sold = shape[row, (censored.day + 3) % 7], censored.sold.astype(np.float64)
    w = weight[:, day].T
    exposed = _less(sums.exposed, row, np.where(censored.whole[:, None], w * index[:, None], 0.0))
    last = w[:, -1]
    square, cross = _less(sums.square, row, last * sold**2), _less(sums.cross, row, last * sold * index)
    spread = _less(sums.spread, row, last * index**2)
    free = _less(sums.exposed[:, -1], row, last * index)
    calm = sums.sold[:, -1] / np.maximum(sums.exposed[:, -1], 1e-9)
    noise = (square - 2 * calm * cross + calm**2 * spread) / np.maximum(calm * free, 1e-9)
    phi = np.maximum(noise - 1.0, LEAST_DISPERSION)
    level = sums.sold / np.maximum(exposed, 1e-9)
    hit = ~censored.whole
    part = Censored(row[hit], censored.day[hit], censored.sold[hit], censored.whole[hit])
    for _ in range(ROUNDS if hit.any() else 0):
        more = unserved(part, level.mean(1)[part.row] * index[hit], phi[part.row])
        level = (sums.sold + _more(sums.sold, part.row, w[hit] * more[:, None])) / np.maximum(exposed, 1e-9)
    return Uncensored(level, square, cross, spread, free)


def _less(total: Floats, row: Ints, part: Floats) -> Floats:
    """A total without a part of it; the whole where next to nothing would be left."""
    left = total - _more(total, row, part)
    return np.where(left > 1e-6 * np.maximum(total, 1e-9), left, total)


def _more(like: Floats, row: Ints, part: Floats) -> Floats:
    """Sums of parts by row, in the shape of `like`."""
    out = np.zeros_like(like)
    np.add.at(out, row, part)
    return out
