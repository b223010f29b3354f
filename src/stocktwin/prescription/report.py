"""From a proved candidate to the recommendation that is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stocktwin.domain.quantity import from_atomic
from stocktwin.prescription.outlook import MEDIAN, runs_out
from stocktwin.prescription.proof import Finding
from stocktwin.prescription.rebalance import DISPATCH_DAY, Need, look_ahead
from stocktwin.prescription.recommendation import ADVANCE_ORDER, SAFETY_STOCK, TRANSFER, Recommendation
from stocktwin.prescription.situation import Board, Candidate
from stocktwin.prescription.words import REVERSALS, Outlook, Writer, day_name

if TYPE_CHECKING:
    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.tables.snapshot import Snapshot

DELAY_DAYS = 7
Proved = tuple[Candidate, Finding]


class Reporter:
    """Writes recommendations of one snapshot."""

    def __init__(self, snapshot: Snapshot, forecast: DemandForecast, board: Board) -> None:
        self._snapshot, self._forecast, self._board = snapshot, forecast, board
        self._writer = Writer(snapshot, board.situation)

    def tell(self, shown: Sequence[Proved], delays: Sequence[float | None]) -> list[Recommendation]:
        """One recommendation for each proved candidate; `delays` is what waiting costs each, in its own measure."""
        rows = np.array([one.row for one, _ in shown], np.int64)
        need = look_ahead(self._snapshot, self._forecast, self._board, rows)
        together = Counter(one.lane for one, _ in shown)
        return [
            self._one(one, finding, delay, self._outlook(need, at), together[one.lane] - 1)
            for at, ((one, finding), delay) in enumerate(zip(shown, delays, strict=True))
        ]

    def _outlook(self, need: Need, at: int) -> Outlook:
        """When what is on hand is gone, and what comes next."""
        only = slice(at, at + 1)
        days = np.full(1, need.mean.shape[1] - 1)
        held = np.broadcast_to(need.supply[MEDIAN, only, :1], need.mean[only].shape)
        out = runs_out(held, need.mean[only], need.sd[only], days)
        due = self._board.inflow.day[self._board.inflow.of(int(need.rows[at])), MEDIAN]
        order = int(self._board.situation.next_order_day[need.rows[at]])
        return Outlook(int(out[0]), min(order, int(due.min(initial=order))), bool(len(due) and due.min() < order))

    def _one(
        self, one: Candidate, finding: Finding, delay: float | None, outlook: Outlook, others: int
    ) -> Recommendation:
        unit, scale = self._writer.unit(one.row)
        per_unit = 10.0**scale
        worth = None if finding.value is None else finding.estimate
        current, proposed = self._levels(one)
        dates = self._dates(one)
        reversibility, reversal = REVERSALS[one.subject.kind]
        return Recommendation(
            subject=one.subject,
            day=self._snapshot.today,
            unit=unit,
            scale=scale,
            quantity=one.quantity,
            current=current,
            proposed=proposed,
            from_date=dates[0],
            to_date=dates[1],
            currency=self._snapshot.currency,
            expected_value=None if worth is None else worth.mean,
            lo=None if worth is None else worth.lo,
            hi=None if worth is None else worth.hi,
            units_value=float(finding.units.mean()),
            worst_5=finding.worst_5,
            action_cost=one.action_cost,
            reversibility=reversibility,
            reversal=reversal,
            cost_of_delay=delay if delay is None or finding.value is not None else delay / per_unit,
            delay_days=DELAY_DAYS,
            horizon_days=finding.proof.horizon_days,
            reason=self._writer.reason(one, outlook),
            description=self._writer.description(one, others),
            proof=finding.proof,
            missing=finding.missing,
            details=self._details(one, scale, others),
        )

    def _levels(self, one: Candidate) -> tuple[int, int]:
        situation = self._board.situation
        held = situation.safety_stock if one.subject.kind == SAFETY_STOCK else situation.on_hand
        current = int(held[one.row])
        return current, current + one.quantity

    def _dates(self, one: Candidate) -> tuple[str | None, str | None]:
        today = self._snapshot.today
        if one.subject.kind == TRANSFER:
            return day_name(today, DISPATCH_DAY), day_name(today, one.arrival_day)
        if one.subject.kind == ADVANCE_ORDER:
            return day_name(today, one.arrival_day + one.shift_days), day_name(today, one.arrival_day)
        return None, None

    def _details(self, one: Candidate, scale: int, others: int) -> dict[str, Any]:
        """Evidence as JSON values, quantities exact; `others` are the transfers shown along the same lane."""
        situation = self._board.situation

        def exact(quantity: int) -> int | str:
            return from_atomic(int(quantity), scale)

        found = dict(one.notes)
        if one.subject.kind == TRANSFER:
            for name in ("on_hand", "donor_floor", "surplus", "order_up_to"):
                found[f"donor_{name.removeprefix('donor_')}"] = exact(getattr(situation, name)[one.donor])
            found["pack"] = exact(situation.pack[one.donor])
            found["shipment_cost"] = one.shipment_cost
            found["shipment_shared_with"] = others
        if one.subject.kind == SAFETY_STOCK:
            for name in ("reorder_point", "order_up_to"):
                level = int(getattr(situation, name)[one.row])
                found[f"current_{name}"] = exact(level)
                found[f"proposed_{name}"] = exact(level + one.quantity)
        return found
