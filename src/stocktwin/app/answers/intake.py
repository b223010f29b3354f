"""Taking facts in: which source a folder belongs to, what was delivered, what became of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain_answer
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.errors import NotFoundError, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.tables.schema import TABLES

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
        return plain_answer(
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
        return default_source(name, twin_timezone=settings.timezone)
    return parse_source(name, dict(section), settings.timezone)


def take_folder(
    ledger: Ledger, settings: Settings, source: str, folder: Path, intake: Intake, progress: Progress
) -> None:
    """Reads a folder under a source's mapping and appends what it delivers."""
    from stocktwin.ingest.sources.files import FolderReport, read_folder

    report = FolderReport()
    spec = source_spec(settings, source)
    deliveries = read_folder(folder, spec, report=report, **_known(ledger, spec))
    intake.add(ledger.append(counted(deliveries, progress)))
    intake.files.extend(asdict(entry) for entry in report.files)
    intake.ignored.extend({"name": name, "reason": reason} for name, reason in report.ignored.items())
    intake.ignored.extend(
        {"name": name, "reason": f"{rows:,} rows that no map takes"} for name, rows in report.untaken.items() if rows
    )


def take_file(ledger: Ledger, settings: Settings, path: Path, intake: Intake) -> None:
    """Reads one file: JSON lines named after their table, or whatever a folder may hold."""
    if path.suffix == ".jsonl":
        take_lines(ledger, settings, path.read_bytes(), _table_of(path.stem), DEFAULT_SOURCE, intake, file=path.name)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".taking-") as folder:
        (Path(folder) / path.name).symlink_to(path.resolve())
        take_folder(ledger, settings, choose_source(settings, Path(folder), None), Path(folder), intake, silent)


def take_lines(
    ledger: Ledger,
    settings: Settings,
    lines: bytes | str,
    table: str | None,
    source: str,
    intake: Intake,
    file: str = "facts",
) -> None:
    """Reads JSON lines: rows of one table, or each naming its own."""
    from stocktwin.ingest.rows import read_json_lines

    if table is not None and table not in TABLES:
        raise NotFoundError("exchange table", table)
    spec = source_spec(settings, source)
    intake.add(ledger.append(read_json_lines(lines, spec, table=table, file=file, **_known(ledger, spec))))


def replay(ledger: Ledger, settings: Settings, source: str | None, intake: Intake) -> None:
    """Maps the quarantined rows of one source, or of all, again."""
    from stocktwin.ingest.replay import replay as read_again

    waiting = ledger.quarantine(source=source)
    for name in sorted(set(waiting.column("source").to_pylist())):
        spec = source_spec(settings, name)
        intake.add(ledger.append(read_again(waiting, spec, **_known(ledger, spec))))


def _table_of(stem: str) -> str | None:
    """The exchange table that a file is named after, or None (then each line must name its own)."""
    return next((name for name in TABLES if stem == name or stem.startswith((f"{name}-", f"{name}_"))), None)


def _known(ledger: Ledger, spec: SourceSpec) -> dict[str, Any]:
    """What reading a source needs to know: time zones of places, and what the source calls our things."""
    locations = ledger.current("locations")
    zones = zip(locations.column("location_id").to_pylist(), locations.column("timezone").to_pylist(), strict=True)
    names = ledger.current("crossref").to_pylist()
    return {
        "location_timezones": {place: zone for place, zone in zones if zone},
        "crossref": {
            (row["kind"], row["external_id"]): row["internal_id"] for row in names if row["system"] == spec.system
        },
    }
