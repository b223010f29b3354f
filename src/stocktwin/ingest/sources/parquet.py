"""Parquet files in chunks of typed columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from stocktwin.ingest.chunk import CHUNK_ROWS, Chunk, unique_names
from stocktwin.ingest.sources.text import Unreadable


def read_parquet(path: Path, file: str) -> Iterator[Chunk]:
    """Chunks of a Parquet file, at least one; Unreadable where it breaks (what was read before it stands)."""
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(path) as source:
            names, ambiguous = unique_names(source.schema_arrow.names)
            for batch in source.iter_batches(batch_size=CHUNK_ROWS):
                rows = np.arange(row + 1, row + 1 + batch.num_rows, dtype=np.int64)
                row += batch.num_rows
                yield Chunk(file, dict(zip(names, batch.columns, strict=True)), rows, ambiguous=ambiguous)
            if row == 0:
                empty = [pa.array([], field.type) for field in source.schema_arrow]
                yield Chunk(file, dict(zip(names, empty, strict=True)), np.zeros(0, np.int64), ambiguous=ambiguous)
    except (pa.ArrowException, OSError) as error:
        after = f" after row {row}" if row else ""
        raise Unreadable(f"not a readable Parquet file{after}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
