"""The labels: what went wrong, where, from when to when, and by how much it makes the record wrong.

Each label stands for one difference that can be worked out again from the truth and the feeds. Their `units` add up:
the record at the end of the world is the truth plus the labels that have not ended. A fault whose posting never came
through is two labels, its own and that of what held it back.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from stocktwin.world.clock import SECOND, Clock
from stocktwin.world.identifiers import MISSING, RIGHT, WRONG, Aliases
from stocktwin.world.posting_faults import MOVED, OF_THE_WMS, WMS, Cause, error_units
from stocktwin.world.postings import CASE, FIRST, FOREVER, PALLET, PUT_AWAY, Office, Postings, effects
from stocktwin.world.records import EFFECT, Event, columns, stacked, taken

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """One row per label. −1: no item-location (`row`; then `dc`, or the whole firm), no system, no event, no lot, no
    end. `on_record` is 1 where the record is wrong by `units` while it lasts; where a posting of the ERP is wrong about
    which the record takes the word of the WMS, the ERP's book alone is."""

    cause: Ints
    row: Ints
    dc: Ints
    lot: Ints
    system: Ints
    event: Ints
    started_us: Ints
    ended_us: Ints
    units: Ints
    on_record: Ints


DEFAULTS: Final = {"row": -1, "dc": -1, "lot": -1, "system": -1, "event": -1, "ended_us": -1, "units": 0,
                   "on_record": 1}  # fmt: skip


def labels(size: int, **given: Ints | int) -> Labels:
    """Labels with what is given, the rest absent."""
    return columns(Labels, size, **{**DEFAULTS, **given})


def posting_labels(office: Office) -> Labels:
    """Of wrong, missing, late and double postings."""
    faults, events = office.faults, office.events
    every = np.arange(len(faults.event))
    effect, quantity = EFFECT[events.kind[faults.event]], events.quantity[faults.event]
    trusted = (faults.system == WMS) == np.isin(events.kind[faults.event], OF_THE_WMS)
    common = {"cause": faults.cause, "system": faults.system, "event": faults.event, "on_record": trusted.astype(int),
              "started_us": office.instant(faults.event), "ended_us": _ends(office)}  # fmt: skip
    row, lot = events.row[faults.event], events.lot[faults.event]
    here = labels(len(every), **common, row=row, lot=lot, units=error_units(events, faults))
    there = labels(len(every), **common, row=faults.row, lot=faults.lot, units=effect * faults.posted)
    lots = faults.cause == Cause.wrong_lot
    gone = labels(len(every), **common, row=row, lot=lot, units=-effect * quantity)
    return stacked(Labels, [taken(here, ~lots), taken(there, lots | np.isin(faults.cause, MOVED)), taken(gone, lots)])


def _ends(office: Office) -> Ints:
    """When each posting fault was put right, −1 where it was not."""
    faults, events = office.faults, office.events
    every = np.arange(len(faults.event))
    right = np.where(faults.corrected_day < office.days, faults.corrected_day, 0)
    ended = np.full(len(every), -1, np.int64)
    put = np.flatnonzero((faults.corrected_day < office.days) & (faults.cause != Cause.late_post))
    assert (right[put] >= 0).all()
    ended[put] = office.correction_us(put)
    late = np.flatnonzero(faults.cause == Cause.late_post)
    when = office.late_us(late)
    ended[late] = np.where(when < office.end_us[office.design.dc[events.row[faults.event[late]]]], when, -1)
    return ended


def held_back(office: Office) -> Labels:
    """Of what the WMS recorded before the end and could not yet say, because it is silent."""
    untold, events, faults = office.untold(WMS), office.events, office.faults
    own = faults.event[faults.of(WMS, Cause.missing_post, Cause.late_post)]
    waits = np.isin(events.kind[untold.event], OF_THE_WMS) & (untold.recorded_us < FOREVER)
    waits &= ~((untold.role == FIRST) & np.isin(untold.event, own)) & (untold.role != PUT_AWAY)
    untold = taken(untold, waits)
    return labels(
        len(untold.event), cause=Cause.silent_system, row=untold.row, lot=untold.lot, system=WMS, event=untold.event,
        started_us=untold.event_us, units=-effects(untold, events) * untold.quantity,
    )  # fmt: skip


def alias_of(postings: Postings, office: Office, aliases: Aliases) -> Ints:
    """The alias under which each posting of the WMS names its item, −1 where it is the usual number: new numbers come
    in with deliveries."""
    row, day = office.events.row[postings.event], office.events.day[postings.event]
    named = np.full(len(row), -1, np.int64)
    at = np.flatnonzero((office.events.kind[postings.event] == Event.RECEIPT) & (postings.row == row))
    named[at] = aliases.covering(row[at], day[at])
    return named


def unknown_names(office: Office, told: Postings, aliases: Aliases) -> Labels:
    """Of deliveries under a number that is missing from the list, or stands there for another item."""
    design = office.design
    alias = alias_of(told, office, aliases)
    entry = np.append(aliases.entry, RIGHT)[alias]
    units = effects(told, office.events) * told.quantity
    other = np.append(aliases.entered_item, 0)[alias]
    shelf = other * len(design.network.dcs) + told.row % len(design.network.dcs)
    lost = _by_alias(office, told, alias, entry != RIGHT, told.row, -units, aliases)
    gained = _by_alias(office, told, alias, entry == WRONG, shelf, _as_read(office, told, other, units), aliases)
    return stacked(Labels, [lost, gained])


def _as_read(office: Office, told: Postings, item: Ints, units: Ints) -> Ints:
    """What quantities come to when packs are taken for those of another item."""
    items, own = office.design.items, office.design.item[told.row]
    pallets = items.case * items.cases_per_pallet
    ratio = [np.ones_like(units), items.case[item], pallets[item]]
    of = [np.ones_like(units), items.case[own], pallets[own]]
    which = [told.pack == CASE, told.pack == PALLET]
    packs = units // np.select(which, of[1:], of[0])
    return np.asarray(packs * np.select(which, ratio[1:], ratio[0]))


def _by_alias(
    office: Office, told: Postings, alias: Ints, concerned: Flags, row: Ints, units: Ints, aliases: Aliases
) -> Labels:
    at = np.flatnonzero(concerned)
    used, first, group = np.unique(alias[at], return_index=True, return_inverse=True)
    total = np.zeros(len(used), np.int64)
    np.add.at(total, group, units[at])
    start = np.full(len(used), np.iinfo(np.int64).max)
    np.minimum.at(start, group, told.event_us[at])
    cause = np.where(aliases.entry[used] == MISSING, Cause.missing_crossref, Cause.wrong_crossref)
    whole = labels(len(used), cause=cause, row=row[at[first]], system=WMS, started_us=start, units=total)
    return taken(whole, total != 0)


def misread(office: Office, told: Postings) -> Labels:
    """Of what the WMS says under columns that nobody expects: one for each item-location."""
    changed = office.troubles.changed_us
    units = -effects(told, office.events) * told.quantity
    at = np.flatnonzero(np.isin(office.events.kind[told.event], OF_THE_WMS) & (told.recorded_us >= changed))
    row, group = np.unique(told.row[at], return_inverse=True)
    total = np.zeros(len(row), np.int64)
    np.add.at(total, group, units[at])
    start = np.full(len(row), np.iinfo(np.int64).max)
    np.minimum.at(start, group, told.event_us[at])
    found = labels(len(row), cause=int(Cause.schema_change), row=row, system=WMS, started_us=start, units=total)
    return taken(found, total != 0)


def site_labels(office: Office) -> Labels:
    """Of silences and wrong clocks of whole sites: they put nothing on the record that does not come right."""
    parts = []
    last = office.end_us
    for cause, found in ((Cause.silent_system, office.troubles.silence), (Cause.clock_skew, office.troubles.skewed)):
        ended = np.where(found.end_us < last[found.thing], found.end_us, -1)
        parts.append(labels(len(found), cause=cause, dc=found.thing, system=WMS, started_us=found.start_us,
                            ended_us=ended, on_record=0))  # fmt: skip
    return stacked(Labels, parts)


def in_order(found: Labels) -> Labels:
    """By start, place and cause."""
    keys = [getattr(found, field.name) for field in reversed(fields(Labels))]
    return taken(found, np.lexsort((*keys, found.cause, found.row, found.started_us)))


def day_of(micros: Ints, dc: Ints, clock: Clock) -> Ints:
    """Local day of instants at DCs (of the first where there is none), −1 for −1."""
    site = np.maximum(dc, 0)
    day = (micros - clock.midnight[0, site] + 3600 * SECOND) // (86_400 * SECOND)
    day = np.where(clock.midnight[np.maximum(day, 0), site] > micros, day - 1, day)
    return np.where(micros < 0, -1, day)
