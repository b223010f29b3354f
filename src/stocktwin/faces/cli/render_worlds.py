"""Answers about reference worlds as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from stocktwin.faces.cli.render import cell, table

Answer = Mapping[str, Any]


def built(answer: Answer) -> str:
    """A new world."""
    folder = shlex.quote(answer["world"])
    head = f"Built a {answer['profile']} world of {answer['days']} days in {answer['world']} ({_told(answer)})."
    after = f"Next: `stocktwin --twin {folder} ingest`, then `stocktwin score {folder}`."
    return "\n".join([head, *_ahead(answer), after])


def stepped(answer: Answer) -> str:
    """A world that lived on."""
    head = f"{answer['world']} lived {answer['days']} days more ({_told(answer)}); `ingest` takes in what is new."
    parts = [head, *_ahead(answer)]
    decided = answer["decisions"]
    counts = {name: count for name, count in decided.items() if name != "exceptions" and count}
    if counts:
        parts.append("Decisions: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()) + ".")
    rows = [{**one, "order": one["order_id"] and f"{one['order_id']} {one['line']}"} for one in decided["exceptions"]]
    names = ("file", "row", "status", "kind", "item_id", "location_id", "order", "reason")
    return "\n".join([*parts, *([table(rows, names)] if rows else [])])


def forked(answer: Answer) -> str:
    """A copy of a world."""
    when = f" on the evening of {answer['at']}" if answer["at"] else ""
    return "\n".join([f"{answer['world']} is {answer['from']}{when} ({_told(answer)}).", *_ahead(answer)])


def played(answer: Answer) -> str:
    """How far a film came."""
    rows = ", ".join(f"{count:,} of {source}" for source, count in answer["rows"].items()) or "nothing"
    head = f"Played until {answer['played_until']} onto {answer['twin']}: {rows}."
    if answer["played_until"] == answer["ends"]:
        return f"{head} The film is over."
    return f"{head} It ends on {answer['ends']}; the same command goes on."


def _ahead(answer: Answer) -> list[str]:
    """A line for each scripted event that the world has not come to."""
    lines = []
    for event in answer["events_ahead"]:
        what = " ".join(value for name, value in event.items() if name != "start_date")
        lines.append(
            f"Still ahead: {what} from {event['start_date']}; it happens when the world lives on (`world step`)."
        )
    return lines


def _told(answer: Answer) -> str:
    return f"{sum(n for name, n in answer['rows'].items() if name.startswith('feeds/')):,} rows told"


def scored(answer: Answer) -> str:
    """The figures, layer by layer."""
    period = answer["scored"]
    asked = "each night" if period["every"] == 1 else f"for anomalies every {period['every']} nights"
    parts = [f"{period['first_day']} to {period['last_day']}, asked {asked}"]
    if "record" in answer:
        names = ("mae", "wape", "exact", "value", "answered")
        rows = [{"book": "record", **answer["record"]}, *({"book": k, **v} for k, v in answer["books"].items())]
        parts.append("On hand against the truth\n" + table(rows, ("book", *names)))
    if "causes" in answer:
        rows = [{"cause": name, **figures} for name, figures in answer["causes"].items()]
        parts.append("Faults found\n" + table(rows, ("cause", "precision", "recall", "median_hours", "p90_hours")))
        found = answer["cases"]
        parts.append(
            f"{found['noticed']:,} of {found['faults']:,} faults noticed under any name; {found['told']:,} new cases, "
            f"{found['right']:,} with the right cause, {found['false']:,} about nothing: "
            f"{cell(answer['false_cases_per_1000_month'])} false cases a month per 1,000 item-locations"
        )
    if "arrivals" in answer:
        found = answer["arrivals"]
        parts.append(
            f"Arrival windows: {_percent(found['coverage_80'])} inside the 80 % window, "
            f"pinball loss {cell(found['pinball_days'])} days ({found['lines']:,} windows)"
        )
    if "demand" in answer:
        parts.append(f"Demand: weighted quantile loss {cell(answer['demand']['weighted_quantile_loss'])}")
    return "\n\n".join(parts)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
