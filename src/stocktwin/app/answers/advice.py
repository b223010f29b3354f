"""Anomalies, recommendations and decisions. Proving takes seconds, so the last answer is kept, in memory
and beside the twin, under the state it was proved on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.paging import falling, page
from stocktwin.app.answers.values import iso, plain_answer
from stocktwin.app.derived import Derived
from stocktwin.app.settings import Settings
from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.ports import Progress, silent

if TYPE_CHECKING:
    from stocktwin.app.model import Model
    from stocktwin.ledger.ledger import Ledger

CACHE_FILE = "recommendations.json"
SEED = 20_250_101
RECENT_TRANSFER_DAYS = 30
ANOMALY_SECONDS = 10.0
"""A live server looks for anomalies at most this often, beside answering with those it knows."""
Answer = dict[str, Any]


class Adviser:
    """Finds anomalies, proves recommendations, records decisions."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self._lock = threading.RLock()
        self._looking = threading.Lock()
        self.live = False
        """Whether an answer must come at once, even if the last facts are not in it yet."""
        self._proved: Answer | None = None
        self._anomalies: tuple[tuple[int, int], float, Answer] | None = None
        self._derived = Derived(settings)

    # ---- anomalies

    def anomalies(self, model: Model, *, days: int, limit: int | None = None, after: str | None = None) -> Answer:
        """What looks wrong in the last `days`, most money first."""
        found = self._find(model, days)
        shown, following = page(found["anomalies"], anomaly_key, name="anomalies", limit=limit, after=after)
        return {**found, "anomalies": shown, "next": following}

    def _find(self, model: Model, days: int) -> Answer:
        key = (model.snapshot.head, days)
        kept = self._anomalies
        if kept is not None and kept[0] == key:
            return kept[2]
        if self.live and kept is not None and kept[0][1] == days:
            if time.monotonic() - kept[1] > ANOMALY_SECONDS and self._looking.acquire(blocking=False):
                threading.Thread(target=self._look_again, args=(model, days), daemon=True).start()
            return kept[2]
        with self._lock:
            return self._remembered(model, days) or self._look(model, days)

    def _remembered(self, model: Model, days: int) -> Answer | None:
        """What was found in this state before the last start."""
        found = self._derived.read("anomalies", _state(model, days))
        if found is not None:
            self._anomalies = ((model.snapshot.head, days), time.monotonic(), found)
        return found

    def _look_again(self, model: Model, days: int) -> None:
        try:
            self._look(model, days)
        finally:
            self._looking.release()

    def _look(self, model: Model, days: int) -> Answer:
        from stocktwin.analytics.anomaly import find_anomalies

        found = find_anomalies(self._ledger.evidence(days), model.snapshot)
        answer = plain_answer(
            {
                "anomalies": [_with_times(entry.to_dict()) for entry in found],
                "total": len(found),
                "days": days,
                "as_of": iso(model.snapshot.as_of),
            }
        )
        self._anomalies = ((model.snapshot.head, days), time.monotonic(), answer)
        self._derived.write("anomalies", _state(model, days), answer)
        return answer

    # ---- recommendations

    def recommend(
        self,
        model: Model,
        *,
        top: int,
        limit: int | None = None,
        after: str | None = None,
        progress: Progress = silent,
    ) -> Answer:
        """The `top` actions worth most, proved on the state of `model`, with what was decided about each; of these the
        page of `limit` behind the cursor `after`."""
        with self._lock:
            proved = self._kept(model, top) or self._prove(model, top, progress)
        answer = self._with_status(proved, top)
        found = answer["recommendations"]
        shown, following = page(found, rank_key, name="recommendations", limit=limit, after=after)
        return {**answer, "recommendations": shown, "total": len(found), "next": following}

    def shown(self, model: Model) -> Answer | None:
        """The recommendations last proved, on whatever state, without proving anything; None when there are none."""
        proved = self._proved or self._read()
        if proved is None:
            return None
        fresh = proved["key"] == _key(model)
        return {**self._with_status(proved, proved["top"]), "stale": not fresh}

    def recommendation(self, model: Model, id: str) -> Answer:
        """One of the current recommendations."""
        for answer in (self.shown(model), None):
            found = _find_id((answer or self.recommend(model, top=20))["recommendations"], id)
            if found is not None:
                return found
        raise NotFoundError("open recommendation", id)

    def decide(self, model: Model, id: str, decision: str, *, by: str, reason: str) -> Answer:
        """Records a decision about a recommendation, together with what was recommended."""
        from stocktwin.prescription.governance import check_decision

        log = self._ledger.decisions()
        found = self.recommendation(model, id)
        record = {"id": id, "decision": decision, "by": by, "reason": reason}
        check_decision(record, log)
        seq = self._ledger.decide(
            plain_answer({**record, "recommendation": found, "state_hash": model.snapshot.state_hash})
        )
        return {**record, "seq": seq}

    def _prove(self, model: Model, top: int, progress: Progress) -> Answer:
        from stocktwin.prescription.recommend import recommend

        result = recommend(
            model.snapshot,
            model.forecast,
            model.lead_times,
            model.compiled,
            top=top,
            seed=SEED,
            decided=self._ledger.decisions(),
            recent_transfers=self._ledger.recent_transfers(RECENT_TRANSFER_DAYS),
            units=self._ledger.current("units"),
            progress=progress,
        )
        self._proved = plain_answer(
            {**result.to_dict(), "key": _key(model), "top": top, "as_of": iso(model.snapshot.as_of)}
        )
        self._write(self._proved)
        return self._proved

    def _kept(self, model: Model, top: int) -> Answer | None:
        for kept in (self._proved, self._read()):
            if kept is not None and kept["key"] == _key(model) and kept["top"] >= top:
                self._proved = kept
                return kept
        return None

    def _with_status(self, proved: Answer, top: int) -> Answer:
        from stocktwin.prescription.governance import status_of

        log = self._ledger.decisions()
        entries = [{**entry, "status": status_of(entry["id"], log)} for entry in proved["recommendations"][:top]]
        rest = {name: value for name, value in proved.items() if name not in ("key", "top")}
        return {**rest, "recommendations": entries}

    def _read(self) -> Answer | None:
        try:
            kept = json.loads((self._settings.root / CACHE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, dict) and {"key", "top", "recommendations"} <= kept.keys() else None

    def _write(self, proved: Answer) -> None:
        path = self._settings.root / CACHE_FILE
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(proved), encoding="utf-8")
        partial.replace(path)


def anomaly_key(entry: Answer) -> tuple[Any, ...]:
    """The order of anomalies: money at stake × confidence, side books less, what has no cost last."""
    from stocktwin.analytics.anomaly import SIDE_BOOK

    weight = (1.0 if entry["on_record"] else SIDE_BOOK) * entry["confidence"]
    stake = float(entry["value"] or abs(float(entry["quantity"])))
    return entry["value"] is None, -weight * stake, entry["kind"], entry["id"]


def rank_key(entry: Answer) -> tuple[Any, ...]:
    """The order of recommendations: by money, then those without a price by units not lost."""
    return (*falling(entry["expected_value"]), -(entry["units_value"] or 0.0), entry["id"])


def _with_times(anomaly: Answer) -> Answer:
    """An anomaly with its own and its evidence's moments as ISO 8601."""
    pieces = [
        {name: iso(value) if _is_moment(name, value) else value for name, value in piece.items()}
        for piece in anomaly["evidence"]
    ]
    return {**anomaly, "event_time": iso(anomaly["event_time"]), "evidence": pieces}


def _is_moment(name: str, value: object) -> bool:
    return isinstance(value, int) and name.endswith(("_time", "_at"))


def _state(model: Model, days: int) -> str:
    """What anomalies depend on."""
    return f"{model.snapshot.state_hash} {model.snapshot.head} {model.snapshot.as_of} {days}"


def _key(model: Model) -> list[Any]:
    """What a proof depends on: the state, the day, the holding rate."""
    return [model.snapshot.state_hash, model.snapshot.as_of, model.holding_rate]


def _find_id(entries: Sequence[Answer], id: str) -> Answer | None:
    return next((entry for entry in entries if entry["id"] == id), None)
