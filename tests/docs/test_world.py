"""docs/world.md tells the rates that the code has."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_every_rate_stands_on_the_page_with_its_default_and_its_source(root: Path) -> None:
    render = runpy.run_path(str(root / "docs" / "build" / "rates.py"))["render"]
    written = (root / "docs" / "world.md").read_text(encoding="utf-8")
    assert written == render(written), "run: .venv/bin/python docs/build/rates.py"
