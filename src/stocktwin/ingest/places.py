"""Whose clock a time without an offset was read from: the source's, else that of the row's location, else the twin's.

A row at a location that the twin does not know yet waits: its time means nothing before the location's zone is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.identity import TRANSIT_SEPARATOR, VIRTUAL_LOCATIONS
from stocktwin.ingest.chunk import each_distinct

PLACES: Final = ("location_id", "from_id", "to_id", "origin_id", "destination_id")
ARRIVALS: Final = ("arrived_at", "received_at")
"""Instants that are local to where the goods arrive."""
ARRIVING: Final = ("receipt", "transfer_in", "return")
"""Kinds of movement that happen, and are recorded, where the goods arrive."""
UNKNOWN_PLACE: Final = "unknown location, whose local time this is"
UNKNOWN: Final = -1

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Clocks:
    """Time zones, and which one each row's naive times are in."""

    zones: list[str]
    which: Ints
    waiting: Mapping[str, Flags]
    """Place column → rows whose zone cannot be told before that place is known."""


def clocks(name: str, rows: int, default: str, places: Mapping[str, pa.Array], known: Mapping[str, str],
           complete: bool, arriving: Flags | None = None) -> Clocks:  # fmt: skip
    """The clock of each row for instant column `name`.

    `places` holds the row's locations by column, `known` the zones of locations (empty: it has none of its own).
    The first place with a zone decides; for `arriving` rows the destination stands before the origin. With `complete`,
    `known` has every location there is, and a place that it has not makes the row wait.
    """
    zones = [default]
    which = np.zeros(rows, np.int64)
    arriving = None if name in ARRIVALS else arriving
    places = _exchanged(places, arriving)
    waiting: dict[str, Flags] = {}
    for place in reversed(PLACES) if name in ARRIVALS else PLACES:
        if place not in places or not (known or complete) or (which != 0).all():
            continue
        codes = each_distinct(places[place], lambda ids: _codes(ids, known, zones, complete))
        found = codes.fill_null(0).to_numpy(zero_copy_only=False)
        open_yet = which == 0
        which = np.where(open_yet, found, which)
        if (found[open_yet] == UNKNOWN).any():
            waiting[place] = open_yet & (found == UNKNOWN)
    return Clocks(zones, np.where(which == UNKNOWN, 0, which), _blamed(waiting, arriving))


def arriving_rows(kinds: pa.Array, corrects: pa.Array) -> Flags:
    """Movements that happen at their destination: those of `ARRIVING` kinds, and cancellations of the others, which
    have their ends swapped.

    >>> arriving_rows(pa.array(["receipt", "receipt", "sale", "sale"]), pa.array([None, "e1", None, "e2"])).tolist()
    [True, False, False, True]
    """
    arrives = pc.is_in(kinds, pa.array(ARRIVING)).to_numpy(zero_copy_only=False)
    return np.asarray(arrives ^ corrects.is_valid().to_numpy(zero_copy_only=False))


def _exchanged(places: Mapping[str, pa.Array], arriving: Flags | None) -> Mapping[str, pa.Array]:
    """Origin and destination change places where goods arrive."""
    if arriving is None or not arriving.any() or not {"from_id", "to_id"} <= set(places):
        return places
    here, there = places["from_id"], places["to_id"]
    swap = pa.array(arriving)
    return {**places, "from_id": pc.if_else(swap, there, here), "to_id": pc.if_else(swap, here, there)}


def _blamed(waiting: dict[str, Flags], arriving: Flags | None) -> dict[str, Flags]:
    """The rows that wait, under the columns that their places really stand in."""
    if arriving is None or not waiting:
        return waiting
    none = np.zeros(len(arriving), bool)
    here, there = (waiting.pop(place, none) for place in ("from_id", "to_id"))
    found = {"from_id": np.where(arriving, there, here), "to_id": np.where(arriving, here, there)}
    return {**waiting, **{place: rows for place, rows in found.items() if rows.any()}}


def _codes(ids: pa.Array, known: Mapping[str, str], zones: list[str], complete: bool) -> pa.Array:
    codes = []
    for place in ids.to_pylist():
        zone = known.get(place, "")
        if zone and zone not in zones[1:]:
            zones.append(zone)
        named = place is None or place in known or place in VIRTUAL_LOCATIONS or TRANSIT_SEPARATOR in place
        codes.append(zones.index(zone, 1) if zone else 0 if named or not complete else UNKNOWN)
    return pa.array(codes, pa.int64())
