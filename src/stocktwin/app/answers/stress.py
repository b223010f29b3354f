"""How to prepare for a scenario: safety stock under it, and what to order before a closure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain_answer
from stocktwin.app.answers.whatif import read_scenario
from stocktwin.domain.ports import Progress

if TYPE_CHECKING:
    from stocktwin.app.model import Model

CLOSURES = ("supplier_offline", "port_closed")


def prepare_for(
    model: Model,
    root: Path,
    scenario: str | Mapping[str, Any],
    *,
    item: str | None,
    location: str | None,
    limit: int | None,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Safety stock per item-location now, best at baseline and best under a scenario; where it closes a supplier or
    port, also what to order before (`preposition`)."""
    from stocktwin.prescription.preposition import preposition
    from stocktwin.prescription.stress import safety_stock_under

    chosen = read_scenario(root, scenario)
    asked = (model.snapshot, model.forecast, model.compiled, chosen)
    answer = safety_stock_under(*asked, item=item, location=location, seed=seed, progress=progress).to_dict()
    closes = any(one.kind in CLOSURES for one in chosen.disruptions)
    ahead = preposition(*asked, seed=seed).to_dict() if closes else None
    if ahead is not None:
        wanted = {"item_id": item, "location_id": location}
        ahead["rows"] = [row for row in ahead["rows"] if all(one in (None, row[key]) for key, one in wanted.items())]
    for part in (answer, ahead):
        if part is not None and limit is not None:
            part["rows"], part["of"] = part["rows"][:limit], len(part["rows"])
    return plain_answer({**answer, "preposition": ahead})
