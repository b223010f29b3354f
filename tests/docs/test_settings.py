"""docs/settings.md: its examples are valid settings, and every key stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from stocktwin.app.settings import TOP_KEYS, parse_settings

TOML = re.compile(r"^```toml\n(.*?)^```", re.M | re.S)


def test_the_examples_are_valid_and_every_key_is_documented(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    examples = TOML.findall(page)
    assert examples
    for example in examples:
        parse_settings(tmp_path, tomllib.loads(example))
    assert [key for key in TOP_KEYS if f"`{key}`" not in page and f"`{key}." not in page] == []
