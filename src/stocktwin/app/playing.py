"""Plays the feeds of a world live: database rows inserted, files dropped into an inbox, facts posted over REST.

The stage is a twin of its own in the world's folder, `live/`: it knows what was known when the film begins and hears
the rest as time passes, at any speed. How far it was played stands in a file beside it, so playing may be stopped and
goes on where it was; what is delivered twice has no effect.
"""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stocktwin.app.answers.values import iso
from stocktwin.app.bootstrap import FOLDERS
from stocktwin.domain.calendar import MICROSECONDS_PER_DAY as DAY
from stocktwin.domain.calendar import parse_instant
from stocktwin.domain.errors import EnvironmentFault, UsageError
from stocktwin.domain.ports import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa

    from stocktwin.world.play import Film, Scene

STAGE: Final = "live"
BOOKMARK: Final = "play.json"
TICK_SECONDS: Final = 0.5
POST_ROWS: Final = 5_000
POST_SECONDS: Final = 60.0
BY_FILE: Final = ("wms",)
"""Sources whose facts come as files; the ERP's are also written to its database, all others come over REST alone."""


@dataclass
class Player:
    """Delivers what becomes known; `position` is how far it has come (µs)."""

    film: Film
    stage: Path
    url: str
    position: int
    until: int
    delivered: Counter[str] = field(default_factory=Counter)

    def play(self, speed: float, clock: Callable[[], float], wait: Callable[[float], None], progress: Progress) -> None:
        """Delivers until the end of the film, or until Ctrl-C; `speed` is seconds of the world in one of ours."""
        begun, start = clock(), self.position
        while self.position < self.until:
            wait(TICK_SECONDS)
            now = min(self.until, start + int((clock() - begun) * speed * 1e6))
            self.deliver(now)
            progress(now - start, self.until - start, f"played until {iso(now)}")

    def deliver(self, now: int) -> None:
        """Delivers what became known up to `now`, then remembers it."""
        for scene in self.film.between(self.position, now):
            if scene.source in BY_FILE:
                self._drop(scene, now)
            else:
                self._post(scene)
            if scene.source == "erp":
                self._insert(scene)
            self.delivered[scene.source] += scene.rows.num_rows
        self.position = now
        _write_bookmark(self.stage, now, self.until)

    def _drop(self, scene: Scene, now: int) -> None:
        """A file in the inbox, under the name of its source; it appears whole."""
        import pyarrow.parquet as pq

        folder = self.stage / "inbox" / scene.source
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{scene.table}-{now}.parquet"
        partial = path.with_suffix(".partial")
        pq.write_table(scene.rows, partial)
        partial.replace(path)

    def _post(self, scene: Scene) -> None:
        for first in range(0, scene.rows.num_rows, POST_ROWS):
            lines = json_lines(scene.rows.slice(first, POST_ROWS))
            address = f"{self.url}api/v1/facts?table={scene.table}&source={scene.source}"
            ask(address, lines)

    def _insert(self, scene: Scene) -> None:
        from stocktwin.world.erp_database import TABLES, insert_rows
        from stocktwin.world.play import ERP_DATABASE

        path = self.stage / ERP_DATABASE
        if path.exists() and any(table.feed == scene.table for table in TABLES):
            with sqlite3.connect(path) as con:
                insert_rows(con, scene.table, _columns(scene.rows))
            con.close()


def play_world(
    folder: Path,
    *,
    speed: float,
    since: str | None,
    days: int | None,
    url: str,
    say: Callable[[str], None],
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Plays `days` days of a world's feeds from `since` (default: its last 7 days), onto the twin in `folder/live`.

    That is made, and filled with what was known before, on the first call. UsageError where the dates are not in the
    film, EnvironmentFault where no server answers at `url`.
    """
    from stocktwin.world.play import Film

    film = Film(folder)
    stage = folder / STAGE
    position, until = _span(film, stage, since, days)
    if not (stage / BOOKMARK).exists():
        _set_stage(film, stage, position, until, say, progress)
    try:
        _check_server(url, stage)
    except EnvironmentFault as error:
        raise EnvironmentFault(f"{error}; start one with `stocktwin --twin {stage} serve`, then play again") from None
    player = Player(film, stage, url, position, until)
    stopped = False
    try:
        player.play(speed, clock, wait, progress)
    except KeyboardInterrupt:
        stopped = True
    return {
        "twin": str(stage),
        "played_until": iso(player.position),
        "ends": iso(until),
        "stopped": stopped,
        "rows": dict(sorted(player.delivered.items())),
    }


def _span(film: Film, stage: Path, since: str | None, days: int | None) -> tuple[int, int]:
    """Where to begin and to end: at the bookmark where there is one."""
    path = stage / BOOKMARK
    if path.exists():
        if since is not None:
            raise UsageError(f"{stage} was begun already and goes on where it was; remove it to play from {since}")
        kept = json.loads(path.read_text(encoding="utf-8"))
        begin, end = parse_instant(kept["position"]), parse_instant(kept["until"])
        if days is None:
            return begin, end if begin < end else film.last
        return begin, min(film.last, begin + days * DAY)
    try:
        begin = film.last - 7 * DAY if since is None else parse_instant(since)
    except ValueError as error:
        raise UsageError(f"--from: {error}") from None
    if not film.first <= begin < film.last:
        raise UsageError(f"--from: the film runs from {iso(film.first)} to {iso(film.last)}, not at {since}")
    return begin, film.last if days is None else min(film.last, begin + days * DAY)


def _set_stage(
    film: Film, stage: Path, position: int, until: int, say: Callable[[str], None], progress: Progress
) -> None:
    """The twin at the moment at which the film begins."""
    from stocktwin.app.usecases import TwinService

    say(f"Setting the stage in {stage}: what was known on {iso(position)} …")
    film.write_until(stage, position)
    for name in FOLDERS:
        (stage / name).mkdir(parents=True, exist_ok=True)
    _make_database(film, stage, position)
    with TwinService.open(stage, purpose="play") as twin:
        twin.ingest(None, progress=progress)
    _write_bookmark(stage, position, until)


def _make_database(film: Film, stage: Path, position: int) -> None:
    """The ERP's database as it stood then, from the same rows."""
    from stocktwin.world.erp_database import write_sqlite
    from stocktwin.world.play import ERP_DATABASE

    feeds: dict[str, list[dict[str, pa.Array]]] = {}
    told = [(scene.table, scene.rows) for scene in film.between(film.first - 1, position) if scene.source == "erp"]
    for table, rows in (*film.masters("erp"), *told):
        feeds.setdefault(table, []).append(_columns(rows))
    write_sqlite(stage / ERP_DATABASE, feeds)


def _columns(rows: pa.Table) -> dict[str, pa.Array]:
    return {name: rows.column(name).combine_chunks() for name in rows.column_names}


def _write_bookmark(stage: Path, position: int, until: int) -> None:
    path = stage / BOOKMARK
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"position": iso(position), "until": iso(until)}) + "\n", encoding="utf-8")
    partial.replace(path)


def _check_server(url: str, stage: Path) -> None:
    """Whether the server of this very twin answers."""
    from stocktwin.app.owner import connect

    ask(f"{url}api/v1/status")
    owner = connect(stage)
    if owner is None:
        raise EnvironmentFault(f"the server at {url} serves another twin than {stage}")
    owner.close()


def ask(address: str, lines: bytes | None = None) -> dict[str, Any]:
    """A REST answer; EnvironmentFault where there is none."""
    request = urllib.request.Request(address, lines, {"content-type": "application/x-ndjson"})
    try:
        with urllib.request.urlopen(request, timeout=POST_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise EnvironmentFault(f"{address} answered {error.code}: {error.read()[:300]!r}") from None
    except OSError as error:
        raise EnvironmentFault(f"no server answers at {address}: {getattr(error, 'reason', error)}") from None


def json_lines(rows: pa.Table) -> bytes:
    """Rows as JSON lines, exact: decimals and times as texts, nothing for what is not there."""
    lines = [
        json.dumps({name: _plain(value) for name, value in row.items() if value is not None}, ensure_ascii=False)
        for row in rows.to_pylist()
    ]
    return ("\n".join(lines) + "\n").encode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) or hasattr(value, "isoformat") else value
