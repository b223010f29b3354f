"""A fresh twin in memory that learns the feeds of a folder in the order in which they were recorded.

What it answers at a moment is what a twin stopped then would have said: it has been told nothing that came later, its
clock stands at that moment, and it goes through the same reading, mapping and fold as any other twin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stocktwin.app.answers.intake import known_names, source_spec
from stocktwin.app.settings import Settings, read_settings
from stocktwin.app.usecases import TwinService
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import FixedClock, Progress, silent
from stocktwin.tables.schema import MASTER_TABLES

if TYPE_CHECKING:
    from stocktwin.tables.batch import Delivery

Ints = npt.NDArray[np.int64]
BATCH_ROWS: Final = 100_000
MOMENTS: Final = ("recorded_at", "updated_at", "event_time", "departed_at", "ordered_at", "date")
"""Columns that say when a fact became known, the first that is filled in counts."""


@dataclass(frozen=True)
class _Stream:
    """The facts of one table of one source, by the time they became known."""

    like: Delivery
    facts: pa.Table
    known: Ints

    def between(self, after: int, until: int) -> Iterator[Delivery]:
        """What became known after one moment and not after the other, in batches."""
        low, high = (int(place) for place in np.searchsorted(self.known, [after, until], side="right"))
        for begin in range(low, high, BATCH_ROWS):
            part = self.facts.slice(begin, min(BATCH_ROWS, high - begin))
            yield replace(self.like, facts=part, rejected=self.like.rejected.slice(0, 0), cursor="", raw_digest="")


class Replay:
    """`advance` tells the twin what was recorded next; `service` answers."""

    def __init__(self, settings: Settings, progress: Progress = silent) -> None:
        from stocktwin.ingest.contracts import mapping_digest
        from stocktwin.ledger.journal.memory import MemoryJournal
        from stocktwin.ledger.ledger import Ledger

        self._clock = FixedClock(0)
        self._ledger = Ledger.open(MemoryJournal(), None, self._clock)
        self._ledger.configure(settings.rules(mapping_digest(dict(settings.sources))))
        self.service = TwinService(settings, self._ledger)
        self._streams = self._read(settings, progress)
        self.now = self.first
        """The record time up to which the twin has been told everything."""

    @classmethod
    def open(cls, root: Path, progress: Progress = silent) -> Replay:
        """Reads every configured source of a twin's folder; UsageError where there is nothing to replay."""
        return cls(read_settings(root), progress)

    def close(self) -> None:
        """Lets the twin go."""
        self.service.close()

    @property
    def first(self) -> int:
        """Just before the first fact became known, µs."""
        return min(int(stream.known[0]) for stream in self._streams) - 1

    @property
    def last(self) -> int:
        """When the last fact became known, µs."""
        return max(int(stream.known[-1]) for stream in self._streams)

    def advance(self, until: int) -> None:
        """Tells the twin everything that became known up to `until` (µs); its clock then stands there."""
        self._clock.micros = until
        self._ledger.append(delivery for stream in self._streams for delivery in stream.between(self.now, until))
        self.now = until

    def _read(self, settings: Settings, progress: Progress) -> list[_Stream]:
        """Master data goes in at once (later sources are read with its help); the rest waits for its time."""
        from stocktwin.ingest.sources.files import read_folder

        kept: dict[tuple[str, str], list[Delivery]] = {}
        rows = 0
        for name in settings.sources:
            folder = settings.folder_of(name)
            if folder is None:
                continue
            spec = source_spec(settings, name)
            for delivery in read_folder(folder, spec, **known_names(self._ledger, spec)):
                if delivery.table in MASTER_TABLES:
                    self._ledger.append([delivery])
                elif delivery.facts.num_rows:
                    kept.setdefault((name, delivery.table), []).append(delivery)
                rows += delivery.facts.num_rows
                progress(rows, 0, f"reading {delivery.file}")
        if not kept:
            raise UsageError(f"the sources of {settings.root} hold no facts with a time")
        return [_stream(deliveries) for deliveries in kept.values()]


def _stream(deliveries: list[Delivery]) -> _Stream:
    facts = pa.concat_tables([delivery.facts for delivery in deliveries])
    known = known_at(facts)
    order = np.argsort(known, kind="stable")
    return _Stream(deliveries[0], facts.take(pa.array(order)), known[order])


def known_at(facts: pa.Table) -> Ints:
    """When each fact became known (µs): when it was recorded, else when it happened; a date stands for its midnight."""
    known = np.full(facts.num_rows, np.iinfo(np.int64).min)
    for name in MOMENTS:
        if name not in facts.column_names:
            continue
        column = facts.column(name)
        if pa.types.is_date(column.type):
            column, unit = column.cast(pa.int32()).cast(pa.int64()), MICROSECONDS_PER_DAY
        else:
            column, unit = column.cast(pa.int64()), 1
        missing = known == np.iinfo(np.int64).min
        filled = np.asarray(column.is_valid().to_numpy(), bool) & missing
        known[filled] = np.asarray(column.fill_null(0).to_numpy(), np.int64)[filled] * unit
    return np.where(known == np.iinfo(np.int64).min, 0, known)
