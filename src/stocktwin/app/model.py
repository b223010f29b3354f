"""What follows from one snapshot: forecast, lead times, arrivals, compiled network; each made when first asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stocktwin.app.derived import Derived, as_record, from_record

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.analytics.demand import DemandForecast
    from stocktwin.analytics.leadtime import LeadTimeModel
    from stocktwin.simulation.compile import Compiled
    from stocktwin.tables.snapshot import Snapshot

    Complete = Callable[[Snapshot], Snapshot]


@dataclass(frozen=True)
class Insight:
    """What history says: demand and lead times. It changes slowly, so a live twin may keep it while it is made anew."""

    forecast: DemandForecast
    lead_times: LeadTimeModel
    made_at: float = field(default_factory=time.monotonic)


def fit(snapshot: Snapshot, derived: Derived, complete: Complete | None = None) -> Insight:
    """What the history of a snapshot says, as kept from an earlier start or fitted now; `complete` adds the days of
    stock-out to it."""
    from stocktwin.analytics.demand import DemandForecast, fit_demand
    from stocktwin.analytics.leadtime import LeadTimeModel, fit_lead_times

    state = _state(snapshot)
    kept = [derived.read(name, state) for name in ("forecast", "lead_times")]
    if kept[0] is not None and kept[1] is not None:
        with contextlib.suppress(TypeError):
            return Insight(from_record(DemandForecast, kept[0]), from_record(LeadTimeModel, kept[1]))
    told = snapshot if complete is None else complete(snapshot)
    made = Insight(fit_demand(told), fit_lead_times(snapshot))
    derived.write("forecast", state, as_record(made.forecast))
    derived.write("lead_times", state, as_record(made.lead_times))
    return made


def _state(snapshot: Snapshot) -> str:
    return f"{snapshot.state_hash} {snapshot.head} {snapshot.as_of} {snapshot.timezone}"


class Model:
    """One snapshot and what follows from it. Safe to share between threads."""

    def __init__(
        self, snapshot: Snapshot, holding_rate: float, insight: Insight | None = None, derived: Derived | None = None
    ) -> None:
        self.snapshot = snapshot
        self.holding_rate = holding_rate
        self._insight = insight
        self._derived = derived if derived is not None and insight is None else Derived(None)
        self.complete: Complete | None = None
        """Adds to a snapshot what only forecasts need."""
        self._lock = threading.RLock()

    @property
    def insight(self) -> Insight:
        """Forecast and lead times."""
        with self._lock:
            if self._insight is None:
                self._insight = fit(self.snapshot, self._derived, self.complete)
            return self._insight

    @cached_property
    def seen(self) -> Snapshot:
        """The snapshot with all that forecasts are fitted to: the days of stock-out too."""
        return self.snapshot if self.complete is None else self.complete(self.snapshot)

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
    def stockout_risk(self) -> npt.NDArray[np.float64]:
        """Of each row, how likely it runs out before an order placed today could arrive."""
        from stocktwin.analytics.depletion import stockout_risk

        kept = self._derived.read("risk", _state(self.snapshot))
        if kept is not None:
            return np.asarray(kept["risk"])
        risk = stockout_risk(self.snapshot, self.forecast, self.lead_times, self.arrivals)
        self._derived.write("risk", _state(self.snapshot), {"risk": risk})
        return risk

    @cached_property
    def compiled(self) -> Compiled:
        """The network as arrays, shared by all scenarios."""
        from stocktwin.simulation.compile import compile_network

        with self._lock:
            return compile_network(self.snapshot, self.forecast, self.lead_times, holding_rate=self.holding_rate)


class ModelCache:
    """Keeps the model of the newest state. On a live server the insight of an older state serves on where it fits; one
    that has become old is made anew beside the answers."""

    def __init__(
        self,
        load: Callable[[], Snapshot],
        head: Callable[[], int],
        holding_rate: float,
        derived: Derived | None = None,
    ) -> None:
        self._load, self._head, self._holding_rate = load, head, holding_rate
        self._derived = derived or Derived(None)
        self._lock = threading.RLock()
        self._fitting = threading.Lock()
        self._model: Model | None = None
        self._newer: tuple[Snapshot, Insight] | None = None
        self.complete: Complete | None = None
        """Adds to a snapshot what only forecasts need."""
        self.insight_seconds = 0.0
        """From which age on an insight is made anew after new facts; 0 (the command line): before any answer."""

    def current(self) -> Model:
        """The model of the newest state."""
        with self._lock:
            if self._model is None or self._model.snapshot.head != self._head():
                snapshot = self._load()
                self._model = Model(snapshot, self._holding_rate, self._reusable(snapshot), self._derived)
                self._model.complete = self.complete
            return self._model

    def forget(self) -> None:
        """Drops what is kept: the journal is another one."""
        with self._lock:
            self._model = self._newer = None

    def _reusable(self, snapshot: Snapshot) -> Insight | None:
        """The newest insight that fits, while a newer one is made if that is due."""
        if self._model is None or not self.insight_seconds:
            return None
        seen, insight = self._newer or (self._model.snapshot, self._model._insight)
        self._newer = None
        if insight is None or not _fits(seen, snapshot):
            return None
        if time.monotonic() - insight.made_at > self.insight_seconds and self._fitting.acquire(blocking=False):
            threading.Thread(target=self._fit_again, args=(snapshot,), name="stocktwin-fit", daemon=True).start()
        return insight

    def _fit_again(self, snapshot: Snapshot) -> None:
        try:
            newer = snapshot, fit(snapshot, self._derived, self.complete)
            with self._lock:
                self._newer = newer
        finally:
            self._fitting.release()


def _fits(old: Snapshot, new: Snapshot) -> bool:
    """Whether what was fitted on an older state holds for the rows, the day and the master data of a newer one."""
    same_rows = np.array_equal(old.item, new.item) and np.array_equal(old.location, new.location)
    names = ("items", "locations", "lanes", "sourcing", "demand")
    tables = ((getattr(old, name), getattr(new, name)) for name in names)
    return old.today == new.today and same_rows and all(one is other or one.equals(other) for one, other in tables)
