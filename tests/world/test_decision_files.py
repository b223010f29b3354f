"""What is wrong in a file of decisions is said with the column that it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from stocktwin.world.decisions import Words, read_decisions
from stocktwin.world.life import catalogue_of
from stocktwin.world.settings import Settings


@pytest.fixture(scope="module")
def words() -> Words:
    settings = Settings()
    return Words.of(settings.size.network, iter([catalogue_of(settings, 0)]))


@pytest.mark.parametrize(
    ("table", "columns", "row", "said"),
    [
        ("orders", "item_id,to_id,quantity", "GLV-00001,DC-RENO,", "quantity is missing"),
        ("orders", "item_id,to_id,quantity", "GLV-00001,DC-RENO,many", "quantity: not a number: 'many'"),
        ("orders", "item_id,to_id,quantity", "GLV-00001,DC-RENO,2.5", "quantity: 2.5 is not a whole number"),
        ("orders", "item_id,to_id,quantity", "GLV-00001,DC-RENO,-5", "quantity must be greater than zero: '-5'"),
        (
            "policies",
            "item_id,location_id,reorder_point",
            "GLV-00001,DC-RENO,abc",
            "reorder_point: not a number: 'abc'",
        ),
        ("policies", "item_id,location_id,order_up_to", "GLV-00001,DC-RENO,-1", "order_up_to: out of range: '-1'"),
    ],
)
def test_the_column_is_named(words: Words, tmp_path: Path, table: str, columns: str, row: str, said: str) -> None:
    (tmp_path / f"{table}.csv").write_text(f"{columns}\n{row}\n")
    found, rejected = read_decisions(tmp_path, words, 60)
    assert found == ()
    assert [one.reason[: len(said)] for one in rejected] == [said]
