"""Which recommendations can stand side by side: a unit of surplus is promised once, an item-location acted on once.

Rows that no two actions share do not influence each other, so the values of the shown set nearly add up; the joint
proof says by how much they miss. A donor may give to several receivers while its surplus lasts, but takes no other
action. Transfers along one lane travel as one shipment and share its cost in proportion to what they are worth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

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


def shares(candidates: Sequence[Candidate], worth: Sequence[float]) -> list[float]:
    """Each candidate's share of the shipment it travels with, in proportion to its worth before that cost (equally
    where none is worth anything in money); 0 where it travels with none."""
    total: dict[object, float] = defaultdict(float)
    count: dict[object, int] = defaultdict(int)
    for one, value in zip(candidates, worth, strict=True):
        total[one.lane] += max(value, 0.0)
        count[one.lane] += 1
    return [
        0.0
        if one.lane is None
        else one.shipment_cost * (max(value, 0.0) / total[one.lane] if total[one.lane] > 0 else 1.0 / count[one.lane])
        for one, value in zip(candidates, worth, strict=True)
    ]


def worthwhile_set(ranked: Sequence[Candidate], surplus: Ints, limit: int) -> list[Candidate]:
    """The first `limit` of `ranked` (best first) that fit side by side, without shipments that cost more than the
    transfers along them are worth (`estimate`, before that cost)."""
    left = list(ranked)
    while True:
        taken = [left[place] for place in side_by_side(left, surplus, limit)]
        losing = _losing_lane(taken)
        if losing is None:
            return taken
        left = [one for one in left if one.lane != losing]


def _losing_lane(taken: Sequence[Candidate]) -> tuple[str, str, str] | None:
    """The lane that loses most on its shipment, if any loses."""
    gain: dict[tuple[str, str, str], float] = {}
    for one in taken:
        if one.lane is not None and one.priced:
            gain[one.lane] = gain.get(one.lane, -one.shipment_cost) + one.estimate
    worst = min(gain, key=lambda lane: (gain[lane], lane), default=None)
    return worst if worst is not None and gain[worst] <= 0 else None
