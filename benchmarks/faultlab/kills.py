"""Kills a twin that takes in files, messages and its inbox, at random instants and at every failpoint."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultlab import children, feed
from stocktwin.domain import failpoint

DELIVERIES = 15
"""Deliveries after which a child stops by itself."""
KILLS_PER_TWIN = 25
"""A twin that grows for long only makes each check slower."""
HEALING = ("projection.delete", "projection.create", "projection.rename", "projection.renamed")
"""Places that only a twin comes to whose projection is gone or damaged."""


@dataclass
class Tally:
    """What became of the kills."""

    kills: int = 0
    by: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    unacknowledged: int = 0
    """Deliveries that were kept, though the kill came before the acknowledgement: they are delivered again."""
    seconds: list[float] = field(default_factory=list)
    """From the start of the next process to its first answer."""


def take_in(root: Path, told: feed.Told, point: str | None, say: Callable[[str], None], plant: bool = False) -> None:
    """A child's life: opens the twin and takes in deliveries from where the sender knows them acknowledged."""
    from stocktwin.app.live import Inbox
    from stocktwin.app.usecases import TwinService

    failpoint.arm(point)
    with TwinService.open(root) as twin:
        if point and point.partition(":")[0] in ("projection.rename", "projection.renamed"):
            twin.ledger._heal(twin.ledger._projection)
        say("ready")
        if twin.ledger.head < 3:
            twin.ingest(root / "feed")
        inbox = Inbox(root / "inbox", twin.take_file, say)
        for step in range(DELIVERIES):
            turn, number = step % 3, step // 3
            if turn == 0:
                if plant:
                    say(f"ack message {told.message + number}")
                twin.post_facts(feed.lines(told.message + number))
                say(f"ack message {told.message + number}")
            elif turn == 1:
                folder = root / "feed" / f"day-{told.file + number}"
                folder.mkdir(exist_ok=True)
                (folder / "movements.csv").write_text(feed.csv("file", told.file + number))
                twin.ingest(folder)
                say(f"ack file {told.file + number}")
            else:
                path = root / "inbox" / f"movements-{told.inbox + number}.csv"
                path.write_text(feed.csv("inbox", told.inbox + number))
                inbox._take_one(path)
                if not path.exists():
                    say(f"ack inbox {told.inbox + number}")


def judge(root: Path, told: feed.Told, laws: bool) -> dict[str, Any]:
    """Opens a killed twin and says what is wrong with it."""
    from stocktwin.app.usecases import TwinService

    began = time.monotonic()
    with TwinService.open(root) as twin:
        twin.status()
        seconds = time.monotonic() - began
        wrong = feed.missing_or_double(twin, told)
        if laws:
            wrong += [f"law {law['law']}: {law['detail']}" for law in twin.verify()["laws"] if not law["ok"]]
        seen = {row.rpartition("-")[0] for row in twin.ledger.rows("movements").column("event_id").to_pylist()}
    return {"wrong": wrong, "seconds": seconds, "kept": len(seen)}


def one_kill(root: Path, told: feed.Told, chance: random.Random, number: int, plant: bool) -> tuple[str, bool]:
    """Runs a child and kills it; how, and whether it was killed before it stopped by itself."""
    places = failpoint.PLACES
    point = places[number // 2 % len(places)] if number % 2 else None
    if point == "projection.delete":
        (root / "projection.duckdb").write_bytes(b"no database" * 1000)
    elif point in HEALING or chance.random() < 0.1:
        (root / "projection.duckdb").unlink(missing_ok=True)
    armed = point and f"{point}:{1 if point in HEALING else chance.randint(1, 4)}"
    child = children.fork(lambda say: take_in(root, told, armed, say, plant))
    if point is None:
        if chance.random() < 0.8:
            child.listen(lambda said: b"ready\n" in said, children.PATIENCE_SECONDS)
        time.sleep(chance.uniform(0.0, 0.4))
    died = child.end(kill=point is None)
    told.hear(child.lines)
    errors = [line for line in child.lines if line.startswith("error")]
    if errors:
        raise RuntimeError(errors[0])
    return point or "random", died == signal.SIGKILL


def run(
    count: int, seed: int = 0, verify_every: int = 1, plant: bool = False, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Kills so many times; what was found afterwards. `plant`: a message is acknowledged before it is taken."""
    children.warm(_rehearse)
    chance, tally, number = random.Random(seed), Tally(), 0
    while tally.kills < count:
        root = Path(tempfile.mkdtemp(prefix="stocktwin-kills-", dir=children.scratch()))
        feed.prepare(root)
        told = feed.Told()
        for _ in range(KILLS_PER_TWIN):
            _kill_and_look(root, told, chance, number, tally, verify_every, plant)
            number += 1
            if tally.kills >= count:
                break
        if not tally.wrong:
            shutil.rmtree(root)
        say(f"{tally.kills} kills, {len(tally.wrong)} wrong")
    return report(tally)


def _rehearse() -> None:
    with tempfile.TemporaryDirectory() as folder:
        feed.prepare(Path(folder))
        take_in(Path(folder), feed.Told(), None, lambda _: None)
        judge(Path(folder), feed.Told(), laws=False)


def _kill_and_look(
    root: Path, told: feed.Told, chance: random.Random, number: int, tally: Tally, verify_every: int, plant: bool
) -> None:
    how, killed = one_kill(root, told, chance, number, plant)
    tally.by[how if killed else "stopped by itself"] += 1
    tally.kills += killed
    found = children.answer(lambda: judge(root, told, number % verify_every == 0))
    wrong = found.get("wrong", [str(found)])
    tally.wrong += [f"kill {number} ({how}, {root}): {what}" for what in wrong]
    acknowledged = told.file + told.message + told.inbox
    tally.unacknowledged += max(found.get("kept", 0) - acknowledged, 0)
    tally.acknowledged = max(tally.acknowledged, acknowledged)
    tally.seconds.append(found.get("seconds", 0.0))


def report(tally: Tally) -> dict[str, Any]:
    """The counts as JSON values."""
    ordered = sorted(tally.seconds)
    return {
        "kills": tally.kills,
        "by": dict(sorted(tally.by.items())),
        "wrong": tally.wrong,
        "kept_before_acknowledged": tally.unacknowledged,
        "open_seconds_median": round(ordered[len(ordered) // 2], 3) if ordered else None,
        "open_seconds_most": round(ordered[-1], 3) if ordered else None,
    }
