"""What follows from one snapshot: forecast, lead times, arrivals, compiled network; each made when first asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.analytics.leadtime import LeadTimeModel
    from stocktwin.simulation.compile import Compiled
    from stocktwin.tables.snapshot import Snapshot


@dataclass(frozen=True)
class Insight:
    """What history says: demand and lead times. It changes slowly, so a live twin may keep it for a minute."""

    forecast: DemandForecast
    lead_times: LeadTimeModel
    made_at: float = field(default_factory=time.monotonic)


class Model:
    """One snapshot and what follows from it. Safe to share between threads."""

    def __init__(self, snapshot: Snapshot, holding_rate: float, insight: Insight | None = None) -> None:
        self.snapshot = snapshot
        self.holding_rate = holding_rate
        self._insight = insight
        self._lock = threading.RLock()

    @property
    def insight(self) -> Insight:
        """Forecast and lead times."""
        with self._lock:
            if self._insight is None:
                from stocktwin.analytics.demand import fit_demand
                from stocktwin.analytics.leadtime import fit_lead_times

                self._insight = Insight(fit_demand(self.snapshot), fit_lead_times(self.snapshot))
            return self._insight

    @property
    def forecast(self) -> DemandForecast:
        """Demand ahead, per row of the snapshot."""
        return self.insight.forecast

    @property
    def lead_times(self) -> LeadTimeModel:
        """Lead times per lane."""
        return self.insight.lead_times

    @cached_property
    def arrivals(self) -> pa.Table:
        """Arrival window of every open replenishment line."""
        from stocktwin.analytics.leadtime import arrival_windows

        with self._lock:
            return arrival_windows(self.snapshot, self.lead_times)

    @cached_property
    def compiled(self) -> Compiled:
        """The network as arrays, shared by all scenarios."""
        from stocktwin.simulation.compile import compile_network

        with self._lock:
            return compile_network(self.snapshot, self.forecast, self.lead_times, holding_rate=self.holding_rate)


class ModelCache:
    """Keeps the model of the newest state; the insight of an older one is reused while it is young and still fits."""

    def __init__(self, load: Callable[[], Snapshot], head: Callable[[], int], holding_rate: float) -> None:
        self._load, self._head, self._holding_rate = load, head, holding_rate
        self._lock = threading.RLock()
        self._model: Model | None = None
        self.insight_seconds = 0.0
        """How long an insight may be reused after new facts; 0 (the command line) never, a live server a minute."""

    def current(self) -> Model:
        """The model of the newest state."""
        with self._lock:
            if self._model is None or self._model.snapshot.head != self._head():
                snapshot = self._load()
                self._model = Model(snapshot, self._holding_rate, self._reusable(snapshot))
            return self._model

    def _reusable(self, snapshot: Snapshot) -> Insight | None:
        old = self._model
        insight = old._insight if old is not None else None
        if old is None or insight is None or time.monotonic() - insight.made_at > self.insight_seconds:
            return None
        same_day = old.snapshot.today == snapshot.today
        same_rows = np.array_equal(old.snapshot.item, snapshot.item) and np.array_equal(
            old.snapshot.location, snapshot.location
        )
        same_places = old.snapshot.lanes.equals(snapshot.lanes) and old.snapshot.demand.equals(snapshot.demand)
        return insight if same_day and same_rows and same_places else None
