"""Which recommendations can stand side by side: a unit of surplus is promised once, an item-location acted on once.

Rows that no two actions share do not influence each other, so the values of the shown set add up; the joint proof
checks that. A donor may give to several receivers while its surplus lasts, but takes no other action.
"""

from __future__ import annotations

from collections.abc import Iterable

from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.situation import Candidate


class Claims:
    """What the actions accepted so far have laid claim to."""

    def __init__(self, surplus: Ints) -> None:
        self._surplus = surplus
        self._acted: set[int] = set()
        self._given: dict[int, int] = {}

    def left(self, row: int) -> int:
        """What a donor can still give, atomic units."""
        return int(self._surplus[row]) - self._given.get(row, 0)

    def fits(self, candidate: Candidate) -> bool:
        """Whether it can stand beside what was accepted."""
        if candidate.row in self._acted or candidate.row in self._given:
            return False
        if candidate.donor < 0:
            return True
        return candidate.donor not in self._acted and candidate.quantity <= self.left(candidate.donor)

    def accept(self, candidate: Candidate) -> bool:
        """Lays claim to what the action needs; False, and nothing claimed, when it does not fit."""
        if not self.fits(candidate):
            return False
        self._acted.add(candidate.row)
        if candidate.donor >= 0:
            self._given[candidate.donor] = self._given.get(candidate.donor, 0) + candidate.quantity
        return True


def side_by_side(ranked: Iterable[Candidate], surplus: Ints, limit: int) -> list[int]:
    """Places in `ranked` (best first) of the first `limit` that fit beside those taken before them."""
    claims = Claims(surplus)
    taken: list[int] = []
    for place, candidate in enumerate(ranked):
        if len(taken) >= limit:
            break
        if claims.accept(candidate):
            taken.append(place)
    return taken
