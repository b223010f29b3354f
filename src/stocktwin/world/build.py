"""Builds a world into a folder: a twin with its feeds, and the truth behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.world.catalogue import make_catalogue
from stocktwin.world.clock import Clock
from stocktwin.world.design import Design, make_design
from stocktwin.world.draws import Draws
from stocktwin.world.encoding import write_parquet
from stocktwin.world.master import write_master
from stocktwin.world.movement_feed import book_columns, count_columns, documents, movement_columns
from stocktwin.world.order_feed import OrderBook, order_book, order_columns, shipment_columns
from stocktwin.world.physics import run
from stocktwin.world.posting_faults import ERP, SYSTEMS, WMS, make_posting_faults
from stocktwin.world.postings import Office, reported_events
from stocktwin.world.profile import profile_named
from stocktwin.world.records import Reality
from stocktwin.world.truth import write_truth

MAX_DAYS: Final = 3650

TWIN_TOML: Final = """\
# A firm that does not exist: {dcs} distribution centres, {suppliers} suppliers, {items} items. Made by stocktwin.world.
name = "Meridian Supply"
currency = "USD"
timezone = "America/New_York"
holding_rate = 0.20

# The warehouse knows what came in and what moved between the DCs; for everything else the ERP's word is the record.
[authority]
default = "erp"
receipt = "wms"
transfer_out = "wms"
transfer_in = "wms"

[sources.erp]
folder = "feeds/erp"
system = "erp"

[sources.wms]
folder = "feeds/wms"
system = "wms"
"""


@dataclass(frozen=True)
class Built:
    """What was written: rows by file, as `feeds/erp/movements` → rows."""

    rows: Mapping[str, int]


def build(
    folder: Path, *, profile: str = "small", days: int = 365, seed: int = 0, progress: Progress = silent
) -> Built:
    """Makes `folder` a twin of a reference world: `twin.toml`, `feeds/erp`, `feeds/wms` and `truth`.

    The same profile, days and seed give the same bytes whatever the folder is called. Day 0 is 2025-01-01. UsageError
    where the profile is unknown or the number of days is not between 1 and 3650.
    """
    size = profile_named(profile)
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(f"a world lives between 1 and {MAX_DAYS} days, not {days}")
    luck = Draws(seed)
    design = make_design(luck, make_catalogue(luck, size.items, pace=size.pace), size.network)
    reality = run(design, luck, days, progress, size.balance_every)
    folder.mkdir(parents=True, exist_ok=True)
    toml = TWIN_TOML.format(dcs=len(size.dcs), suppliers=len(size.suppliers), items=size.items)
    (folder / "twin.toml").write_text(toml, encoding="utf-8")
    return Built(_write(folder, design, luck, reality, progress))


def _write(folder: Path, design: Design, luck: Draws, reality: Reality, progress: Progress) -> dict[str, int]:
    clock = Clock.of(reality.days, design.network)
    events = reported_events(reality, design, luck)
    faults = make_posting_faults(design, luck, events, reality.counts)
    orders = order_book(design, clock, reality.days, reality.lines, reality.events)
    office = Office(design, luck, clock, reality.days, events, faults)
    rows = {f"feeds/erp/{name}": n for name, n in write_master(folder / "feeds" / "erp", design).items()}
    tables = _feeds(office, orders, reality)
    for done, (name, columns) in enumerate(tables.items()):
        progress(done, len(tables) + 1, "feeds written")
        rows[name] = write_parquet(folder / f"{name}.parquet", columns)
    truth = write_truth(folder / "truth", design, clock, reality, orders, events, faults)
    progress(len(tables) + 1, len(tables) + 1, "feeds written")
    return rows | {f"truth/{name}": n for name, n in truth.items()}


def _feeds(office: Office, orders: OrderBook, reality: Reality) -> dict[str, dict[str, pa.Array]]:
    """The feeds of all systems, by file."""
    design, clock, events = office.design, office.clock, office.events
    document = documents(design, events, orders)
    postings = {system: office.postings(system) for system in (ERP, WMS)}
    feeds = {
        f"feeds/{SYSTEMS[system]}/movements": movement_columns(system, design, events, orders, document, posted)
        for system, posted in postings.items()
    }
    return feeds | {
        "feeds/erp/observations": book_columns(design, clock, reality.days, events, postings[ERP]),
        "feeds/wms/observations": count_columns(design, clock, reality.counts),
        "feeds/erp/orders": order_columns(orders),
        "feeds/erp/shipments": shipment_columns(orders),
    }
