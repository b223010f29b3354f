"""The names that users import: explicit, sorted, there, and documented."""

from __future__ import annotations

import stocktwin


def test_the_public_names_are_listed_in_order() -> None:
    assert list(stocktwin.__all__) == sorted(stocktwin.__all__)
    assert {"Twin", "__version__"} <= set(stocktwin.__all__)


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in stocktwin.__all__:
        value = getattr(stocktwin, name)
        assert value is not None
        assert isinstance(value, str) or (value.__doc__ or "").strip(), name
