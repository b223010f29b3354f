"""Parquet files in chunks of typed columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stocktwin.ingest.chunk import CHUNK_ROWS, Chunk, text_column, unique_names
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
                columns, bad = _checked(names, batch.columns)
                yield Chunk(file, columns, rows, bad_text=bad, ambiguous=ambiguous)
            if row == 0:
                empty = [pa.array([], field.type) for field in source.schema_arrow]
                yield Chunk(file, dict(zip(names, empty, strict=True)), np.zeros(0, np.int64), ambiguous=ambiguous)
    except (pa.ArrowException, OSError) as error:
        after = f" after row {row}" if row else ""
        raise Unreadable(f"not a readable Parquet file{after}: {_first_line(error)}") from None


def _checked(names: Sequence[str], arrays: Sequence[pa.Array]) -> tuple[dict[str, pa.Array], dict[str, dict[int, str]]]:
    """Columns by name, and the cells of text columns whose bytes are no UTF-8 (Parquet does not forbid them)."""
    columns, bad = dict(zip(names, arrays, strict=True)), {}
    for name, array in columns.items():
        if _is_text(array.type) and not _is_utf8(array):
            texts = [None if one is None else one.decode("utf-8", "surrogateescape") for one in _bytes(array)]
            columns[name], bad[name] = text_column(texts)
    return columns, bad


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))


def _is_utf8(array: pa.Array) -> bool:
    try:
        array.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _bytes(array: pa.Array) -> list[bytes | None]:
    return list(array.cast(pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()).to_pylist())


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
