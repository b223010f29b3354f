"""Random numbers keyed by their physical cause: worlds that differ in one decision differ only where it acts.

A stream belongs to (seed, cause, day) and is always drawn in full width, whoever looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stocktwin.domain.identity import stable_hash64

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """The luck of one world.

    >>> luck = Draws(7)
    >>> bool((luck.uniform("theft", 3, day=2) == luck.uniform("theft", 3, day=2)).all())
    True
    >>> float(luck.uniform("theft", 1)[0]) == float(luck.uniform("scrap", 1)[0])
    False
    """

    seed: int

    def stream(self, cause: str, day: int = 0) -> np.random.Generator:
        """A fresh generator (Philox 4×64) of one cause on one day."""
        key = np.array([stable_hash64("world", str(self.seed), cause), day], np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def uniform(self, cause: str, size: int, day: int = 0) -> Floats:
        """`size` numbers in [0, 1)."""
        return self.stream(cause, day).random(size)
