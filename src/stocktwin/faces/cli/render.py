"""Answers as text for people: aligned columns, plain words, nothing that a pipe would choke on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Answer = Mapping[str, Any]
SHOWN_ROWS = 50
"""Rows shown on a terminal; `--json` and `--limit` give others."""


def table(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], shown: int = SHOWN_ROWS) -> str:
    """Aligned columns under their names; numbers to the right; a last line says how many rows are not shown.

    >>> print(table([{"a": 1, "b": "x"}, {"a": 20, "b": None}], ["a", "b"]))
     a  b
     1  x
    20  –
    """
    names = list(columns)
    cells = [[cell(row.get(name)) for name in names] for row in rows[:shown]]
    right = [all(_numeric(row.get(name)) for row in rows[:shown]) for name in names]
    widths = [max(len(name), *(len(row[at]) for row in cells), 0) for at, name in enumerate(names)]

    def line(texts: Sequence[str]) -> str:
        aligned = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(texts, widths, right, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    lines = [line(names), *(line(row) for row in cells)]
    if len(rows) > shown:
        lines.append(f"… and {len(rows) - shown:,} more (--json lists all)")
    return "\n".join(lines)


def cell(value: Any) -> str:
    """One value: numbers with thousands separators, nothing as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _numeric(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def new(answer: Answer) -> str:
    """A new twin."""
    return (
        f"Made a twin in {answer['twin']}.\n"
        f"Next: edit {answer['settings']} if your data needs a mapping, "
        f"then `stocktwin --twin {answer['twin']} ingest FOLDER`."
    )


def ingest(answer: Answer) -> str:
    """What was delivered and what became of it."""
    text = (
        f"{answer['delivered']:,} rows delivered: {answer['accepted']:,} accepted, "
        f"{answer['duplicates']:,} duplicate, {answer['quarantined']:,} quarantined"
    )
    parts = [text]
    if answer["ignored"]:
        parts.append("\nNot read:\n" + table(answer["ignored"], ("name", "reason")))
    if answer["findings"]:
        columns = ("file", "line", "row", "column", "value", "reason")
        parts.append("\nFirst findings (`stocktwin quarantine list` has all):\n" + table(answer["findings"], columns))
    return "\n".join(parts)


def status(answer: Answer) -> str:
    """Totals, sources, warnings."""
    head = (
        f"{answer['name']}: {answer['items']:,} items, {answer['locations']:,} locations, "
        f"{answer['movements']:,} movements, {answer['observations']:,} observations\n"
        f"as of {answer['as_of']}, conservation residual {answer['conservation_residual']}, "
        f"state hash {answer['state_hash']}"
    )
    columns = ("system", "delivered", "accepted", "duplicates", "quarantined", "last_event_time")
    total = {"system": "all", **{key: answer[key] for key in columns[1:5]}}
    parts = [head, table([*answer["sources"], total], columns)]
    if answer.get("unanchored"):
        parts.append(f"{answer['unanchored']:,} item-locations have no known opening: only their net change is shown")
    parts.extend(f"warning: {warning}" for warning in answer.get("warnings", ()))
    return "\n\n".join(parts)


def verify(answer: Answer) -> str:
    """Each law and its verdict."""
    width = max(len(law["law"]) for law in answer["laws"])
    lines = [
        f"{'holds ' if law['ok'] else 'BROKEN'}  {law['law'].ljust(width)}  {law['detail']}" for law in answer["laws"]
    ]
    return "\n".join(
        [
            *lines,
            f"conservation residual {answer['conservation_residual']}, state hash {answer['state_hash']}",
            f"journal head {answer['journal_head']}",
        ]
    )


def stock(answer: Answer) -> str:
    """On hand by item, location and lot."""
    if not answer["rows"]:
        return "no stock is known there"
    has_lots = any(row["lot"] for row in answer["rows"])
    open_ends = any("net_change" in row for row in answer["rows"])
    columns = ["item_id", "location_id", *(["lot"] if has_lots else []), "on_hand", "unit"]
    return table(answer["rows"], [*columns, *(["net_change"] if open_ends else [])])


def quarantine(answer: Answer) -> str:
    """Quarantined rows."""
    aside = [row for row in answer["rows"] if row["discarded"]]
    told = f"{answer['discarded']:,} discarded rows are shown with --discarded" if answer["discarded"] else ""
    if not answer["rows"]:
        return "\n".join(filter(None, ("nothing is quarantined", told)))
    places = ("quarantine_id", "state", "file", "line", "row", "column", "value")
    if not aside:
        return "\n".join(filter(None, (table(answer["rows"], (*places, "reason")), told)))
    rows = [{**row, **row["discarded"], "refused because": row["reason"]} for row in aside]
    rows = [{**row, "why": row["discarded"]["reason"]} for row in rows]
    return table(rows, (*places, "refused because", "by", "at", "why"))


def discarded(answer: Answer) -> str:
    """Rows put aside."""
    return f"{len(answer['discarded']):,} rows discarded by {answer['by']}: {answer['reason']}"


def reconcile(answer: Answer) -> str:
    """Books side by side where they differ, and what is in flight between them."""
    waiting = ""
    if answer["only_in_flight"]:
        slow = max(answer["due_within_hours"].values())
        waiting = f"; {answer['only_in_flight']:,} more by what is in flight alone, due within {slow:g} hours"
    if not answer["rows"]:
        return f"all books agree with the record{waiting.replace(' more', '')}"
    rows = [
        {
            **row,
            **{f"book {system}": row["books"].get(system) for system in answer["systems"]},
            "in flight": ", ".join(f"{system} {quantity}" for system, quantity in row["in_flight"].items()),
        }
        for row in answer["rows"]
    ]
    books = tuple(f"book {system}" for system in answer["systems"])
    columns = ("item_id", "location_id", "record", *books, "in flight", "difference", "value")
    return f"{answer['total']:,} item-locations differ{waiting}\n" + table(rows, columns)


def forecast(answer: Answer) -> str:
    """Horizon totals per item-location."""
    head = f"demand from {answer['first_day']}, {answer['horizon']} days in all, per item and location"
    return head + "\n" + table(answer["rows"], ("item_id", "location_id", "mean", "q10", "q50", "q90", "unit", "basis"))


def accuracy(answer: Answer) -> str:
    """Backtest figures beside the seasonal naive forecast."""
    head = f"{answer['series']:,} series, {len(answer['origins'])} origins, {answer['horizon']} days"
    rows = [
        {"model": name.replace("_", " "), **scores} for name, scores in answer.items() if isinstance(scores, Mapping)
    ]
    return head + "\n" + table(rows, ("model", "rmsse", "wape", "bias", "scaled_pinball", "total_coverage"))


def arrivals(answer: Answer) -> str:
    """Arrival windows of open order lines."""
    if not answer["rows"]:
        return "no order is open"
    columns = ("order_id", "line", "item_id", "from_id", "to_id", "open_quantity", "q10", "q50", "q90", "overdue")
    return table(answer["rows"], columns)


def anomalies(answer: Answer) -> str:
    """What looks wrong, most money first."""
    if not answer["anomalies"]:
        return "nothing looks wrong"
    blocks = [
        f"{entry['kind']}  {entry['item_id']} at {entry['location_id']}  ({cell(entry.get('value'))})\n"
        f"    {entry['explanation']}\n    to settle it: {entry['cheapest_check']}"
        for entry in answer["anomalies"][:SHOWN_ROWS]
    ]
    rest = len(answer["anomalies"]) - SHOWN_ROWS
    return "\n".join([*blocks, *([f"… and {rest:,} more"] if rest > 0 else [])])


def scenarios(answer: Answer) -> str:
    """The library."""
    rows = [
        {**entry, "parameters": ", ".join(f"{key} {value}" for key, value in entry["parameters"].items())}
        | ({"title": entry["problem"]} if "problem" in entry else {})
        for entry in answer["scenarios"]
    ]
    return table(rows, ("name", "source", "title", "parameters"))


KPI_ORDER = (
    "fill_rate", "cycle_service_level", "ready_rate", "lost_sales_units", "backlog_units", "on_hand_units",
    "on_hand_value", "total_cost", "average_cost_per_day",
)  # fmt: skip


def simulation(answer: Answer) -> str:
    """Baseline against each scenario, with the 95 % interval of the paired difference."""
    base = answer["baseline"]["kpis"]
    parts = [
        f"{answer['replications']} replications, {answer['horizon_days']} days, "
        f"{answer['item_location_days']:,} item-location-days in {answer['seconds']:.2f} s"
    ]
    for scenario in answer["scenarios"] or [{"name": "baseline"}]:
        rows = []
        for name in KPI_ORDER:
            row = {"kpi": name, "baseline": _mean(base[name])}
            if "kpis" in scenario:
                row |= {
                    "scenario": _mean(scenario["kpis"][name]),
                    "difference": _interval(scenario["difference"][name]),
                }
            else:
                row |= {"standard error": base[name] and base[name]["se"]}
            rows.append(row)
        heading = ": ".join(filter(None, (scenario["name"], scenario.get("title"))))
        parts.append(f"{heading}\n" + table(rows, list(rows[0])))
    parts.extend(f"warning: {warning}" for warning in answer.get("warnings", ()))
    parts.extend(f"assumed: {assumption}" for assumption in answer.get("assumptions", ()))
    return "\n\n".join(parts)


def _mean(kpi: Mapping[str, float] | None) -> float | None:
    return None if kpi is None else kpi["mean"]


def _interval(kpi: Mapping[str, float] | None) -> str:
    if kpi is None or kpi["mean"] is None:
        return "–"
    sign = "+" if kpi["mean"] > 0 else ""
    return f"{sign}{cell(kpi['mean'])}  ({cell(kpi['lo'])} to {cell(kpi['hi'])})"


def recommendations(answer: Answer) -> str:
    """Ranked actions, each with its proven value."""
    if not answer["recommendations"]:
        return "nothing is worth doing: no action beats waiting in simulation"
    blocks = [
        f"{entry['id']}  {entry['kind']}  worth {cell(entry['expected_value'])} "
        f"({cell(entry['lo'])} to {cell(entry['hi'])}){_status(entry)}\n"
        f"    {entry['description']}\n    {entry['reason']}"
        for entry in answer["recommendations"]
    ]
    return "\n".join([*blocks, "approve or reject one with `stocktwin approve ID --reason …`"])


def _status(entry: Mapping[str, Any]) -> str:
    return f"  [{entry['status']}]" if entry.get("status", "open") != "open" else ""


def decision(answer: Answer) -> str:
    """One decision."""
    return f"{answer['id']}: {answer['decision']} by {answer['by']}"


def decisions(answer: Answer) -> str:
    """The decision log."""
    if not answer["decisions"]:
        return "nothing was decided yet"
    rows = [{**one, "about": one.get("id") or _rows(one)} for one in answer["decisions"]]
    return table(rows, ("recorded_at", "about", "decision", "by", "reason"))


def _rows(decision: Mapping[str, Any]) -> str:
    return f"{len(decision['quarantine_ids']):,} quarantined rows"


def exported_decisions(answer: Answer) -> str:
    """What is to be carried out."""
    if not answer["approved"]:
        return "nothing was approved since the last export"
    rows = table(answer["left_out"], ("id", "kind", "reason"))
    return export(answer) + (f"\nLeft out:\n{rows}" if answer["left_out"] else "")


def export(answer: Answer) -> str:
    """Files written."""
    return table(answer["files"], ("file", "rows"))
