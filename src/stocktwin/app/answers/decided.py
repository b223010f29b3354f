"""Approved recommendations as exchange tables: what an ERP, or a reference world, is to carry out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stocktwin.domain.calendar import MICROSECONDS_PER_DAY
from stocktwin.domain.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from stocktwin.ledger.ledger import Ledger

MARK: Final = Path("exports") / "decisions.json"
"""How far the decision log of a twin has been exported."""
ORDERS: Final = ("order_id", "line", "kind", "item_id", "quantity", "unit", "from_id", "to_id", "ordered_at",
                 "requested_at", "status", "recommendation")  # fmt: skip
POLICIES: Final = ("item_id", "location_id", "policy", "reorder_point", "order_up_to", "safety_stock",
                   "parameter_unit", "recommendation")  # fmt: skip
Row = Mapping[str, Any]


def export_decisions(ledger: Ledger, root: Path, folder: Path, everything: bool) -> dict[str, Any]:
    """Writes what was approved since the last export (or ever) as `orders.csv` and `policies.csv`; UsageError when the
    folder is not empty. What no exchange table can say is named in `left_out`."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty")
    log = ledger.decisions()
    since = -1 if everything else _exported(root)
    new = [one for one in log if one["seq"] > since and one.get("decision") == "approve" and one.get("recommendation")]
    shown = [one["recommendation"] for one in new]
    orders = _orders(ledger, shown)
    policies = _policies(ledger, shown)
    left_out = [
        {"id": one["id"], "kind": one["kind"], "reason": f"no exchange table says {one['kind']}"}
        for one in shown
        if one["kind"] not in ("transfer", "advance_order", "safety_stock")
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [*_write(folder / "orders.csv", ORDERS, orders), *_write(folder / "policies.csv", POLICIES, policies)]
        (root / MARK).parent.mkdir(exist_ok=True)
        (root / MARK).write_text(json.dumps({"seq": max((one["seq"] for one in log), default=-1)}), encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"cannot write {folder}: {error.strerror}") from None
    return {"folder": str(folder), "files": files, "approved": len(new), "left_out": left_out}


def _exported(root: Path) -> int:
    try:
        return int(json.loads((root / MARK).read_text(encoding="utf-8"))["seq"])
    except FileNotFoundError:
        return -1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(f"cannot read {MARK}: {error}; --all exports everything") from None


def _orders(ledger: Ledger, shown: Iterable[Row]) -> list[Row]:
    """Transfers as new orders, and lines to be brought forward as new versions of themselves."""
    entries = [one for one in shown if one["kind"] in ("transfer", "advance_order")]
    lines = _current(ledger, "orders", "order_id", {one["order_id"] for one in entries if one["order_id"]})
    known = {(line["order_id"], line["line"]): line for line in lines}
    return [_transfer(one) if one["kind"] == "transfer" else _sooner(one, known) for one in entries]


def _transfer(one: Row) -> Row:
    names = ("kind", "item_id", "quantity", "unit", "from_id", "to_id")
    return {**{name: one[name] for name in names}, "ordered_at": one["from_date"], "recommendation": one["id"]}


def _sooner(one: Row, known: Mapping[tuple[str, str], Row]) -> Row:
    """A line asked for as many days before its promise as was proved; without a promise still to come, on the day that
    was recommended."""
    line = known.get((one["order_id"], one["line"]), {})
    asked = date.fromisoformat(one["to_date"])
    if line.get("promised_at") is not None:
        promised = date(1970, 1, 1) + timedelta(days=int(line["promised_at"]) // MICROSECONDS_PER_DAY)
        moved = promised - (date.fromisoformat(one["from_date"]) - asked)
        asked = moved if moved > date(1970, 1, 1) + timedelta(days=int(one["day"])) else asked
    names = ("order_id", "line", "item_id", "from_id", "to_id")
    status = line.get("status") or "open"
    return {**{name: one[name] for name in names}, "kind": line.get("kind", "purchase"),
            "quantity": _plain(line.get("quantity", one["quantity"])), "unit": line.get("unit") or one["unit"],
            "ordered_at": _day(line.get("ordered_at")), "requested_at": asked.isoformat(), "status": status,
            "recommendation": one["id"]}  # fmt: skip


def _policies(ledger: Ledger, shown: Iterable[Row]) -> list[Row]:
    """Safety stocks with the levels that they move."""
    entries = [one for one in shown if one["kind"] == "safety_stock"]
    known = _current(ledger, "policies", "item_id", {one["item_id"] for one in entries})
    policy = {(row["item_id"], row["location_id"]): row["policy"] for row in known}
    return [
        {
            "item_id": one["item_id"],
            "location_id": one["location_id"],
            "policy": policy.get((one["item_id"], one["location_id"]), "min_max"),
            "reorder_point": one["details"].get("proposed_reorder_point"),
            "order_up_to": one["details"].get("proposed_order_up_to"),
            "safety_stock": one["proposed"],
            "parameter_unit": "units",
            "recommendation": one["id"],
        }
        for one in entries
    ]


def _current(ledger: Ledger, table: str, column: str, wanted: set[str]) -> list[dict[str, Any]]:
    if not wanted:
        return []
    rows = ledger.current(table)
    found: list[dict[str, Any]] = rows.filter(
        pc.is_in(rows.column(column), value_set=pa.array(sorted(wanted), pa.string()))
    ).to_pylist()
    return found


def _plain(quantity: object) -> str:
    """12.500000000 → 12.5"""
    text = str(quantity)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _day(instant: int | None) -> str:
    moment = None if instant is None else date(1970, 1, 1) + timedelta(days=int(instant) // MICROSECONDS_PER_DAY)
    return "" if moment is None else moment.isoformat()


def _write(path: Path, names: Sequence[str], rows: Sequence[Row]) -> list[dict[str, Any]]:
    if not rows:
        return []
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return [{"file": path.name, "rows": len(rows)}]
