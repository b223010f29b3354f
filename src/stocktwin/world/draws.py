"""Random numbers keyed by their physical cause: worlds that differ in one decision differ only where it acts.

A stream belongs to (seed, cause, day, block). What concerns items is drawn for all rows of the block, or by row number
(`at`), whoever looks at it; what all blocks share (weather, lead times, regions) comes from `shared`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stocktwin.domain.identity import stable_hash64

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """The luck of one block of a world.

    >>> luck = Draws(7)
    >>> bool((luck.uniform("theft", 3, day=2) == luck.uniform("theft", 3, day=2)).all())
    True
    >>> float(luck.uniform("theft", 1)[0]) == float(luck.uniform("scrap", 1)[0])
    False
    >>> float(Draws(7, 1).uniform("theft", 1)[0]) == float(Draws(7, 2).uniform("theft", 1)[0])
    False
    >>> float(Draws(7, 1).shared.uniform("fog", 1)[0]) == float(Draws(7, 2).shared.uniform("fog", 1)[0])
    True
    """

    seed: int
    block: int = 0

    @property
    def shared(self) -> Draws:
        """The luck that all blocks of the world have in common."""
        return replace(self, block=0)

    def stream(self, cause: str, day: int = 0) -> np.random.Generator:
        """A fresh generator (Philox 4×64) of one cause on one day."""
        key = np.array([stable_hash64("world", str(self.seed), cause), self.block << 32 | day], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def uniform(self, cause: str, size: int, day: int = 0) -> Floats:
        """`size` numbers in [0, 1)."""
        return self.stream(cause, day).random(size)

    def rare(self, cause: str, size: int, chance: float, day: int = 0) -> tuple[Ints, Floats]:
        """Rows 0 … size − 1 that something befalls, each with chance `chance`, in rising order; and for each a further
        number in [0, 1), to thin them out where chances differ. It costs as much as there are happenings.

        >>> rows, u = Draws(7).rare("loss", 100_000, 1e-3)
        >>> 60 < len(rows) < 140, len(rows) == len(u), bool((rows[1:] > rows[:-1]).all())
        (True, True, True)
        """
        stream = self.stream(cause, day)
        rows = np.unique(stream.integers(0, size, stream.poisson(-np.log1p(-chance) * size)))
        return rows, stream.random(len(rows))
