"""A journal in memory, for tests and throw-away twins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from stocktwin.ledger.journal.protocol import Batch, BatchHeader, check_continues, seal


class MemoryJournal:
    """The journal protocol over Python lists.

    >>> journal = MemoryJournal()
    >>> [batch.seq for batch in journal.append([(BatchHeader("rules", 1), b"{}")])]
    [1]
    """

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._blobs: dict[int, bytes] = {}
        self._cursors: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def append(self, drafts: Sequence[tuple[BatchHeader, bytes | None]]) -> list[Batch]:
        """Appends batches, blobs and cursors together."""
        with self._lock:
            sealed = seal([header for header, _ in drafts], self.head())
            self._keep([(batch, data) for batch, (_, data) in zip(sealed, drafts, strict=True)])
            return sealed

    def adopt(self, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
        """Appends batches of another journal as they are."""
        with self._lock:
            check_continues(self.head(), sealed)
            self._keep(sealed)

    def _keep(self, sealed: Sequence[tuple[Batch, bytes | None]]) -> None:
        for batch, data in sealed:
            self._batches.append(batch)
            if data is not None:
                self._blobs[batch.seq] = data
            if batch.header.cursor:
                self._cursors[batch.header.source, batch.header.file] = batch.header.cursor

    def claim(self, patience: float = 0.0) -> bool:
        """Nobody else can reach it."""
        return False

    def head(self) -> Batch | None:
        """The last batch."""
        return self._batches[-1] if self._batches else None

    def batch(self, seq: int) -> Batch | None:
        """One batch."""
        return self._batches[seq - 1] if 0 < seq <= len(self._batches) else None

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """Batches with a greater number, in order."""
        yield from self._batches[max(after, 0) :]

    def blob(self, seq: int) -> bytes | None:
        """The blob of a batch."""
        return self._blobs.get(seq)

    def with_blob(self, blob: str) -> list[Batch]:
        """Batches whose own blob has this SHA-256."""
        return [batch for batch in self._batches if batch.header.blob == blob and batch.seq in self._blobs]

    def cursors(self) -> dict[tuple[str, str], str]:
        """(source, file) → how far it has been read."""
        return dict(self._cursors)

    def damage(self) -> str:
        """Lists do not rot."""
        return ""

    def close(self) -> None:
        """Nothing to give back."""
