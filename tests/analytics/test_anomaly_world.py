"""The rules on the reference world, whose faults are labelled: found under their own names, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stocktwin.analytics.anomaly import find_anomalies
from stocktwin.app.usecases import TwinService
from stocktwin.world.build import build

POSTED = ("duplicate_post", "missing_post", "pack_factor", "digit_swap")
LAST = date(2025, 1, 1) + timedelta(days=149)


@pytest.mark.slow
def test_posting_faults_that_still_stand_are_found_and_little_else(tmp_path: Path) -> None:
    build(tmp_path, days=150, seed=11)
    with TwinService.open(tmp_path) as twin:
        twin.ingest()
        found = find_anomalies(twin.ledger.evidence(160), twin.model.snapshot)
    faults = pq.read_table(tmp_path / "truth" / "faults.parquet").to_pylist()
    books = Counter((fault["cause"], fault["document"], fault["item_id"], fault["location_id"]) for fault in faults)
    standing = {  # of those that passed from the warehouse to the ERP by interface both tell alike: only doubles show
        (fault["cause"], fault["item_id"], fault["location_id"])
        for fault in faults
        if fault["cause"] in POSTED
        and fault["end"] is None
        and fault["start"] < LAST - timedelta(days=4)
        and (
            fault["cause"] == "duplicate_post"
            or books[fault["cause"], fault["document"], fault["item_id"], fault["location_id"]] == 1
        )
    }
    told = {(anomaly.kind, anomaly.item_id, anomaly.location_id) for anomaly in found}
    assert len(standing) > 20
    assert len(standing & told) >= 0.9 * len(standing), standing - told
    faulty = {(fault["item_id"], fault["location_id"]) for fault in faults}
    false = Counter(a.kind for a in found if (a.item_id, a.location_id) not in faulty)
    assert false.total() <= 0.05 * len(found), false
