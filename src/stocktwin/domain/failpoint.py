"""Places where a test may kill the process, to prove that no instruction is a bad one to die at.

`STOCKTWIN_FAILPOINT=journal.commit:3` kills this process (SIGKILL) the third time it comes to `journal.commit`. Read
once, when this module is imported; without it a place costs the call of an empty function.
"""

from __future__ import annotations

import os
import signal
from typing import Final

VARIABLE: Final = "STOCKTWIN_FAILPOINT"
PLACES: Final = (
    "journal.begin",
    "journal.commit",
    "journal.committed",
    "projection.delete",
    "projection.create",
    "projection.commit",
    "projection.committed",
    "projection.rename",
    "projection.renamed",
    "acknowledge",
    "inbox.taken",
    "inbox.moved",
)
"""Every place, roughly in the order in which a delivery comes to them."""

_armed: tuple[str, int] | None = None
"""The place to die at, and how many more times it is passed before."""


def arm(text: str | None) -> None:
    """Sets the place to die at, as `PLACE` or `PLACE:N`; None for nowhere. ValueError names what is no place.

    >>> arm(None); failpoint("journal.commit")
    >>> arm("nowhere:2")
    Traceback (most recent call last):
    ...
    ValueError: STOCKTWIN_FAILPOINT: no place is called 'nowhere'
    """
    global _armed  # noqa: PLW0603  one place per process is the point of it
    if not text:
        _armed = None
        return
    place, _, count = text.partition(":")
    if place not in PLACES:
        raise ValueError(f"{VARIABLE}: no place is called {place!r}")
    _armed = place, int(count or 1)


def failpoint(place: str) -> None:
    """Kills the process if it was armed for this place and has passed it often enough."""
    if _armed is not None:
        _pass(place)


def _pass(place: str) -> None:
    global _armed  # noqa: PLW0603
    assert _armed is not None
    wanted, left = _armed
    if place == wanted:
        _armed = wanted, left - 1
        if left <= 1:
            os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE))
