"""Whose clock a movement's time without an offset was read from."""

from __future__ import annotations

from pathlib import Path

from stocktwin.ingest.contracts import default_source
from stocktwin.ingest.sources.files import read_folder
from stocktwin.tables.batch import Delivery


def _read(folder: Path, text: str, zones: dict[str, str]) -> Delivery:
    (folder / "movements.csv").write_text(text, encoding="utf-8")
    (one,) = read_folder(folder, default_source(), location_timezones=zones)
    return one


def test_movements_that_arrive_tell_the_time_of_their_destination(tmp_path: Path) -> None:
    ends = {"receipt": "P,T,", "transfer_in": "P,T,", "return": "P,T,", "transfer_out": "P,T,", "sale": "T,customer,"}
    ends |= {"receipt ": "P,T,receipt", "transfer_out ": "P,T,transfer_out"}
    lines = [f"{kind} 2,2026-01-01 12:00,{kind},A,1,{pair},2026-01-01 13:00" for kind, pair in ends.items()]
    text = "event_id,event_time,kind,item_id,quantity,from_id,to_id,corrects,recorded_at\n" + "\n".join(lines) + "\n"
    zones = {"T": "Asia/Tokyo", "P": "Europe/Paris"}
    one = _read(tmp_path, text, zones)
    noon = [(micros // 3_600_000_000) % 24 for micros in one.facts["event_time"].to_pylist()]
    assert noon == [3, 3, 3, 11, 3, 11, 3]
    recorded = one.facts["recorded_at"].to_pylist()
    assert [(b - a) / 3.6e9 for a, b in zip(one.facts["event_time"].to_pylist(), recorded, strict=True)] == [1.0] * 7


def test_what_waits_for_a_destination_names_the_destination(tmp_path: Path) -> None:
    text = ("event_id,event_time,kind,item_id,quantity,from_id,to_id\n"
            "a,2026-01-01 12:00,receipt,A,1,P,NEW\nb,2026-01-01 12:00,transfer_out,A,1,NEW,P\n")  # fmt: skip
    one = _read(tmp_path, text, {"P": "Europe/Paris"})
    assert [(row["column"], row["value"]) for row in one.rejected.to_pylist()] == [("to_id", "NEW"), ("from_id", "NEW")]
