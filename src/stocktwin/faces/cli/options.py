"""Options that many commands take."""

from __future__ import annotations

import click

ITEM = click.option("--item", help="Only this item.")
LOCATION = click.option("--location", help="Only this location.")
BOOK = click.option("--book", metavar="SYSTEM", help="One system's own book instead of the record.")
AT = click.option("--at", help="What had happened by this time (ISO 8601; a bare date means the end of that day).")
KNOWN_AT = click.option("--known-at", help="As the twin knew it at this time.")
LEARNED_BY = click.option(
    "--learned-by", help="As it was known at this time: to the twin, or, of history that was loaded, to its sources."
)
LIMIT = click.option("--limit", type=click.IntRange(1), help="Show at most so many rows (all by default).")
AFTER = click.option("--after", metavar="CURSOR", help="Go on behind a page: `next` of its answer.")
