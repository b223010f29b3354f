"""Identity ↔ dense integer: ids are strings outside, row numbers of a sorted list inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt


class Codes:
    """An immutable, sorted list of ids; the code of an id is its row number.

    >>> codes = Codes(["B", "A"])
    >>> codes.code("B"), codes.ids[0], codes.code("C")
    (1, 'A', -1)
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: tuple[str, ...] = tuple(sorted(set(ids)))
        self._codes = {name: code for code, name in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._codes

    def code(self, name: str | None) -> int:
        """The code of an id, or −1 when it is not in the list."""
        return -1 if name is None else self._codes.get(name, -1)

    def encode(self, names: Sequence[str | None]) -> npt.NDArray[np.int32]:
        """Codes of many ids (−1 where unknown)."""
        return np.fromiter((self.code(name) for name in names), dtype=np.int32, count=len(names))
