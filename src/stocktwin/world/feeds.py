"""What is told: the feeds of all systems, table by table, by file name without its ending.

Tables of a block are told by `block_feeds`, those that belong to no block by `world_feeds`. What takes them further
(a database made of files) is done by `finish` when all is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stocktwin.world.encoding import Columns
from stocktwin.world.life import Life
from stocktwin.world.master import lane_columns, location_columns, master_tables
from stocktwin.world.movement_feed import book_columns, count_columns, movement_columns
from stocktwin.world.order_feed import order_columns, shipment_columns
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS
from stocktwin.world.settings import Settings

Feed = Iterator[tuple[str, Columns]]


def world_feeds(settings: Settings) -> Feed:
    """The tables that are told once."""
    network = settings.size.network
    yield "feeds/erp/locations", location_columns(network)
    yield "feeds/erp/lanes", lane_columns(network)


def block_feeds(life: Life) -> Feed:
    """The tables that each block tells its part of, one after the other."""
    design, clock = life.design, life.clock
    for name, columns in master_tables(design, life.steering).items():
        yield f"feeds/erp/{name}", columns
    for system in (ERP, WMS):
        postings = life.office.postings(system)
        yield (
            f"feeds/{SYSTEMS[system]}/movements",
            movement_columns(system, design, life.events, life.orders, life.documents, postings),
        )
        if system == ERP:
            yield "feeds/erp/observations", book_columns(design, clock, life.reality.days, life.events, postings)
    yield "feeds/wms/observations", count_columns(design, clock, life.reality.counts)
    yield "feeds/erp/orders", order_columns(life.orders)
    yield "feeds/erp/shipments", shipment_columns(life.orders)


def finish(folder: Path, settings: Settings) -> None:
    """What is made of the written feeds, for the whole world at once: nothing so far."""
