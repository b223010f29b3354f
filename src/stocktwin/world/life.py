"""One block's life, lived once and looked at from all sides: the plan, what happened, what the offices make of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from stocktwin.domain.ports import Progress, silent
from stocktwin.world.bins import Bins, reslottings
from stocktwin.world.catalogue import Catalogue, make_catalogue
from stocktwin.world.circumstances import Circumstances, words_of
from stocktwin.world.clock import Clock
from stocktwin.world.design import Design, make_design
from stocktwin.world.draws import Draws
from stocktwin.world.identifiers import Aliases, draw_aliases
from stocktwin.world.movement_feed import documents
from stocktwin.world.order_feed import OrderBook, order_book
from stocktwin.world.physics import run
from stocktwin.world.posting_faults import Clerks, PostingFaults
from stocktwin.world.postings import Office, reported_events
from stocktwin.world.rates import Coverage, Rates
from stocktwin.world.records import Events, Reality, stacked
from stocktwin.world.script import Known
from stocktwin.world.sensor_feed import Instruments
from stocktwin.world.settings import Settings
from stocktwin.world.steering import Steering
from stocktwin.world.troubles import Troubles
from stocktwin.world.words import Words, erp_words, wms_words


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
        moved = reslottings(self.reality, self.design, self.luck, self.clock)
        return stacked(Events, [reported_events(self.reality, self.design, self.luck), moved])

    @cached_property
    def bins(self) -> Bins:
        """Where in its DC each item lies."""
        return Bins.of(self.luck, self.events, self.office.instant(np.arange(len(self.events.row))))

    @property
    def rates(self) -> Rates:
        """How often things go wrong."""
        return self.settings.rates

    @cached_property
    def clerks(self) -> Clerks:
        """Those who post, and what they get wrong."""
        return Clerks(self.design, self.luck, self.rates)

    @cached_property
    def troubles(self) -> Troubles:
        """What ails the systems of whole sites."""
        return Troubles.of(self.luck, self.clock, self.reality.days, self.rates)

    @cached_property
    def aliases(self) -> Aliases:
        """New numbers of repacked articles."""
        rates = self.rates
        item, neighbour = self.design.item, self.clerks.neighbour
        return draw_aliases(self.luck, item, neighbour, self.reality.days, rates.alias_codes, rates.missing_crossref,
                            rates.wrong_crossref)  # fmt: skip

    @cached_property
    def words(self) -> tuple[Words, Words]:
        """The words of ERP and WMS."""
        return erp_words(self.design), wms_words(self.design, self.aliases)

    @property
    def coverage(self) -> Coverage:
        """How much of the network carries instruments."""
        return Coverage.of(self.settings.size.items, self.settings.size.blocks)

    @cached_property
    def instruments(self) -> Instruments:
        """Tags, readers, scales."""
        return Instruments(self.luck, self.design, self.clock, self.reality.days, self.reality.events, self.office,
                           self.rates, self.coverage)  # fmt: skip

    @cached_property
    def faults(self) -> PostingFaults:
        """What is posted wrongly."""
        return self.clerks.faults(self.events, self.reality.counts)

    @cached_property
    def orders(self) -> OrderBook:
        """The order lines with their ids and instants."""
        reality = self.reality
        return order_book(self.design, self.clock, reality.lines, reality.events, reality.amendments, self.office)

    @cached_property
    def documents(self) -> pa.Array:
        """Document number of each reported event."""
        return documents(self.design, self.events, self.orders)

    @cached_property
    def office(self) -> Office:
        """Those who post."""
        days = self.reality.days
        return Office(self.design, self.luck, self.clock, days, self.events, self.faults, self.troubles)


def catalogue_of(settings: Settings, block: int) -> Catalogue:
    """The items of one block."""
    items = settings.size.block(block)
    return make_catalogue(Draws(settings.seed, block), len(items), items.start, settings.size.pace)


def scripted_words(settings: Settings) -> Known:
    """The words that the script of a world may use; its items are looked up only where the script names any."""
    named = any(one.item for one in settings.script.disruptions)
    blocks = range(settings.size.blocks) if named else ()
    items = [item for block in blocks for item in catalogue_of(settings, block).item_id]
    return words_of(settings.size.network, items if named else None)


def live(settings: Settings, block: int, progress: Progress = silent) -> Life:
    """Lets one block live from its first day to its last."""
    size, luck = settings.size, Draws(settings.seed, block)
    items, network = catalogue_of(settings, block), size.network
    design = make_design(luck, items, network, size.block(block).start, size.group(block))
    around = Circumstances.of(luck, network, settings.days, settings.script, settings.rates)
    steering = Steering.of(design, settings.decisions)
    reality = run(design, luck, settings.days, progress, settings.days, around, steering)
    return Life(settings, luck, design, steering, Clock.of(settings.days, design.network), reality)
