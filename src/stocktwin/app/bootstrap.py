"""Makes and opens twins: folder, settings, ownership, journal, ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stocktwin.app.owner import Ownership
from stocktwin.app.settings import FILE, Settings, read_settings, write_template
from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.ports import Clock

JOURNAL_FILE = "journal.sqlite"
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


def open_ledger(settings: Settings, clock: Clock) -> Any:
    """The ledger of a twin, under the rules of its settings; ConfigError names a key of a source that is wrong."""
    from stocktwin.ingest.contracts import mapping_digest, parse_source
    from stocktwin.ledger.journal.sqlite import SqliteJournal
    from stocktwin.ledger.ledger import Ledger

    for name, section in settings.sources.items():
        parse_source(name, section, settings.timezone)
    journal = SqliteJournal(settings.root / JOURNAL_FILE)
    ledger = Ledger.open(journal, settings.root / PROJECTION_FILE, clock)
    ledger.configure(settings.rules(mapping_digest(dict(settings.sources))))
    return ledger


def own(root: Path, purpose: str) -> tuple[Settings, Ownership]:
    """Settings and lock of a twin that this process will work on."""
    settings = read_settings(root)
    return settings, Ownership.acquire(root, purpose)
