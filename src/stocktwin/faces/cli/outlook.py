"""Commands about what comes next: demand, arrivals, excess, risk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from stocktwin.domain.errors import UsageError
from stocktwin.faces.cli import render, render_outlook
from stocktwin.faces.cli.options import ITEM, LIMIT, LOCATION
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)
AS_OF = click.option(
    "--as-of", metavar="DATE", help="With what the sources knew at this time (a bare date means the end of that day)."
)
OUT = click.option("--out", metavar="FILE", help="Write all rows to this .parquet or .csv file.")


@click.command()
@ITEM
@LOCATION
@click.option("--horizon", type=click.IntRange(1, 730), default=28, show_default=True, help="Days ahead.")
@AS_OF
@OUT
@click.option("--total", is_flag=True, help="With --out: one row per item-location, for the sum over the horizon.")
@click.option("--accuracy", is_flag=True, help="Backtest beside simple forecasts instead.")
@LIMIT
@session
def forecast(run: Session, /, out: str | None, total: bool, accuracy: bool, limit: int | None, **options: Any) -> None:
    """Demand ahead as a distribution, per item and location: on screen for the sum over the horizon, in a file by
    default day by day."""
    if accuracy:
        run.show(run.twin.accuracy(horizon=options["horizon"]), render_outlook.accuracy)
    elif out is not None:
        if limit is not None:
            raise UsageError("--limit: a file holds all rows; --item and --location choose")
        run.show(run.twin.outlook.forecast_file(run.path(out), total=total, **options), written)
    else:
        run.show(run.twin.forecast(limit=limit, **options), render.forecast)


@click.command()
@ITEM
@AS_OF
@OUT
@LIMIT
@session
def arrivals(run: Session, /, out: str | None, limit: int | None, **options: Any) -> None:
    """When each open order line and each shipment under way will arrive: 10, 50 and 90 % dates."""
    if out is None:
        run.show(run.twin.arrivals(limit=limit, **options), render.arrivals)
    elif limit is not None:
        raise UsageError("--limit: a file holds all rows; --item chooses")
    else:
        run.show(run.twin.outlook.arrivals_file(run.path(out), **options), written)


def _list(run: Session, ask: Callable[..., dict[str, Any]], options: dict[str, Any], text: render_outlook.Text) -> None:
    out = options.pop("out")
    if out is not None and options["limit"] is not None:
        raise UsageError("--limit: a file holds all rows; --item and --location choose")
    run.show(ask(out=None if out is None else run.path(out), **options), text)


@click.command()
@ITEM
@LOCATION
@AS_OF
@OUT
@LIMIT
@session
def excess(run: Session, /, **options: Any) -> None:
    """Stock beyond its economic cover: on hand and firm inbound above the larger of order-up-to and the 95 % demand of
    the protection interval plus a minimum order."""
    _list(run, run.twin.outlook.excess, options, render_outlook.excess)


@click.command()
@ITEM
@LOCATION
@AS_OF
@OUT
@LIMIT
@session
def risk(run: Session, /, **options: Any) -> None:
    """What is at least 10 % likely to run out before an order placed today could arrive, open orders included."""
    _list(run, run.twin.outlook.risk, options, render_outlook.risk)


@click.command()
@click.option("--horizon", type=click.IntRange(1, 365), default=28, show_default=True, help="Days ahead.")
@click.option("--origins", type=click.IntRange(1, 24), default=3, show_default=True, help="Past days to stand on.")
@session
def accuracy(run: Session, horizon: int, origins: int) -> None:
    """How good the forecast is, beside seasonal naive, moving average, Croston, SBA and TSB: rolling origins on nothing
    but what was known then, by class of demand and by distance of the day."""
    run.show(run.twin.accuracy(horizon=horizon, origins=origins), render_outlook.accuracy)


def written(answer: render.Answer) -> str:
    """A file that was written."""
    lines = [f"{answer['rows_written']:,} rows in {answer['file']}, as of {answer['as_of']}"]
    return "\n".join([*lines, *(f"assumed: {text}" for text in answer.get("assumptions", ()))])
