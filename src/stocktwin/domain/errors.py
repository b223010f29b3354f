"""One exception tree. Bad data never raises: it becomes a finding. These are for bad use and a bad environment.

StocktwinError                 exit code
├── UsageError                 2   the caller asked for something wrong; the message names the offending value
│   ├── ConfigError            2   twin.toml: names the key
│   ├── ScenarioError          2   a scenario file: names the key
│   └── NotFoundError          2   an item, location, recommendation … that is not there
├── CheckFailed                1   a check that was asked for (verify) found a broken law
├── JournalDamaged             1   the authority itself is broken; names the batch
└── EnvironmentFault           3   the machine: a missing file permission, a port in use
    └── BusyError              3   another process owns the twin; names it
"""

from __future__ import annotations


class StocktwinError(Exception):
    """Base of every error Stocktwin raises on purpose. `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(StocktwinError):
    """The caller asked for something wrong; the message names the offending value."""

    exit_code = 2


class ConfigError(UsageError):
    """`twin.toml` is wrong at `key`.

    >>> str(ConfigError("authority.receipt", "no source is called 'wsm'"))
    "twin.toml: authority.receipt: no source is called 'wsm'"
    """

    def __init__(self, key: str, reason: str, file: str = "twin.toml") -> None:
        super().__init__(f"{file}: {key}: {reason}")
        self.key = key
        self.reason = reason


class ScenarioError(UsageError):
    """A scenario is wrong at `key`."""

    def __init__(self, scenario: str, key: str, reason: str) -> None:
        super().__init__(f"scenario {scenario}: {key}: {reason}")
        self.key = key


class NotFoundError(UsageError):
    """Nothing of that name is known to the twin."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} called {name!r}")
        self.kind = kind
        self.name = name


class CheckFailed(StocktwinError):
    """A check that was asked for found something broken."""


class JournalDamaged(StocktwinError):
    """The journal, the only authority, does not hold together; the message names the batch."""

    def __str__(self) -> str:
        return f"{super().__str__()}; put a backup back (`stocktwin journal restore`)"


class EnvironmentFault(StocktwinError):
    """The machine does not allow it: permissions, ports, disk."""

    exit_code = 3


class BusyError(EnvironmentFault):
    """Another process owns the twin."""
