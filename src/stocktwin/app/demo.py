"""The demo twin: built once from the reference world, served ever after."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from stocktwin.app.settings import FILE
from stocktwin.app.worlds import build_world
from stocktwin.domain.errors import UsageError
from stocktwin.domain.ports import Progress

STAMP = ".complete"
"""Written when the demo is whole; a folder without it was interrupted and is built again."""
VERSION = "6"


def build_demo(folder: Path, *, fresh: bool, say: Callable[[str], None], progress: Progress) -> None:
    """Builds the demo twin in `folder` unless a whole one is there; replaces only what an earlier demo made."""
    from stocktwin.app.usecases import TwinService

    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == VERSION and not fresh:
        return
    if folder.exists() and any(folder.iterdir()):
        interrupted = (folder / "truth").exists() and ((folder / FILE).exists() or (folder / "feeds").exists())
        if not (stamp.exists() or interrupted):
            raise UsageError(f"{folder} is not empty and is no demo twin")
        shutil.rmtree(folder)
    say("Building the demo twin: 500 items, 4 warehouses, 3 suppliers, a year of facts …")
    build_world(folder, "small", 365, 0, progress)
    with TwinService.open(folder, purpose="demo") as service:
        taken = service.ingest(None, progress=progress)
        say(f"Took in {taken['accepted']:,} of {taken['delivered']:,} facts; proving recommendations …")
        service.recommend(top=20, progress=progress)
    stamp.write_text(VERSION, encoding="utf-8")
