"""Item-locations of a snapshot: codes and ids → rows, and sums onto them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.identity import STOCKING_KINDS
from stocktwin.ledger.books import of_items

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.masters_query import Masters

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Keys:
    """An item-location as one number: item × locations + location, rows of the snapshot's items and locations; −1 where
    one of them is unknown or the location keeps no stock of ours."""

    items: pa.Array
    """Ids, sorted."""
    locations: pa.Array
    stocking: npt.NDArray[np.bool_]
    """By location."""

    @classmethod
    def of(cls, masters: Masters) -> Keys:
        """The keys of a snapshot's items and locations."""
        kinds = pc.is_in(masters["locations"].column("kind"), pa.array(STOCKING_KINDS))
        items, locations = masters["items"].column("item_id"), masters["locations"].column("location_id")
        return cls(items.combine_chunks(), locations.combine_chunks(), np.asarray(kinds.to_numpy(), np.bool_))

    def of_ids(self, table: pa.Table) -> Ints:
        """Keys of a table of ids, `item_id` and `location_id`."""
        return self.of_ranks(_find(table.column("item_id"), self.items), self._place(table, "location_id"))

    def of_lines(self, lines: pa.Table, side: str) -> Ints:
        """Keys of order lines, which hold the rank of the item and the ids of their ends."""
        return self.of_ranks(ints(lines.column("item")), self._place(lines, side))

    def of_ranks(self, item: Ints, location: Ints) -> Ints:
        """Keys of rows of items and of locations."""
        known = (item >= 0) & (location >= 0)
        ours = known & self.stocking[location * known] if len(self.stocking) else np.zeros(len(item), bool)
        return np.where(ours, item * self._places + location, -1)

    def split(self, keys: Ints) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Rows of items and of locations."""
        return (keys // self._places).astype(np.int32), (keys % self._places).astype(np.int32)

    def _place(self, table: pa.Table, name: str) -> Ints:
        return _find(table.column(name), self.locations)

    @property
    def _places(self) -> int:
        return max(len(self.stocking), 1)


@dataclass(frozen=True)
class Ranks:
    """The projection's codes → rows of the snapshot's items and locations (−1: not in it, or not asked for)."""

    keys: Keys
    item: Ints
    place: Ints

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection, keys: Keys, items: tuple[int, ...] | None) -> Ranks:
        """Ranks of all items, or of some."""
        named = con.sql(f"SELECT item, id FROM (SELECT code AS item, item_id AS id FROM item) WHERE {of_items(items)}")
        places = con.sql("SELECT code, place_id FROM place")
        return cls(
            keys, _by_code(named.to_arrow_table(), keys.items), _by_code(places.to_arrow_table(), keys.locations)
        )

    def of(self, table: pa.Table, side: str = "place") -> Ints:
        """Keys of a table of codes, `item` and a place."""
        item, place = ints(table.column("item")), ints(table.column(side))
        known = (place >= 0) & (item >= 0)
        row, location = self.item[item * known], self.place[place * known]
        return self.keys.of_ranks(np.where(known, row, -1), np.where(known, location, -1))


def rows_of(keys: Ints, sorted_keys: Ints) -> Ints:
    """Rows of keys among those of a snapshot, −1 where there is none."""
    if not len(sorted_keys):
        return np.full(len(keys), -1, np.int64)
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.where((keys >= 0) & (sorted_keys[at] == keys), at, -1)


def total(rows: Ints, values: pa.ChunkedArray, n: int) -> Ints:
    """Sum of a column onto n rows; row −1 is left out."""
    out = np.zeros(n, np.int64)
    np.add.at(out, rows[rows >= 0], ints(values)[rows >= 0])
    return out


def ints(column: pa.ChunkedArray) -> Ints:
    """Whole numbers of a column; null is −1."""
    return np.asarray(pc.fill_null(column, -1).to_numpy(), np.int64)


def _by_code(named: pa.Table, ids: pa.Array) -> Ints:
    """By code, the place of its id among `ids`."""
    code = ints(named.column(0))
    out = np.full(int(code.max(initial=0)) + 1, -1, np.int64)
    out[code] = _find(named.column(1), ids)
    return out


def _find(column: pa.ChunkedArray, ids: pa.Array) -> Ints:
    return ints(pc.index_in(column, value_set=ids))
