"""Worlds of several blocks: the same bytes whoever does the work, nothing told twice, luck shared where it should."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.world.advance import advance
from stocktwin.world.build import build
from stocktwin.world.difference import new_rows, told_before
from stocktwin.world.draws import Draws
from stocktwin.world.profile import PROFILES

DAYS, SEED = 9, 2


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("medium")
    build(root, profile="medium", days=DAYS, seed=SEED, processes=1)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def column(root: Path, pattern: str, *names: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path, columns=list(names)) for path in sorted(root.glob(pattern))])


def test_the_same_bytes_whatever_the_number_of_processes(tmp_path: Path):
    for name, processes in (("one", 1), ("another name", 2)):
        build(tmp_path / name, profile="medium", days=2, seed=SEED, processes=processes)
    one, two = (files(tmp_path / name) for name in ("one", "another name"))
    assert set(one) == set(two)
    assert not [name for name in one if one[name] != two[name]]


def test_every_block_tells_its_part_and_the_truth_is_whole(medium: Path):
    size = PROFILES["medium"]
    assert {path.name for path in (medium / "feeds/erp").glob("movements*")} == {
        f"movements-{k:03d}.parquet" for k in range(size.blocks)
    }
    assert sorted(path.name for path in (medium / "truth").iterdir()) == [
        "balances.parquet", "demand.parquet", "faults.parquet", "movements.parquet", "state",
    ]  # fmt: skip
    balances = pq.read_table(medium / "truth/balances.parquet")
    pairs = set(zip(balances["item_id"].to_pylist(), balances["location_id"].to_pylist(), strict=True))
    assert len({item for item, _ in pairs}) == size.items
    assert len(pairs) == size.items * len(size.dcs)


def test_no_number_is_given_twice(medium: Path):
    assert len(set(column(medium, "feeds/erp/items-*", "item_id")["item_id"].to_pylist())) == 5_000
    assert len(set(column(medium, "feeds/erp/items-*", "gtin")["gtin"].to_pylist())) == 5_000
    for pattern in ("feeds/erp/movements-*", "feeds/wms/movements-*"):
        ids = column(medium, pattern, "event_id")["event_id"]
        assert len(ids.unique()) > 0.999 * len(ids)  # a delivery may stutter, a number is not used for two things
    groups = defaultdict(set)
    for path in sorted((medium / "feeds/erp").glob("orders-0*")):
        for order in pq.read_table(path)["order_id"].unique().to_pylist():
            groups[order].add(path.name)
    assert groups
    assert all(len(names) == 1 for names in groups.values())


def test_what_travels_together_arrives_together_in_all_blocks(medium: Path):
    names = ("from_id", "to_id", "ordered_at", "received_at", "kind")
    rows = column(medium, "feeds/erp/orders-0*", *names).to_pylist()
    days = defaultdict(set)
    blocks = Counter()
    for row in rows:
        if row["received_at"] is not None and row["kind"] == "purchase":
            lane = row["from_id"], row["to_id"], row["ordered_at"].date()
            days[lane].add((row["received_at"].date() - row["ordered_at"].date()).days)
            blocks[lane] += 1
    shared = [lane for lane, n in blocks.items() if n > 5]
    assert len(shared) > 10
    assert all(len(days[lane]) == 1 for lane in shared)


def test_blocks_have_luck_of_their_own_and_share_what_is_shared():
    one, two = Draws(5, 1), Draws(5, 2)
    assert (one.uniform("x", 50) != two.uniform("x", 50)).any()
    assert (one.shared.uniform("x", 50) == two.shared.uniform("x", 50)).all()
    assert (Draws(5, 1).uniform("x", 50, 3) == one.uniform("x", 50, 3)).all()
    assert (one.uniform("x", 50, 3) != one.uniform("x", 50, 4)).any()


@pytest.mark.parametrize("chance", [0.0, 0.02, 0.4])
def test_rare_things_happen_as_often_as_they_should(chance: float):
    hits = [Draws(seed).rare("x", 500, chance)[0] for seed in range(400)]
    assert all((np.diff(rows) > 0).all() for rows in hits)
    expected = 500 * 400 * chance
    assert abs(sum(map(len, hits)) - expected) <= 5 * np.sqrt(expected * (1 - chance))


def like_of(path: Path) -> dict[str, pa.Array]:
    """The columns of a file, without rows."""
    if path.suffix == ".parquet":
        return {field.name: pa.array([], field.type) for field in pq.read_schema(path)}
    header = path.read_text(encoding="utf-8").splitlines()[0]
    return {name: pa.array([], pa.string()) for name in header.split(",")}


@pytest.mark.slow
def test_a_world_of_blocks_lives_on(medium: Path, tmp_path: Path):
    build(tmp_path / "grown", profile="medium", days=DAYS - 2, seed=SEED, processes=1)
    advance(tmp_path / "grown", days=2, processes=2)
    for path in sorted((medium / "truth").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "grown" / path.relative_to(medium)).read_bytes(), path.name
    for path in sorted((medium / "feeds").rglob("*.*")):
        if path.suffix in (".csv", ".parquet"):
            name, like = path.relative_to(medium).with_suffix(""), like_of(path)
            whole, parts = (told_before(root / name, like) for root in (medium, tmp_path / "grown"))
            fresh, unknown = new_rows(whole, parts)
            assert (len(next(iter(fresh.values()))), unknown) == (0, 0), name
    assert (tmp_path / "grown/feeds/erp/movements-001-2025-01-08.parquet").exists()


BLOCK = """
import re, sys
from pathlib import Path
from stocktwin.world.blocks import write_block
from stocktwin.world.settings import Settings
rows = write_block(Path(sys.argv[1]), Settings("national", 14), 39)
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(rows["feeds/erp/movements"] + rows["feeds/wms/movements"], peak)
"""
"""Not `ru_maxrss`: a new process inherits that of the one which started it."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process its own peak")
def test_national_is_as_large_as_promised_and_a_block_needs_little_memory(tmp_path: Path):
    """At least 30 million movements in 90 days; two blocks at once and their parent stay far below 8 GiB."""
    done = subprocess.run([sys.executable, "-c", BLOCK, str(tmp_path)], check=True, capture_output=True, text=True)
    both, peak = map(int, done.stdout.split())
    openings = 2 * 2_500 * 45
    assert 40 * ((both - openings) * 90 / 14 + openings) > 30_000_000
    assert peak < 1.5 * 2**20
