"""docs/rest.md names every path of the REST interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from stocktwin.faces.api.app import create_app


def test_every_path_is_documented(root: Path) -> None:
    document = create_app(cast(Any, object())).openapi()
    page = (root / "docs" / "rest.md").read_text(encoding="utf-8")
    paths = [path.removeprefix("/api/v1") for path in document["paths"]]
    assert len(paths) > 10
    assert [path for path in paths if path not in page] == []
