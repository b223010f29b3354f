"""A twin takes in and answers the same whether the truth lies beside it or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.usecases import TwinService
from stocktwin.app.worlds import build_world
from stocktwin.domain.errors import NotFoundError, UsageError


def answers(root: Path) -> dict[str, Any]:
    with TwinService.open(root) as twin:
        twin.ingest()
        return {
            "state": twin.status()["state_hash"],
            "stock": twin.stock(),
            "anomalies": twin.anomalies(),
            "arrivals": twin.arrivals(),
            "forecast": twin.forecast(),
        }


@pytest.mark.slow
def test_with_the_truth_moved_away_everything_is_the_same(tmp_path: Path) -> None:
    for name in ("open", "closed"):
        build_world(tmp_path / name, "small", 45, 5)
    (tmp_path / "closed" / "truth").rename(tmp_path / "elsewhere")
    assert answers(tmp_path / "open") == answers(tmp_path / "closed")
    with TwinService.open(tmp_path / "open") as twin:
        assert twin.has_truth()
        shown = twin.truth()
        assert shown["series"][0]["name"] == "truth"
        assert {series["name"] for series in shown["series"]} >= {"truth", "record", "erp", "wms"}
        standing = next(fault for fault in shown["worst"] if fault["end"] is None)
        assert (shown["item_id"], shown["location_id"]) == (standing["item_id"], standing["location_id"])
        with pytest.raises(NotFoundError, match="NOPE"):
            twin.truth("NOPE")
    with TwinService.open(tmp_path / "closed") as twin:
        assert not twin.has_truth()
        with pytest.raises(NotFoundError, match="truth"):
            twin.truth()


def test_a_world_is_built_into_an_empty_folder_only(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        build_world(tmp_path, "small", 30, 0)
