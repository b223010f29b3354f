"""Several scenarios at once: everything that each of them says happens, and every change that each of them makes.

>>> outage = {"name": "outage", "start": 7, "disruption": [{"kind": "supplier_offline", "location": "S", "days": 21}]}
>>> surge = {"name": "surge", "disruption": [{"kind": "demand_scale", "factor": 1.3}]}
>>> both = composed([outage, surge])
>>> both["name"], [one.get("start_day") for one in both["disruption"]]
('outage + surge', [7, None])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

JOINT: Final = "+"
"""Stands between the names of scenarios that happen together: `supplier_outage+demand_surge`."""


def composed(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One parsed scenario out of several; the longest horizon and the most replications are taken.

    Each disruption keeps its own start. A disruption that follows another one still follows the same one.
    """
    both: dict[str, Any] = {"name": " + ".join(str(part.get("name") or "scenario") for part in parts)}
    told = [str(part["description"]) for part in parts if part.get("description")]
    both["description"] = " Together with: ".join(told)
    for key in ("horizon_days", "replications"):
        given = [part[key] for part in parts if part.get(key) is not None]
        if given:
            both[key] = max(given)
    disruptions: list[Any] = []
    for part in parts:
        before = len(disruptions)
        disruptions += [_own(one, part.get("start"), before) for one in part.get("disruption") or ()]
    both["disruption"] = disruptions
    both["change"] = [one for part in parts for one in part.get("change") or ()]
    return {key: value for key, value in both.items() if value not in ([], "")}


def _own(disruption: Any, start: Any, before: int) -> Any:
    """A disruption that stands on its own: with the start of its scenario, and its number among all."""
    if not isinstance(disruption, Mapping):
        return disruption  # the parser refuses it by its place
    made = dict(disruption)
    if isinstance(made.get("after"), int):
        made["after"] += before
    elif start is not None and made.get("start_day") is None and made.get("start_date") is None:
        made["start_day" if isinstance(start, int) else "start_date"] = start
    return made
