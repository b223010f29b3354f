"""Asks a twin every few nights what it would have said then, and has the world's scorer hold it against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from stocktwin.app.answers.findings import as_told
from stocktwin.app.answers.outlook import NAMES, QUANTILES
from stocktwin.app.answers.values import day, plain_answer
from stocktwin.app.replay import Replay
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY
from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress, silent

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.world.score import Answers, Truth

ASKED_AT: Final = 9 * DAY // 24
"""Time of the next UTC day at which the twin is asked about a day: every day has ended from the Atlantic to Hawaii, and
no next one has begun to work."""
ANOMALY_DAYS: Final = 90
EVERY: Final = 3
"""Nights from one look for anomalies to the next: each takes seconds."""
ORIGIN_DAYS: Final = 14
HORIZON: Final = 28


def score_world(folder: Path, *, days: int = 90, every: int = EVERY, progress: Progress = silent) -> dict[str, Any]:
    """Scores the twin of a world's folder over its last `days`.

    The feeds are replayed into a fresh twin as they were recorded. Every so many nights of the period, on the first and
    on the last, it is asked for its anomalies, each night for its balances where the truth states them, every 14 days
    for arrival windows and demand over 28 days. UsageError where the folder holds no truth, or fewer days than are
    asked for.
    """
    from stocktwin.world.score import Truth, score

    truth = Truth(folder)
    last = truth.days[-1]
    replay = Replay.open(folder, progress)
    try:
        first = replay.first // DAY + 1
        if not 1 <= days < last - first:
            raise UsageError(f"--days must lie between 1 and {last - first - 1} here, not {days}")
        if every < 1:
            raise UsageError(f"--every must be at least 1 night, not {every}")
        answers = _ask(replay, truth, last - days, last, every, progress)
    finally:
        replay.close()
    scored = {"first_day": day(last - days), "last_day": day(last), "nights": days + 1, "every": every}
    return plain_answer({"scored": scored, **score(truth, answers)})


def _ask(replay: Replay, truth: Truth, first: int, last: int, every: int, progress: Progress) -> Answers:
    """From the night after day `first` to that after day `last`; nights on which nothing is asked go by."""
    notes = Notes(replay.service)
    stated = set(truth.days)
    for at, number in enumerate(range(first, last + 1)):
        progress(at, last + 1 - first, "asking the twin about the nights")
        due = at % every == 0 or number == last
        if not (due or number in stated or at % ORIGIN_DAYS == 0):
            continue
        replay.advance((number + 1) * DAY + ASKED_AT)
        if due:
            notes.anomalies(replay.now)
        if number in stated:
            notes.balances(number)
        if at % ORIGIN_DAYS == 0:
            notes.outlook(replay.now)
    return notes.answers((first + 1) * DAY + ASKED_AT, replay.now, every)


@dataclass
class Notes:
    """What the twin answered so far, as the scorer takes it."""

    twin: TwinService
    record: list[pa.Table] = field(default_factory=list)
    books: dict[str, list[pa.Table]] = field(default_factory=dict)
    tellings: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    forecasts: list[dict[str, Any]] = field(default_factory=list)

    def anomalies(self, now: int) -> None:
        """What looks wrong tonight."""
        found = self.twin.anomalies(days=ANOMALY_DAYS)["anomalies"]
        self.tellings.extend({"told_at": now} | as_told(entry) for entry in found)

    def balances(self, number: int) -> None:
        """On hand tonight, on the record and in each system's book."""
        ledger = self.twin.ledger
        self.record.append(on_hand(ledger, number, None))
        for source in ledger.status()["sources"]:
            told = on_hand(ledger, number, source["system"])
            if told.num_rows:
                self.books.setdefault(source["system"], []).append(told)

    def outlook(self, now: int) -> None:
        """Arrival windows of the open lines and demand of the weeks ahead."""
        for row in self.twin.arrivals()["rows"]:
            if row["order_id"] is None:
                continue  # the truth is told of order lines
            edges = {name: parse_instant(row[name]) for name in ("q10", "q50", "q90")}
            self.windows.append({"asked_at": now, "order_id": row["order_id"], "line": row["line"], **edges})
        ahead = self.twin.forecast(horizon=HORIZON)
        when = {"first_day": parse_instant(ahead["first_day"]) // DAY, "horizon": ahead["horizon"]}
        self.forecasts.extend(
            when | {name: row[name] for name in ("item_id", "location_id", *NAMES)} for row in ahead["rows"]
        )

    def answers(self, since: int, until: int, every: int) -> Answers:
        """Everything, as columns."""
        from stocktwin.world.score import Answers
        from stocktwin.world.score_balances import TOLD
        from stocktwin.world.score_cases import TELLINGS
        from stocktwin.world.score_outlook import WINDOWS

        snapshot, sensing = self.twin.model.snapshot, self.twin.ledger.sensing()
        return Answers(
            since,
            until,
            item_locations=len(snapshot),
            every=every,
            cost=_costs(snapshot.items),
            record=pa.concat_tables(self.record) if self.record else TOLD.empty_table(),
            books={name: pa.concat_tables(told) for name, told in self.books.items() if name not in sensing},
            tellings=pa.Table.from_pylist(self.tellings, schema=TELLINGS),
            windows=pa.Table.from_pylist(self.windows, schema=WINDOWS),
            forecasts=pa.Table.from_pylist(self.forecasts),
            probabilities=dict(zip(NAMES, QUANTILES, strict=True)),
        )


def on_hand(ledger: Ledger, number: int, book: str | None) -> pa.Table:
    """`score_balances.TOLD` of one evening: our unrestricted, anchored stock in base units."""
    from stocktwin.world.score_balances import TOLD

    rows = [
        row
        for row in ledger.balances(book=book).to_pylist()
        if (row["condition"] or "unrestricted") == "unrestricted" and row["owner"] is None and row["anchored"]
    ]
    return pa.table(
        {
            "date": pa.array([number] * len(rows), pa.int32()).cast(pa.date32()),
            "item_id": [row["item_id"] for row in rows],
            "location_id": [row["location_id"] for row in rows],
            "quantity": pa.array([row["quantity"] / 10 ** (row["scale"] or 0) for row in rows], pa.float64()),
        },
        schema=TOLD,
    )


def _costs(items: pa.Table) -> Mapping[str, float]:
    pairs = zip(items.column("item_id").to_pylist(), items.column("unit_cost").to_pylist(), strict=True)
    return {item: float(cost) for item, cost in pairs if cost is not None}
