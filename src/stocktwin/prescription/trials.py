"""Many actions tested at once on one draw of luck: each candidate's item-locations, lived with it and without it.

`simulation.change.Bench` tests one action with all its KPIs; this lays hundreds of candidates side by side as extra
lines of one sweep and keeps only what choosing needs, value and units. On the same seed both give the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stocktwin.domain.identity import STOCKING_KINDS, stable_hash64
from stocktwin.kernels.network import COLUMN, Lines
from stocktwin.kernels.network import OpenLines as OpenArrays
from stocktwin.prescription.closedform import Floats
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.recommendation import ADVANCE_ORDER, SAFETY_STOCK, TRANSFER
from stocktwin.prescription.situation import Candidate

if TYPE_CHECKING:
    from stocktwin.simulation.compile import Compiled

CHOICE: Final = "choice"
PROOF: Final = "proof"
BATCH: Final = 1_000
"""Lines of one sweep."""


def stream_seed(seed: int, purpose: str) -> int:
    """The seed of the random streams used for one purpose; what is chosen on one is proved on the other.

    >>> stream_seed(7, CHOICE) != stream_seed(7, PROOF), stream_seed(7, PROOF) == stream_seed(7, PROOF)
    (True, True)
    """
    return stable_hash64("prescription", purpose, str(seed)) >> 12


@dataclass(frozen=True)
class Scores:
    """Per candidate and replication."""

    value: Floats
    """[candidates, replications] minus the difference of total cost, net of the action's cost; nan without prices."""
    units: Floats
    """[candidates, replications] lost sales avoided (mean backlog avoided where demand waits), atomic units."""


class Trials:
    """Scores candidates on the luck of one seed."""

    def __init__(self, compiled: Compiled, *, replications: int, horizon: int, seed: int) -> None:
        from stocktwin.simulation.disruption import Effects
        from stocktwin.simulation.run import prepare

        self._compiled, self._horizon = compiled, horizon
        self._run = prepare(compiled, Effects(), days=horizon, warmup=0, replications=replications, seed=seed)
        self._line = {line.line: at for at, line in enumerate(compiled.open_lines)}
        self._first = np.array([line.place for line in compiled.open_lines], np.int64)

    def score(self, candidates: Sequence[Candidate], delay: int = 0) -> Scores:
        """Value and units of each candidate when it is carried out `delay` days late."""
        parts = [self._score(candidates[at : at + BATCH], delay) for at in range(0, len(candidates), BATCH)]
        empty = np.zeros((0, self._run.replications))
        return Scores(
            np.concatenate([part.value for part in parts] or [empty]),
            np.concatenate([part.units for part in parts] or [empty]),
        )

    def _score(self, candidates: Sequence[Candidate], delay: int) -> Scores:
        whole = [self._touched(one) for one in candidates]
        owner = np.repeat(np.arange(len(candidates)), [len(one) for one in whole])
        places = np.concatenate(whole)
        without, at = np.unique(places, return_inverse=True)
        base = self._run.sweep(without, *self._run.lines(without))[0]
        lines, opened = self._with(candidates, whole, *self._run.lines(places), delay)
        tested = self._run.sweep(places, lines, opened, owner)[0]
        saved = self._cost(base, without)[at] - self._cost(tested, places)
        eased = self._short(base, without)[at] - self._short(tested, places)
        value, units = (np.zeros((len(candidates), self._run.replications)) for _ in range(2))
        np.add.at(value, owner, saved)
        np.add.at(units, owner, eased)
        return Scores(value - self._own_cost(candidates, delay)[:, None], units)

    def _touched(self, candidate: Candidate) -> Ints:
        """The item-locations a candidate changes, then those that they supply or are supplied by."""
        return whole_with(self._compiled, np.array([self._compiled.place_of(row) for row in candidate.rows], np.int64))

    def _own_cost(self, candidates: Sequence[Candidate], delay: int) -> Floats:
        """The action's cost, and what the donor's goods cost to hold until a late dispatch (they leave the model at
        once)."""
        holding = self._compiled.costs.holding
        places = [self._compiled.place_of(one.donor) for one in candidates]
        waits = [one.quantity * delay * holding[at] if one.donor >= 0 and delay else 0.0
                 for one, at in zip(candidates, places, strict=True)]  # fmt: skip
        return np.array([one.action_cost for one in candidates], np.float64) + np.array(waits, np.float64)

    def _with(
        self, candidates: Sequence[Candidate], whole: Sequence[Ints], lines: Lines, opened: OpenArrays, delay: int
    ) -> tuple[Lines, OpenArrays]:
        """The lines once each has been acted on: receivers and policies first, donors after their receivers."""
        on_hand, policy, change_day = lines.on_hand.copy(), lines.policy.copy(), lines.change_day.copy()
        arrives = opened.arrives.copy()
        arriving: list[tuple[int, Candidate]] = []
        at = 0
        for one, places in zip(candidates, whole, strict=True):
            if one.subject.kind == TRANSFER:
                on_hand[at + 1] -= one.quantity
                arriving.append((at, one))
            elif one.subject.kind == SAFETY_STOCK:
                policy[at, 1, :2] += one.quantity
                change_day[at] = delay
            elif one.subject.kind == ADVANCE_ORDER:
                k = int(lines.first_open[at]) + self._line[one.line] - int(np.searchsorted(self._first, places[0]))
                shift, earliest = max(one.shift_days - delay, 0), one.arrival_day - 1 + delay
                arrives[k] = np.minimum(arrives[k], np.maximum(arrives[k] - shift, earliest))
            at += len(places)
        lines = lines._replace(on_hand=on_hand, policy=policy, change_day=change_day)
        return _with_arrivals(lines, opened._replace(arrives=arrives), arriving, delay)

    def _cost(self, units: npt.NDArray[np.int64], places: Ints) -> Floats:
        return line_costs(self._compiled, units, places)

    def _short(self, units: npt.NDArray[np.int64], places: Ints) -> Floats:
        waiting = units[:, COLUMN["backlog_days"]] / self._horizon
        return np.where(self._compiled.lost[places, None] == 1, units[:, COLUMN["lost"]], waiting)


def _with_arrivals(
    lines: Lines, opened: OpenArrays, arriving: Sequence[tuple[int, Candidate]], delay: int
) -> tuple[Lines, OpenArrays]:
    """Adds each transfer as one more open line of its receiver."""
    if not arriving:
        return lines, opened
    at = np.array([place for place, _ in arriving], np.int64)
    where = lines.first_open[at + 1]
    quantity = np.array([one.quantity for _, one in arriving], np.int64)
    day = np.array([one.arrival_day - 1 + delay for _, one in arriving], np.int32)
    n = opened.arrives.shape[1]
    leaves = np.full((len(at), n), delay, np.int32)
    made = OpenArrays(
        np.insert(opened.quantity, where, quantity),
        np.insert(opened.leaves, where, leaves, axis=0),
        np.insert(opened.arrives, where, np.repeat(day[:, None], n, axis=1), axis=0),
    )
    extra = np.zeros(len(lines.first_open), np.int64)
    np.add.at(extra, at + 1, 1)
    return lines._replace(first_open=lines.first_open + np.cumsum(extra)), made


def line_costs(compiled: Compiled, units: npt.NDArray[np.int64], places: Ints) -> Floats:
    """Total cost of each line and replication, as `simulation.result` adds it up; nan where a price is missing."""
    costs = compiled.costs
    lost = compiled.lost[places] == 1
    weights = {
        "on_hand_days": costs.holding[places],
        "in_transit_days": _holding_in_transit(compiled)[places],
        "orders": costs.order[places],
        "ordered": costs.transport[places],
        "backlog_days": np.where(lost, 0.0, costs.backlog[places]),
        "lost": np.where(lost, costs.lost[places], 0.0),
        "destroyed": costs.unit_cost[places],
    }
    total = np.zeros((len(places), units.shape[2]))
    for name, weight in weights.items():
        total += units[:, COLUMN[name]] * weight[:, None]
    return total


def whole_with(compiled: Compiled, own: Ints) -> Ints:
    """Some item-locations, then those that they supply or are supplied by."""
    from stocktwin.simulation.layout import whole_trees

    everyone = whole_trees(compiled, own)
    return np.concatenate([own, everyone[~np.isin(everyone, own)]])


def _holding_in_transit(compiled: Compiled) -> Floats:
    """Holding cost of goods on the way, per atomic unit and day: only those that come from our own places are ours."""
    snapshot = compiled.snapshot
    kind = dict(zip(snapshot.location_codes.ids, snapshot.locations.column("kind").to_pylist(), strict=True))
    ours = np.array([kind.get(route.origin) in STOCKING_KINDS for route in compiled.routes], bool)
    return np.where(ours[compiled.route], compiled.costs.holding, 0.0)
