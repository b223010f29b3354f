"""Commands with two clocks: the history of an account, late facts, stock as of T and as known at D."""

from __future__ import annotations

from typing import Any

import click

from stocktwin.faces.cli import render_past
from stocktwin.faces.cli.options import AFTER, AT, BOOK, ITEM, KNOWN_AT, LEARNED_BY, LIMIT, LOCATION
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)
STATES = ("pending", "posted", "void", "expired")


@click.command()
@click.argument("item")
@click.argument("location", required=False)
@click.option("--lot", help="Only this lot.")
@click.option("--condition", help="Only stock in this condition.")
@click.option("--owner", help="Only stock of this owner.")
@BOOK
@click.option("--since", help="What happened from this time on.")
@AT
@KNOWN_AT
@LEARNED_BY
@LIMIT
@AFTER
@session
def history(run: Session, /, **options: Any) -> None:
    """Every fact of ITEM (at LOCATION, a lane `A→B` or a virtual place), newest first: where it came from, the balance
    after it, what corrects it."""
    run.show(run.twin.history(**options), render_past.history)


@click.command()
@click.option("--since", help="Only what was learned from this time on.")
@click.option(
    "--hours",
    type=click.FloatRange(0),
    help="Late is what came after so many hours (default: more than a day, and twice what is usual for its system).",
)
@ITEM
@click.option("--location", help="Only what left or entered this location.")
@LIMIT
@AFTER
@session
def late(run: Session, /, **options: Any) -> None:
    """Facts that came late or back-dated, and what each changed: balances at past moments, decisions taken
    meanwhile."""
    run.show(run.twin.late(**options), render_past.late)


@click.command()
@ITEM
@LOCATION
@AT
@KNOWN_AT
@LIMIT
@AFTER
@session
def available(run: Session, /, **options: Any) -> None:
    """On hand, reserved by open order lines, and what is left, per item and location."""
    run.show(run.twin.available(**options), render_past.available)


@click.command()
@ITEM
@LOCATION
@click.option(
    "--state",
    type=click.Choice([*STATES, "all"]),
    default="pending",
    show_default=True,
    help="Only lines in this state.",
)
@AT
@KNOWN_AT
@LIMIT
@AFTER
@session
def reservations(run: Session, /, **options: Any) -> None:
    """Order lines that reserve our stock, in the order in which they are served, and what of them it covers."""
    run.show(run.twin.reservations(**options), render_past.reservations)


@click.command()
@ITEM
@LOCATION
@click.option("--search", help="Only ids that hold these words.")
@click.option("--changed", is_flag=True, help="Only where it was known otherwise than it is now.")
@AT
@KNOWN_AT
@LEARNED_BY
@LIMIT
@AFTER
@session
def then(run: Session, /, **options: Any) -> None:
    """Stock at a past time as it was known then, beside what is known of that time now."""
    run.show(run.twin.then(**options), render_past.then)
