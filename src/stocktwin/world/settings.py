"""All that a world follows from. The same settings give the same world, so a world is kept as its settings:
`truth/state` holds them, and whoever wants to go on, or back to an earlier day, lives it again."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.world.decisions import Decision
from stocktwin.world.profile import Profile, profile_named
from stocktwin.world.rates import Rates, parse_rates, read_rates
from stocktwin.world.script import Script, load_events, parse_events

MAX_DAYS: Final = 3650
FILE: Final = Path("truth") / "state" / "world.json"


@dataclass(frozen=True)
class Settings:
    """One world. Rates and events are kept as the texts of their files."""

    profile: str = "small"
    days: int = 365
    seed: int = 0
    rates_toml: str = ""
    events_toml: str = ""
    decisions: tuple[Decision, ...] = ()
    balances_every: int = 0
    """Days between two entries of the true balances; 0: as usual for the profile."""

    @classmethod
    def of(cls, profile: str, days: int, seed: int, rates: Path | None = None, events: Path | None = None) -> Settings:
        """Settings with rates and events from files; UsageError or one of its kind names what is wrong with them."""
        for path, check in ((rates, read_rates), (events, load_events)):
            if path is not None:
                check(path)
        rates_toml, events_toml = (path.read_text(encoding="utf-8-sig") if path else "" for path in (rates, events))
        return cls(profile, days, seed, rates_toml, events_toml).checked()

    def checked(self) -> Settings:
        """These settings; UsageError where the profile is unknown or the number of days out of range."""
        profile_named(self.profile)
        if not 1 <= self.days <= MAX_DAYS:
            raise UsageError(f"a world lives between 1 and {MAX_DAYS} days, not {self.days}")
        if not 0 <= self.balances_every <= MAX_DAYS:
            raise UsageError(f"balances are stated every 1 to {MAX_DAYS} days, not every {self.balances_every}")
        return self

    @cached_property
    def size(self) -> Profile:
        """Its profile."""
        return profile_named(self.profile)

    @property
    def stated_every(self) -> int:
        """Days between two entries of the true balances."""
        return self.balances_every or self.size.balances_every

    @cached_property
    def rates(self) -> Rates:
        """How often things go wrong."""
        return parse_rates(tomllib.loads(self.rates_toml))

    @cached_property
    def script(self) -> Script:
        """What is scripted."""
        return parse_events(tomllib.loads(self.events_toml))

    def save(self, folder: Path) -> None:
        """Writes them into a world's folder."""
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """The settings of the world in a folder; NotFoundError where there is none."""
        path = folder / FILE
        if not path.is_file():
            raise NotFoundError("world", str(folder))
        raw = json.loads(path.read_text(encoding="utf-8"))
        decisions = tuple(Decision(**row) for row in raw.pop("decisions"))
        return cls(**raw, decisions=decisions).checked()
