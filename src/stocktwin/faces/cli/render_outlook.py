"""Excess, risk and accuracy as text."""

from __future__ import annotations

from collections.abc import Callable

from stocktwin.faces.cli.render import Answer, cell, table

Text = Callable[[Answer], str]


def excess(answer: Answer) -> str:
    """Stock beyond its cover."""
    columns = ("item_id", "location_id", "on_hand", "inbound", "cover", "excess", "value")
    return _head(answer, "in excess") + _body(answer, columns)


def risk(answer: Answer) -> str:
    """What may run out."""
    columns = ("item_id", "location_id", "on_hand", "inbound", "days", "probability", "expected_shortage", "value")
    return _head(answer, "at risk") + _body(answer, columns)


def _head(answer: Answer, what: str) -> str:
    money = f"{cell(answer['value_known'])} {answer['currency']}"
    without = len(answer["without_price"])
    priced = f" ({without:,} items have no price)" if without else ""
    return (
        f"{answer['items']:,} items at {answer['item_locations']:,} item-locations {what}, {money}{priced}, "
        f"as of {answer['as_of']}"
    )


def _body(answer: Answer, columns: tuple[str, ...]) -> str:
    if "file" in answer:
        return f"\n{answer['rows_written']:,} rows in {answer['file']}"
    return "\n" + table(answer["rows"], columns) if answer["rows"] else ""
