"""Accounts as dense columns: what is added up, and which item, place, lot, owner and condition each row is.

The key of an account within its item packs place (20 bits), lot (28), owner (12) and condition (3); 0 stands for no
lot, ours, unrestricted. A twin with more of any than fits is answered by SQL alone (`Crowded`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.identity import CONDITIONS
from stocktwin.kernels import accounts as kernels
from stocktwin.kernels.accounts import FEW, Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Scalar = TypeVar("Scalar", bound=np.generic)

OWNER, LOT, PLACE = 3, 15, 43
"""Lowest bits of each part of a key."""
WHOLE: Final = -1 << PLACE
"""Mask of the place."""
NEVER: Final = -(2**63)
"""Cut-off of what did not open with a level."""
FIRST_ROOM: Final = 1_024


class Crowded(OverflowError):
    """More places, lots or owners than a key can tell apart."""


class Names:
    """Texts ↔ numbers from 1 on; 0 is none."""

    def __init__(self, texts: Sequence[str] = (), most: int = 2**31) -> None:
        self.texts: list[str | None] = [None, *texts]
        self._numbers = {text: number for number, text in enumerate(texts, 1)}
        self.most = most

    def numbers(self, column: pa.ChunkedArray | pa.Array) -> Ints:
        """The number of each text; new ones are numbered."""
        if column.null_count == len(column):
            return np.zeros(len(column), np.int64)
        chunk = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        known = np.array([0, *map(self._number, coded.dictionary.to_pylist())], np.int64)
        return np.asarray(known[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1])

    def _number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
            if found >= self.most:
                raise Crowded(f"more than {self.most - 1:,} different lots or owners")
        return found

    def ranks(self) -> Ints:
        """By number, its place among the sorted texts; none comes first."""
        out = np.zeros(len(self.texts), np.int64)
        if len(out) > 1:
            out[1 + np.asarray(pc.sort_indices(pa.array(self.texts[1:], pa.string())))] = np.arange(1, len(out))
        return out


class Accounts:
    """Sums and numbers of postings per account. Not safe to share between threads."""

    def __init__(self, items: int, opens: bool = False, rows: int = FIRST_ROOM) -> None:
        """For item codes below a number; `opens`: some may open with a level. `rows` is what to make room for."""
        self.opens = opens
        self.lots, self.owners = Names(most=1 << (PLACE - LOT)), Names(most=1 << (LOT - OWNER))
        empty = np.zeros(0, np.int64)
        small = np.zeros(0, np.int32)
        self.columns = Columns(empty, empty, empty, small, small, empty, empty, small, empty, small,
                               np.zeros(2, np.int64))  # fmt: skip
        self.make_room(max(rows, FIRST_ROOM), FEW * max(items, 1))
        self.know_items(items)

    def copy(self) -> Accounts:
        """The same accounts, to be changed alone; lots and owners go on being numbered together."""
        made = Accounts.__new__(Accounts)
        made.opens, made.lots, made.owners = self.opens, self.lots, self.owners
        made.columns = self.columns._replace(**{name: column.copy() for name, column in self.columns._asdict().items()})
        return made

    @property
    def rows(self) -> int:
        """Rows in use."""
        return int(self.columns.n[0])

    def make_room(self, rows: int, slots: int) -> None:
        """Lengthens the columns to so many rows and slots."""
        c = self.columns
        self.columns = c._replace(
            slots=_longer(c.slots, slots, -1),
            item=_longer(c.item, rows, 0),
            key=_longer(c.key, rows, 0),
            quantity=_longer(c.quantity, rows, 0),
            legs=_longer(c.legs, rows, 0),
            cut=_longer(c.cut, rows, NEVER) if self.opens else c.cut,
            flags=_longer(c.flags, rows, 0) if self.opens else c.flags,
        )

    def know_items(self, items: int) -> None:
        """Makes tables for item codes below a number."""
        c = self.columns
        more = items - len(c.start)
        if more <= 0:
            return
        first = int(c.n[1])
        if first + more * FEW > len(c.slots):
            self.make_room(len(c.item), first + more * FEW)
            c = self.columns
        start = first + FEW * np.arange(more)
        c.n[1] = first + more * FEW
        self.columns = c._replace(
            start=np.concatenate([c.start, start]),
            size=_longer(c.size, items, FEW),
            used=_longer(c.used, items, 0),
        )

    def post(self, item: Codes, key: Ints, amount: Ints, sign: int, flags: int = 0, step: int = 1) -> None:
        """Adds sign × amount to accounts, and `step` legs (−1 takes back); `flags` are set for item and place."""
        if not flags:
            left = np.empty(len(item), np.int64)
            left = left[: kernels.post_known(self.columns, item, key, amount, sign, step, left)]
            item, key, amount = item[left], key[left], amount[left]
        self._go(lambda at: kernels.post(self.columns, item, key, amount, sign, step, WHOLE, flags, at), len(item))

    def open(self, item: Codes, key: Ints, level: Ints, cut: Ints, unknown: int) -> None:
        """Posts opening levels out of the account `unknown`, with their cut-offs."""
        go = kernels.open_accounts
        self._go(lambda at: go(self.columns, item, key, level, cut, unknown, at), len(item))

    def redirect(self, item: Codes, key: Ints, amount: Ints, time: Ints, sign: int, unknown: int) -> None:
        """Moves legs up to their account's cut-off to `unknown`."""
        go = kernels.redirect
        self._go(lambda at: go(self.columns, item, key, amount, time, sign, WHOLE, unknown, at), len(item))

    def clear(self, items: Codes) -> None:
        """Takes everything from the accounts of some items."""
        kernels.clear(self.columns, items, NEVER)

    def find(self, item: Codes, key: Ints) -> Ints:
        """Rows of accounts, −1 where there is none."""
        out = np.empty(len(item), np.int64)
        kernels.rows_at(self.columns, item, key, out)
        return out

    def _go(self, step: Callable[[int], int], length: int) -> None:
        """Runs a kernel to the end, with more room whenever it asks for it."""
        at = step(0)
        while at < length:
            c = self.columns
            if self.rows == len(c.item):
                self.make_room(len(c.item) * 3 // 2, 0)
            else:
                self.make_room(0, len(c.slots) * 3 // 2 + 4 * int(c.size.max()))
            at = step(at)

    def ordered(self, item_rank: Ints, place_rank: Ints) -> Codes:
        """Rows in order of item, place, lot, condition, owner."""
        c, n = self.columns, self.rows
        by_item = item_rank[c.item[:n]].astype(np.int32)
        condition = np.argsort(np.argsort(CONDITIONS))
        key = c.key[:n]
        rank = place_rank[key >> PLACE] << PLACE | self.lots.ranks()[_part(key, LOT, PLACE)] << LOT
        rank |= condition[_part(key, 0, OWNER)] << (LOT - OWNER) | self.owners.ranks()[_part(key, OWNER, LOT)]
        first = np.zeros(len(item_rank) + 1, np.int64)
        np.cumsum(np.bincount(by_item, minlength=len(item_rank)), out=first[1:])
        out = np.empty(n, np.int32)
        kernels.order_rows(by_item, rank, first[:-1].copy(), out)
        return out


def keys_of(place: npt.ArrayLike, lot: Ints | int = 0, owner: Ints | int = 0, condition: Ints | int = 0) -> Ints:
    """Keys of accounts within their item."""
    places = np.asarray(place, np.int64)
    if len(places) and int(places.max()) >> (63 - PLACE):
        raise Crowded(f"more than {1 << (63 - PLACE):,} places and lanes")
    return np.asarray(places << PLACE | np.asarray(lot) << LOT | np.asarray(owner) << OWNER | condition, np.int64)


def parts_of(key: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Place, lot, owner, condition of keys."""
    return key >> PLACE, _part(key, LOT, PLACE), _part(key, OWNER, LOT), _part(key, 0, OWNER)


def _part(key: Ints, low: int, high: int) -> Ints:
    return np.asarray((key >> low) & ((1 << (high - low)) - 1), np.int64)


def _longer(column: npt.NDArray[Scalar], length: int, fill: int) -> npt.NDArray[Scalar]:
    if len(column) >= length:
        return column
    out = np.zeros(length, column.dtype) if fill == 0 else np.full(length, fill, column.dtype)
    out[: len(column)] = column
    return out
