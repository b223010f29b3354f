"""Lots as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stocktwin.faces.cli.render import Answer, cell, table

DOCUMENTS_SHOWN = 15
MARK = "*"


def stock(answer: Answer) -> str:
    """Stock by lot."""
    if not answer["rows"]:
        return "no lot is known there"
    rows = _marked(answer["rows"])
    owners = ["owner"] if any(row["owner"] for row in rows) else []
    told = table(
        rows, ["item_id", "location_id", "lot", "expiry", "days_left", "condition", *owners, "quantity", "unit"]
    )
    count = answer["summary"]
    summary = (
        f"{count['lots']:,} lots stand; of {count['balances']:,} balances {count['expired']:,} expired, "
        f"{count['expiring']:,} expire within 30 days, {count['short']:,} short, {count['unknown']:,} without a lot"
    )
    guessed = any(row["inferred"] for row in answer["rows"])
    return "\n".join([told, summary, *([_legend(answer)] if guessed else [])])


def transforms(answer: Answer) -> str:
    """Documents of transforms."""
    rows = [
        {
            **row,
            "went in": _goods(row["took"]),
            "came out": _goods(row["gave"]),
            "does not add up": "; ".join(row["faults"]),
        }
        for row in answer["rows"]
    ]
    told = (
        table(rows, ("time", "document", "went in", "came out", "does not add up")) if rows else "no transform is known"
    )
    bare = answer["without_document"]
    count = f"{answer['faulty']:,} documents do not add up"
    return told + "\n" + (f"{count}; {bare:,} transforms name no document" if bare else count)


def _goods(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{cell(row['quantity'])} {row['item_id']} {row['lot'] or ''}".strip() for row in rows)


def trace(answer: Answer) -> str:
    """A recall trace: totals, what is where, who received it, the lots it is tied to, the ways it took."""
    guessed = any(row["inferred"] for name in ("where", "flows") for row in answer[name])
    parts = [
        _head(answer),
        "\n".join(f"warning: {text}" for text in answer["warnings"]),
        _section("Where it is", answer["where"],
                 ("location_id", "item_id", "lot", "state", "condition", "quantity", "last_movement")),
        _section("Who received it", answer["customers"],
                 ("location_id", "item_id", "lot", "quantity", "returned", "in_transit", "documents", "first", "last")),
        _section("Lots it is tied to", answer["lots"][1:],
                 ("relation", "level", "item_id", "lot", "expiry", "on_hand")),
        _section("Ways", answer["flows"],
                 ("item_id", "lot", "from_id", "to_id", "quantity", "movements", "first", "last")),
        _section("Books", answer["books"] if len(answer["books"]) > 1 else [],
                 ("system", "came_in", "on_hand", "in_transit", "delivered")),
        _section("Systems name different lots", answer["disagreements"],
                 ("document", "kind", "system", "lot", "quantity", "other_system", "other_lot", "other_quantity")),
        _documents(answer),
        _legend(answer) if guessed else "",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _head(answer: Answer) -> str:
    totals = answer["totals"]
    expiry = f", expires {answer['expiry']}" if answer["expiry"] else ""
    figures = ", ".join(f"{cell(value)} {name.replace('_', ' ')}" for name, value in totals.items() if value)
    return (
        f"{answer['item_id']} lot {answer['lot']}{expiry}{' (expired)' if answer['expired'] else ''}, "
        f"{answer['book']}, as of {answer['as_of']}\n{figures or 'nothing'} ({answer['unit']})"
    )


def _section(title: str, rows: list[dict[str, Any]], columns: Iterable[str]) -> str:
    if not rows:
        return ""
    return f"{title}\n{table(_marked(rows), columns)}"


def _marked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"quantity": f"{cell(row['quantity'])}{MARK}"} if row.get("inferred") else row for row in rows]


def _legend(answer: Answer) -> str:
    return f"{MARK} rests on lots that no movement named ({answer['issue_rule']})"


def _documents(answer: Answer) -> str:
    if "file" in answer:
        return f"{answer['rows_written']:,} movements in {answer['file']}"
    columns = ("time", "kind", "item_id", "lot", "from_id", "to_id", "quantity", "document", "system")
    told = table(answer["documents"], columns, shown=DOCUMENTS_SHOWN)
    return f"{answer['total']:,} movements, oldest first\n{told}" if answer["total"] else ""
