"""Taking facts in: which source a folder belongs to, what was delivered, what became of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain_answer
from stocktwin.app.settings import DEFAULT_SOURCE, Settings
from stocktwin.domain.calendar import from_micros
from stocktwin.domain.errors import NotFoundError, StocktwinError, UsageError
from stocktwin.domain.ports import Progress, silent
from stocktwin.tables.batch import MESSAGE, endpoint
from stocktwin.tables.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.ingest.contracts import SourceSpec
    from stocktwin.ledger.ledger import Ledger
    from stocktwin.tables.batch import Delivery

FINDINGS_SHOWN = 20
NAMING_TABLES = ("locations", "crossref")
"""Tables whose rows may tell what a local time at an unknown location means."""


@dataclass
class Intake:
    """Adds up what several folders brought."""

    delivered: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, Any]] = field(default_factory=list)
    names: bool = False
    """Whether master data came that may name what quarantined rows wait for."""
    read: set[tuple[str, str, str]] = field(default_factory=set)
    """(source, table, file) of what was delivered."""
    faults: set[tuple[str, str, str, str]] = field(default_factory=set)
    """(source, table, file, reason) of what was wrong with whole files."""

    def add(self, result: Any) -> None:
        """Adds the ledger's receipt of some deliveries."""
        self.delivered += result.delivered
        self.accepted += result.accepted
        self.duplicates += result.duplicates
        self.quarantined += result.quarantined

    def answer(self, ledger: Ledger, after: int, until: int | None = None) -> dict[str, Any]:
        """What was delivered and what became of it, with the first findings of the batches from `after` to `until`."""
        from stocktwin.ledger.journal.blob import POSITIONS

        findings = [] if until == after else ledger.quarantine(after=after, limit=FINDINGS_SHOWN).to_pylist()
        if until is not None:
            findings = [one for one in findings if one["quarantine_id"] < (until + 1) * POSITIONS]
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


def noted(deliveries: Iterable[Delivery], intake: Intake) -> Iterator[Delivery]:
    """The same deliveries; remembers what they were, for what waits or was wrong before."""
    for delivery in deliveries:
        intake.names = intake.names or (delivery.table in NAMING_TABLES and delivery.facts.num_rows > 0)
        told = (delivery.source, delivery.table, endpoint(delivery.file))
        intake.read.add(told)
        rows, reasons = (delivery.rejected.column(name).to_pylist() for name in ("row", "reason"))
        intake.faults |= {(*told, reason) for row, reason in zip(rows, reasons, strict=True) if row == 0}
        yield delivery


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


def take_folders(
    ledger: Ledger, settings: Settings, folders: Sequence[tuple[str, Path]], intake: Intake, progress: Progress
) -> None:
    """Takes in the folders of several sources. One that cannot be read is reported and the others are taken; where
    none can be read, the first error is raised."""
    errors: list[StocktwinError] = []
    for source, folder in folders:
        try:
            take_folder(ledger, settings, source, folder, intake, progress)
        except (NotFoundError, UsageError) as error:
            errors.append(error)
            intake.ignored.append({"name": f"source {source}", "reason": str(error)})
    if errors and len(errors) == len(folders):
        raise errors[0]


def take_folder(
    ledger: Ledger,
    settings: Settings,
    source: str,
    folder: Path,
    intake: Intake,
    progress: Progress,
    *,
    whole: bool = True,
) -> None:
    """Reads a folder under a source's mapping and appends what it delivers; `whole` as in `read_folder`."""
    from stocktwin.ingest.sources.files import FolderReport, read_folder

    report = FolderReport()
    spec = source_spec(settings, source)
    deliveries = read_folder(folder, spec, report=report, whole=whole, **known_names(ledger, spec))
    intake.add(ledger.append(counted(noted(deliveries, intake), progress)))
    intake.files.extend(asdict(entry) for entry in report.files)
    intake.ignored.extend({"name": name, "reason": reason} for name, reason in report.ignored.items())
    intake.ignored.extend(
        {"name": name, "reason": f"{rows:,} rows that no map takes"} for name, rows in report.untaken.items() if rows
    )


def take_file(ledger: Ledger, settings: Settings, path: Path, intake: Intake) -> None:
    """Reads one file of the inbox: JSON lines named after their table, or whatever a folder may hold. A file in a
    folder named after a source is that source's."""
    named = path.parent.name if path.parent.name in settings.sources else None
    if path.suffix == ".jsonl":
        lines, table = path.read_bytes(), _table_of(path.stem)
        take_lines(ledger, settings, lines, table, named or DEFAULT_SOURCE, intake, file=path.name)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".taking-") as folder:
        (Path(folder) / path.name).symlink_to(path.resolve())
        source = choose_source(settings, Path(folder), named)
        take_folder(ledger, settings, source, Path(folder), intake, silent, whole=False)


def message_name(micros: int) -> str:
    """The name under which the rows of a message are kept, by the time it came.

    >>> message_name(1_767_607_872_345_000)
    'facts@2026-01-05T10:11:12.345Z'
    """
    return MESSAGE + from_micros(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def take_lines(
    ledger: Ledger,
    settings: Settings,
    lines: bytes | str,
    table: str | None,
    source: str,
    intake: Intake,
    file: str,
) -> None:
    """Reads JSON lines: rows of one table, or each naming its own. NotFoundError names an unknown table or source."""
    from stocktwin.ingest.rows import read_json_lines

    spec = spec_of_lines(settings, source, table)
    deliveries = read_json_lines(lines, spec, table=table, file=file, **known_names(ledger, spec))
    intake.add(ledger.append(noted(deliveries, intake)))


def spec_of_lines(settings: Settings, source: str, table: str | None) -> SourceSpec:
    """The section of the source of some JSON lines; NotFoundError names an unknown table or source."""
    if source not in settings.sources and source != DEFAULT_SOURCE:
        raise NotFoundError("source", source)
    if table is not None and table not in TABLES:
        raise NotFoundError("exchange table", table)
    return source_spec(settings, source)


def replay(ledger: Ledger, settings: Settings, source: str | None, intake: Intake) -> None:
    """Maps the quarantined rows of one source, or of all, again."""
    _again(ledger, settings, ledger.quarantine(source=source), intake)


def settle_waiting(ledger: Ledger, settings: Settings, intake: Intake) -> None:
    """Reads rows again that wait for a location to tell their local time, once locations came."""
    import pyarrow.compute as pc

    if not intake.names:
        return
    waiting = ledger.quarantine()
    mine = pc.and_(pc.equal(waiting.column("state"), "parked"), pc.invert(waiting.column("canonical")))
    _again(ledger, settings, waiting.filter(mine), intake)


def settle_files(ledger: Ledger, intake: Intake) -> None:
    """Findings about a whole file (missing, empty, a wrong header) are settled once it comes without that fault."""
    from stocktwin.tables.batch import REJECTED_SCHEMA, Delivery

    for finding in ledger.quarantine(files=True).to_pylist() if intake.read else ():
        source, table, file = told = (finding["source"], finding["table"], endpoint(finding["file"]))
        came = any(one[:2] == (source, table) and fnmatch(one[2], file) for one in intake.read)
        if came and (*told, finding["reason"]) not in intake.faults:
            facts, settled = TABLES[table].arrow_schema().empty_table(), (finding["quarantine_id"],)
            ledger.append([Delivery(source, table, file, facts, REJECTED_SCHEMA.empty_table(), replays=settled)])


def _again(ledger: Ledger, settings: Settings, waiting: pa.Table, intake: Intake) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from stocktwin.app.answers.quarantine import decided
    from stocktwin.ingest.replay import replay as read_again

    gone = pa.array(list(decided(ledger)), pa.int64())
    waiting = waiting.filter(pc.invert(pc.is_in(waiting.column("quarantine_id"), gone)))
    for name in sorted(set(waiting.column("source").to_pylist())):
        spec = source_spec(settings, name)
        intake.add(ledger.append(read_again(waiting, spec, **known_names(ledger, spec))))


def _table_of(stem: str) -> str | None:
    """The exchange table that a file is named after, or None (then each line must name its own)."""
    return next((name for name in TABLES if stem == name or stem.startswith((f"{name}-", f"{name}_"))), None)


def known_names(ledger: Ledger, spec: SourceSpec) -> dict[str, Any]:
    """What reading a source needs to know: time zones of places, and what the source calls our things."""
    locations = ledger.current("locations")
    zones = zip(locations.column("location_id").to_pylist(), locations.column("timezone").to_pylist(), strict=True)
    names = ledger.current("crossref").to_pylist()
    return {
        "location_timezones": {place: zone or "" for place, zone in zones},
        "crossref": {
            (row["kind"], row["external_id"]): row["internal_id"] for row in names if row["system"] == spec.system
        },
    }
