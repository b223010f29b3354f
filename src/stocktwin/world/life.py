"""One block's life, lived once and looked at from all sides: the plan, what happened, what the offices make of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.catalogue import make_catalogue
from stocktwin.world.clock import Clock
from stocktwin.world.design import Design, make_design
from stocktwin.world.draws import Draws
from stocktwin.world.movement_feed import documents
from stocktwin.world.order_feed import OrderBook, order_book
from stocktwin.world.physics import run
from stocktwin.world.posting_faults import PostingFaults, make_posting_faults
from stocktwin.world.postings import Office, reported_events
from stocktwin.world.records import Events, Reality
from stocktwin.world.settings import Settings


@dataclass(frozen=True)
class Life:
    """What happened in a block, and what follows from it, worked out when it is first asked for."""

    settings: Settings
    luck: Draws
    design: Design
    clock: Clock
    reality: Reality

    @cached_property
    def events(self) -> Events:
        """What gets reported."""
        return reported_events(self.reality, self.design, self.luck)

    @cached_property
    def faults(self) -> PostingFaults:
        """What is posted wrongly."""
        return make_posting_faults(self.design, self.luck, self.events, self.reality.counts)

    @cached_property
    def orders(self) -> OrderBook:
        """The order lines with their ids and instants."""
        reality = self.reality
        return order_book(self.design, self.clock, reality.days, reality.lines, reality.events)

    @cached_property
    def documents(self) -> pa.Array:
        """Document number of each reported event."""
        return documents(self.design, self.events, self.orders)

    @cached_property
    def office(self) -> Office:
        """Those who post."""
        return Office(self.design, self.luck, self.clock, self.reality.days, self.events, self.faults)


def design_of(settings: Settings, block: int) -> Design:
    """The plan of one block."""
    size, luck = settings.size, Draws(settings.seed, block)
    items = size.block(block)
    catalogue = make_catalogue(luck, len(items), items.start, size.pace)
    return make_design(luck, catalogue, size.network, items.start, size.group(block))


def live(settings: Settings, block: int, progress: Progress = silent) -> Life:
    """Lets one block live from its first day to its last."""
    design, luck = design_of(settings, block), Draws(settings.seed, block)
    reality = run(design, luck, settings.days, progress, settings.size.balance_every)
    return Life(settings, luck, design, Clock.of(settings.days, design.network), reality)
