"""Arrival windows: of every open order line and every shipment under way, as an answer and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ahead import chosen_rows, write_blocks
from stocktwin.app.answers.paging import page
from stocktwin.app.answers.values import exact, iso, plain_answer

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.tables.snapshot import Snapshot

IDENTITY = ("order_id", "line", "shipment_id", "item_id", "from_id", "to_id")
INSTANTS = ("ordered_at", "departed_at", "q10", "q50", "q90", "mean")


def arrivals(
    snapshot: Snapshot, table: pa.Table, *, item: str | None, limit: int | None, after: str | None
) -> dict[str, Any]:
    """10, 50 and 90 % and mean arrival of each open order line and shipment, given that it has not arrived yet."""
    if item is not None:
        chosen_rows(snapshot, item, None)
    found = [row for row in table.to_pylist() if item is None or row["item_id"] == item]
    shown, following = page(found, _identity, name="arrivals", limit=limit, after=after)
    scale, codes = snapshot.scale(), snapshot.item_codes
    rows = []
    for row in shown:
        places = 0 if row["item_id"] is None else int(scale[codes.code(row["item_id"])])
        row["open_quantity"] = exact(row["open_quantity"], places)
        rows.append(row | {key: iso(row[key]) for key in INSTANTS})
    return plain_answer({"rows": rows, "total": len(found), "next": following, "as_of": iso(snapshot.as_of)})


def _identity(row: dict[str, Any]) -> tuple[str, ...]:
    """What an order line or a shipment goes by, whatever its window becomes."""
    return tuple(str(row.get(name) or "") for name in IDENTITY)


def arrivals_file(snapshot: Snapshot, table: pa.Table, path: Path, item: str | None) -> dict[str, Any]:
    """Writes a row for each open order line and shipment: 10, 50 and 90 % and mean date (UTC)."""
    import pyarrow.compute as pc

    if item is not None:
        chosen_rows(snapshot, item, None)
        table = table.filter(pc.equal(table.column("item_id"), item))
    dated = _outside(snapshot, table)
    return {
        "file": str(path),
        "rows_written": write_blocks([dated], dated.schema, path),
        "overdue": int(pc.sum(table.column("overdue")).as_py() or 0),
        "as_of": iso(snapshot.as_of),
    }


def _outside(snapshot: Snapshot, table: pa.Table) -> pa.Table:
    """Instants as dates, quantities in base units."""
    import numpy as np
    import pyarrow as pa

    from stocktwin.analytics.arrivals import WINDOW

    for name in WINDOW:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(name).cast(pa.timestamp("us")).cast(pa.date32(), safe=False))
    for name in ("ordered_at", "departed_at"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table.column(name).cast(pa.timestamp("us", "UTC")))
    codes, scale = snapshot.item_codes, [*snapshot.scale().tolist(), 0]
    places = [scale[-1 if name is None else codes.code(name)] for name in table.column("item_id").to_pylist()]
    quantity = np.array(table.column("open_quantity").to_pylist(), float) / 10.0 ** np.array(places, float)
    at = table.column_names.index("open_quantity")
    return table.set_column(at, "open_quantity", pa.array(quantity, from_pandas=True))
