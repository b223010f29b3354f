"""How to prepare for a scenario, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stocktwin.faces.cli.render import table

Answer = Mapping[str, Any]


def prepared(answer: Answer) -> str:
    """Safety stock now, best as things are and best under the scenario; then what to order before a closure."""
    rows = [
        {
            "item": row["item_id"],
            "location": row["location_id"],
            "now": row["safety_stock_now"],
            "best now": row["baseline"]["safety_stock"],
            "best then": row["scenario"]["safety_stock"],
            "cost": row["scenario"]["cost_now"],
            "cost then": row["scenario"]["cost"],
            "fill": _percent(row["scenario"]["fill_rate_now"]),
            "fill then": _percent(row["scenario"]["fill_rate"]),
        }
        for row in answer["rows"]
    ]
    columns = ("item", "location", "now", "best now", "best then", "cost", "cost then", "fill", "fill then")
    text = (
        f"{answer['title']}: safety stock to raise at {answer['raised']}, to lower at {answer['lowered']} "
        f"item-locations;\nsimulated from {answer['starts_from']} over {answer['horizon_days']} days. "
        f"Cost and fill are those under the scenario.\n\n{table(rows, columns)}"
    )
    return f"{text}\n\n{_ordered(answer['preposition'])}" if answer["preposition"] else text


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def _ordered(ahead: Answer) -> str:
    columns = {"item": "item_id", "location": "location_id", "order extra": "units", "ready by": "ready_by",
               "because": "statement"}  # fmt: skip
    rows = [{name: row[key] for name, key in columns.items()} for row in ahead["rows"]]
    return (
        f"Before the closure (it happens in {ahead['probability']:.0%} of the replications); too late for "
        f"{ahead['impossible']} item-locations:\n\n{table(rows, columns)}"
    )
