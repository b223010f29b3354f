"""A world that lives on tells what the longer world would have told, and decisions change only what they touch."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.domain.errors import EnvironmentFault, NotFoundError, UsageError
from stocktwin.world.advance import advance, fork
from stocktwin.world.build import build
from stocktwin.world.difference import new_rows, told_before

DAYS, MORE, SEED = 40, 7, 4


def table_of(path: Path) -> str:
    """Table and system of a feed file, whatever part it is."""
    stem = path.name.split("-")[0].split(".")[0]
    return f"{path.parent.name}/{stem}"


def feeds(root: Path) -> dict[str, Counter[tuple[str | None, ...]]]:
    """All feeds as multisets of rows, the parts of a table taken together."""
    out: dict[str, Counter[tuple[str | None, ...]]] = {}
    for path in sorted((root / "feeds").rglob("*")):
        if path.suffix not in (".csv", ".parquet"):
            continue
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as stream:
                rows = [tuple(row) for row in csv.reader(stream)][1:]
        else:
            table = pq.read_table(path)
            texts = [column.cast(pa.string()).fill_null("").to_pylist() for column in table.columns]
            rows = list(zip(*texts, strict=True))
        out.setdefault(table_of(path), Counter()).update(rows)
    return out


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("longer")
    build(root, days=DAYS + MORE, seed=SEED)
    return root


@pytest.fixture(scope="module")
def shorter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shorter")
    build(root, days=DAYS, seed=SEED)
    return root


@pytest.fixture(scope="module")
def grown(shorter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grown") / "world"
    fork(shorter, root)
    advance(root, days=MORE)
    return root


def test_a_world_that_lives_on_tells_what_the_longer_one_told(longer: Path, grown: Path):
    whole, parts = feeds(longer), feeds(grown)
    assert set(whole) == set(parts)
    for name, rows in whole.items():
        assert rows == parts[name], (
            name,
            list((rows - parts[name]).items())[:2],
            list((parts[name] - rows).items())[:2],
        )
    assert (grown / "feeds/erp/movements-2025-02-10.parquet").exists()


def test_its_truth_is_that_of_the_longer_one(longer: Path, grown: Path):
    for path in sorted((longer / "truth").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (grown / path.relative_to(longer)).read_bytes(), path.name


def test_a_fork_at_a_day_is_the_world_that_ended_then(longer: Path, shorter: Path, tmp_path: Path):
    fork(longer, tmp_path / "then", at=date(2025, 2, 9))
    here, there = ({str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
                   for root in (shorter, tmp_path / "then"))  # fmt: skip
    assert here == there


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def steered(shorter: Path, grown: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A world in which a transfer, purchases and a policy were decided of one item, and two things that are not."""
    root = tmp_path_factory.mktemp("steered") / "world"
    fork(shorter, root)
    last = [
        row for row in pq.read_table(shorter / "truth/balances.parquet").to_pylist() if row["date"] == date(2025, 2, 9)
    ]
    held = Counter({(row["item_id"], row["location_id"]): 0 for row in last})
    for row in last:
        held[row["item_id"], row["location_id"]] += int(row["quantity"])
    (item, donor), _ = held.most_common(1)[0]
    receiver = "DC-RENO" if donor != "DC-RENO" else "DC-NEWARK"
    folder = tmp_path_factory.mktemp("decisions")
    write(folder / "orders.csv", "order_id,line,kind,item_id,quantity,from_id,to_id,ordered_at,requested_at",
          f",,transfer,{item},5,{donor},{receiver},,",
          f",,purchase,{item},12,,{receiver},2025-02-12T09:00:00Z,",
          f",,transfer,NO-1,5,{donor},{receiver},,",
          f"PO-250208-SHA-ATL,9999,purchase,{item},,,DC-ATLANTA,,2025-03-01",
          f",,purchase,{item},12,,{receiver},2025-02-18,")  # fmt: skip
    write(
        folder / "policies.csv", "item_id,location_id,policy,reorder_point,order_up_to", f"{item},{donor},min_max,7,9"
    )
    built = advance(root, days=MORE, decisions=folder)
    return {"root": root, "item": item, "donor": donor, "receiver": receiver, "built": built}


def test_decisions_change_only_what_they_touch(steered, grown: Path):
    name = "truth/movements.parquet"
    one, two = (pq.read_table(root / name).to_pylist() for root in (grown, steered["root"]))
    apart = [[row for row in rows if row["item_id"] != steered["item"]] for rows in (one, two)]
    assert apart[0] == apart[1]
    assert one != two


def test_decisions_are_carried_out_and_told(steered):
    root, item = steered["root"], steered["item"]
    told = [row for row in pq.read_table(root / "feeds/erp/orders-2025-02-10.parquet").to_pylist()
            if row["item_id"] == item and row["line"] == "10001"]  # fmt: skip
    kinds = {row["kind"]: row for row in told if row["status"] == "open"}
    ordered = {kind: f"{row['ordered_at'] - timedelta(hours=8):%m%d}" for kind, row in kinds.items()}
    assert ordered == {"transfer": "0210", "purchase": "0212"}
    assert {(row["to_id"], row["quantity"]) for row in kinds.values()} == {
        (steered["receiver"], 5),
        (steered["receiver"], 12),
    }
    assert kinds["transfer"]["from_id"] == steered["donor"]
    moved = [row for row in pq.read_table(root / "truth/movements.parquet").to_pylist() if row["document"] and
             row["document"].endswith("-10001") and row["kind"] == "transfer_out"]  # fmt: skip
    assert [row["quantity"] for row in moved] == [5]


def test_a_new_policy_is_told(steered):
    names = ("item_id", "location_id", "reorder_point", "order_up_to")
    like = {name: pa.array([], pa.string()) for name in names}
    told = told_before(Path(steered["root"]) / "feeds/erp/policies", like)
    rows = set(zip(*(column.to_pylist() for column in told.values()), strict=True))
    assert (steered["item"], steered["donor"], "7", "9") in rows


def test_lines_that_the_erp_told_are_changed_and_the_new_versions_are_told(shorter: Path, tmp_path: Path):
    fork(shorter, tmp_path / "world")
    versions = pq.read_table(shorter / "feeds/erp/orders.parquet").to_pylist()
    last = {(row["order_id"], row["line"]): row for row in versions}
    open_lines = [row for row in last.values() if row["status"] == "confirmed" and row["order_id"].startswith("PO-")]
    chosen = open_lines[:: max(1, len(open_lines) // 8)][:8]
    names = ("order_id", "line", "item_id", "quantity")
    write(tmp_path / "orders.csv", ",".join((*names, "status", "promised_at")), *(
        ",".join([*(str(row[name]) for name in names), "cancelled" if k % 2 else "",
                  "" if k % 2 else str((row["promised_at"] + timedelta(days=5)).date())])
        for k, row in enumerate(chosen)))  # fmt: skip
    built = advance(tmp_path / "world", days=MORE, decisions=tmp_path / "orders.csv")
    said = {one.row - 1: one for one in built.outcomes}
    assert set(said) == set(range(len(chosen)))
    done = [k for k, one in said.items() if one.status == "done"]
    assert {k % 2 for k in done} == {0, 1}
    told = pq.read_table(tmp_path / "world/feeds/erp/orders-2025-02-10.parquet").to_pylist()
    for k, row in enumerate(chosen):
        new = [one for one in told if (one["order_id"], one["line"]) == (row["order_id"], row["line"])]
        if k not in done:
            assert "cancelled" not in {one["status"] for one in new}, said[k]
        elif k % 2:
            assert [(one["status"], one["quantity_cancelled"]) for one in new] == [("cancelled", row["quantity"])]
        else:
            assert new[0]["promised_at"] > row["promised_at"]
            assert new[0]["status"] == "confirmed"
    fork(tmp_path / "world", tmp_path / "again")
    assert feeds(tmp_path / "again") == feeds(tmp_path / "world")


def test_what_cannot_be_carried_out_is_listed_and_keeps_nothing_back(steered):
    said = [(one.file, one.row, one.status, one.reason) for one in steered["built"].outcomes]
    assert said == [
        ("orders.csv", 1, "done", ""),
        ("orders.csv", 2, "done", ""),
        ("orders.csv", 3, "refused", "unknown item: 'NO-1'"),
        ("orders.csv", 4, "refused", f"order PO-250208-SHA-ATL has no line 9999 of {steered['item']}"),
        ("policies.csv", 1, "done", ""),
    ]
    assert steered["built"].later == 1


def test_a_decision_for_later_is_told_of_when_its_day_has_come(steered, tmp_path: Path):
    fork(steered["root"], tmp_path / "world")
    built = advance(tmp_path / "world", days=3)
    assert [(one.row, one.status) for one in built.outcomes] == [(5, "done")]
    assert built.later == 0


def test_a_folder_without_decisions_leaves_the_world_as_it_was(shorter: Path, tmp_path: Path):
    before = sorted(shorter.rglob("*"))
    (tmp_path / "other.csv").write_text("item_id\nx\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other\.csv"):
        advance(shorter, days=1, decisions=tmp_path / "other.csv")
    assert sorted(shorter.rglob("*")) == before


def test_a_world_that_something_else_was_told_of_does_not_live_on(shorter: Path, tmp_path: Path):
    fork(shorter, tmp_path / "world", at=date(2025, 1, 3))
    path = tmp_path / "world/feeds/erp/movements.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(0, "event_id", [[f"X{k}" for k in range(len(table))]]), path)
    before = {p: p.read_bytes() for p in (tmp_path / "world").rglob("*") if p.is_file() and "next" not in p.parts}
    with pytest.raises(EnvironmentFault, match=f"movements: {len(table)} rows"):
        advance(tmp_path / "world", days=1)
    assert before == {p: p.read_bytes() for p in before}


def test_an_interrupted_step_is_made_up_for(shorter: Path, grown: Path, tmp_path: Path):
    fork(shorter, tmp_path / "world")
    stage = tmp_path / "world/truth/next/feeds/erp"
    stage.mkdir(parents=True)
    (stage / "movements-2025-02-10.parquet").write_bytes(b"half a fi")
    dated = "feeds/erp/movements-2025-02-10.parquet"
    (tmp_path / "world" / dated).write_bytes((grown / dated).read_bytes())
    advance(tmp_path / "world", days=MORE)
    assert feeds(tmp_path / "world") == feeds(grown)
    assert not (tmp_path / "world/truth/next").exists()


def test_wrong_use_of_a_world(shorter: Path, tmp_path: Path):
    with pytest.raises(NotFoundError):
        advance(tmp_path, days=1)
    with pytest.raises(UsageError, match="0"):
        advance(shorter, days=0)
    with pytest.raises(UsageError, match="2025-06-01"):
        fork(shorter, tmp_path / "new", at=date(2025, 6, 1))
    with pytest.raises(UsageError, match="not empty"):
        fork(shorter, shorter)


def test_the_difference_of_tables_counts_rows_and_heeds_every_column():
    def table(*rows: tuple[str | None, int | None]) -> dict[str, pa.Array]:
        texts, numbers = zip(*rows, strict=True) if rows else ((), ())
        return {"x": pa.array(texts, pa.string()), "y": pa.array(numbers, pa.int64())}

    def fresh(now: dict[str, pa.Array], before: dict[str, pa.Array]) -> list[tuple[str | None, int | None]]:
        return list(zip(*(column.to_pylist() for column in new_rows(now, before)[0].values()), strict=True))

    now = table(("a", 1), ("a", 1), ("a", 2), ("b", None), (None, 3))
    assert fresh(now, table()) == [("a", 1), ("a", 1), ("a", 2), ("b", None), (None, 3)]
    assert fresh(now, now) == []
    assert fresh(now, table(("a", 2), ("a", 1))) == [("a", 1), ("b", None), (None, 3)]
    assert fresh(now, table(("b", 0), ("", 3), ("c", 9))) == [("a", 1), ("a", 1), ("a", 2), ("b", None)]
