"""How the ledger is doing: the last proof of its laws, what lies in its journal, how big it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import iso
from stocktwin.app.settings import Settings
from stocktwin.domain.ports import Clock, Progress, silent

if TYPE_CHECKING:
    from stocktwin.app.live import Changes
    from stocktwin.ledger.ledger import Ledger

Answer = dict[str, Any]


class Verification:
    """The last proof of the laws in this process, and the one that runs. One at a time; any thread may ask."""

    def __init__(self, now: Callable[[], int], changed: Callable[[], None]) -> None:
        self._now, self._changed = now, changed
        self._lock = threading.Lock()
        self._running: Answer | None = None
        self._last: Answer | None = None

    def start(self, prove: Callable[[Progress], Answer]) -> bool:
        """Proves in a thread of its own; False when a proof is running already."""
        with self._lock:
            if self._running is not None:
                return False
            self._running = {"started_at": iso(self._now()), "law": None, "done": 0, "laws": 0}
        threading.Thread(target=self._run, args=(prove,), name="stocktwin-verify", daemon=True).start()
        return True

    def keep(self, answer: Answer, seconds: float) -> None:
        """Remembers a proof."""
        self._last = {**answer, "verified_at": iso(self._now()), "seconds": round(seconds, 3)}

    @property
    def state(self) -> Answer:
        """`running` (which law, how many are done; null: none runs), `last` (its laws, when, how long), `error`."""
        with self._lock:
            return {"running": self._running and dict(self._running), "last": self._last}

    def _run(self, prove: Callable[[Progress], Answer]) -> None:
        began = time.monotonic()
        try:
            self.keep(prove(self._report), time.monotonic() - began)
        except Exception as error:  # whoever looks is told
            told = f"{type(error).__name__}: {error}"
            self.keep({"ok": False, "laws": [{"law": "verify", "ok": False, "detail": told}]}, 0.0)
        finally:
            with self._lock:
                self._running = None
            self._changed()

    def _report(self, done: int, total: int, what: str) -> None:
        with self._lock:
            self._running = {**(self._running or {}), "law": what, "done": done, "laws": total}


class HealthQuestions:
    """The part of `TwinService` that says how the ledger is doing."""

    settings: Settings
    ledger: Ledger
    _clock: Clock
    _changes: Changes

    @cached_property
    def verification(self) -> Verification:
        """The last proof and the running one."""
        return Verification(self._clock.now, self._changes.announce)

    def ledger_health(self) -> Answer:
        """Laws, residual, hash, head of the chain, batches by source, sizes."""
        from stocktwin.app.answers.health import health

        return health(self.ledger, self.settings) | {"verification": self.verification.state}

    def verify(self, head: str | None = None, progress: Progress = silent) -> Answer:
        """Every law of the ledger with its verdict, and whether the journal still holds a published `head`."""
        from stocktwin.app.answers.ledger import verify

        began = time.monotonic()
        answer = verify(self.ledger, head, progress)
        self.verification.keep(answer, time.monotonic() - began)
        return answer

    def verify_start(self) -> Answer:
        """Begins to prove the laws; how far that is stands in `ledger_health`."""
        from stocktwin.app.answers.ledger import verify

        started = self.verification.start(lambda progress: verify(self.ledger, progress=progress))
        return {"started": started, **self.verification.state}
