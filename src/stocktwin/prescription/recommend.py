"""What should we do? Candidates by closed form, chosen by simulation on one draw of luck, proved on another.

The streams that choose are never those that prove: the best of thousands on its own luck only looks good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.prescription.board import earliest_days, lay_out
from stocktwin.prescription.governance import recent
from stocktwin.prescription.guards import Guards, guards
from stocktwin.prescription.orders import propose_advances
from stocktwin.prescription.outlook import Ints
from stocktwin.prescription.proof import Finding, prove
from stocktwin.prescription.rebalance import propose_transfers
from stocktwin.prescription.recommendation import SAFETY_STOCK, Recommendation
from stocktwin.prescription.report import DELAY_DAYS, Proved, Reporter
from stocktwin.prescription.safetystock import propose_safety_stocks
from stocktwin.prescription.shown import shares, worthwhile_set
from stocktwin.prescription.situation import Board, Candidate, pick
from stocktwin.prescription.trials import CHOICE, PROOF, Trials, stream_seed
from stocktwin.simulation.statistics import Estimate, estimate

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.analytics.leadtime import LeadTimeModel
    from stocktwin.simulation.change import Bench
    from stocktwin.simulation.compile import Compiled
    from stocktwin.tables.snapshot import Snapshot

CANDIDATES: Final = 300
"""Of each kind, at most, that are simulated to choose from."""
CHOICE_REPLICATIONS: Final = 100
PROOF_REPLICATIONS: Final = 400
SPARE: Final = 0.5
"""Share more than asked for that is proved, since some will not hold."""
HORIZON: Final = (90, 180)
"""Bounds of the default horizon, days."""


@dataclass(frozen=True)
class Advice:
    """The recommendations, best first, and what was done to find them."""

    recommendations: tuple[Recommendation, ...]
    joint: Finding | None
    """All of them carried out together; None when there are none."""
    considered: Mapping[str, int]
    """Kind → candidates simulated."""
    unproved: int
    """Chosen ones whose proof did not hold."""
    horizon_days: int
    choice_seed: int
    proof_seed: int
    currency: str
    state_hash: str
    assumptions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.recommendations)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommendations)

    def to_dict(self) -> dict[str, Any]:
        """The answer of `recommend --json` and REST."""
        return {
            "recommendations": [one.to_dict() for one in self.recommendations],
            "joint": self._joint(),
            "considered": dict(self.considered),
            "unproved": self.unproved,
            "horizon_days": self.horizon_days,
            "choice_seed": self.choice_seed,
            "proof_seed": self.proof_seed,
            "currency": self.currency,
            "state_hash": self.state_hash,
            "assumptions": list(self.assumptions),
        }

    def _joint(self) -> dict[str, Any] | None:
        if self.joint is None:
            return None
        whole = None if self.joint.value is None else estimate(self.joint.value)
        worth = whole or Estimate(None)
        parts = [one.expected_value for one in self.recommendations if one.expected_value is not None]
        return {
            "expected_value": worth.mean,
            "lo": worth.lo,
            "hi": worth.hi,
            "worst_5": self.joint.worst_5 if whole else None,
            "sum_of_parts": sum(parts),
            "units_value": float(self.joint.units.mean()),
            "proof": self.joint.proof.to_dict(),
        }


def recommend(
    snapshot: Snapshot,
    forecast: DemandForecast,
    lead_times: LeadTimeModel,
    compiled: Compiled,
    *,
    top: int = 20,
    horizon_days: int | None = None,
    seed: int = 0,
    decided: Iterable[Mapping[str, Any]] = (),
    recent_transfers: pa.Table | None = None,
    units: pa.Table | None = None,
    progress: Progress = silent,
) -> Advice:
    """The `top` actions worth most over the horizon, each proved by paired simulation and all proved jointly.

    `decided` is the decision log, `recent_transfers` the transfers of the last 30 days (`item_id, from_id, to_id`),
    `units` the pack sizes (`item_id, unit, factor`). The same twin, seed and arguments give the same answer. Raises
    UsageError where `top` or the horizon is not positive.
    """
    if top < 1 or (horizon_days is not None and horizon_days < 1):
        raise UsageError(f"top and horizon are at least 1: {top}, {horizon_days}")
    horizon = horizon_days or default_horizon(compiled)
    board = lay_out(snapshot, forecast, lead_times, compiled, units)
    limits = guards(snapshot, recent_transfers, recent(decided, snapshot.today))
    progress(0, 4, "looking for candidates")
    found = candidates(snapshot, forecast, compiled, board, limits, horizon)
    seeds = {purpose: stream_seed(seed, purpose) for purpose in (CHOICE, PROOF)}
    network = _part(compiled, found)
    progress(1, 4, "choosing by simulation")
    surplus = board.situation.surplus - limits.promised
    chosen = choose(network, found, surplus, int(np.ceil(top * (1 + SPARE))), horizon, seeds[CHOICE])
    progress(2, 4, "proving")
    bench = _bench(network, chosen, horizon, seeds[PROOF])
    shown, unproved = _hold(bench, board, chosen, top, snapshot.state_hash)
    progress(3, 4, "proving together")
    joint = prove(bench, [one for one, _ in shown], snapshot.state_hash) if bench and shown else None
    told = Reporter(snapshot, forecast, board).tell(shown, _delays(network, shown, horizon, seeds[PROOF]))
    progress(4, 4, "done")
    return Advice(
        recommendations=tuple(sorted(told, key=lambda one: (one.rank, one.id))),
        joint=joint,
        considered=Counter(one.subject.kind for one in found),
        unproved=unproved,
        horizon_days=horizon,
        choice_seed=seeds[CHOICE],
        proof_seed=seeds[PROOF],
        currency=snapshot.currency,
        state_hash=snapshot.state_hash,
        assumptions=compiled.assumptions,
    )


def default_horizon(compiled: Compiled) -> int:
    """Twice the 95 % lead time plus a review, between 90 and 180 days: an order placed today is felt."""
    if not len(compiled):
        return HORIZON[0]
    late = int(np.quantile(compiled.lead_times, 0.95, axis=1).max())
    return int(np.clip(2 * late + int(compiled.policy.review_days.max()), *HORIZON))


def candidates(
    snapshot: Snapshot, forecast: DemandForecast, compiled: Compiled, board: Board, limits: Guards, horizon: int
) -> list[Candidate]:
    """What might be worth doing by closed form, at most `CANDIDATES` of each kind."""
    transfers = propose_transfers(snapshot, forecast, board, forbidden=limits.forbidden, promised=limits.promised)
    advances = propose_advances(snapshot, forecast, board, earliest_days(compiled, board.inflow))
    stocks = propose_safety_stocks(snapshot, board.situation, horizon, CANDIDATES)
    kinds = (transfers, advances, stocks)
    return [one for kind in kinds for one in pick([one for one in kind if limits.allow(one)], CANDIDATES)]


def choose(
    compiled: Compiled, found: Sequence[Candidate], surplus: Ints, limit: int, horizon: int, seed: int
) -> list[Candidate]:
    """The best that fit side by side: of each subject its best size, of those that pay, the best first."""
    if not found:
        return []
    trials = Trials(compiled, replications=CHOICE_REPLICATIONS, horizon=horizon, seed=seed)
    scores = trials.score(found)
    best: dict[Any, tuple[float, Candidate]] = {}
    for one, value, units in zip(found, scores.value, scores.units, strict=True):
        priced = not np.isnan(value).any()
        worth = estimate(value if priced else units)
        if worth.mean is None or worth.mean <= 0 or (worth.lo or 0.0) <= 0:
            continue
        known = best.get(one.subject)
        if known is None or worth.mean > known[0]:
            best[one.subject] = (worth.mean, replace(one, estimate=worth.mean, priced=priced))
    return worthwhile_set(pick([one for _, one in best.values()], len(best)), surplus, limit)


def _part(compiled: Compiled, found: Sequence[Candidate]) -> Compiled:
    """The network of the item-locations that the candidates touch."""
    from stocktwin.simulation.engine import only

    places = sorted({compiled.place_of(row) for one in found for row in one.rows})
    return only(compiled, *places) if places else compiled


def _bench(compiled: Compiled, chosen: Sequence[Candidate], horizon: int, seed: int) -> Bench | None:
    from stocktwin.simulation.change import Bench

    if not chosen:
        return None
    return Bench(_part(compiled, chosen), replications=PROOF_REPLICATIONS, horizon=horizon, seed=seed)


def _hold(
    bench: Bench | None, board: Board, chosen: Sequence[Candidate], top: int, state_hash: str
) -> tuple[list[Proved], int]:
    """The first `top` whose proof holds once each has paid its share of a shipment; and how many did not hold."""
    if bench is None:
        return [], 0
    proved = [(one, prove(bench, [one], state_hash)) for one in chosen]
    proved = [(one, finding) for one, finding in proved if _keeps_target(board, one, finding)]
    held = _settle(proved)
    failed = len(chosen) - len(held)
    if len(held) > top:
        shown = {one.subject for one, _ in held[:top]}
        held = _settle([(one, finding) for one, finding in proved if one.subject in shown])
    return held, failed


def _settle(proved: Sequence[Proved]) -> list[Proved]:
    """Those that hold once each has paid its share of a shipment; one that drops out leaves its share to the others."""
    left = list(proved)
    while True:
        worth = [0.0 if finding.value is None else float(finding.value.mean()) for _, finding in left]
        cost = shares([one for one, _ in left], worth)
        paid = [
            (replace(one, action_cost=one.action_cost + share), finding.charged(share))
            for (one, finding), share in zip(left, cost, strict=True)
        ]
        failing = [at for at, (_, finding) in enumerate(paid) if not finding.holds]
        if not failing:
            return paid
        left.pop(min(failing, key=lambda at: worth[at] - cost[at]))


def _keeps_target(board: Board, one: Candidate, finding: Finding) -> bool:
    """A safety stock is not lowered below what its declared service target needs, as simulated."""
    target = board.situation.service_target[one.row]
    if one.subject.kind != SAFETY_STOCK or one.quantity > 0 or np.isnan(target):
        return True
    reached = finding.proof.with_action[board.situation.service_type[one.row]].mean
    return reached is None or reached >= target


def _delays(compiled: Compiled, shown: Sequence[Proved], horizon: int, seed: int) -> list[float | None]:
    """What each shown action loses when carried out `DELAY_DAYS` late, in its own measure, on the proof's luck."""
    if not shown:
        return []
    chosen = [one for one, _ in shown]
    trials = Trials(_part(compiled, chosen), replications=PROOF_REPLICATIONS, horizon=horizon, seed=seed)
    now, late = trials.score(chosen), trials.score(chosen, delay=DELAY_DAYS)
    value, units = (now.value - late.value).mean(axis=1), (now.units - late.units).mean(axis=1)
    return [float(units[at] if finding.value is None else value[at]) for at, (_, finding) in enumerate(shown)]
