"""What the ledger's health page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.ledger import journal_head
from stocktwin.app.answers.values import iso, plain_answer
from stocktwin.app.bootstrap import PROJECTION_FILE
from stocktwin.ledger.health_query import contents, held
from stocktwin.ledger.journal.stores import is_shared

if TYPE_CHECKING:
    from stocktwin.app.settings import Settings
    from stocktwin.ledger.ledger import Ledger


def health(ledger: Ledger, settings: Settings) -> dict[str, Any]:
    """Residual, state hash, head of the chain, batches and rows by source, facts held, sizes in bytes (null: not a file
    of this twin)."""
    told = [{**row, "first": iso(row["first"]), "last": iso(row["last"])} for row in contents(ledger)]
    return plain_answer(
        {
            "conservation_residual": ledger.conservation_residual,
            "state_hash": ledger.state_hash,
            "journal_head": journal_head(ledger),
            "batches": sum(row["batches"] for row in told),
            "contents": told,
            "facts": held(ledger),
            "sizes": {
                "journal": None if is_shared(settings.journal) else _size(settings.root / settings.journal),
                "projection": _size(settings.root / PROJECTION_FILE),
            },
        }
    )


def _size(path: Path) -> int | None:
    """Bytes of a database file and its log of what is to be written."""
    files = [path, *path.parent.glob(f"{path.name}[-.]wal")]
    return sum(file.stat().st_size for file in files if file.exists()) if path.exists() else None
