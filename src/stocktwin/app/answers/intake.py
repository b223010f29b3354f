"""Taking facts in: which source a folder belongs to, what was delivered, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.ports import Progress

if TYPE_CHECKING:
    from stocktwin.ingest.contracts import SourceSpec
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.batch import Delivery

FINDINGS_SHOWN = 20


@dataclass
class Intake:
    """Adds up what several folders brought."""

    delivered: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, Any]] = field(default_factory=list)

    def add(self, result: Any) -> None:
        """Adds the ledger's receipt of some deliveries."""
        self.delivered += result.delivered
        self.accepted += result.accepted
        self.duplicates += result.duplicates
        self.quarantined += result.quarantined

    def answer(self, ledger: Ledger, after: int) -> dict[str, Any]:
        """What was delivered and what became of it, with the first findings that are new since batch `after`."""
        findings = ledger.quarantine(after=after, limit=FINDINGS_SHOWN).to_pylist() if self.quarantined else []
        shown = ("source", "table", "file", "row", "line", "column", "value", "reason")
        return plain(
            {
                "delivered": self.delivered,
                "accepted": self.accepted,
                "duplicates": self.duplicates,
                "quarantined": self.quarantined,
                "files": self.files,
                "ignored": self.ignored,
                "findings": [{key: finding[key] for key in shown} for finding in findings],
            }
        )


def choose_source(settings: Settings, folder: Path, source: str | None) -> str:
    """The source that describes a folder: the one named, the one configured for it, the one whose mapping fits its
    files, else plain exchange files. UsageError when several fit."""
    if source is not None:
        if source not in settings.sources and source != DEFAULT_SOURCE:
            raise NotFoundError("source", source)
        return source
    for name in settings.sources:
        configured = settings.folder_of(name)
        if configured is not None and configured.resolve() == folder.resolve():
            return name
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    fits = [name for name, section in settings.sources.items() if _maps_any(section.get("map"), files)]
    if len(fits) > 1:
        raise UsageError(f"{folder}: the mappings of {', '.join(fits)} all fit; say which with --source")
    return fits[0] if fits else DEFAULT_SOURCE


def _maps_any(maps: object, files: Iterable[str]) -> bool:
    patterns = (
        [str(entry.get("file", "")) for entry in maps if isinstance(entry, dict)] if isinstance(maps, list) else []
    )
    return any(fnmatch(name, pattern) for name in files for pattern in patterns)


def counted(deliveries: Iterable[Delivery], progress: Progress) -> Iterator[Delivery]:
    """The same deliveries, telling how many rows have passed."""
    rows = 0
    for delivery in deliveries:
        yield delivery
        rows += delivery.facts.num_rows + delivery.rejected.num_rows
        progress(rows, 0, f"taking in {delivery.file}")


def source_spec(settings: Settings, name: str) -> SourceSpec:
    """The parsed section of a source; an empty one for plain exchange files."""
    from stocktwin.ingest.contracts import default_source, parse_source

    section = settings.sources.get(name)
    if section is None:
        return default_source(name)
    return parse_source(name, dict(section), settings.timezone)


def take_folder(
    ledger: Ledger, settings: Settings, source: str, folder: Path, intake: Intake, progress: Progress
) -> None:
    """Reads a folder under a source's mapping and appends what it delivers."""
    from stocktwin.ingest.sources.files import FolderReport, read_folder

    report = FolderReport()
    deliveries = read_folder(folder, source_spec(settings, source), report=report, **_known(ledger, settings, source))
    intake.add(ledger.append(counted(deliveries, progress)))
    intake.files.extend(report.files)
    intake.ignored.extend(report.ignored)


def _known(ledger: Ledger, settings: Settings, source: str) -> dict[str, Any]:
    """What the twin knows that reading a source needs: its places' time zones and other systems' names for things."""
    locations = ledger.current("locations")
    zones = dict(
        zip(locations.column("location_id").to_pylist(), locations.column("timezone").to_pylist(), strict=True)
    )
    names = ledger.current("crossref").to_pylist()
    return {
        "location_timezones": {place: zone for place, zone in zones.items() if zone},
        "crossref": {(row["system"], row["kind"], row["external_id"]): row["internal_id"] for row in names},
        "twin_timezone": settings.timezone,
    }
