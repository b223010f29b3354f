"""What a process wrote and when it synced it (`record.c`), and what a power cut may leave of it."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

SECTOR: Final = 512
STYLES: Final = ("none", "all", "prefix", "subset", "torn", "resurrect")
"""What is left of writes that were not synced: none; all; those up to some point; any; any, the last one torn in the
middle; none, and files whose removal was not synced are back."""


class Entry(NamedTuple):
    """One operation: see `record.c` for the kinds."""

    kind: str
    path: str
    offset: int
    data: bytes


def compiler() -> str | None:
    """A C compiler, or None where there is none."""
    return next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)


def record(code: str, folder: Path, work: Path) -> list[Entry]:
    """Runs Python code in a process of its own (`sys.argv[1]` is `folder`) and gives what it did to files below it."""
    built, log = work / "record.so", work / "log"
    source = Path(__file__).with_name("record.c")
    subprocess.run([str(compiler()), "-shared", "-fPIC", "-O2", "-o", str(built), str(source), "-ldl", "-lpthread"],
                   check=True)  # fmt: skip
    env = {**os.environ, "LD_PRELOAD": str(built), "RECORD_LOG": str(log), "RECORD_FOLDER": f"{folder}/"}
    subprocess.run([sys.executable, "-c", code, str(folder)], env=env, check=True, stdout=subprocess.DEVNULL)
    return read_log(log.read_bytes(), f"{folder}/")


def read_log(log: bytes, below: str) -> list[Entry]:
    """The entries of a log, paths without the folder's."""
    entries, at = [], 0
    while at < len(log):
        (named,) = struct.unpack_from("<H", log, at + 1)
        path = log[at + 3 : at + 3 + named].decode()
        offset, length = struct.unpack_from("<QI", log, at + 3 + named)
        kind, at = chr(log[at]), at + 15 + named
        carries = kind in "WAR"
        entries.append(Entry(kind, path.removeprefix(below), offset, log[at : at + length] if carries else b""))
        at += length if carries else 0
    return entries


class Disk:
    """What is on the medium for certain and what waits in caches, after some operations."""

    def __init__(self, entries: Sequence[Entry], below: str) -> None:
        self.durable: dict[str, bytearray | None] = {}
        self.waiting: dict[str, list[Entry]] = {}
        self.unlinked: list[str] = []
        """Removed, the removal not yet on the medium."""
        self.acknowledged = b""
        self._below = below
        for entry in entries:
            self._do(entry)

    def _do(self, entry: Entry) -> None:
        path = entry.path
        if entry.kind == "A":
            self.acknowledged = entry.data
        elif entry.kind == "C":
            self.waiting.setdefault(path, [])
            self.durable.setdefault(path, None)
        elif entry.kind == "F":
            content = self.durable.get(path)
            self.durable[path] = apply(bytearray() if content is None else content, self.waiting.pop(path, []))
            self.waiting[path] = []
            for gone in self.unlinked:  # the file system's own journal commits removals with it
                self.durable.pop(gone, None)
            self.unlinked = []
        elif entry.kind == "U":
            self.unlinked.append(path)
            self.waiting[path] = []
        elif entry.kind == "R":
            target = entry.data.decode().removeprefix(self._below)
            self.durable[target] = self.durable.pop(path, None)
            self.waiting[target] = self.waiting.pop(path, [])
        else:
            self.waiting.setdefault(path, []).append(entry)

    def after_power_cut(self, style: str, chance: random.Random) -> dict[str, bytes]:
        """The files that are found when the power is back."""
        gone = set() if style == "resurrect" else set(self.unlinked)
        left = {}
        for path in (self.durable.keys() | self.waiting.keys()) - gone:
            kept = surviving(self.waiting.get(path, []), style, chance)
            content = self.durable.get(path)
            if content is not None or kept or style == "all":
                left[path] = bytes(apply(bytearray(content or b""), kept))
        return left


def surviving(waiting: list[Entry], style: str, chance: random.Random) -> list[Entry]:
    """The writes that reached the medium though nobody waited for them."""
    if style == "all":
        return waiting
    if style == "prefix":
        return waiting[: chance.randint(0, len(waiting))]
    if style not in ("subset", "torn"):
        return []
    kept = [entry for entry in waiting if chance.random() < 0.5]
    if style == "torn" and kept and kept[-1].kind == "W":
        last = kept[-1]
        kept[-1] = last._replace(data=last.data[: SECTOR * chance.randint(0, len(last.data) // SECTOR)])
    return kept


def apply(buffer: bytearray, entries: Sequence[Entry]) -> bytearray:
    """A file's content after some operations on it, in place."""
    for entry in entries:
        if entry.kind == "T":
            buffer.clear()
            continue
        end = entry.offset
        if len(buffer) < end:
            buffer.extend(bytes(end - len(buffer)))
        if entry.kind == "N":
            del buffer[end:]
        else:
            buffer[end : end + len(entry.data)] = entry.data
    return buffer
