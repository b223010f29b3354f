"""docs/exchange.md says what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from stocktwin.domain.identity import VIRTUAL_LOCATIONS
from stocktwin.tables.schema import FACT_TABLES, MASTER_TABLES, MOVEMENT_KINDS, TABLES


def test_the_page_is_the_rendering_of_the_tables(root: Path) -> None:
    render = runpy.run_path(str(root / "docs" / "build" / "exchange.py"))["render"]
    written = (root / "docs" / "exchange.md").read_text(encoding="utf-8")
    assert written == render(), "run: .venv/bin/python docs/build/exchange.py"


def test_every_table_column_kind_and_virtual_account_is_on_the_page(root: Path) -> None:
    assert set(TABLES) == {*MASTER_TABLES, *FACT_TABLES}
    page = (root / "docs" / "exchange.md").read_text(encoding="utf-8")
    for table in TABLES.values():
        section = page.split(f"\n### {table.name}\n")[1].split("\n## ")[0].split("\n### ")[0]
        assert all(f"| `{column.name}` |" in section for column in table.columns), table.name
    assert all(f"`{name}`" in page for name in (*MOVEMENT_KINDS, *VIRTUAL_LOCATIONS))
