"""One run of the command line: which twin, who answers, where the answer goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.forward import Output
from stocktwin.domain.ports import Progress

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

Answer = Mapping[str, Any]
Serve = Callable[["TwinService", str, int, Callable[[str], None]], None]


@dataclass
class Session:
    """What a command needs. `service` is set when the owner of the twin runs the command for somebody else."""

    root: Path
    cwd: Path
    json: bool
    output: Output
    service: TwinService | None = None
    serve: Serve | None = None
    purpose: str = "command"
    """What others are told who wait for the twin."""
    _busy: bool = False
    """Whether a progress line stands on the terminal."""
    _opened: TwinService | None = field(default=None, repr=False)

    @property
    def twin(self) -> TwinService:
        """The twin's service; opened, and its lock taken, when first asked for."""
        if self.service is None:
            from stocktwin.app.usecases import TwinService

            self.service = self._opened = TwinService.open(self.root, purpose=self.purpose)
        return self.service

    def close(self) -> None:
        """Closes the twin if this session opened it."""
        if self._opened is not None:
            self._opened.close()
            self._opened = self.service = None

    def path(self, given: str) -> Path:
        """A path as the caller meant it: relative to the caller's folder."""
        return self.cwd / given

    def show(self, answer: Answer, text: Callable[[Answer], str]) -> None:
        """Writes an answer: one JSON document with `--json`, else as `text` renders it."""
        self._wipe()
        if self.json:
            self.output.out(json.dumps(answer, ensure_ascii=False, allow_nan=False, default=str) + "\n")
        else:
            self.output.out(text(answer).rstrip("\n") + "\n")

    def note(self, text: str) -> None:
        """A remark for people; never part of the answer."""
        self._wipe()
        self.output.err(text + "\n")

    def progress(self) -> Progress:
        """A progress report: one line of the terminal, five times a second, once the work has taken two seconds. What
        is left is reckoned from the pace since so much work was first reported, not from what went before it."""
        began = last = time.monotonic()
        since: tuple[int, int, float] = (-1, 0, began)

        def report(done: int, total: int, what: str) -> None:
            nonlocal last, since
            now = time.monotonic()
            if total != since[0]:
                since = total, done, now
            if not self.output.tty or now - began < 2 or now - last < 0.2:
                return
            last = now
            pace = (now - since[2]) / max(1, done - since[1])
            left = f", about {pace * (total - done):.0f} s left" if since[1] < done < total else ""
            share = f"{100 * done // total:3d} %" if total else f"{done:,}"
            self._wipe()
            self.output.err(f"{what}: {share}{left}")
            self._busy = True

        return report

    def _wipe(self) -> None:
        if self._busy:
            self.output.err("\r\x1b[2K")
            self._busy = False
