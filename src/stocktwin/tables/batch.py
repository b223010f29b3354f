"""A delivery: what one file or message brought of one table, split into facts and rejected rows. Nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),  # position in the file: 1 = first row of data; 0 = the file as a whole
        pa.field("line", pa.int64()),  # line of a text file, null for Parquet
        pa.field("column", pa.string()),  # offending column as the source names it
        pa.field("value", pa.string()),  # offending value as delivered (bytes that are no text: escaped)
        pa.field("reason", pa.string()),  # one sentence
        pa.field("raw", pa.string()),  # the whole row as JSON {source column: text}, so that it can be replayed
        pa.field("system", pa.string()),  # the system the row names; null = that of the delivery
        pa.field("state", pa.string()),  # `parked` where it waits for master data; null = `rejected`
    ]
)
"""Rejected rows: one line per row (its first fault), enough to name the place and to replay it."""

MESSAGE = "facts@"
"""How the `file` of a message begins that came without a file; its time follows, so that messages can be told apart."""


def endpoint(file: str) -> str:
    """The file without the time of a message: the same row in another message is the same row again.

    >>> endpoint("facts@2026-01-05T10:11:12.345Z"), endpoint("sales@noon.csv")
    ('facts', 'sales@noon.csv')
    """
    return file.partition("@")[0] if file.startswith(MESSAGE) else file


@dataclass(frozen=True)
class Delivery:
    """One batch of one table from one source, at most 100,000 rows, as `ingest` hands it to the ledger.

    `delivered` = rows of `facts` + rows of `rejected` (a finding about the whole file, row 0, is not a row).
    """

    source: str
    """Name of the source in `twin.toml`; `exchange` for a folder given by hand."""
    table: str
    """Name of the exchange table (`tables.schema.TABLES`)."""
    file: str
    """File name relative to the source's folder; of a message, `facts@` and its time."""
    facts: pa.Table
    """Canonical columns, `TABLES[table].arrow_schema()`; `system` is always filled where the table has it."""
    rejected: pa.Table
    """`REJECTED_SCHEMA`."""
    system: str = ""
    """System under which rows that name none are counted; the source's name when empty."""
    cursor: str = ""
    """How far this source has been read once this batch is in, e.g. `movements.csv:sha256:200000`."""
    raw_digest: str = ""
    """SHA-256 of the raw file."""
    replays: tuple[int, ...] = ()
    """Quarantine ids that this batch settles (a replay): they leave the quarantine and count no second time."""
