"""An open-addressing table of 64-bit fingerprints, each with a number: certainly new, or look closer.

A fingerprint's home is its upper half scaled to the number of slots, so that fingerprints in ascending order walk
through memory in order, also when the table grows. Linear probing (Knuth, TAOCP 3, section 6.4, algorithm L); 0 is an
empty slot, so that a fingerprint 0 is kept as 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stocktwin.kernels.jit import UInt32Vector, UInt64Vector, kernel

UNSURE: Final = 0xFFFF_FFFF
"""The number of a fingerprint that was put with several."""


@kernel("int64(uint64[::1], uint64)")
def slot_of(slots: UInt64Vector, key: int) -> int:
    """Where a fingerprint stands or, if it does not, would be put. There must be an empty slot."""
    size = np.uint64(slots.shape[0])
    at = ((np.uint64(key) >> np.uint64(32)) * size) >> np.uint64(32)
    while slots[at] != np.uint64(0) and slots[at] != np.uint64(key):
        at += np.uint64(1)
        if at == size:
            at = np.uint64(0)
    return np.int64(at)  # type: ignore[return-value]


@kernel("void(uint64[::1], uint32[::1], uint64[::1], uint32[::1])")
def find_keys(slots: UInt64Vector, numbers: UInt32Vector, keys: UInt64Vector, out: UInt32Vector) -> None:
    """out[i] = the number of fingerprint keys[i], 0 where it is not in the table."""
    for i in range(keys.shape[0]):
        key = max(keys[i], np.uint64(1))
        at = slot_of(slots, key)
        out[i] = numbers[at] if slots[at] == key else np.uint32(0)


@kernel("int64(uint64[::1], uint32[::1], uint64[::1], uint32[::1])")
def put_keys(slots: UInt64Vector, numbers: UInt32Vector, keys: UInt64Vector, values: UInt32Vector) -> int:
    """Puts fingerprints with their numbers; one that stands with another number becomes `UNSURE`. How many are new."""
    new = 0
    for i in range(keys.shape[0]):
        key = max(keys[i], np.uint64(1))
        at = slot_of(slots, key)
        if slots[at] == np.uint64(0):
            slots[at] = key
            numbers[at] = values[i]
            new += 1
        elif numbers[at] != values[i]:
            numbers[at] = np.uint32(UNSURE)
    return new


@kernel("void(uint64[::1], uint32[::1], uint64[::1], uint32[::1])")
def move_keys(old: UInt64Vector, old_numbers: UInt32Vector, slots: UInt64Vector, numbers: UInt32Vector) -> None:
    """Puts everything of an old table into an empty, larger one."""
    for i in range(old.shape[0]):
        if old[i] != np.uint64(0):
            at = slot_of(slots, old[i])
            slots[at] = old[i]
            numbers[at] = old_numbers[i]
