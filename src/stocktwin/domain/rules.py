"""The part of `twin.toml` that decides what facts mean. It is itself a fact: each change is journalled, and a question
about what was known on day D is answered under D's rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

ISSUE_RULES = ("fefo", "fifo", "as_told")
"""First expired, first out; first in, first out; as it was told, without a lot."""


@dataclass(frozen=True)
class Rules:
    """Whose word counts, where local days end, how accounts open.

    >>> Rules.from_json(Rules(authority={"receipt": "wms"}).to_json()).system_of("receipt", "DC-1", ("erp", "wms"))
    'wms'
    """

    timezone: str = "UTC"
    """Of local days, where a location has none of its own."""
    authority: Mapping[str, str] = field(default_factory=dict)
    """Movement kind (or `default`) → the system whose word is the record."""
    authority_by_location: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Location id → the same, for that location."""
    opening: Mapping[str, str] = field(default_factory=dict)
    """Source → `zero` (accounts start empty, the default) or `snapshot`."""
    mapping_digest: str = ""
    """Digest of the column mappings in force, so that the journal says under which mapping a batch was read."""
    issue: str = "fefo"
    """Which lots an issue that names none is taken to have drawn: one of `ISSUE_RULES`."""
    issue_by_location: Mapping[str, str] = field(default_factory=dict)
    issue_by_category: Mapping[str, str] = field(default_factory=dict)
    """Item category → the same, where the location declares nothing."""

    def system_of(self, kind: str, location_id: str, reporting: tuple[str, ...]) -> str | None:
        """The system whose facts of `kind` at `location_id` are the record.

        Declared per location, else per kind, else `default`; undeclared, the only system that reports the kind; where
        several do, the first in alphabetical order (`status` warns: adding them would count twice).
        """
        local = self.authority_by_location.get(location_id, {})
        declared = local.get(kind) or local.get("default") or self.authority.get(kind) or self.authority.get("default")
        return declared or (min(reporting) if reporting else None)

    def issue_of(self, location_id: str, category: str | None) -> str:
        """The rule by which an issue at a location draws lots of an item of a category.

        >>> Rules(issue_by_location={"DC-2": "fifo"}).issue_of("DC-2", None), Rules().issue_of("DC-1", "frozen")
        ('fifo', 'fefo')
        """
        return self.issue_by_location.get(location_id) or self.issue_by_category.get(category or "") or self.issue

    def to_json(self) -> str:
        """Canonical JSON: the same rules give the same text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Rules:
        """The rules of `to_json`."""
        return cls(**json.loads(text))
