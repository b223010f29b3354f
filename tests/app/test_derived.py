"""What is derived is kept for the state and the code it was derived by, and for nothing else."""

from pathlib import Path

import numpy as np
import pytest

from stocktwin.analytics.leadtime import LeadTimeModel
from stocktwin.app import derived
from stocktwin.app.derived import Derived, as_record, from_record
from stocktwin.app.settings import Settings

MODEL = LeadTimeModel(
    (("S", "D1", "sea"),), np.full((1, 512), 3, np.int32), np.array([3.0]), ("lane",), np.array([12], np.int64)
)


@pytest.fixture
def kept(tmp_path: Path) -> Derived:
    """A folder that keeps the lead times of state `one`."""
    found = Derived(Settings(tmp_path, "T"))
    found.write("lead_times", "one", as_record(MODEL))
    return found


def test_what_was_kept_comes_back_whole(kept: Derived) -> None:
    record = kept.read("lead_times", "one")
    assert record is not None
    model = from_record(LeadTimeModel, record)
    assert (model.keys, model.basis) == (MODEL.keys, MODEL.basis)
    assert model.index("S", "D1", "sea") == 0
    for name in ("table", "mean_days", "count"):
        column = getattr(model, name)
        assert column.dtype == getattr(MODEL, name).dtype
        assert np.array_equal(column, getattr(MODEL, name))


def test_of_another_state_or_other_code_nothing_is_kept(kept: Derived, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.read("lead_times", "two") is None
    assert kept.read("forecast", "one") is None
    monkeypatch.setattr(derived, "code_version", lambda: "another")
    assert kept.read("lead_times", "one") is None


@pytest.mark.parametrize("at", [0, 0.3, 0.6, 0.99])
def test_a_damaged_file_is_as_good_as_none(kept: Derived, tmp_path: Path, at: float) -> None:
    file = tmp_path / "derived" / "lead_times.npz"
    whole = file.read_bytes()
    place = int(at * len(whole))
    file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    read = kept.read("lead_times", "one")
    assert read is None or from_record(LeadTimeModel, read).table.tolist() == MODEL.table.tolist()
    file.write_bytes(whole[:place])
    assert kept.read("lead_times", "one") is None


def test_what_cannot_be_kept_is_no_failure(kept: Derived, tmp_path: Path) -> None:
    kept.write("odd", "one", {"thing": object()})
    assert kept.read("odd", "one") is None
    Derived(None).write("odd", "one", {})
    assert Derived(None).read("odd", "one") is None
    assert [path.name for path in (tmp_path / "derived").iterdir()] == ["lead_times.npz"]
