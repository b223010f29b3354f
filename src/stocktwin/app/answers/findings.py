"""Findings of the anomaly rules as the world's scorer takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from stocktwin.domain.calendar import parse_instant

SYMPTOMS: Final = "record_against_"
"""Kinds of anomaly that name no cause."""
OF_BOOK: Final = "record_against_book"


def as_told(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a finding names, and when what it is about happened (`score_cases.TELLINGS` without the time of telling)."""
    facts = (piece["event_time"] for piece in found["evidence"] if piece.get("event_time"))
    return {
        "cause": None if found["kind"].startswith(SYMPTOMS) else found["kind"],
        "item_id": found["item_id"],
        "location_id": found["location_id"],
        "of_book": found["kind"] == OF_BOOK,
        "moments": sorted({parse_instant(when) for when in (found["event_time"], *facts)}),
    }
