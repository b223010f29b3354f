"""What goes wrong in goods receipts stands in two books, or in the ERP's alone."""

from __future__ import annotations

from stocktwin.world.rates import Rates
from stocktwin.world.score import Truth


def key(row):
    return row["document"], row["cause"], row["item_id"], row["location_id"], row["lot"], row["units"], row["ended_at"]


def test_most_errors_of_the_warehouse_pass_to_the_erp_and_it_makes_some_of_its_own(troubled):
    """An error that passes stands in both books with the same units, from the same to the same instant; the record is
    wrong by one of them only."""
    keyed = [row for row in troubled.rows("truth/faults") if (row["document"] or "").startswith("GR-")]
    keyed = [row for row in keyed if row["cause"] != "silent_system" and row["system"] != "rfid"]
    wms, erp = ([row for row in keyed if row["system"] == name] for name in ("wms", "erp"))
    assert all(row["on_record"] for row in wms)
    assert not any(row["on_record"] for row in erp)
    passed = {key(row) for row in wms} & {key(row) for row in erp}
    rate = Rates().interfaced_receipt_error
    assert abs(len(passed) / len(wms) - rate) < 4 * (rate * (1 - rate) / len(wms) * 2) ** 0.5
    own = [row for row in erp if key(row) not in passed]
    assert 10 < len(own) < len(erp) / 2
    assert not {row["document"] for row in own} & {document for document, *_ in passed}
    assert len(Truth(troubled.root).faults) == len(troubled.rows("truth/faults")) - len(passed), (
        "each error counts once"
    )
