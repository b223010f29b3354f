"""The parameters of a scenario: the values its text gives, and the same scenario with other values.

>>> outage = {"disruption": [{"kind": "supplier_offline", "location": "SUP-01", "days": 21}]}
>>> parameters_of(outage)
{'location': 'SUP-01', 'days': 21}
>>> adjusted(outage, {"days": 28}, "outage")["disruption"][0]["days"]
28
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from stocktwin.domain.errors import ScenarioError
from stocktwin.simulation.keys import suggest

_TABLES: Final = ("disruption", "change")
_START: Final = "start"
_KIND: Final = "kind"


def parameters_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Every value that a parsed scenario gives, by its key; by its path (`disruption[1].days`) where a key stands in
    several tables."""
    tables = _tables(raw)
    times = Counter(key for table in tables.values() for key in table)
    found = {_START: raw[_START]} if _START in raw else {}
    for path, table in tables.items():
        found |= {key if times[key] == 1 else f"{path}.{key}": one for key, one in table.items() if key != _KIND}
    return found


def adjusted(raw: Mapping[str, Any], parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The scenario with other values, which its title then tells; ScenarioError names a parameter it does not have."""
    changed = copy.deepcopy(dict(raw))
    for parameter, value in parameters.items():
        table, key = _place_of(changed, parameter, name)
        table[key] = value
    if parameters:
        told = ", ".join(f"{parameter} {value}" for parameter, value in parameters.items())
        changed["name"] = f"{raw.get('name') or name} ({told})"
    return changed


def _place_of(raw: dict[str, Any], parameter: str, name: str) -> tuple[dict[str, Any], str]:
    """The table and key that a parameter is; a key that no table gives yet belongs to the only table there is."""
    if parameter == _START and _START in raw:
        return raw, _START
    tables = _tables(raw)
    path, _, key = parameter.rpartition(".")
    holders = [tables[path]] if path in tables else [] if path else [one for one in tables.values() if key in one]
    if not holders and not path and len(tables) == 1:
        holders = list(tables.values())
    if len(holders) != 1 or key == _KIND:
        raise ScenarioError(name, parameter, f"no such parameter{suggest(parameter, parameters_of(raw))}")
    return holders[0], key


def _tables(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tables of disruptions and changes by their path; what is no table is left to the parser to refuse."""
    return {
        f"{name}[{at}]": table
        for name in _TABLES
        if isinstance(raw.get(name), list)
        for at, table in enumerate(raw[name])
        if isinstance(table, dict)
    }
