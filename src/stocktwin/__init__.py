"""Stocktwin: an open inventory digital twin.

`from stocktwin import Twin` opens one from Python; `stocktwin --help` is the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stocktwin.app.twin import Answer as Answer
    from stocktwin.app.twin import Twin as Twin

__all__ = ["Answer", "Twin", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Twin` and `Answer` are fetched when first used, so that importing a layer does not import `app`."""
    if name in ("Answer", "Twin"):
        from stocktwin.app import twin

        return getattr(twin, name)
    raise AttributeError(f"module 'stocktwin' has no attribute {name!r}")
