"""What the warehouse calls things: its own numbers of items and sites, its own words for units, and the list by which
the ERP translates them, with its gaps and mistakes.

Now and then an article comes in repacked, under a new number for some weeks. Such a number has to be entered in the
list; sometimes nobody does, sometimes it is entered for the neighbouring item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.draws import Draws
from stocktwin.world.noise import scattered

Ints = npt.NDArray[np.int64]

CROSSREF: Final = ("system", "kind", "external_id", "internal_id")
UNITS: Final = {"each": "EA", "case": "CS", "pallet": "PL", "kilogram": "KGM", "litre": "LTR"}
"""The warehouse's words for units: common codes of UN/CEFACT Recommendation 20 and 21."""
RIGHT, MISSING, WRONG = 0, 1, 2
ALIAS_DAYS: Final = (14, 60)
YEAR: Final = 365.0


@dataclass(frozen=True)
class Aliases:
    """One row per number of a repacked article: at which item-location it comes in, from which day to which, and what
    the list says about it (`entry`), for a wrong one about which item."""

    row: Ints
    first_day: Ints
    last_day: Ints
    entry: Ints
    entered_item: Ints

    def covering(self, row: Ints, day: Ints) -> Ints:
        """The alias that each (item-location, day) is received under, −1 where it is the usual number."""
        found = np.full(len(row), -1, np.int64)
        order = np.argsort(self.first_day, kind="stable")
        for k in order[np.isin(self.row[order], row)].tolist():
            found[(row == self.row[k]) & (day >= self.first_day[k]) & (day <= self.last_day[k])] = k
        return found


def draw_aliases(
    luck: Draws, item: Ints, neighbour: Ints, days: int, yearly: float, missing: float, wrong: float
) -> Aliases:
    """The aliases of a world: `item` of each item-location, `neighbour` of each item (its own number where no other
    will do, then the entry is right)."""
    width = len(item)
    when: list[Ints] = []
    row: list[Ints] = []
    for day in range(days):
        hit = np.flatnonzero(luck.uniform("alias", width, day) < yearly / YEAR)
        when.append(np.full(len(hit), day))
        row.append(hit)
    starts, rows = (np.concatenate([np.zeros(0, np.int64), *part]) for part in (when, row))
    low, high = ALIAS_DAYS
    length = low + np.floor((high - low) * scattered(luck, "alias days", starts, rows)).astype(np.int64)
    u = scattered(luck, "alias entry", starts, rows)
    other = neighbour[item[rows]]
    entry = np.where(u < missing, MISSING, np.where((u < missing + wrong) & (other != item[rows]), WRONG, RIGHT))
    return Aliases(rows, starts, starts + length, entry, np.where(entry == WRONG, other, item[rows]))


def item_codes(first: int, count: int) -> list[str]:
    """The warehouse's numbers of the items `first`, `first` + 1, …: seven digits and a check digit by Luhn.

    >>> item_codes(0, 2)
    ['40000010', '40000028']
    """
    return [_checked(f"4{number + 1:06d}") for number in range(first, first + count)]


def alias_codes(codes: Sequence[str], item: Ints, aliases: Aliases) -> list[str]:
    """Numbers of the repacked articles: the usual one, the site's row and the day."""
    return [
        f"{codes[k]}-{row:X}{day:03d}"
        for k, row, day in zip(item.tolist(), aliases.row.tolist(), aliases.first_day.tolist(), strict=True)
    ]


def site_codes(count: int) -> list[str]:
    """The warehouse's numbers of the DCs.

    >>> site_codes(2)
    ['WH01', 'WH02']
    """
    return [f"WH{number + 1:02d}" for number in range(count)]


def neighbours(unit: Sequence[str], scale: Ints, block: int = 2500) -> Ints:
    """For each item the next one of the same unit and scale (in steps of two: it is the neighbour's neighbour too),
    itself where there is none."""
    keys: dict[tuple[str, int], list[int]] = {}
    for k, key in enumerate(zip(unit, scale.tolist(), strict=True)):
        keys.setdefault(key, []).append(k)
    out = np.arange(len(unit))
    for members in keys.values():
        for a, b in zip(members[::2], members[1::2], strict=False):
            out[a], out[b] = b, a
    return out


def crossref_rows(
    system: str, items: Sequence[tuple[str, str]], sites: Sequence[tuple[str, str]], aliases: Sequence[tuple[str, str]]
) -> Iterator[tuple[Any, ...]]:
    """The `crossref` table: pairs of (external, internal) of items, sites and the aliases that were entered."""
    for kind, pairs in (("location", sites), ("item", items), ("item", aliases)):
        for external, internal in pairs:
            yield system, kind, external, internal
    for internal, external in UNITS.items():
        yield system, "unit", external, internal


def _checked(digits: str) -> str:
    doubled = [int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits))]
    return digits + str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)
