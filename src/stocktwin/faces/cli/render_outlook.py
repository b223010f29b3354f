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


def accuracy(answer: Answer) -> str:
    """Each model's figures: overall, by class of demand, by distance of the day."""
    figures = ("series", "rmsse", "mase", "wape", "bias", "total_wape", "scaled_pinball", "coverage_80")
    origins = ", ".join(answer["origin_days"])
    ours, naive = answer["forecast"], answer["seasonal_naive"]
    parts = [
        f"{answer['series']:,} series, {answer['horizon']} days from each of {origins}\n"
        + table(answer["models"], ("model", *figures)),
        f"sum over {answer['horizon']} days: its 80 % window covered {cell(ours['total_coverage'])}, "
        f"weighted quantile loss {cell(ours['total_wql'])} (seasonal naive {cell(naive['total_wql'])})",
        table(answer["by_class"], ("class", "model", *figures)),
        table(answer["by_horizon"], ("days", "model", *figures)),
    ]
    return "\n\n".join(parts)


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
