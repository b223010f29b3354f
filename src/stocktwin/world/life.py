"""One block's life, lived once and looked at from all sides: the plan, what happened, what the offices make of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.catalogue import Catalogue, make_catalogue
from stocktwin.world.circumstances import Circumstances
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
from stocktwin.world.steering import Steering


@dataclass(frozen=True)
class Life:
    """What happened in a block, and what follows from it, worked out when it is first asked for."""

    settings: Settings
    luck: Draws
    design: Design
    steering: Steering
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


def catalogue_of(settings: Settings, block: int) -> Catalogue:
    """The items of one block."""
    items = settings.size.block(block)
    return make_catalogue(Draws(settings.seed, block), len(items), items.start, settings.size.pace)


def live(settings: Settings, block: int, progress: Progress = silent) -> Life:
    """Lets one block live from its first day to its last."""
    size, luck = settings.size, Draws(settings.seed, block)
    items, network = catalogue_of(settings, block), size.network
    design = make_design(luck, items, network, size.block(block).start, size.group(block))
    around = Circumstances.of(luck, network, settings.days, settings.script, settings.rates)
    steering = Steering.of(design, settings.decisions)
    reality = run(design, luck, settings.days, progress, size.balance_every, around, steering)
    return Life(settings, luck, design, steering, Clock.of(settings.days, design.network), reality)
