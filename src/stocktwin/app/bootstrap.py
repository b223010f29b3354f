"""Makes and opens twins: folder, settings, ownership, journal, ledger."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from stocktwin.app.owner import Ownership
from stocktwin.app.settings import FILE, Settings, read_settings, write_template
from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.ports import Clock
from stocktwin.domain.rules import Rules

PROJECTION_FILE = "projection.duckdb"
FOLDERS = ("inbox", "scenarios", "exports")


def create_twin(root: Path) -> dict[str, Any]:
    """Makes a new, empty twin; UsageError when the folder already holds one."""
    if (root / FILE).exists():
        raise UsageError(f"{root} already holds a twin")
    try:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        write_template(root, root.resolve().name)
    except OSError as error:
        raise EnvironmentFault(f"cannot make {root}: {error.strerror}") from None
    return {"twin": str(root), "settings": str(root / FILE)}


def open_ledger(settings: Settings, clock: Clock, purpose: str = "command") -> Any:
    """The ledger of a twin, under the rules of its settings; ConfigError names a key of a source that is wrong.

    While another machine writes a shared journal, its rules stand.
    """
    from stocktwin.ledger.following import settle_rules
    from stocktwin.ledger.journal.stores import open_journal
    from stocktwin.ledger.ledger import Ledger

    rules = rules_of(settings)
    holder = f"process {os.getpid()} on {socket.gethostname()} (stocktwin {purpose})"
    journal = open_journal(settings.journal, settings.root, holder)
    try:
        ledger = Ledger.open(journal, settings.root / PROJECTION_FILE, clock)
        settle_rules(ledger, rules)
    except BaseException:
        journal.close()
        raise
    return ledger


def rules_of(settings: Settings) -> Rules:
    """The rules that a twin's settings declare; ConfigError names a key of a source that is wrong."""
    from stocktwin.ingest.contracts import mapping_digest, parse_source

    for name, section in settings.sources.items():
        parse_source(name, section, settings.timezone)
    return settings.rules(mapping_digest(dict(settings.sources)))


def own(root: Path, purpose: str) -> tuple[Settings, Ownership]:
    """Settings and lock of a twin that this process will work on."""
    settings = read_settings(root)
    return settings, Ownership.acquire(root, purpose)
