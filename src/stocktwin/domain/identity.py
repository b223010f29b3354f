"""Names of things: virtual accounts, location kinds, movement kinds and their default ends, stable hashes of ids."""

from __future__ import annotations

import hashlib
from typing import Final

CUSTOMER: Final = "customer"
SUPPLIER: Final = "supplier"
LOSS: Final = "loss"
GAIN: Final = "gain"
SCRAP: Final = "scrap"
TRANSFORM: Final = "transform"
UNKNOWN: Final = "unknown"

VIRTUAL_LOCATIONS: Final = (CUSTOMER, SUPPLIER, LOSS, GAIN, SCRAP, TRANSFORM, UNKNOWN)
"""Accounts outside the network. They make every movement balance; they always exist."""

LOCATION_KINDS: Final = ("supplier", "plant", "port", "dc", "store", "customer", "virtual")
STOCKING_KINDS: Final = ("plant", "port", "dc", "store")
"""Kinds of location whose stock is ours: they count in `stock`, in KPIs and in simulation."""

CONDITIONS: Final = ("unrestricted", "inspection", "blocked", "returned", "expired")

TRANSIT_SEPARATOR: Final = "→"
"""A lane's account is named `origin→destination`: goods that left one end and have not reached the other."""


def lane_account(origin_id: str, destination_id: str) -> str:
    """Location id of the goods in transit on a lane.

    >>> lane_account("DC-1", "DC-2")
    'DC-1→DC-2'
    """
    return f"{origin_id}{TRANSIT_SEPARATOR}{destination_id}"


def stable_hash64(*parts: str) -> int:
    """A 64-bit hash of id strings that never changes between runs, machines or versions (BLAKE2b).

    Random streams are keyed by it, not by dense codes, so that a new item does not change another item's luck.

    >>> stable_hash64("ITEM-1", "DC-1") == stable_hash64("ITEM-1", "DC-1")
    True
    >>> stable_hash64("ab", "c") == stable_hash64("a", "bc")
    False
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
