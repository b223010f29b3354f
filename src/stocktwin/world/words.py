"""In whose words a system speaks: its names of items, places and units, and its clock.

The same claims, told in other words: encoding knows nothing else about a system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.domain.calendar import zone
from stocktwin.world.catalogue import gtin13
from stocktwin.world.clock import SECOND
from stocktwin.world.design import Design
from stocktwin.world.encoding import instants
from stocktwin.world.identifiers import UNITS, Aliases, alias_codes, item_codes, site_codes
from stocktwin.world.network import Network

Ints = npt.NDArray[np.int64]

HOUR: Final = 3600 * SECOND
NAIVE: Final = pa.timestamp("us")


@dataclass(frozen=True)
class Words:
    """One system's words. `items` names each item of the block, then each alias; places and units that are not listed
    keep our names. `network` where times are told by the clock of the DC, without a zone."""

    items: tuple[str, ...]
    places: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    network: Network | None = None

    def times(self, micros: Ints, dc: Ints) -> pa.Array:
        """Instants as the system writes them: UTC, or wall time at the DC."""
        return instants(micros) if self.network is None else local_times(micros, dc, self.network)

    def place(self, column: pa.Array) -> pa.Array:
        """Its names of places."""
        return translated(column, self.places)

    def unit(self, column: pa.Array) -> pa.Array:
        """Its words for units."""
        return translated(column, self.units)


def erp_words(design: Design) -> Words:
    """The ERP: our names, UTC."""
    return Words(design.items.item_id)


def wms_words(design: Design, aliases: Aliases) -> Words:
    """The WMS: numbers of its own, wall time of each DC."""
    codes = wms_items(design)
    places = wms_sites(design.network) | wms_parties(design.network)
    return Words(
        (*codes, *alias_codes(codes, design.item[aliases.row], aliases)),
        {ours: theirs for theirs, ours in places.items()},
        UNITS,
        design.network,
    )


def rfid_words(design: Design) -> Words:
    """Readers: trade item numbers as the tags carry them, UTC."""
    return Words(tuple(gtin13(design.first_item + k + 1) for k in range(len(design.items))))


def wms_items(design: Design) -> list[str]:
    """The WMS's usual numbers of a block's items."""
    return item_codes(design.first_item, len(design.items))


def wms_sites(network: Network) -> dict[str, str]:
    """The WMS's numbers of the DCs → ours."""
    return dict(zip(site_codes(len(network.dcs)), (dc.location_id for dc in network.dcs), strict=True))


def wms_parties(network: Network) -> dict[str, str]:
    """The WMS's numbers of the suppliers → ours."""
    return {f"V{k + 1:03d}": supplier.location_id for k, supplier in enumerate(network.suppliers)}


def translated(column: pa.Array, names: Mapping[str, str]) -> pa.Array:
    """A text column in other words; what has no other word stays.

    >>> translated(pa.array(["a", None, "c"]), {"a": "b"}).to_pylist()
    ['b', None, 'c']
    """
    if not names:
        return column
    coded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    known = coded.dictionary.to_pylist()
    return pa.array([names.get(name, name) for name in known], pa.string()).take(coded.indices)


def local_times(micros: Ints, dc: Ints, network: Network) -> pa.Array:
    """Wall times at the DCs, without a zone; a day's repeated hour in autumn is told twice, as such clocks do."""
    hour, place = np.unique(micros // HOUR, return_inverse=True)
    zones = sorted({site.timezone for site in network.dcs})
    which = np.array([zones.index(site.timezone) for site in network.dcs])[dc]
    moments = [datetime.fromtimestamp(int(h) * 3600, UTC) for h in hour]
    offsets = np.array([[_offset(moment, name) for moment in moments] for name in zones], np.int64)
    return pa.array(micros + offsets.reshape(len(zones), -1)[which, place], pa.int64()).cast(NAIVE)


def _offset(moment: datetime, timezone: str) -> int:
    delta = moment.astimezone(zone(timezone)).utcoffset()
    return 0 if delta is None else int(delta.total_seconds()) * SECOND
