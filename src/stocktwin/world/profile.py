"""Sizes of world: how many items, which network, how the work is cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from stocktwin.domain.errors import UsageError
from stocktwin.world.network import Network, make_network
from stocktwin.world.places import NATIONAL_DCS, PORTS, SMALL_DCS, SUPPLIERS, Place


@dataclass(frozen=True)
class Profile:
    """One size. Items are cut into blocks (buyer groups) of `block_items`, whatever the number of processes."""

    name: str
    items: int
    dcs: tuple[Place, ...]
    ports: tuple[Place, ...]
    suppliers: tuple[Place, ...]
    block_items: int = 2_500
    balances_every: int = 1
    """Days between two entries of the true balances, unless the settings say otherwise; the last day is always one."""
    pace: float = 1.0
    """What an item is asked for, relative to the figures of `catalogue`."""
    full_books: bool = True
    """Whether the ERP states every level on the last night of a month, or only those that changed on it."""

    @cached_property
    def network(self) -> Network:
        """Its places and lanes."""
        return make_network(self.dcs, self.ports, self.suppliers)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.items // self.block_items)

    def block(self, number: int) -> range:
        """Items of one block, by their number in the whole catalogue."""
        first = number * self.block_items
        return range(first, min(first + self.block_items, self.items))

    def group(self, number: int) -> str:
        """What marks a buyer group in its documents: nothing where there is one only.

        >>> PROFILES["national"].group(7), PROFILES["small"].group(0)
        ('-B07', '')
        """
        return f"-B{number:02d}" if self.blocks > 1 else ""


PROFILES: Final = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile("small", 500, SMALL_DCS, PORTS[:2], SUPPLIERS[:3]),
            Profile("medium", 5_000, NATIONAL_DCS[:12], PORTS[:4], SUPPLIERS[:8], pace=0.6),
            Profile("national", 100_000, NATIONAL_DCS, PORTS, SUPPLIERS, balances_every=7, pace=0.2, full_books=False),
        )
    }
)


def profile_named(name: str) -> Profile:
    """A profile by its name; UsageError where there is none."""
    if name not in PROFILES:
        raise UsageError(f"no world profile called {name!r}; there are: {', '.join(PROFILES)}")
    return PROFILES[name]
