"""Tables that blocks write in pieces and the parent joins in the order of the blocks, a piece at a time."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from stocktwin.world.encoding import PARQUET, ROW_GROUP, Columns, Pieces, tables

FOLDER: Final = Path("truth") / "parts"
"""Where the pieces wait."""


def write_part(folder: Path, name: str, block: int, columns: Columns | Pieces) -> int:
    """Puts one block's piece of a table where the joiner finds it; returns its rows."""
    path = _path(folder, name, block)
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces = tables(columns)
    table, rows = next(pieces), 0
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        for piece in chain([table], pieces):
            writer.write_table(piece, ROW_GROUP)
            rows += piece.num_rows
    return rows


class Joiner:
    """Joins pieces into `truth/NAME.parquet`; they are removed once they are in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Joiner:
        return self

    def add(self, name: str, block: int) -> None:
        """Takes in one piece."""
        path = _path(self._folder, name, block)
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            writer = self._writer(name, reader.schema)
            for k in range(reader.num_record_batches):
                writer.write_batch(reader.get_batch(k), row_group_size=ROW_GROUP)
        path.unlink()

    def _writer(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self._folder / f"{name}.parquet", schema, **PARQUET)
        return self._writers[name]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        if kind is None:
            (self._folder / FOLDER).rmdir()


def _path(folder: Path, name: str, block: int) -> Path:
    return folder / FOLDER / f"{Path(name).name}-{block:03d}.arrow"
