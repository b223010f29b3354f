"""What is told: the feeds of all systems, table by table, by file name without its ending.

Tables of a block are told by `block_feeds`, those that belong to no block by `world_feeds`. What takes them further
(a database made of files) is done by `finish` when all is written.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin.world.bins import is_bin_move, with_bins
from stocktwin.world.circumstances import Circumstances
from stocktwin.world.crossref_feed import crossref_columns
from stocktwin.world.delivery import Stutter, delivered
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import ROW_GROUP, Columns
from stocktwin.world.erp_database import TABLES, write_postgres_dump, write_sqlite
from stocktwin.world.labels import alias_of
from stocktwin.world.life import Life
from stocktwin.world.master import lane_columns, location_columns, master_tables
from stocktwin.world.movement_feed import book_columns, count_columns, movement_columns
from stocktwin.world.order_feed import order_columns, shipment_columns
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS
from stocktwin.world.postings import Postings
from stocktwin.world.records import taken
from stocktwin.world.sales_feed import sales_order_columns, with_sales_orders
from stocktwin.world.sensor_feed import cold_room_columns, door_columns, scale_columns, shelf_columns, signal_columns
from stocktwin.world.settings import Settings
from stocktwin.world.transport_feed import milestone_columns, ping_columns

Feed = Iterator[tuple[str, Columns]]

DUMP: Final = Path("feeds") / "erp_db" / "erp.sql"
DATED: Final = re.compile(r"-(\d{4}-\d\d-\d\d)$")
CHANGED: Final = "movements-2-changed"
"""Table of the movements after a change of schema; the twin takes it for movements."""
BIN_MOVES: Final = "feeds/wms/movements-3-bins"
"""Table of the moves from bin to bin; the twin takes it for movements."""
SALES_ORDERS: Final = "feeds/erp/orders-2-sales"
"""Table of the sales orders; the twin takes it for orders."""
RENAMED: Final = {"item_id": "article", "quantity": "qty", "unit": "uom"}

DATABASE_ITEMS: Final = 10_000
"""Firms of more items have no database made of their feeds: it would be as large as all else together."""


def world_feeds(settings: Settings) -> Feed:
    """The tables that are told once."""
    network, luck = settings.size.network, Draws(settings.seed)
    around = Circumstances.of(luck, network, settings.days, settings.script)
    yield "feeds/erp/locations", location_columns(network)
    yield "feeds/erp/lanes", lane_columns(network)
    yield "feeds/signals/signals", signal_columns(around.signals.published(settings.days))
    yield "feeds/iot/signals", cold_room_columns(luck, network, around, settings.days)


def block_feeds(life: Life) -> Feed:
    """The tables that each block tells its part of, one after the other."""
    for name, columns in master_tables(life.design, life.reality.revisions).items():
        yield f"feeds/erp/{name}", columns
    yield "feeds/erp/crossref", crossref_columns(life.design, life.aliases, life.words[WMS], life.instruments.tagged)
    yield from _office_feeds(life)
    asked = life.reality.asked
    yield SALES_ORDERS, sales_order_columns(life.design, life.luck, life.clock, asked, life.office.end_us)
    yield "feeds/erp/orders", order_columns(life.orders)
    yield "feeds/tms/shipments", shipment_columns(life.orders)
    yield "feeds/tms/positions", milestone_columns(life.orders, life.clock)
    pings = ping_columns(life.luck, life.orders, life.clock, life.rates, life.coverage)
    yield "feeds/gps/positions", pings
    yield "feeds/rfid/movements", door_columns(life.instruments, life.orders, life.documents)
    yield "feeds/rfid/observations", shelf_columns(life.instruments)
    yield "feeds/iot/observations", scale_columns(life.instruments)


def _office_feeds(life: Life) -> Feed:
    """What ERP and WMS post and state."""
    design, clock = life.design, life.clock
    for system in (ERP, WMS):
        postings = life.office.postings(system)
        stutter = Stutter.of(life.luck, clock, life.reality.days, SYSTEMS[system], life.rates)
        sent = taken(postings, delivered(postings.recorded_us, stutter, life.luck))
        new = (sent.recorded_us >= life.troubles.changed_us) & (system == WMS)
        bins = is_bin_move(sent, life.events) & ~new
        yield f"feeds/{SYSTEMS[system]}/movements", _movements(life, system, taken(sent, ~new & ~bins))
        if system == WMS:
            moves = taken(sent, bins)
            yield (
                BIN_MOVES,
                with_bins(_movements(life, system, moves), life.bins, moves, life.office.instant(moves.event)),
            )
        if new.any():
            columns = _movements(life, system, taken(sent, new))
            yield f"feeds/wms/{CHANGED}", {RENAMED.get(name, name): column for name, column in columns.items()}
        if system == ERP:
            full = life.settings.size.full_books
            books = book_columns(design, clock, life.reality.days, life.events, postings, full)
            yield "feeds/erp/observations", books
    counts = life.reality.counts
    told = count_columns(design, clock, counts, life.words[WMS], life.troubles, life.office.end_us)
    yield "feeds/wms/observations", told


def _movements(life: Life, system: int, sent: Postings) -> Columns:
    """What a system sends of its movements."""
    named = life.design.item[sent.row]
    if system == WMS:
        alias = alias_of(sent, life.office, life.aliases)
        named = np.where(alias >= 0, len(life.design.items) + alias, named)
    words = life.words[system]
    told = movement_columns(system, words, life.design, life.events, life.orders, life.documents, sent, named)
    return with_sales_orders(told, life.design, life.luck, life.events, sent)


def finish(folder: Path, settings: Settings) -> None:
    """What is made of the written feeds, for the whole world at once: the ERP as a database, where it is not too large.
    It is made anew from all parts of the feeds; so is the dump, where there is one."""
    if settings.size.items <= DATABASE_ITEMS:
        write_sqlite(folder / "feeds" / "erp_db" / "erp.sqlite", erp_parts(folder / "feeds" / "erp"))
    if (folder / DUMP).exists():
        write_dump(folder)


def write_dump(folder: Path) -> Path:
    """Writes the ERP of a world as a dump for PostgreSQL (`psql -f`), whatever its size; returns its path."""
    write_postgres_dump(folder / DUMP, erp_parts(folder / "feeds" / "erp"))
    return folder / DUMP


def erp_parts(folder: Path) -> dict[str, Iterator[Columns]]:
    """The parts of each ERP feed, one at a time, old ones first."""
    return {table.feed: _parts(folder, table.feed) for table in TABLES}


def _parts(folder: Path, feed: str) -> Iterator[Columns]:
    for path in sorted(folder.glob(f"{feed}[-.]*"), key=_age):
        if path.suffix == ".csv":
            yield from _csv_parts(path)
        elif path.suffix == ".parquet":
            for batch in pq.ParquetFile(path).iter_batches(ROW_GROUP):
                yield dict(zip(batch.schema.names, batch.columns, strict=True))


def _age(path: Path) -> tuple[str, str]:
    """Files without a date come first, then day by day."""
    dated = DATED.search(path.stem)
    return (dated.group(1) if dated else "", path.name)


def _csv_parts(path: Path) -> Iterator[Columns]:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if rows:
        yield {name: pa.array([row[name] or None for row in rows], pa.string()) for name in rows[0]}
