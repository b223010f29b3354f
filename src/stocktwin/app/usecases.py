"""One method per question a user asks. Faces know this class and nothing below it; answers are plain JSON values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from stocktwin.app.bootstrap import open_ledger, own
from stocktwin.app.derived import Derived
from stocktwin.app.health import HealthQuestions
from stocktwin.app.keeping import JournalKeeping
from stocktwin.app.live import Changes
from stocktwin.app.model import Model, ModelCache
from stocktwin.app.owner import Ownership
from stocktwin.app.posting import FactPosting
from stocktwin.app.questions import LedgerQuestions
from stocktwin.app.settings import Settings
from stocktwin.domain.errors import NotFoundError, StocktwinError, UsageError
from stocktwin.domain.failpoint import failpoint
from stocktwin.domain.ports import Clock, Progress, WallClock, silent

if TYPE_CHECKING:
    from stocktwin.app.answers.advice import Adviser
    from stocktwin.app.answers.ahead import Outlook
    from stocktwin.app.answers.grid import Grid
    from stocktwin.app.answers.intake import Intake
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot

INSIGHT_SECONDS_LIVE = 60.0
"""A live server reuses forecasts this long; positions are always those of the last fact."""


class TwinService(HealthQuestions, LedgerQuestions, JournalKeeping, FactPosting):
    """A twin that this process owns. All methods may be called from any thread."""

    def __init__(
        self, settings: Settings, ledger: Ledger, ownership: Ownership | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self._ownership = ownership
        self._writing = threading.RLock()
        self._changes = Changes()
        self._clock = clock or WallClock()
        self._last_message = 0
        self._models = ModelCache(
            self._snapshot,
            lambda: ledger.head,
            settings.holding_rate,
            Derived(settings),
        )
        self._models.complete = self._with_stockouts
        self._grid: tuple[Model, Grid] | None = None

    def _with_stockouts(self, snapshot: Snapshot) -> Snapshot:
        from stocktwin.ledger.stockout_query import with_stockouts

        return with_stockouts(self.ledger, snapshot)

    @classmethod
    def open(cls, root: Path, *, purpose: str = "command", clock: Clock | None = None) -> TwinService:
        """Takes the twin's lock and opens it; BusyError when another process holds it, ConfigError naming the key."""
        settings, ownership = own(root, purpose)
        clock = clock or WallClock()
        try:
            return cls(settings, open_ledger(settings, clock, purpose), ownership, clock)
        except BaseException:
            ownership.release()
            raise

    def close(self) -> None:
        """Closes the ledger and gives the lock back."""
        self.ledger.close()
        if self._ownership is not None:
            self._ownership.release()

    def __enter__(self) -> TwinService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def model(self) -> Model:
        """Snapshot, forecasts, lead times and compiled network of the newest state."""
        return self._models.current()

    def go_live(self) -> None:
        """Tells the service that it will answer for long: forecasts may be reused for a minute, and what takes seconds
        is made before the first visitor asks."""
        self._models.insight_seconds = INSIGHT_SECONDS_LIVE
        self._adviser.live = True
        threading.Thread(target=self._prepare, name="stocktwin-prepare", daemon=True).start()

    def _prepare(self) -> None:
        try:
            self.overview()
            self.recommend()
        except StocktwinError:
            return  # whoever asks will be told

    # ---- the ledger: see also `app.questions`

    def reconcile(self, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        """Item-locations whose books disagree, most money first."""
        from stocktwin.app.answers.discrepancies import reconcile

        return reconcile(self.ledger, self.model, limit, after)

    # ---- taking facts in

    def ingest(
        self, folder: Path | None = None, *, source: str | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Takes in a folder, or every configured source that has one."""
        from stocktwin.app.answers.intake import choose_source

        if folder is not None:
            return self._take([(choose_source(self.settings, folder, source), folder)], progress)
        named = [(name, self.settings.folder_of(name)) for name in self.settings.sources if source in (None, name)]
        folders = [(name, path) for name, path in named if path is not None]
        if not folders:
            raise UsageError("no source in twin.toml has a folder; say which folder to ingest")
        return self._take(folders, progress)

    def _take(self, folders: Sequence[tuple[str, Path]], progress: Progress) -> dict[str, Any]:
        from stocktwin.app.answers.intake import take_folders

        return self._intake(lambda intake: take_folders(self.ledger, self.settings, folders, intake, progress))

    def _intake(self, take: Callable[[Intake], None]) -> dict[str, Any]:
        """Takes facts in, then the rows that waited for them; what became of all that."""
        from stocktwin.app.answers.intake import Intake, settle_files, settle_waiting

        intake = Intake()
        with self._writing:
            before = self.ledger.head
            take(intake)
            settle_waiting(self.ledger, self.settings, intake)
            settle_files(self.ledger, intake)
            answer = intake.answer(self.ledger, before)
        self._changed(before)
        return answer

    def take_file(self, path: Path) -> dict[str, Any]:
        """Takes in one file of the inbox."""
        from stocktwin.app.answers.intake import take_file

        return self._intake(lambda intake: take_file(self.ledger, self.settings, path, intake))

    def _message(self) -> str:
        """A name that no other message has: its time, a millisecond later where one came in the same."""
        from stocktwin.app.answers.intake import message_name

        self._last_message = max(self._last_message + 1, self._clock.now() // 1000)
        return message_name(self._last_message * 1000)

    def quarantine_replay(self, source: str | None = None) -> dict[str, Any]:
        """Reads quarantined rows again under the mapping as it is now."""
        from stocktwin.app.answers.intake import replay
        from stocktwin.app.answers.quarantine import check_source

        if source is not None:
            check_source(self.ledger, self.settings, source)
        return self._intake(lambda intake: replay(self.ledger, self.settings, source, intake))

    def quarantine_discard(self, ids: Sequence[int], *, by: str, reason: str) -> dict[str, Any]:
        """Puts rows that were refused aside for good; the decision is in the journal."""
        from stocktwin.app.answers.quarantine import discard

        with self._writing:
            before = self.ledger.head
            answer = discard(self.ledger, ids, by=by, reason=reason)
        self._changed(before)
        return answer

    def export(self, folder: Path, *, form: str = "csv") -> dict[str, Any]:
        """Writes every accepted fact back as an exchange folder."""
        from stocktwin.app.answers.export import export

        return export(self.ledger, folder, form)

    def export_decisions(self, folder: Path, *, everything: bool = False) -> dict[str, Any]:
        """Writes what was approved since the last such export, or ever, as tables that an ERP can carry out."""
        from stocktwin.app.answers.decided import export_decisions

        return export_decisions(self.ledger, self.settings.root, folder, everything)

    # ---- analytics

    @cached_property
    def outlook(self) -> Outlook:
        """What comes next: demand, its accuracy, arrivals, excess, stock-out risk; now and as of past days."""
        from stocktwin.app.answers.ahead import Outlook

        return Outlook(self.ledger, self.settings, lambda: self.model)

    def forecast(self, **query: Any) -> dict[str, Any]:
        """Demand ahead per item-location: the distribution of the sum over the horizon (`Outlook.forecast`)."""
        return self.outlook.forecast(**query)

    def accuracy(self, horizon: int = 28, origins: int = 3) -> dict[str, Any]:
        """Rolling-origin backtest beside simple forecasts."""
        return self.outlook.accuracy(horizon=horizon, origins=origins)

    def arrivals(self, **query: Any) -> dict[str, Any]:
        """Arrival window of each open order line and shipment (`Outlook.arrivals`)."""
        return self.outlook.arrivals(**query)

    def anomalies(self, days: int = 90, limit: int | None = None, after: str | None = None) -> dict[str, Any]:
        """What looks wrong, most money first."""
        return self._adviser.anomalies(self.model, days=days, limit=limit, after=after)

    # ---- simulation and prescription

    def scenarios(self) -> dict[str, Any]:
        """The library and the twin's own scenarios."""
        from stocktwin.app.answers.whatif import scenarios

        return scenarios(self.settings.root)

    def scenario_text(self, name: str) -> dict[str, Any]:
        """A scenario as TOML."""
        from stocktwin.app.answers.whatif import scenario_text

        return scenario_text(self.settings.root, name)

    def simulate(
        self,
        scenarios: Sequence[str | Mapping[str, Any]],
        *,
        replications: int | None = None,
        horizon: int | None = None,
        warmup: int = 0,
        seed: int = 0,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Simulates scenarios beside the baseline, on the same luck."""
        from stocktwin.app.answers.whatif import simulate_scenarios

        return simulate_scenarios(
            self.model,
            self.settings.root,
            scenarios,
            replications=replications,
            horizon=horizon,
            warmup=warmup,
            seed=seed,
            progress=progress,
        )

    def recommend(
        self, top: int = 20, limit: int | None = None, after: str | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Ranked actions with proven effect."""
        return self._adviser.recommend(self.model, top=top, limit=limit, after=after, progress=progress)

    def prepare_for(
        self,
        scenario: str | Mapping[str, Any],
        *,
        item: str | None = None,
        location: str | None = None,
        limit: int | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Safety stock now, best at baseline and best under a scenario; what to order before a closure."""
        from stocktwin.app.answers.stress import prepare_for

        return prepare_for(self.model, self.settings.root, scenario, item=item, location=location, limit=limit,
                           seed=seed, progress=progress)  # fmt: skip

    def recommendation(self, id: str) -> dict[str, Any]:
        """One recommendation, with its proof; NotFoundError when it is not among the current ones."""
        return self._adviser.recommendation(self.model, id)

    def decide(self, id: str, decision: str, *, by: str, reason: str = "") -> dict[str, Any]:
        """Approves or rejects a recommendation, for good."""
        with self._writing:
            before = self.ledger.head
            answer = self._adviser.decide(self.model, id, decision, by=by, reason=reason)
        self._changed(before)
        return answer

    def approve(self, id: str, by: str, reason: str = "") -> dict[str, Any]:
        """Approves a recommendation."""
        return self.decide(id, "approve", by=by, reason=reason)

    def reject(self, id: str, by: str, reason: str = "") -> dict[str, Any]:
        """Rejects a recommendation."""
        return self.decide(id, "reject", by=by, reason=reason)

    @cached_property
    def _adviser(self) -> Adviser:
        from stocktwin.app.answers.advice import Adviser

        return Adviser(self.settings, self.ledger)

    # ---- screens

    def overview(self) -> dict[str, Any]:
        """KPIs and the map."""
        from stocktwin.app.answers.overview import overview

        model = self.model
        found = self._adviser.anomalies(model, days=90)["total"]
        return overview(self.settings, model, self.grid_columns_of(model), self._adviser.shown(model), found)

    def grid_columns_of(self, model: Model) -> Grid:
        """The immutable columns over which the grid pages, made once per state."""
        from stocktwin.app.answers.grid import Grid

        cached = self._grid
        if cached is None or cached[0] is not model:
            cached = self._grid = (model, Grid.of(model))
        return cached[1]

    def grid(self, **query: Any) -> dict[str, Any]:
        """One page of item-locations; see `answers.grid.Grid.page`."""
        return self.grid_columns_of(self.model).page(**query)

    def grid_columns(self) -> list[str]:
        """Columns that the grid can be sorted by."""
        from stocktwin.app.answers.grid import SORTABLE

        return list(SORTABLE)

    def item_location(self, item: str, location: str, movements: int = 100) -> dict[str, Any]:
        """Everything about one item at one location, with its last `movements`."""
        from stocktwin.app.answers.item import item_location

        model = self.model
        return item_location(
            self.ledger, self.settings, model, self.grid_columns_of(model), self._adviser, item, location, movements
        )

    def has_truth(self) -> bool:
        """Whether a world's truth lies beside the twin, so that `truth` has an answer."""
        from stocktwin.app.answers.truth import has_truth

        return has_truth(self.settings)

    def truth(self, item: str | None = None, location: str | None = None) -> dict[str, Any]:
        """Truth, record and books of an item-location over time, with labelled faults and what was found of them."""
        from stocktwin.app.answers.truth import truth

        return truth(self.ledger, self.settings, self.model, self._adviser, item, location)

    def item(self, item: str) -> dict[str, Any]:
        """An item with its rows at all locations."""
        model = self.model
        if item not in model.snapshot.item_codes:
            raise NotFoundError("item", item)
        return self.grid_columns_of(model).item(item)

    # ---- live

    def version(self) -> int:
        """Grows with every accepted change."""
        return self._changes.version

    def wait_for_change(self, version: int, timeout: float) -> int:
        """Blocks until something has changed since `version`, at most `timeout` seconds; the version then."""
        return self._changes.wait(version, timeout)

    def _changed(self, before: int) -> None:
        if self.ledger.head != before:
            self._changes.announce()
        failpoint("acknowledge")
