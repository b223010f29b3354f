"""The ledger's front door: what happened, append-only, double entry, two clocks.

Writing goes through one lock: journal first (durable), then the fold. Reading takes a connection of its own per call.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Clock, WallClock
from stocktwin.domain.rules import Rules
from stocktwin.ledger import balances as balance_query
from stocktwin.ledger import currents, history_query, status_query
from stocktwin.ledger.ahead import ahead
from stocktwin.ledger.books import rules_in_force
from stocktwin.ledger.digest import hex_hash
from stocktwin.ledger.fold import Fold, decode_body, portions
from stocktwin.ledger.following import writing
from stocktwin.ledger.healing import healing, is_damage
from stocktwin.ledger.journal.blob import GROUP_BATCHES, conform, encode_json, grouped, pieces
from stocktwin.ledger.journal.protocol import DECISION, FACTS, RULES, Batch, BatchHeader, Journal, digest
from stocktwin.ledger.projection import Projection
from stocktwin.tables.batch import Delivery
from stocktwin.tables.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stocktwin.ledger.invariants import LawResult
    from stocktwin.ledger.snapshots import Snapshots
    from stocktwin.tables.evidence import Evidence
    from stocktwin.tables.snapshot import Snapshot

COUNTS: Final = "SELECT ifnull(sum(delivered), 0), ifnull(sum(accepted), 0), ifnull(sum(duplicates), 0) FROM tally"


@dataclass(frozen=True)
class AppendResult:
    """What became of some deliveries. `accepted` also counts parked facts that they resolved; `quarantined` is by how
    many rows the quarantine grew (it may shrink), so that delivered = accepted + duplicates + quarantined."""

    delivered: int
    accepted: int
    duplicates: int
    quarantined: int
    head: int
    record_time: int


class Ledger:
    """One twin's ledger over a journal and its projection. Open it with `Ledger.open`."""

    def __init__(self, journal: Journal, projection: Projection, clock: Clock, default_timezone: str = "UTC") -> None:
        self.journal = journal
        self._projection = projection
        self._clock = clock
        self._default = Rules(timezone=default_timezone)
        self._writing = threading.RLock()
        self._cache_lock = threading.RLock()
        self._snapshots: Snapshots | None = None
        self._residual: tuple[int, int] | None = None
        self._begin()

    @classmethod
    def open(
        cls,
        journal: Journal,
        projection_path: Path | None = None,
        clock: Clock | None = None,
        default_timezone: str = "UTC",
    ) -> Ledger:
        """Opens the projection (in memory without a path), heals or rebuilds it, and folds in what it has not seen."""
        projection = Projection.open(projection_path, journal)
        try:
            return cls(journal, projection, clock or WallClock(), default_timezone)
        except BaseException:
            projection.close()
            raise

    def close(self) -> None:
        """Closes projection and journal."""
        self._projection.close()
        self.journal.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Brings the projection up to the journal; a damaged one is healed."""
        projection = self._projection
        try:
            self._fold = Fold(projection, self.journal.blob)
            self._catch_up()
        except Exception as error:
            if not is_damage(error):
                raise
            self._heal(projection)

    def _heal(self, damaged: Projection, unfinished: bool = False) -> None:
        """Folds the journal into a new projection, unless another thread did."""
        with self._writing:
            if self._projection is damaged and (damaged.unfinished or not unfinished):
                self._projection = damaged.anew()
                self._fold = Fold(self._projection, self.journal.blob)
                self._snapshots, self._residual = None, None
                self._catch_up()
                self._projection.unfinished = False

    def _catch_up(self) -> None:
        """Folds in batches the projection has not seen, a portion per transaction."""
        for portion in portions(self.journal.batches(self._projection.watermark()[0])):
            self._apply(portion)

    def _apply(self, group: Sequence[Batch], contents: Mapping[int, tuple[pa.Table, pa.Table]] | None = None) -> None:
        con = self._projection.con
        con.execute("BEGIN")
        try:
            self._fold.apply_all(group, contents)
            self._projection.commit()
        except BaseException as error:
            self._projection.rollback()
            self._fold = Fold(self._projection, self.journal.blob)
            raise self._projection.told(error) from None

    def _take(self, group: Sequence[Batch], contents: Mapping[int, tuple[pa.Table, pa.Table]] | None = None) -> None:
        """Folds in batches that were just journalled, and any before them whose fold failed. Healing folds the whole
        journal, them too."""
        projection = self._projection
        try:
            if group and group[0].seq > projection.watermark()[0] + 1:
                self._catch_up()
            else:
                self._apply(group, contents)
        except Exception as error:
            if not is_damage(error):
                raise
            self._heal(projection)

    # ---- writing

    def append(self, deliveries: Iterable[Delivery]) -> AppendResult:
        """Journals deliveries, then folds them in. Read lazily; several share one durable commit.

        When this returns everything is on disk. UsageError names a table that does not exist.
        """
        with writing(self):
            before = self._counts()
            with closing(ahead(pieces(map(_canonical, deliveries)), GROUP_BATCHES)) as made:
                for group in grouped(made):
                    self._append_group(group)
            delivered, accepted, duplicates = (now - old for now, old in zip(self._counts(), before, strict=True))
            held = delivered - accepted - duplicates
            head = self.journal.head()
            recorded = head.header.record_time if head else self._clock.now()
            return AppendResult(delivered, accepted, duplicates, held, self.head, recorded)

    def _append_group(self, group: list[tuple[Delivery, bytes]]) -> None:
        rules = digest(self.rules().to_json().encode())
        now = self._clock.now()
        fresh: dict[str, int] = {}
        drafts = [self._draft(delivery, data, now, rules, fresh) for delivery, data in group]
        batches = self.journal.append(drafts)
        self._take(batches, {batch.seq: (d.facts, d.rejected) for batch, (d, _) in zip(batches, group, strict=True)})

    def _draft(
        self, delivery: Delivery, data: bytes, now: int, rules: str, fresh: dict[str, int]
    ) -> tuple[BatchHeader, bytes | None]:
        header = BatchHeader(
            FACTS,
            now,
            table=delivery.table,
            source=delivery.source,
            system=delivery.system,
            file=delivery.file,
            cursor=delivery.cursor,
            raw_digest=delivery.raw_digest,
            facts=delivery.facts.num_rows,
            rejected=sum(1 for row in delivery.rejected.column("row").to_pylist() if row),
            rules=rules,
            replays=delivery.replays,
            same_as=self._same_as(delivery, digest(data)),
            blob=digest(data),
        )
        return header, None if header.same_as else data

    def _same_as(self, delivery: Delivery, blob: str) -> int:
        """An earlier batch of the same file, table and source with the very same content, or 0."""
        if not delivery.raw_digest or delivery.replays:
            return 0
        wanted = (delivery.source, delivery.table, delivery.raw_digest)
        for batch in self.journal.with_blob(blob):
            header = batch.header
            if (header.source, header.table, header.raw_digest) == wanted and not header.replays:
                return batch.seq
        return 0

    def configure(self, rules: Rules) -> bool:
        """Journals the rules when they differ from those in force; whether they did."""
        with self._writing:
            head = self.journal.head()
            if head is not None and rules == self.rules() and self._has_rules():
                return False
            with writing(self):
                self._append_json(RULES, rules.to_json().encode())
            return True

    def decide(self, decision: Mapping[str, Any]) -> int:
        """Journals a decision for good; its batch number."""
        with writing(self):
            return self._append_json(DECISION, encode_json(decision))

    def _append_json(self, kind: str, data: bytes) -> int:
        rules = digest(data if kind == RULES else self.rules().to_json().encode())
        header = BatchHeader(kind, self._clock.now(), rules=rules, blob=digest(data))
        batches = self.journal.append([(header, data)])
        self._take(batches)
        return batches[0].seq

    # ---- reading

    @healing
    def rules(self, known_at: int | None = None) -> Rules:
        """The rules in force, now or at a record time."""
        con = self._projection.cursor()
        return rules_in_force(con, known_at) if self._has_rules() else self._default

    @healing
    def _has_rules(self) -> bool:
        return bool(self._projection.cursor().execute("SELECT 1 FROM rules LIMIT 1").fetchall())

    @healing
    def _counts(self) -> tuple[int, int, int]:
        delivered, accepted, duplicates = self._projection.cursor().execute(COUNTS).fetchall()[0]
        return int(delivered), int(accepted), int(duplicates)

    @property
    def head(self) -> int:
        """Number of the last batch folded in; 0 when the journal is empty."""
        return self._projection_mark()[0]

    @property
    def state_hash(self) -> str:
        """XOR of the digests of all accepted facts, 32 hex digits."""
        return hex_hash(self._projection_mark()[1])

    @healing
    def _projection_mark(self) -> tuple[int, int]:
        found: tuple[int, int] = self._projection.cursor().execute("SELECT seq, state FROM watermark").fetchall()[0]
        return found

    @property
    @healing
    def conservation_residual(self) -> int:
        """The largest |sum over all accounts| of any item, over the record and every book: 0 unless it leaks."""
        from stocktwin.ledger.invariants import residual_at_a_glance

        head = self.head
        if self._residual is None or self._residual[0] != head:
            self._residual = (head, residual_at_a_glance(self._projection.cursor()))
        return self._residual[1]

    @healing
    def balances(self, /, **asked: Any) -> pa.Table:
        """Balances of accounts, on the record or in the `book` of a system, up to event time `at`, as known at record
        time `known_at`, of all or of one `item_id`, `location_id`: `balances.balances`."""
        return balance_query.balances(self._projection.cursor(), live=self._projection.live, **asked)

    @healing
    def status(self) -> dict[str, Any]:
        """Counts that add up, per system too; clock, lags, laws at a glance."""
        answer = status_query.status(self._projection.cursor(), self._clock.now(), self._projection.live)
        return {
            **answer,
            "conservation_residual": self.conservation_residual,
            "state_hash": self.state_hash,
            "head": self.head,
        }

    @healing
    def last_event_times(self) -> dict[str, int]:
        """System → the latest event time of its facts."""
        return status_query.last_event_times(self._projection.cursor())

    @healing
    def sensing(self) -> frozenset[str]:
        """Systems that only sense, by tag or weight: `status_query.sensing`."""
        return status_query.sensing(self._projection.cursor())

    @healing
    def quarantine(
        self, *, source: str | None = None, limit: int | None = None, after: int | None = None, files: bool = False
    ) -> pa.Table:
        """Rows that could not be taken (`status_query.QUARANTINE_SCHEMA`), oldest first; `after` = batches later than
        that one; `files` = only findings about whole files."""
        con = self._projection.cursor()
        return status_query.quarantine(con, source=source, limit=limit, after=after, files=files)

    @healing
    def snapshot(self, *, currency: str = "USD") -> Snapshot:
        """The twin as it stands, as dense columns; after a batch only what it touched is read again."""
        from stocktwin.ledger.snapshots import Snapshots

        with self._cache_lock:
            self._snapshots = self._snapshots or Snapshots()
            con, now = self._projection.cursor(), self._clock.now()
            return self._snapshots.newest(con, currency=currency, default=self._default, now=now)

    @healing
    def evidence(self, days: int = 90) -> Evidence:
        """The facts of the last days, every system's side by side."""
        from stocktwin.ledger.evidence_query import evidence

        con = self._projection.cursor()
        return evidence(con, status_query.clock(con, self._clock.now()), days)

    @healing
    def movements_of(self, item_id: str, location_id: str, /, **bounds: Any) -> pa.Table:
        """What happened to an item at a place, newest first, with the running balance: `history_query.movements_of`."""
        return history_query.movements_of(self._projection.cursor(), item_id, location_id, **bounds)

    @healing
    def claims_of(self, item_id: str, location_id: str) -> pa.Table:
        """What was seen or stated of an item at a place, oldest first: `history_query.claims_of`."""
        return history_query.claims_of(self._projection.cursor(), item_id, location_id)

    @healing
    def recent_transfers(self, days: int) -> pa.Table:
        """`item_id, from_id, to_id` of transfers on the record in the last days before the twin's clock."""
        con = self._projection.cursor()
        return history_query.recent_transfers(con, status_query.clock(con, self._clock.now()), days)

    @healing
    def current(self, table: str) -> pa.Table:
        """Current version of each fact of an exchange table, canonical columns."""
        return currents.current_table(self._projection.cursor(), _known_table(table))

    @healing
    def rows(self, table: str) -> pa.Table:
        """Every accepted fact of an exchange table, canonical columns, in order of delivery."""
        return currents.all_facts(self._projection.cursor(), _known_table(table))

    @healing
    def decisions(self) -> list[dict[str, Any]]:
        """Every decision, oldest first, with `seq` and `recorded_at` (µs)."""
        rows = self._projection.cursor().execute("SELECT seq, record_time, body FROM decision ORDER BY seq").fetchall()
        return [{**decode_body(body), "seq": seq, "recorded_at": recorded} for seq, recorded, body in rows]

    def cursors(self) -> dict[tuple[str, str], str]:
        """(source, file) → how far it has been read."""
        return self.journal.cursors()

    @healing
    def verify(self) -> list[LawResult]:
        """Every law of the ledger with its verdict."""
        from stocktwin.ledger.invariants import verify

        with self._writing:
            return verify(self.journal, self._projection)


def _known_table(table: str) -> str:
    if table not in TABLES:
        raise UsageError(f"no exchange table is called {table!r}")
    return table


def _canonical(delivery: Delivery) -> Delivery:
    from dataclasses import replace

    return replace(delivery, facts=conform(_known_table(delivery.table), delivery.facts))
