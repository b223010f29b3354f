"""Real data that nobody prepared, through the worked mappings of the docs, from the files to a proven ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stocktwin.app.twin import Twin


def opened(root: Path, example: str, tmp_path: Path) -> Twin:
    """A new twin under the settings of a worked example."""
    twin = Twin.create(tmp_path / example)
    twin.close()
    shutil.copy(root / "docs" / "examples" / example / "twin.toml", tmp_path / example / "twin.toml")
    return Twin.open(tmp_path / example)


@pytest.mark.slow
def test_a_wholesalers_invoices(root: Path, datasets: Path, tmp_path: Path) -> None:
    with opened(root, "online_retail", tmp_path) as twin:
        taken = twin.ingest(datasets / "online_retail")
        status = twin.status()
        assert taken["accepted"] + taken["quarantined"] == taken["delivered"]
        assert status["movements"] == 538_963
        assert status["conservation_residual"] == 0
        assert status["unanchored"] > 0
        assert status["as_of"].startswith("2011-12-09")
        assert twin.verify()["ok"]
        row = twin.stock(item="85123A")["rows"][0]
        assert row["on_hand"] is None
        assert row["net_change"] < 0
        ahead = twin.forecast(item="85123A", horizon=28)["rows"][0]
        assert 0 < ahead["q10"] < ahead["q50"] < ahead["q90"]


@pytest.mark.slow
def test_pharma_shipments(root: Path, datasets: Path, tmp_path: Path) -> None:
    with opened(root, "scms", tmp_path) as twin:
        taken = twin.ingest(datasets / "scms")
        assert taken["quarantined"] == 1_988
        assert twin.verify()["ok"]
        assert twin.status()["items"] == 184
        assert twin.arrivals()["total"] >= 0
