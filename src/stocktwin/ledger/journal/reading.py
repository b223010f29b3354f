"""Reading a journal that lies in SQL tables: the same for every store, which only says how it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

from stocktwin.ledger.journal.protocol import Batch, check_follows, stored_batch

PAGE: Final = 512
"""Headers read at a time, so that a reader never holds up the writer."""
HEADER_COLUMNS: Final = "seq, header, prev_hash, hash, blob_sha256"
"""What `stored_batch` makes a batch of."""


class SqlReading(ABC):
    """The reading half of the journal protocol over the tables `batches`, `blobs` and `cursors`."""

    @abstractmethod
    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a SELECT, values in place of its `?`."""

    def _select(self, tail: str, *values: object) -> list[Batch]:
        rows = self._rows(f"SELECT {HEADER_COLUMNS} FROM batches {tail}", *values)
        return [stored_batch(*row) for row in rows]

    def head(self) -> Batch | None:
        """The last batch."""
        found = self._select("ORDER BY seq DESC LIMIT 1")
        return found[0] if found else None

    def batch(self, seq: int) -> Batch | None:
        """One batch."""
        found = self._select("WHERE seq = ?", seq)
        return found[0] if found else None

    def batches(self, after: int = 0) -> Iterator[Batch]:
        """Batches with a greater number, in order, each the one right after the one before."""
        previous = self.batch(after) if after > 0 else None
        while page := self._select("WHERE seq > ? ORDER BY seq LIMIT ?", after, PAGE):
            for batch in page:
                check_follows(previous, batch)
                yield batch
                previous = batch
            after = page[-1].seq

    def blob(self, seq: int) -> bytes | None:
        """The blob of a batch."""
        found = self._rows("SELECT data FROM blobs WHERE seq = ?", seq)
        return bytes(found[0][0]) if found else None

    def with_blob(self, blob: str) -> list[Batch]:
        """Batches whose own blob has this SHA-256."""
        return self._select("JOIN blobs USING (seq) WHERE blob_sha256 = ? ORDER BY seq", blob)

    def cursors(self) -> dict[tuple[str, str], str]:
        """(source, file) → how far it has been read."""
        return {
            (source, file): cursor for source, file, cursor in self._rows("SELECT source, file, cursor FROM cursors")
        }
