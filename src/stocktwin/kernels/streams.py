"""Random numbers that depend on what they are for, not on when they are drawn.

A stream is keyed by (seed, thing, replication, purpose); its n-th number is a hash of the key and n (SplitMix64:
Steele, Lea & Flood 2014). So a result does not depend on threads, shards, the order of rows or the scenario, and every
scenario meets the same luck as its baseline. Everything is uint64: an int64 in between would turn it into floats.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.kernels.jit import Int64Vector, kernel

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_S30: Final = np.uint64(30)
_S27: Final = np.uint64(27)
_S31: Final = np.uint64(31)
_S32: Final = np.uint64(32)
_LOW16: Final = np.uint64(0xFFFF)

DEMAND: Final = np.uint64(1)
LEVEL: Final = np.uint64(2)
LEAD_TIME: Final = np.uint64(3)
OPEN_ORDER: Final = np.uint64(4)
SHOCK: Final = np.uint64(5)
DISRUPTION: Final = np.uint64(6)


@kernel(inline=True)
def mix64(x: np.uint64) -> np.uint64:
    """The SplitMix64 finaliser: a bijection of 64 bits that looks random."""
    x = (x ^ (x >> _S30)) * _FIRST
    x = (x ^ (x >> _S27)) * _SECOND
    return x ^ (x >> _S31)


@kernel(inline=True)
def stream_key(seed: np.uint64, thing: np.uint64, replication: int, purpose: np.uint64) -> np.uint64:
    """Key of the stream of one thing (a stable hash of its ids) in one replication for one purpose."""
    place = mix64(mix64(seed + purpose * GOLDEN) ^ thing)
    return mix64(place + np.uint64(replication + 1) * GOLDEN)


@kernel(inline=True)
def draw(key: np.uint64, n: int) -> np.uint64:
    """The n-th number (n ≥ 0) of a stream: 64 random bits."""
    return mix64(key + np.uint64(n + 1) * GOLDEN)


@kernel(inline=True)
def high32(bits: np.uint64) -> int:
    """The upper half of 64 random bits, 0 … 2³² − 1: the uniform that picks a quantile."""
    return np.int64(bits >> _S32)  # type: ignore[return-value]


@kernel(inline=True)
def low16(bits: np.uint64) -> int:
    """The lowest 16 of 64 random bits: the uniform that rounds."""
    return np.int64(bits & _LOW16)  # type: ignore[return-value]


@kernel()
def fill_draws(seed: int, thing: int, purpose: int, replication: int, out: Int64Vector) -> None:
    """out[n] = upper half of the n-th number of a stream (`seed` and `thing` are taken as 64 bits)."""
    key = stream_key(np.uint64(seed), np.uint64(np.int64(thing)), replication, np.uint64(purpose))
    for n in range(out.shape[0]):
        out[n] = high32(draw(key, n))


@kernel()
def fill_replications(seed: int, thing: int, purpose: int, n: int, out: Int64Vector) -> None:
    """out[r] = upper half of the n-th number of the stream of a thing in replication r."""
    for r in range(out.shape[0]):
        out[r] = high32(draw(stream_key(np.uint64(seed), np.uint64(np.int64(thing)), r, np.uint64(purpose)), n))


def uniforms(seed: int, thing: int, purpose: np.uint64, n: int, replications: int) -> npt.NDArray[np.float64]:
    """A uniform in [0, 1) per replication: the n-th number of a thing's stream.

    >>> uniforms(1, 2, DISRUPTION, 0, 2).round(3).tolist() == uniforms(1, 2, DISRUPTION, 0, 3).round(3).tolist()[:2]
    True
    """
    out = np.empty(replications, np.int64)
    fill_replications(seed, signed(thing), int(purpose), n, out)
    return out / 4294967296.0


def signed(hash64: int) -> int:
    """A 64-bit hash as the int64 with the same bits.

    >>> signed(2**64 - 1), signed(5)
    (-1, 5)
    """
    return hash64 - (1 << 64) if hash64 >= 1 << 63 else hash64
