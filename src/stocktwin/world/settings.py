"""All that a world follows from. The same settings give the same world, so a world is kept as its settings:
`truth/state` holds them, and whoever wants to go on, or back to an earlier day, lives it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.world.profile import Profile, profile_named

MAX_DAYS: Final = 3650
STATE: Final = Path("truth") / "state"
FILE: Final = STATE / "world.json"


@dataclass(frozen=True)
class Settings:
    """One world."""

    profile: str = "small"
    days: int = 365
    seed: int = 0

    def checked(self) -> Settings:
        """These settings; UsageError where the profile is unknown or the number of days out of range."""
        profile_named(self.profile)
        if not 1 <= self.days <= MAX_DAYS:
            raise UsageError(f"a world lives between 1 and {MAX_DAYS} days, not {self.days}")
        return self

    @cached_property
    def size(self) -> Profile:
        """Its profile."""
        return profile_named(self.profile)

    def save(self, folder: Path) -> None:
        """Writes them into a world's folder."""
        (folder / STATE).mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """The settings of the world in a folder; NotFoundError where there is none."""
        if not (folder / FILE).is_file():
            raise NotFoundError("world", str(folder))
        return cls(**json.loads((folder / FILE).read_text(encoding="utf-8"))).checked()
