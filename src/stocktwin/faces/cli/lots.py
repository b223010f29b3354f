"""Commands about lots."""

from __future__ import annotations

from typing import Any

import click

from stocktwin.domain.errors import UsageError
from stocktwin.faces.cli import render_lots
from stocktwin.faces.cli.options import AFTER
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)


def stock(run: Session, options: dict[str, Any]) -> None:
    """`stock --lots`."""
    if options.pop("learned_by", None):
        raise UsageError("--learned-by: not with --lots; --known-at asks what the twin knew")
    run.show(run.twin.lots(**options), render_lots.stock)


@click.command()
@click.argument("item")
@click.argument("lot")
@click.option(
    "--forward", "directions", flag_value="forward", multiple=True, help="Only where it went, and what was made of it."
)
@click.option(
    "--back", "directions", flag_value="back", multiple=True, help="Only where it came from, and what it was made from."
)
@click.option("--at", metavar="TIME", help="As of this time (a bare date means the end of that day).")
@click.option("--known-at", metavar="TIME", help="With what the twin knew at this time.")
@click.option("--book", help="In the book of this system instead of the record.")
@click.option("--csv", "csv", metavar="FILE", help="Write every movement of the trace to this CSV file.")
@click.option("--limit", type=click.IntRange(1), help="Show at most so many documents (all by default).")
@AFTER
@session
def trace(run: Session, /, item: str, lot: str, directions: tuple[str, ...], csv: str | None, **options: Any) -> None:
    """Recall trace of a LOT of an ITEM: where it is now, where it went and to whom, from which lots it was made and
    what was made of it."""
    direction = directions[0] if len(set(directions)) == 1 else "both"
    if csv is None:
        run.show(run.twin.trace(item, lot, direction=direction, **options), render_lots.trace)
        return
    if options["limit"] is not None or options["after"] is not None:
        raise UsageError("--csv: a file holds all documents; leave --limit and --after out")
    options = {name: value for name, value in options.items() if name not in ("limit", "after")}
    run.show(run.twin.trace_file(run.path(csv), item, lot, direction=direction, **options), render_lots.trace)


@click.command()
@click.option("--item", help="Only documents in which this item went in or came out.")
@click.option("--faulty", is_flag=True, help="Only documents that do not add up: half told, or unbalanced.")
@click.option("--at", metavar="TIME", help="As of this time (a bare date means the end of that day).")
@click.option("--known-at", metavar="TIME", help="With what the twin knew at this time.")
@click.option("--book", metavar="SYSTEM", help="In the book of this system instead of the record.")
@click.option("--limit", type=click.IntRange(1), help="Show at most so many documents (all by default).")
@AFTER
@session
def transforms(run: Session, /, **options: Any) -> None:
    """What was made of what (kits, repacking, broken units), document by document, and what does not add up."""
    run.show(run.twin.transforms(**options), render_lots.transforms)
