"""Forecasts and arrival windows as files, as of any day: what `forecast --out` and `arrivals --out` write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stocktwin.app.answers.ledger import moment
from stocktwin.app.answers.values import day, iso
from stocktwin.app.model import Model
from stocktwin.domain.errors import EnvironmentFault, NotFoundError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.app.settings import Settings
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.snapshot import Snapshot

SUFFIXES = (".parquet", ".csv")


class Outlook:
    """Questions about what comes next, asked now or as of a day of the past; the last past asked for is kept."""

    def __init__(self, ledger: Ledger, settings: Settings, now: Callable[[], Model]) -> None:
        self._ledger = ledger
        self._settings = settings
        self._now = now
        self._kept: tuple[tuple[int, int], Model, tuple[str, ...]] | None = None

    def model(self, as_of: str | None) -> tuple[Model, list[str]]:
        """The model now, or of a moment of the past and what had to be assumed of it; a bare date is its end.

        UsageError where it is no date, or nothing was known then.
        """
        from stocktwin.ledger.as_of import snapshot_as_of

        instant = moment(as_of, self._settings.timezone, "--as-of")
        if instant is None:
            return self._now(), []
        kept, key = self._kept, (self._ledger.head, instant)
        if kept is None or kept[0] != key:
            snapshot, assumed = snapshot_as_of(self._ledger, instant, self._settings.currency)
            if not len(snapshot) and not len(snapshot.open_orders):
                raise UsageError(f"--as-of {as_of}: nothing was known then")
            kept = self._kept = (key, Model(snapshot, self._settings.holding_rate), tuple(assumed))
        return kept[1], list(kept[2])

    def forecast(
        self,
        *,
        horizon: int = 28,
        limit: int | None = None,
        as_of: str | None = None,
        item: str | None = None,
        location: str | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """Demand ahead per item-location: the distribution of the sum over the horizon."""
        from stocktwin.app.answers.outlook import forecast

        model, assumed = self.model(as_of)
        answer = forecast(model, item=item, location=location, horizon=horizon, limit=limit, after=after)
        return answer | _told(as_of, assumed)

    def forecast_file(self, path: Path, *, horizon: int = 28, total: bool = False, as_of: str | None = None,
                      item: str | None = None, location: str | None = None) -> dict[str, Any]:  # fmt: skip
        """The same written to a file: a row a day, or one for the sum over the horizon."""
        model, assumed = self.model(as_of)
        answer = forecast_file(model, path, horizon=horizon, total=total, item=item, location=location)
        return answer | _told(as_of, assumed)

    def accuracy(self, *, horizon: int = 28, origins: int = 3) -> dict[str, Any]:
        """Rolling-origin backtest beside simple forecasts."""
        from stocktwin.app.answers.outlook import accuracy

        return accuracy(self._now(), horizon=horizon, origins=origins)

    def arrivals(
        self,
        *,
        item: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        as_of: str | None = None,
    ) -> dict[str, Any]:
        """Arrival window of each open order line and shipment."""
        from stocktwin.app.answers.inbound import arrivals

        snapshot, table, assumed = self._arrivals(as_of)
        return arrivals(snapshot, table, item=item, limit=limit, after=after) | _told(as_of, assumed)

    def arrivals_file(self, path: Path, *, item: str | None = None, as_of: str | None = None) -> dict[str, Any]:
        """The same written to a file, with dates."""
        from stocktwin.app.answers.inbound import arrivals_file

        snapshot, table, assumed = self._arrivals(as_of)
        return arrivals_file(snapshot, table, path, item) | _told(as_of, assumed)

    def excess(self, *, as_of: str | None = None, out: Path | None = None, item: str | None = None,
               location: str | None = None, limit: int | None = None) -> dict[str, Any]:  # fmt: skip
        """Stock beyond its economic cover, most money first."""
        from stocktwin.app.answers.cover import excess

        model, assumed = self.model(as_of)
        return excess(model, item=item, location=location, limit=limit, out=out) | _told(as_of, assumed)

    def risk(self, *, as_of: str | None = None, out: Path | None = None, item: str | None = None,
             location: str | None = None, limit: int | None = None) -> dict[str, Any]:  # fmt: skip
        """What is likely to run out before an order placed today could arrive, most money first."""
        from stocktwin.app.answers.cover import risk

        model, assumed = self.model(as_of)
        return risk(model, item=item, location=location, limit=limit, out=out) | _told(as_of, assumed)

    def _arrivals(self, as_of: str | None) -> tuple[Snapshot, pa.Table, list[str]]:
        from stocktwin.analytics.arrivals import arrivals_table
        from stocktwin.ledger.shipments_query import with_shipments

        model, assumed = self.model(as_of)
        snapshot = with_shipments(self._ledger, model.snapshot) if as_of is None else model.snapshot
        return snapshot, arrivals_table(snapshot, model.lead_times), assumed


def _told(as_of: str | None, assumed: list[str]) -> dict[str, Any]:
    return {} if as_of is None else {"assumptions": assumed}


def forecast_file(
    model: Model, path: Path, *, horizon: int, total: bool, item: str | None, location: str | None
) -> dict[str, Any]:
    """Writes the forecast of every item-location: a row a day, or with `total` one for the sum over the horizon.

    The level's uncertainty is measured for this very horizon.
    """
    from stocktwin.analytics.demand import fit_demand
    from stocktwin.analytics.horizon import DAILY_SCHEMA, TOTAL_SCHEMA, daily_blocks, total_blocks

    snapshot = model.snapshot
    rows = chosen_rows(snapshot, item, location)
    ahead = fit_demand(model.seen, horizon_days=horizon)
    blocks = (total_blocks if total else daily_blocks)(snapshot, ahead, horizon, rows)
    written = write_blocks(blocks, TOTAL_SCHEMA if total else DAILY_SCHEMA, path)
    return {
        "file": str(path),
        "rows_written": written,
        "item_locations": len(rows),
        "first_day": day(ahead.first_day),
        "horizon": horizon,
        "total_of_horizon": total,
        "as_of": iso(snapshot.as_of),
        "calibrated_on": [day(origin) for origin in ahead.origins],
    }


def chosen_rows(snapshot: Snapshot, item: str | None, location: str | None) -> npt.NDArray[np.int64]:
    """Rows of an item and a location; all of them without. NotFoundError names what is not known."""
    keep = np.ones(len(snapshot), bool)
    for kind, name, codes, column in (
        ("item", item, snapshot.item_codes, snapshot.item),
        ("location", location, snapshot.location_codes, snapshot.location),
    ):
        if name is not None:
            if name not in codes:
                raise NotFoundError(kind, name)
            keep &= column == codes.code(name)
    return np.flatnonzero(keep)


def write_blocks(blocks: Iterable[pa.Table], schema: pa.Schema, path: Path) -> int:
    """Writes tables to one Parquet or CSV file, whole or not at all; how many rows. UsageError names another suffix."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path.name}: an answer is written as {' or '.join(SUFFIXES)}")
    part = path.with_name(path.name + ".part")
    try:
        written = sum(_written(blocks, schema, part, path.suffix))
        part.replace(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return written


def _written(blocks: Iterable[pa.Table], schema: pa.Schema, part: Path, suffix: str) -> Iterator[int]:
    import pyarrow.csv
    import pyarrow.parquet

    kind = pyarrow.parquet.ParquetWriter if suffix == ".parquet" else pyarrow.csv.CSVWriter
    with kind(str(part), schema) as writer:
        for block in blocks:
            writer.write_table(block)
            yield block.num_rows
