"""The `twin.toml` of a world's folder: which feeds there are, whose word counts, who speaks by which clock."""

from __future__ import annotations

from typing import Final

from stocktwin.world.profile import Profile

TWIN_TOML: Final = """\
# A firm that does not exist: {dcs} distribution centres, {suppliers} suppliers, {items} items. Made by stocktwin.world.
name = "Meridian Supply"
currency = "USD"
timezone = "America/New_York"
holding_rate = 0.20

# The warehouse knows what came in and what moved between the DCs; for everything else the ERP's word is the record.
# Tags, scales and trackers are heard and never believed blindly: they are the authority for nothing.
[authority]
default = "erp"
receipt = "wms"
transfer_out = "wms"
transfer_in = "wms"

# Master data, orders and all that is booked; our item and location numbers, UTC. Its crossref translates the others'.
[sources.erp]
folder = "feeds/erp"
system = "erp"

# Numbers of its own for items, sites, suppliers and units; wall time of each DC without an offset.
[sources.wms]
folder = "feeds/wms"
system = "wms"

# Carriers: shipments and their milestones.
[sources.tms]
folder = "feeds/tms"
system = "tms"

# Trackers on trucks and containers: positions, with gaps.
[sources.gps]
folder = "feeds/gps"
system = "gps"

# Readers at dock doors (movements) and on shelves (observations), by trade item number; they never read everything.
[sources.rfid]
folder = "feeds/rfid"
system = "rfid"

# Scales under shelves (observations) and thermometers in cold rooms (signals).
[sources.iot]
folder = "feeds/iot"
system = "iot"

# Weather, influenza, promotions, queues at ports.
[sources.signals]
folder = "feeds/signals"
system = "signals"
"""


def twin_toml(size: Profile) -> str:
    """The text of the file for a world of this size."""
    return TWIN_TOML.format(dcs=len(size.dcs), suppliers=len(size.suppliers), items=size.items)
