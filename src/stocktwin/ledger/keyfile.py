"""A key index as a file beside the projection: a header, then two columns. Replaced whole or not at all."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

HEADER_BYTES: Final = 4_096

Prints = npt.NDArray[np.uint64]
Batches = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Kept:
    """What a file holds: the index of the first so many facts of the projection born as `birth`."""

    birth: str
    facts: int
    last: str
    """What tells the last of these facts from any other."""
    count: int
    """Keys in the index."""
    slots: Prints
    batches: Batches


def path_of(projection: Path, table: str) -> Path:
    """Where the index of a table lies."""
    return projection.with_name(f"{projection.name}.keys-{table}")


def write(path: Path, kept: Kept) -> None:
    """Writes an index. A disk that is full, or a folder that cannot be written, leaves the old file or none."""
    parts = [np.ascontiguousarray(part).data.cast("B") for part in (kept.slots, kept.batches)]
    told = {"birth": kept.birth, "facts": kept.facts, "last": kept.last, "count": kept.count, "slots": len(kept.slots),
            "sha256": _digest(parts)}  # fmt: skip
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(json.dumps(told).encode().ljust(HEADER_BYTES))
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)


def read(path: Path, birth: str) -> Kept | None:
    """The index in a file that is whole and of this projection, else None. Its columns may be written to; the file
    does not change by it."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(HEADER_BYTES))
            size = int(told["slots"])
            if told["birth"] != birth or path.stat().st_size != HEADER_BYTES + 12 * size:
                return None
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        slots = np.frombuffer(data, np.uint64, size, HEADER_BYTES)
        batches = np.frombuffer(data, np.uint32, size, HEADER_BYTES + 8 * size)
        whole = _digest([slots.data.cast("B"), batches.data.cast("B")]) == told["sha256"]
        return Kept(birth, int(told["facts"]), str(told["last"]), int(told["count"]), slots, batches) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(parts: list[memoryview]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()
