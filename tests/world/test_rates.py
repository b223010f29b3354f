"""Rates are named, bounded and sourced."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.world.rates import Coverage, Rates, parse_rates, rates_toml, read_rates


def test_every_rate_says_what_it_counts_and_where_it_comes_from():
    for one in fields(Rates):
        assert len(one.metadata["per"]) > 3
        assert len(one.metadata["source"]) > 10
        assert 0 <= one.default <= one.metadata["most"]


def test_the_defaults_written_down_are_the_defaults(tmp_path: Path):
    path = tmp_path / "rates.toml"
    path.write_text(rates_toml(), encoding="utf-8")
    assert read_rates(path) == Rates()
    path.write_text("theft = 1\nread_rate = 0.9\n", encoding="utf-8")
    assert (read_rates(path).theft, read_rates(path).read_rate, read_rates(path).damage) == (1.0, 0.9, Rates().damage)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"thef": 1}, "no rate is called 'thef'; did you mean 'theft'"),
        ({"theft": -0.1}, "theft must be between 0 and 50 .* not -0.1"),
        ({"receipt_late_post": 0.7}, "between 0 and 0.5 .* not 0.7"),
        ({"read_rate": "high"}, "not 'high'"),
        ({"sale_late_post": 0.5, "sale_wrong_item": 0.4, "sale_missing_post": 0.2}, r"rates sale_… add up to 1\.1"),
        ({"read_rate": True}, "not True"),
        ({"read_rate": float("nan")}, "not nan"),
    ],
)
def test_unknown_keys_and_absurd_values_are_named(raw, words):
    with pytest.raises(UsageError, match=words):
        parse_rates(raw)


def test_a_file_that_is_none_or_broken_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read the rates of .*none\.toml"):
        read_rates(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("theft = = 2", encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.toml is not TOML"):
        read_rates(tmp_path / "bad.toml")


def test_larger_firms_carry_instruments_on_a_smaller_share():
    small, national = Coverage.of(500), Coverage.of(100_000, 40)
    assert national.tagged_share < small.tagged_share
    assert national.tracked_share < small.tracked_share == 1.0
    assert national.scales_per_dc >= 1
