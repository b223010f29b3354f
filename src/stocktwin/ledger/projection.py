"""The projection: a disposable DuckDB file folded from the journal. Missing, damaged, older than the code or grown on
another journal? It is deleted and folded again, by itself.

The database is locked down: no file access, no extensions, no change of settings, nothing printed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from stocktwin.domain.errors import EnvironmentFault
from stocktwin.domain.failpoint import failpoint
from stocktwin.ledger import layout
from stocktwin.ledger.healing import Unfinished
from stocktwin.ledger.journal.protocol import GENESIS
from stocktwin.ledger.live import LiveStates
from stocktwin.ledger.seen import Seen

if TYPE_CHECKING:
    import duckdb

    from stocktwin.ledger.journal.protocol import Journal

CONFIG: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "max_temp_directory_size": "64GB",
}
FULL: Final = ("No space left on device", "Out of Memory Error: failed to offload")
"""How DuckDB says that the disk is full."""
HEALED: Final = ".healed-"
"""Between the file's name and a number: a projection folded anew while the damaged one was open."""


@cache
def fold_version() -> str:
    """Digest of the code that decides what a projection holds: another version of it folds anew."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "tables" / "schema.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


class Projection:
    """One open projection. `con` is the writer's connection; readers take `cursor()` of their own."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path | None) -> None:
        self.con = con
        self.path = path
        self._home = path
        self.unfinished = False
        """Whether it is being folded anew, so that nobody may ask it yet."""
        self.live = LiveStates(path, fold_version())
        """The balances that follow from it, as dense columns."""

    @cached_property
    def seen(self) -> Seen:
        """Which keys the facts have, as far as that is worth knowing by heart."""
        return Seen(self._home, self.watermark()[2].partition(":")[2])

    @classmethod
    def open(cls, path: Path | None, journal: Journal) -> Projection:
        """Opens the file when it fits the journal and this code, else starts an empty one (in memory without path)."""
        if path is not None:
            _delete_healed(path)
        if path is not None and path.exists():
            found = _try_open(path)
            if found is not None and found.fits(journal):
                found.live.journal = journal
                return found
            if found is not None:
                found.close()
            _delete(path)
        created = cls._create(path)
        created.live.journal = journal
        return created

    @classmethod
    def _create(cls, path: Path | None) -> Projection:
        projection = cls(_connect(path), path)
        con = projection.con
        failpoint("projection.create")
        con.execute("BEGIN")
        for statement in layout.ddl():
            con.execute(statement)
        con.execute("INSERT INTO watermark VALUES (0, ?, ?, 0)", [GENESIS, f"{fold_version()}:{uuid4().hex}"])
        con.execute("COMMIT")
        return projection

    def anew(self) -> Projection:
        """An empty projection instead of this damaged one. Its file lies beside and takes the place of the damaged one
        when it is closed: readers in other threads may still hold that one open."""
        self.unfinished = True
        self.con.close()
        if self.path is None or self._home is None:
            fresh = self._create(None)
            fresh.unfinished = True
            return fresh
        _delete(self.path)
        number = int(self.path.name.rpartition(HEALED)[2]) + 1 if HEALED in self.path.name else 1
        try:
            fresh = self._create(self._home.with_name(f"{self._home.name}{HEALED}{number}"))
        except Exception as error:
            raise self.told(error) from None
        fresh._home, fresh.unfinished = self._home, True
        fresh.live = self.live.anew()
        return fresh

    def fits(self, journal: Journal) -> bool:
        """Whether what it holds was folded by this code from a beginning of this journal."""
        import duckdb

        try:
            seq, own_hash, version, _ = self.watermark()
        except (duckdb.Error, IndexError):
            return False
        if version.partition(":")[0] != fold_version():
            return False
        batch = journal.batch(seq)
        return own_hash == GENESIS if seq == 0 else batch is not None and batch.hash == own_hash

    def watermark(self) -> tuple[int, str, str, int]:
        """Last batch folded in, its hash, the version of the fold and the birth of the projection, the state hash."""
        found: tuple[int, str, str, int] = self.con.execute(
            "SELECT seq, hash, version, state FROM watermark"
        ).fetchall()[0]
        return found

    def commit(self) -> None:
        """Commits the writer's transaction."""
        failpoint("projection.commit")
        self.con.execute("COMMIT")
        failpoint("projection.committed")

    def rollback(self) -> None:
        """Takes the writer's transaction back, unless DuckDB has done so by itself."""
        import duckdb

        with suppress(duckdb.Error):
            self.con.execute("ROLLBACK")

    def told(self, error: BaseException) -> BaseException:
        """An error of the writer's, as an `EnvironmentFault` where it says that the disk is full."""
        if any(words in str(error) for words in FULL):
            return EnvironmentFault(f"cannot write the projection {self.path}: {error}; what was journalled is kept")
        return error

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of one's own, for one thread and one query at a time."""
        if self.unfinished:
            raise Unfinished
        return self.con.cursor()

    def close(self) -> None:
        """Closes the database; what is worth keeping of the key indexes is written."""
        import duckdb

        if "seen" in self.__dict__:
            with suppress(duckdb.Error):
                self.seen.keep(self.con.cursor())
        self.live.keep(self.con)
        self.con.close()
        if self.path is not None and self._home is not None and self.path != self._home and self.path.exists():
            failpoint("projection.rename")
            self.path.replace(self._home)
            failpoint("projection.renamed")
            self.path = self._home


def _connect(path: Path | None) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, Any] = {**CONFIG, "threads": str(os.cpu_count() or 1), "memory_limit": _memory_limit()}
    try:
        con = duckdb.connect(str(path) if path else ":memory:", config=config)
    except duckdb.IOException as error:
        if path is not None and not os.access(path.parent, os.W_OK):
            raise EnvironmentFault(f"cannot write the projection {path}: {error}") from None
        raise
    con.execute("SET enable_progress_bar = false")
    con.execute("SET lock_configuration = true")
    return con


def _memory_limit() -> str:
    """Half of the machine's memory, at least 512 MB: the rest of the twin lives in the other half."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        total = 4 << 30
    return f"{max(total // 2 >> 20, 512)}MB"


def _try_open(path: Path) -> Projection | None:
    """The projection in a file, or None when it cannot be opened: a damaged one is worth nothing, the journal all."""
    import duckdb

    try:
        return Projection(_connect(path), path)
    except (duckdb.Error, RuntimeError, UnicodeDecodeError):
        return None


def _delete(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)
        failpoint("projection.delete")


def _delete_healed(path: Path) -> None:
    """Removes what a killed process left behind while it healed."""
    for file in path.parent.glob(f"{path.name}{HEALED}*"):
        file.unlink(missing_ok=True)
