"""The journal: an append-only, hash-chained sequence of batches, the only thing of a twin that must survive.

    hash(n) = SHA-256(hash(n − 1) ‖ canonical JSON of header n)

The header holds the SHA-256 of the batch's blob, so an edited, removed or reordered batch breaks the chain; blobs lie
apart, so that retention can later replace one without touching the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Protocol

from stocktwin.domain.errors import JournalDamaged

GENESIS = "0" * 64
"""The hash before the first batch."""
SCHEMA_VERSION = 1
"""Version of the columns inside blobs; `blob.UPCASTERS` lifts older ones."""

FACTS, RULES, DECISION = "facts", "rules", "decision"


@dataclass(frozen=True)
class BatchHeader:
    """What the chain covers of one batch. Instants are UTC microseconds; `seq` is 1 for the first batch."""

    kind: str
    """`facts`, `rules` or `decision`."""
    record_time: int
    """When the twin learned it; never goes backwards along the journal."""
    seq: int = 0
    table: str = ""
    source: str = ""
    system: str = ""
    file: str = ""
    cursor: str = ""
    """How far the source has been read once this batch is in (empty: says nothing)."""
    raw_digest: str = ""
    """SHA-256 of the raw file."""
    facts: int = 0
    rejected: int = 0
    schema_version: int = SCHEMA_VERSION
    rules: str = ""
    """Digest of the rules in force."""
    replays: tuple[int, ...] = ()
    """Quarantine ids that this batch settles."""
    same_as: int = 0
    """A batch that brought exactly the same bytes before; this one then has no blob of its own. 0: none."""
    blob: str = ""
    """SHA-256 of the blob, of the earlier batch's where `same_as` is set."""

    @property
    def delivered(self) -> int:
        """Rows that were delivered: facts and rejected ones."""
        return self.facts + self.rejected

    def canonical(self) -> str:
        """The JSON text that is hashed: sorted keys, no spaces."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> BatchHeader:
        """The header of `canonical`; keys that this version does not know are an error of the caller (ValueError)."""
        raw = json.loads(text)
        unknown = set(raw) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"batch header with unknown keys {sorted(unknown)}")
        return cls(**{**raw, "replays": tuple(raw.get("replays", ()))})


@dataclass(frozen=True)
class Batch:
    """A header in the chain. `text` is the header exactly as stored."""

    header: BatchHeader
    text: str
    prev_hash: str
    hash: str

    @property
    def seq(self) -> int:
        """Its number, 1 for the first."""
        return self.header.seq


def digest(data: bytes) -> str:
    """SHA-256 as 64 hex digits.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def chain_hash(prev_hash: str, text: str) -> str:
    """The hash of the batch whose header's canonical JSON is `text`."""
    return digest(bytes.fromhex(prev_hash) + text.encode())


def stored_batch(seq: int, text: str, prev_hash: str, own_hash: str, blob: str) -> Batch:
    """A batch as a store holds it. `JournalDamaged` names it when its header is not the one it was sealed with, so that
    no header is ever read that is not sound in itself."""
    try:
        header = BatchHeader.parse(text)
        sealed = chain_hash(prev_hash, text) == own_hash
    except (ValueError, TypeError, AttributeError) as error:
        raise JournalDamaged(f"batch {seq}: its header cannot be read: {error}") from None
    if header.seq != seq or header.blob != blob:
        raise JournalDamaged(f"batch {seq}: its header belongs to batch {header.seq} or to another blob")
    if not sealed:
        raise JournalDamaged(f"batch {seq}: its header is not the one it was sealed with")
    return Batch(header, text, prev_hash, own_hash)


def check_follows(previous: Batch | None, batch: Batch) -> None:
    """Raises `JournalDamaged` when a batch is not the one right after `previous`."""
    seq, own_hash = (previous.seq, previous.hash) if previous else (0, GENESIS)
    if batch.seq != seq + 1 or batch.prev_hash != own_hash:
        raise JournalDamaged(f"batch {batch.seq} does not continue batch {seq}")


def seal(drafts: Sequence[BatchHeader], previous: Batch | None) -> list[Batch]:
    """Numbers and chains new headers after `previous`; record times never go backwards.

    A commit whose clock stands behind the last one is recorded a microsecond after it: what was known at the last one
    stays what was known then.

    >>> one, two = seal([BatchHeader("rules", 5), BatchHeader("rules", 3)], None)
    >>> one.seq, two.seq, two.header.record_time, two.prev_hash == one.hash
    (1, 2, 5, True)
    >>> seal([BatchHeader("rules", 2)], two)[0].header.record_time
    6
    """
    sealed: list[Batch] = []
    if previous and drafts and drafts[0].record_time < previous.header.record_time:
        drafts = [replace(drafts[0], record_time=previous.header.record_time + 1), *drafts[1:]]
    for draft in drafts:
        seq = previous.seq + 1 if previous else 1
        record_time = max(draft.record_time, previous.header.record_time) if previous else draft.record_time
        prev_hash = previous.hash if previous else GENESIS
        header = replace(draft, seq=seq, record_time=record_time)
        text = header.canonical()
        previous = Batch(header, text, prev_hash, chain_hash(prev_hash, text))
        sealed.append(previous)
    return sealed


def check_continues(previous: Batch | None, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
    """Raises `JournalDamaged` naming the first of some sealed batches that does not continue the chain."""
    for batch, _ in sealed:
        check_follows(previous, batch)
        previous = batch


class Journal(Protocol):
    """What the ledger asks of a journal. One writer at a time; any number of readers."""

    def claim(self, patience: float = ...) -> bool:
        """Makes this process the writer; whether others may have written since it last looked.

        BusyError names the writer when it did not let go within `patience` seconds.
        """
        ...

    def append(self, drafts: Sequence[tuple[BatchHeader, bytes | None]]) -> list[Batch]:
        """Appends batches, their blobs and their cursors in one durable commit: all of them or none."""
        ...

    def adopt(self, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
        """Appends batches of another journal as they are, in one durable commit; they must continue this one."""
        ...

    def head(self) -> Batch | None:
        """The last batch."""
        ...

    def batch(self, seq: int) -> Batch | None:
        """One batch."""
        ...

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """Batches with a greater number, in order."""
        ...

    def blob(self, seq: int) -> bytes | None:
        """The blob of a batch; None when it has none of its own."""
        ...

    def with_blob(self, blob: str) -> list[Batch]:
        """Batches whose own blob has this SHA-256."""
        ...

    def cursors(self) -> dict[tuple[str, str], str]:
        """(source, file) → how far it has been read."""
        ...

    def damage(self) -> str:
        """What a look at every page of the store finds wrong; empty when it is sound. Takes as long as reading it."""
        ...

    def close(self) -> None:
        """Gives files back."""
        ...
