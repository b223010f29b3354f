"""Answers about the past as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stocktwin.faces.cli.render import table

Answer = Mapping[str, Any]


def history(answer: Answer) -> str:
    """Facts of an account, newest first."""
    if not answer["rows"]:
        return "nothing is known of it"
    rows = [
        {**row, "from/to": row["counterpart"], "fact": row["event_id"], "file": _place(row), "linked": _linked(row)}
        for row in answer["rows"]
    ]
    names = ["event_time", "kind", "location_id", "lot", "condition", "owner", "quantity", "stated", "balance",
             "on_hand", "from/to", "system", "fact", "file", "document", "linked", "known_at"]  # fmt: skip
    fixed = ("location_id",) if len({row["location_id"] for row in rows}) == 1 else ()
    usual = {"condition": "unrestricted"}
    shown = [name for name in names if name not in fixed and any(row[name] not in (None, "", usual.get(name))
                                                                for row in rows)]  # fmt: skip
    head = " at ".join(filter(None, (answer["item"], answer["location"])))
    return f"{head}: {counted(answer['total'], 'fact')}, {answer['book']}\n" + table(rows, shown)


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "fact"), counted(2_000, "fact")
    ('1 fact', '2,000 facts')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _place(row: Answer) -> str:
    at = row["line"] or row["row"]
    return "" if row["file"] is None else f"{row['file']}:{at}" if at else str(row["file"])


def _linked(row: Answer) -> str:
    told = [f"corrects {row['corrects']['event_id']}"] if row["corrects"] else []
    told += [f"corrected by {one['event_id']}" for one in row["corrected_by"]]
    return ", ".join(told)


def late(answer: Answer) -> str:
    """Late facts and what they changed."""
    habits = table(answer["systems"], ("system", "usual_lag_hours", "nine_of_ten_hours", "late_after_hours", "late"))
    if not answer["rows"]:
        return f"nothing came late\n\n{habits}"
    rows = [{**row, **_first(row), "fact": row["event_id"] or row["order_id"]} for row in answer["rows"]]
    parts = [
        f"{counted(answer['total'], 'fact')} came late, the latest learned first",
        table(rows, ("learned_at", "event_time", "lag_hours", "system", "kind", "item_id", "fact", "location_id",
                     "quantity", "then", "now")),
    ]  # fmt: skip
    if answer["balances"]:
        columns = ("item_id", "location_id", "facts", "wrong_from", "wrong_until", "at", "then", "now", "value")
        parts.append("Item-locations whose past was changed, where they were furthest off:\n"
                     + table(answer["balances"], columns, 10))  # fmt: skip
    if answer["decisions"]:
        taken = ("recorded_at", "id", "decision", "by", "item_id", "location_id", "then", "now")
        parts.append("Decisions taken while it was wrong:\n" + table(answer["decisions"], taken))
    parts.append(habits)
    parts.extend(f"assumed: {line}" for line in answer["assumptions"])
    return "\n\n".join(parts)


def _first(row: Answer) -> Answer:
    nothing = {"location_id": None, "then": None, "now": None}
    return row["changes"][0] if row["changes"] else {**nothing, "quantity": row["quantity"]}


def then(answer: Answer) -> str:
    """Stock as it was known then and is known now."""
    if not answer["rows"]:
        return "no stock was known" if not answer["differing"] else "nothing of that differs"
    columns = ("item_id", "location_id", "on_hand", "on_hand_known_now", "difference", "unit")
    were = "was" if answer["differing"] == 1 else "were"
    return f"{counted(answer['differing'], 'item-location')} {were} known otherwise\n" + table(answer["rows"], columns)


def available(answer: Answer) -> str:
    """What is left of the stock."""
    columns = ("item_id", "location_id", "on_hand", "reserved", "available", "lines", "unit")
    shown = table(answer["rows"], columns) if answer["rows"] else "no stock is known there"
    return "\n".join([shown, *(f"warning: {problem}" for problem in answer["problems"])])


def reservations(answer: Answer) -> str:
    """Lines that reserve."""
    columns = ("item_id", "location_id", "order_id", "line", "kind", "customer_priority", "requested_at", "quantity",
               "posted", "cancelled", "pending", "covered", "state")  # fmt: skip
    shown = table(answer["rows"], columns) if answer["rows"] else "nothing is reserved there"
    return "\n".join([shown, *(f"warning: {problem}" for problem in answer["problems"])])
