"""twin.toml: every key checked, and the message names the key."""

from pathlib import Path

import pytest

from stocktwin.app.settings import parse_settings, read_settings, write_template
from stocktwin.domain.errors import ConfigError, UsageError


def test_a_new_twins_settings_are_read_back(tmp_path: Path) -> None:
    write_template(tmp_path, 'the "shop"')
    settings = read_settings(tmp_path)
    assert (settings.name, settings.currency, settings.timezone, settings.holding_rate) == (
        'the "shop"', "USD", "UTC", 0.2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "key", "said"),
    [
        ({"curency": "USD"}, "curency", "did you mean 'currency'"),
        ({"holding_rate": "much"}, "holding_rate", "'much'"),
        ({"holding_rate": -1}, "holding_rate", "-1"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Mars/Olympus"),
        ({"name": 3}, "name", "3"),
        ({"authority": "erp"}, "authority", "'erp'"),
        ({"authority": {"reciept": "wms"}}, "authority.reciept", "did you mean 'receipt'"),
        ({"authority": {"receipt": 7}}, "authority.receipt", "7"),
        ({"lots": {"isue": "fifo"}}, "lots.isue", "did you mean 'issue'"),
        ({"lots": {"issue": "lifo"}}, "lots.issue", "'lifo'"),
        ({"lots": {"locations": {"DC": 3}}}, "lots.locations.DC", "3"),
        ({"authority": {"locations": {"DC": {"sail": "erp"}}}}, "authority.locations.DC.sail", "did you mean 'sale'"),
        ({"sources": {"erp": 1}}, "sources.erp", "1"),
        ({"sources": {"erp": {"opening": "guess"}}}, "sources.erp.opening", "'guess'"),
    ],
)
def test_a_broken_key_is_named(raw: dict[str, object], key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(Path("shop"), raw)
    assert caught.value.key == key
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_broken_toml_says_where(tmp_path: Path) -> None:
    (tmp_path / "twin.toml").write_text("name = \n")
    with pytest.raises(ConfigError, match="line 1"):
        read_settings(tmp_path)


def test_a_folder_without_a_twin_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no twin in .*shop: .*stocktwin new FOLDER"):
        read_settings(tmp_path / "shop")


def test_rules_carry_authority_and_openings() -> None:
    raw = {
        "timezone": "Europe/London",
        "authority": {"default": "erp", "receipt": "wms", "locations": {"DC-1": {"receipt": "erp"}}},
        "sources": {"erp": {"opening": "snapshot"}, "wms": {}},
    }
    rules = parse_settings(Path("shop"), raw).rules("digest")
    assert rules.system_of("receipt", "DC-2", ("erp", "wms")) == "wms"
    assert rules.system_of("receipt", "DC-1", ("erp", "wms")) == "erp"
    assert rules.system_of("sale", "DC-1", ("erp", "wms")) == "erp"
    assert rules.opening == {"erp": "snapshot"}


def test_rules_of_issue_become_part_of_the_rules(tmp_path: Path) -> None:
    raw = {"lots": {"issue": "fifo", "locations": {"DC-2": "as_told"}, "categories": {"frozen": "fefo"}}}
    rules = parse_settings(tmp_path, raw).rules("")
    asked = [("DC-1", None), ("DC-2", "frozen"), ("DC-1", "frozen")]
    assert [rules.issue_of(*pair) for pair in asked] == ["fifo", "as_told", "fefo"]
    assert parse_settings(tmp_path, {}).rules("").issue_of("DC-1", None) == "fefo"
