"""The live state on disk, beside the projection, so that a start need not add everything up: disposable, like it.

One file: a line of JSON (what it was made from, names, types and lengths of the columns, digest of the rest), then the
columns. It is used when it continues: made by this code, of a batch that the projection holds, under the view that is
asked for, with the same names under the same codes. Else, or damaged, it is as if it were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from stocktwin.domain.rules import Rules
from stocktwin.kernels.accounts import Columns
from stocktwin.ledger.accounts import Accounts, Names

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

    from stocktwin.ledger.books import View
    from stocktwin.ledger.live import Live

SUFFIX: Final = ".live"
BY_ROW: Final = ("item", "key", "quantity", "legs", "cut", "flags")


def write(con: duckdb.DuckDBPyConnection, live: Live, path: Path, version: str) -> bool:
    """Writes a live state; whether it could be."""
    import duckdb

    try:
        names = names_digest(con, len(live.accounts.columns.start), live.places)
    except duckdb.Error:  # damaged or closed: what follows from it is not worth keeping
        return False
    head, columns = _described(live, names, version)
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            for column in columns.values():
                column.tofile(file)
        os.replace(fresh, path)
    except OSError:  # a full or read-only disk: the next start adds up
        with contextlib.suppress(OSError):
            fresh.unlink()
        return False
    return True


def _described(live: Live, names: list[str], version: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The first line, and the columns after it."""
    accounts = live.accounts
    rows, slots = (int(count) for count in accounts.columns.n)
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, column in accounts.columns._asdict().items():
        columns[name] = column[: slots if name == "slots" else rows if name in BY_ROW else len(column)]
    if live.order is not None:
        columns["order"] = live.order
    digest = hashlib.blake2b()
    for column in columns.values():
        digest.update(np.ascontiguousarray(column).data)
    head = {
        "version": version,
        "head": live.head,
        "hash": live.hash,
        "view": view_text(live.view),
        "codes": [len(accounts.columns.start), live.places],
        "names": names,
        "lots": accounts.lots.texts[1:],
        "owners": accounts.owners.texts[1:],
        "columns": [[name, column.dtype.str, len(column)] for name, column in columns.items()],
        "digest": digest.hexdigest(),
    }
    return head, columns


def read(con: duckdb.DuckDBPyConnection, path: Path, version: str, view: View) -> Live | None:
    """The live state in a file, or None where there is none that continues."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            if head["version"] != version or head["view"] != view_text(view) or not _held(con, head):
                return None
            return _read_columns(file, head, view)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _held(con: duckdb.DuckDBPyConnection, head: dict[str, Any]) -> bool:
    """Whether the projection holds the batch that the file speaks of, and the names it counts by."""
    (seq,) = con.execute("SELECT seq FROM watermark").fetchall()[0]
    return bool(head["head"] <= seq and names_digest(con, *head["codes"]) == head["names"])


def _read_columns(file: IO[bytes], head: dict[str, Any], view: View) -> Live | None:
    from stocktwin.ledger.live import Live

    digest, columns = hashlib.blake2b(), {}
    for name, kind, length in head["columns"]:
        columns[name] = np.fromfile(file, np.dtype(kind), length)
        if len(columns[name]) != length:
            return None
        digest.update(columns[name].data)
    if digest.hexdigest() != head["digest"]:
        return None
    order = columns.pop("order", None)
    accounts = Accounts(0, bool(view.openings))
    accounts.lots, accounts.owners = (
        Names(head[name], most=getattr(accounts, name).most) for name in ("lots", "owners")
    )
    accounts.columns = Columns(**columns)
    return Live(accounts, view, head["head"], head["hash"], head["codes"][1], order)


def view_text(view: View) -> str:
    """What of a view decides about balances, as text."""
    return repr(replace(view, rules=Rules()))


def names_digest(con: duckdb.DuckDBPyConnection, items: int, places: int) -> list[str]:
    """What the first codes stand for, of this engine: to tell whether they still stand for the same."""
    return [
        str(con.execute(f"SELECT bit_xor(hash(code, {name})) FROM {table} WHERE code < {count}").fetchall()[0][0])
        for table, name, count in (("item", "item_id", items), ("place", "place_id", places))
    ]
