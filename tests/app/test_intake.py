"""Taking facts in: whose they are, what waits, what was wrong before and is mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stocktwin.app.bootstrap import create_twin
from stocktwin.app.usecases import TwinService
from stocktwin.domain.errors import ConfigError, NotFoundError
from stocktwin.domain.ports import FixedClock

MAPPED = """
[sources.shop]
folder = "feed"
system = "wms"
[[sources.shop.map]]
file = "sales_*.csv"
table = "movements"
[sources.shop.map.columns]
event_id = "nr"
event_time = "when"
kind = {value = "sale"}
item_id = "sku"
quantity = "qty"
from_id = {value = "L1"}
"""
ITEMS = "item_id,unit_cost\nA,1.5\n"
PLACES = "location_id,kind,timezone\nL1,dc,Asia/Tokyo\n"
HEADER = "event_id,event_time,kind,item_id,quantity,from_id,system\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    create_twin(tmp_path / "twin")
    return tmp_path / "twin"


@pytest.fixture
def twin(root: Path) -> Iterator[TwinService]:
    with TwinService.open(root) as service:
        yield service


@pytest.fixture
def mapped(root: Path) -> Iterator[TwinService]:
    settings = root / "twin.toml"
    settings.write_text(settings.read_text() + MAPPED)
    (root / "feed").mkdir()
    with TwinService.open(root) as service:
        yield service


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def counts(twin: TwinService) -> dict[str, tuple[int, ...]]:
    names = ("delivered", "accepted", "duplicates", "quarantined")
    return {one["system"]: tuple(one[name] for name in names) for one in twin.status()["sources"]}


def found(twin: TwinService) -> list[tuple[Any, ...]]:
    rows = twin.quarantine()["rows"]
    return [(row["state"], row["file"], row["line"], row["column"], row["value"]) for row in rows]


def test_a_local_time_waits_for_the_zone_of_its_location(twin: TwinService, tmp_path: Path) -> None:
    sale = "e1,2025-03-01T10:00,sale,A,2,L1,erp\n"
    taken = twin.ingest(write(tmp_path / "1", items=ITEMS, movements=HEADER + sale))
    assert (taken["accepted"], taken["quarantined"]) == (1, 1)
    assert found(twin) == [("parked", "movements.csv", 2, "from_id", "L1")]
    taken = twin.ingest(write(tmp_path / "2", locations=PLACES))
    assert (taken["delivered"], taken["accepted"], taken["quarantined"]) == (1, 2, -1)
    assert found(twin) == []
    assert twin.status()["as_of"] == "2025-03-01T01:00:00Z"
    again = twin.ingest(write(tmp_path / "1", items=ITEMS, movements=HEADER + sale))
    assert (again["duplicates"], again["quarantined"]) == (2, 0)


def test_the_order_of_folders_does_not_matter_to_local_times(tmp_path: Path) -> None:
    sale = HEADER + "e1,2025-03-01T10:00,sale,A,2,L1,erp\n"
    hashes = []
    for number, order in enumerate((("items", "locations", "movements"), ("movements", "locations", "items"))):
        create_twin(tmp_path / f"twin{number}")
        texts = {"items": ITEMS, "locations": PLACES, "movements": sale}
        with TwinService.open(tmp_path / f"twin{number}") as service:
            for table in order:
                service.ingest(write(tmp_path / f"{number}-{table}", **{table: texts[table]}))
            hashes.append((service.status()["state_hash"], service.stock()["rows"]))
            assert service.verify()["ok"]
    assert hashes[0] == hashes[1]


def test_rows_that_cannot_be_read_count_under_the_system_they_name(twin: TwinService, tmp_path: Path) -> None:
    rows = "e1,2025-03-01T10:00Z,sale,A,2,L1,erp\ne2,never,sale,A,2,L1,erp\ne3,2025-03-01,sale\n"
    twin.ingest(write(tmp_path / "1", items=ITEMS, locations=PLACES, movements=HEADER + rows))
    assert counts(twin) == {"erp": (2, 1, 0, 1), "exchange": (3, 2, 0, 1)}


def test_a_source_counts_under_its_system_whatever_it_brings(mapped: TwinService, root: Path) -> None:
    sales = "nr,when,sku,qty\n1,2025-03-01T10:00,A,2\n2,2025-03-01T10:00,A,x\n"
    write(root / "feed", items=ITEMS + "B,cheap\n", locations=PLACES, sales_1=sales)
    mapped.ingest()
    assert counts(mapped) == {"wms": (5, 3, 0, 2)}


def test_the_quarantine_of_a_source_goes_by_its_name_or_its_system(mapped: TwinService, root: Path) -> None:
    write(root / "feed", items=ITEMS, locations=PLACES, sales_1="nr,when,sku,qty\n2,2025-03-01T10:00,A,x\n")
    mapped.ingest()
    assert mapped.quarantine(source="shop")["total"] == mapped.quarantine(source="wms")["total"] == 1
    assert mapped.quarantine(source="exchange")["total"] == 0
    with pytest.raises(NotFoundError, match="no source called 'zz'; there are: exchange, shop, wms"):
        mapped.quarantine(source="zz")


def test_two_messages_can_be_told_apart_and_a_row_that_comes_again_is_a_duplicate(root: Path) -> None:
    bad, worse = b'{"table": "items", "item_id": ""}\n', b'{"table": "itemz"}\n'
    clock = FixedClock(1_767_607_872_345_678)
    with TwinService.open(root, clock=clock) as twin:
        first, second = (twin.post_facts(lines)["findings"][0]["file"] for lines in (bad, worse))
        assert first == "facts@2026-01-05T10:11:12.345Z"
        assert second == "facts@2026-01-05T10:11:12.346Z"
        clock.advance(1_000_000)
        again = twin.post_facts(bad)
        assert (again["duplicates"], again["quarantined"]) == (1, 0)
        assert {row["file"] for row in twin.quarantine()["rows"]} == {first, second}
        assert twin.verify()["ok"]


def test_a_file_that_the_mapping_speaks_of_and_is_not_there(mapped: TwinService, root: Path) -> None:
    write(root / "feed", items=ITEMS)
    taken = mapped.ingest()
    assert (taken["delivered"], taken["accepted"], taken["quarantined"]) == (1, 1, 0)
    (finding,) = mapped.quarantine()["rows"]
    assert (finding["file"], finding["row"], finding["value"]) == ("sales_*.csv", 0, "sales_*.csv")
    assert "sources.shop.map[0]" in finding["reason"]
    assert [one["file"] for one in taken["findings"]] == ["sales_*.csv"]
    write(root / "feed", sales_1="nr,when,sku,qty\n1,2025-03-01T10:00Z,A,x\n")
    mapped.ingest()
    assert found(mapped) == [("rejected", "sales_1.csv", 2, "qty", "x")]


def test_a_finding_about_a_file_ends_with_the_fault(twin: TwinService, tmp_path: Path) -> None:
    folder = write(tmp_path / "1", items="", locations="location_id\nL1\n")
    twin.ingest(folder)
    twin.ingest(folder)
    assert [(file, column) for _, file, _, column, _ in found(twin)] == [
        ("items.csv", None), ("locations.csv", "kind"), ("locations.csv", "kind")]  # fmt: skip
    twin.ingest(write(folder, items=ITEMS))
    assert [(file, column) for _, file, _, column, _ in found(twin)] == [("locations.csv", "kind")] * 2
    assert twin.verify()["ok"]


def test_one_source_without_its_folder_does_not_keep_the_others_out(root: Path) -> None:
    (root / "twin.toml").write_text('[sources.gone]\nfolder = "nowhere"\n[sources.erp]\nfolder = "feed"\n')
    write(root / "feed", items=ITEMS)
    with TwinService.open(root) as twin:
        taken = twin.ingest()
    assert taken["accepted"] == 1
    assert [one["name"] for one in taken["ignored"]] == ["source gone"]


def test_values_are_told_and_written_as_they_came(twin: TwinService, tmp_path: Path) -> None:
    rows = "e1,2025-03-01T10:00Z,sale,A,1.5,L1,erp\ne2,2025-03-01T10:00Z,sale,A,20,L1,erp\n"
    prices = "item_id,unit_cost\nA,0\nB,0.000000001\nC,10.10\n"
    twin.ingest(write(tmp_path / "1", items=prices, locations=PLACES, movements=HEADER + rows))
    assert found(twin) == [("rejected", "movements.csv", 2, "quantity", "1.5")]
    twin.export(tmp_path / "out")
    assert '"e2","2025-03-01T10:00:00.000000Z","sale","A","20"' in (tmp_path / "out" / "movements.csv").read_text()
    costs = [line.split(",")[1] for line in (tmp_path / "out" / "items.csv").read_text().splitlines()]
    assert costs == ['"unit_cost"', '"0"', '"1E-9"', '"10.1"']


@pytest.mark.parametrize(("section", "key"), [
    ('[sources.erp]\nfoldr = "x"', "sources.erp.foldr"),
    ("[sources.erp]\nfolder = 3", "sources.erp.folder"),
    ('[sources.erp]\nencoding = "utf-99"', "sources.erp.encoding"),
    ('[sources.erp]\ntimezone = "Mars"', "sources.erp.timezone"),
    ('[[sources.erp.map]]\nfile = "a.csv"\ntable = "movments"', "sources.erp.map[0].table"),
])  # fmt: skip
def test_a_broken_source_is_told_whatever_is_asked(root: Path, section: str, key: str) -> None:
    (root / "twin.toml").write_text(section + "\n")
    with pytest.raises(ConfigError) as caught:
        TwinService.open(root)
    assert caught.value.key == key


def test_orders_alone_tell_the_time(twin: TwinService, tmp_path: Path) -> None:
    header = "order_id,line,kind,item_id,quantity,to_id,ordered_at,received_at,promised_at\n"
    line = "P,1,purchase,A,3,L1,2015-03-01T10:00Z,2015-04-01T10:00Z,2015-05-01T10:00Z\n"
    twin.ingest(write(tmp_path / "1", items=ITEMS, locations=PLACES, orders=header + line))
    assert twin.status()["as_of"] == "2015-04-01T10:00:00Z"


@pytest.mark.parametrize("second", ["base_stock", ""])
def test_a_replay_guesses_no_more_than_the_reading(twin: TwinService, tmp_path: Path, second: str) -> None:
    policies = f"item_id,location_id,policy,policy\nA,L1,min_max,{second}\n"
    twin.ingest(write(tmp_path / "1", items=ITEMS, locations=PLACES, policies=policies))
    assert twin.status()["quarantined"] == 1
    assert twin.quarantine_replay()["accepted"] == 0
    assert twin.status()["quarantined"] == 1
