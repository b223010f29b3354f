"""The Python face of a twin: `from stocktwin import Twin`. Answers can be read as mappings or taken as data frames."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import UsageError

ROW_KEYS = ("rows", "recommendations", "anomalies", "decisions", "scenarios", "sources", "laws", "where")


class Answer(Mapping[str, Any]):
    """A frozen answer: the same keys as `--json` and REST, and its list of rows as Arrow, Polars or pandas.

    >>> answer = Answer({"rows": [{"item_id": "A", "on_hand": 3}], "total": 1})
    >>> answer["total"], answer.to_arrow().column("on_hand").to_pylist()
    (1, [3])
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Answer({', '.join(self._values)})"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The answer's list of rows; UsageError when it has none."""
        for key in ROW_KEYS:
            if key in self._values:
                return list(self._values[key])
        raise UsageError(f"this answer has no rows; its keys are {', '.join(self._values)}")

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON values."""
        return dict(self._values)

    def to_arrow(self) -> Any:
        """The rows as a `pyarrow.Table`; nested values stay nested."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.rows)

    def to_polars(self) -> Any:
        """The rows as a Polars frame (needs the extra `frames`)."""
        import polars

        return polars.from_arrow(self.to_arrow())

    def to_pandas(self) -> Any:
        """The rows as a pandas frame (needs the extra `frames`)."""
        return self.to_arrow().to_pandas()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        """The first rows as an HTML table, for notebooks."""
        rows = self.rows[:20]
        names = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(row.get(name, '')))}</td>" for name in names) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Twin:
    """A twin opened from Python; this process owns it until `close` (or the end of a `with` block).

    `Twin.open("shop").stock(item="A").to_arrow()` asks the same question as `stocktwin --twin shop stock --item A`.
    """

    def __init__(self, service: TwinService) -> None:
        self.service = service

    @classmethod
    def open(cls, path: str | Path) -> Twin:
        """Opens the twin in a folder; BusyError while another process (a server, say) owns it."""
        return cls(TwinService.open(Path(path), purpose="Python"))

    @classmethod
    def create(cls, path: str | Path) -> Twin:
        """Makes a new, empty twin and opens it."""
        from stocktwin.app.bootstrap import create_twin

        create_twin(Path(path))
        return cls.open(path)

    def close(self) -> None:
        """Lets the twin go."""
        self.service.close()

    def __enter__(self) -> Twin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ingest(self, folder: str | Path | None = None, source: str | None = None) -> Answer:
        """Takes in an exchange folder, or every configured source."""
        return Answer(self.service.ingest(None if folder is None else Path(folder), source=source))

    def status(self) -> Answer:
        """What was delivered and what became of it."""
        return Answer(self.service.status())

    def verify(self, head: str | None = None) -> Answer:
        """The ledger's laws, each with its verdict; with `head`, whether the journal still holds that one."""
        return Answer(self.service.verify(head))

    def journal_head(self) -> Answer:
        """The head of the journal's chain: `head` (SEQ:HASH), `seq`, `hash`, `recorded_at`."""
        return Answer(self.service.journal_head())

    def stock(self, **options: Any) -> Answer:
        """On hand: `item`, `location`, `at`, `known_at`, `book`."""
        return Answer(self.service.stock(**options))

    def trace(self, item: str, lot: str, **options: Any) -> Answer:
        """Recall trace of a lot: where it is, where it went, what it was made from and into."""
        return Answer(self.service.trace(item, lot, **options))

    def history(self, item: str, location: str | None = None, **options: Any) -> Answer:
        """Every fact of an account: `lot`, `condition`, `owner`, `book`, `since`, `at`, `known_at` or `learned_by`."""
        return Answer(self.service.history(item, location, **options))

    def late(self, **options: Any) -> Answer:
        """Facts that came late and what they changed: `since`, `hours`, `item`, `location`."""
        return Answer(self.service.late(**options))

    def then(self, **options: Any) -> Answer:
        """Stock `at` a time as it was known (`known_at` or `learned_by`), beside what is known of it now."""
        return Answer(self.service.then(**options))

    def available(self, **options: Any) -> Answer:
        """On hand, reserved and available: `item`, `location`, `at`, `known_at`."""
        return Answer(self.service.available(**options))

    def forecast(self, **options: Any) -> Answer:
        """Demand ahead: `item`, `location`, `horizon`."""
        return Answer(self.service.forecast(**options))

    def arrivals(self, **options: Any) -> Answer:
        """Arrival windows of open orders: `item`."""
        return Answer(self.service.arrivals(**options))

    def anomalies(self, **options: Any) -> Answer:
        """What looks wrong: `days`, `limit`."""
        return Answer(self.service.anomalies(**options))

    def simulate(self, *scenarios: str | Mapping[str, Any], **options: Any) -> Answer:
        """Scenarios beside the baseline: `replications`, `horizon`, `warmup`, `seed`."""
        chosen: Sequence[str | Mapping[str, Any]] = scenarios
        return Answer(self.service.simulate(chosen, **options))

    def recommend(self, top: int = 20) -> Answer:
        """Ranked actions with proven effect."""
        return Answer(self.service.recommend(top=top))
