"""Names of systems and sources ↔ small integers, kept in the projection and in memory beside the fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


class Codebook:
    """The codes of one dimension table (`system` or `source`), handed out in order of first appearance."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: str) -> None:
        self._con, self._table = con, table
        self._codes: dict[str, int] = {
            name: code for code, name in con.execute(f"SELECT code, name FROM {table}").fetchall()
        }

    def code(self, name: str) -> int:
        """The code of a name, which it gets now if it has none."""
        if name not in self._codes:
            self._codes[name] = len(self._codes)
            self._con.execute(f"INSERT INTO {self._table} VALUES (?, ?)", [self._codes[name], name])
        return self._codes[name]
