"""Sparse luck: a random number for each (cause, key …) without drawing the ones nobody asks for.

A number depends on its own key only, so what happens to one posting changes no other's luck.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""Constants of SplitMix64 (Steele, Lea and Flood 2014)."""


def scattered(luck: Draws, cause: str, *keys: Ints | int) -> Floats:
    """A number in [0, 1) for each row of the keys.

    >>> one, two = (scattered(Draws(1), "x", np.array([3, 4]), 5) for _ in range(2))
    >>> bool((one == two).all()), bool(one[0] == one[1])
    (True, False)
    """
    state = np.uint64(luck.stream(cause).integers(0, 2**63, dtype=np.int64))
    word = np.broadcast_arrays(*[np.asarray(key, np.int64) for key in keys])
    bits = np.full(word[0].shape, state, np.uint64)
    for key in word:
        bits = _mixed(bits ^ (key.astype(np.uint64) * GOLDEN))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = bits + GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * MIX[0]
    bits = (bits ^ (bits >> np.uint64(27))) * MIX[1]
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def bells(luck: Draws, cause: str, *keys: Ints | int) -> Floats:
    """A standard normal number for each row of the keys (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log1p(-scattered(luck, f"{cause} radius", *keys)))
    return np.asarray(radius * np.cos(2 * np.pi * scattered(luck, f"{cause} angle", *keys)))


def tallies(u: Floats, mean: Floats | float) -> Ints:
    """Poisson counts by inversion of uniform numbers (exact up to 60; means far above that are not meant).

    >>> tallies(np.array([0.0, 0.5, 0.99]), 1.0).tolist()
    [0, 1, 4]
    """
    expected = np.broadcast_to(np.asarray(mean, np.float64), u.shape)
    term = np.exp(-expected)
    total, count = term.copy(), np.zeros(u.shape, np.int64)
    for k in range(1, 61):
        above = u >= total
        if not above.any():
            break
        count[above] = k
        term = term * expected / k
        total = total + term
    return count


def logarithmic(u: Floats, low: float, high: float) -> Floats:
    """Sizes spread evenly over orders of magnitude between two bounds.

    >>> logarithmic(np.array([0.0, 0.5]), 1.0, 100.0).round(6).tolist()
    [1.0, 10.0]
    """
    return np.asarray(low * (high / low) ** u)
