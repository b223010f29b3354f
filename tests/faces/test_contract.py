"""The fake twin of the tests promises nothing that a real one lacks: each key of its answers is in the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stocktwin.app.usecases import TwinService

pytestmark = pytest.mark.slow
FREE = {"parameters", "evidence"}
"""Keys whose values are named by the data: a scenario's parameters, the columns of a fact."""
BAD = (
    '{"table": "movements", "event_id": "BAD-%d", "event_time": "2025-01-03T08:00:00Z", "kind": "sale", '
    '"item_id": "%s", "quantity": -1, "from_id": "%s", "system": "erp"}\n'
)
KIT = (
    '{"table": "movements", "event_id": "KIT-1", "event_time": "2025-02-03T08:00:00Z", "kind": "transform", '
    '"item_id": "%s", "quantity": 1, "from_id": "%s", "lot": "K-1", "document": "KIT-1", "system": "erp"}\n'
)
Ask = Callable[[Any], dict[str, Any]]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinService]:
    """Sixty-two days of the reference world, with rows that were refused and decisions that were taken."""
    from stocktwin.world.build import build

    root = tmp_path_factory.mktemp("contract") / "twin"
    build(root, days=62)
    with TwinService.open(root) as twin:
        twin.ingest()
        row = twin.grid()["rows"][0]
        twin.post_facts("".join(BAD % (k, row["item_id"], row["location_id"]) for k in range(2)))
        twin.post_facts(KIT % (row["item_id"], row["location_id"]))
        twin.quarantine_discard([twin.quarantine()["rows"][0]["quarantine_id"]], by="Maya", reason="a test")
        twin.approve(twin.recommend(top=3)["recommendations"][0]["id"], by="Maya", reason="agreed")
        yield twin


def places(twin: Any) -> list[tuple[str, str]]:
    """Item-locations with much to tell: with an anomaly, with a recommendation, with an order under way."""
    told = [(one["item_id"], one["location_id"]) for one in twin.anomalies()["anomalies"][:1]]
    open_ones = [one for one in twin.recommend()["recommendations"] if one.get("status", "open") == "open"]
    advised = [(one["item_id"], one["location_id"] or one["to_id"]) for one in open_ones[:1]]
    known = {(row["item_id"], row["location_id"]) for row in twin.grid(limit=1_000)["rows"]}
    coming = [(row.get("item_id"), row.get("to_id")) for row in twin.arrivals()["rows"]]
    return [*told, *advised, *[pair for pair in coming if pair in known][:1]]


def place(twin: Any) -> tuple[str, str]:
    return places(twin)[0]


def item_locations(twin: Any) -> dict[str, Any]:
    return {"each": [twin.item_location(*pair) for pair in places(twin)]}


def simulated(twin: Any) -> dict[str, Any]:
    wanted: list[Any] = ["supplier_outage"]
    return dict(twin.simulate(scenarios=wanted, replications=2, horizon=20, seed=0, warmup=0))


def traced(twin: Any) -> dict[str, Any]:
    """The trace of a lot that stands somewhere and of which much was sold."""
    rows = [row for row in twin.lots()["rows"] if row["lot"] and float(row["quantity"]) > 0]
    found = (twin.trace(row["item_id"], row["lot"]) for row in rows)
    return dict(next(answer for answer in found if answer["customers"] and answer["where"]))


def held_against_truth(twin: Any) -> dict[str, Any]:
    """The truth of an item-location where something went wrong and was found."""
    pairs = [(one["item_id"], one["location_id"]) for one in twin.anomalies()["anomalies"]]
    found = (twin.truth(*pair) for pair in pairs if None not in pair)
    return dict(next(answer for answer in found if answer["faults"] and answer["anomalies"]))


QUESTIONS: dict[str, Ask] = {
    "status": lambda twin: twin.status(),
    "overview": lambda twin: twin.overview(),
    "verify": lambda twin: twin.verify(),
    "journal_head": lambda twin: twin.journal_head(),
    "backup": lambda twin: twin.backup(),
    "backups": lambda twin: twin.backups(),
    "quarantine": lambda twin: twin.quarantine(),
    "discarded": lambda twin: twin.quarantine(discarded=True),
    "stock": lambda twin: twin.stock(limit=5),
    "lots": lambda twin: twin.lots(limit=5),
    "history": lambda twin: twin.history(place(twin)[0], limit=50),
    "late": lambda twin: twin.late(limit=50),
    "then": lambda twin: twin.then(limit=5),
    "span": lambda twin: twin.span(),
    "ledger_health": lambda twin: twin.ledger_health(),
    "reservations": lambda twin: twin.reservations(),
    "available": lambda twin: twin.available(limit=5),
    "curve": lambda twin: twin.curve(*place(twin)),
    "trace": traced,
    "transforms": lambda twin: twin.transforms(),
    "grid": lambda twin: twin.grid(limit=5),
    "item_location": item_locations,
    "movements": lambda twin: twin.movements(*place(twin), limit=5),
    "observations": lambda twin: twin.observations(*place(twin)),
    "item": lambda twin: twin.item(place(twin)[0]),
    "anomalies": lambda twin: twin.anomalies(),
    "reconcile": lambda twin: twin.reconcile(limit=5),
    "arrivals": lambda twin: twin.arrivals(limit=5),
    "forecast": lambda twin: twin.forecast(item=None, location=None, horizon=7, limit=5),
    "accuracy": lambda twin: twin.accuracy(horizon=1),
    "excess": lambda twin: twin.outlook.excess(limit=5),
    "risk": lambda twin: twin.outlook.risk(limit=5),
    "recommend": lambda twin: twin.recommend(top=3),
    "decisions": lambda twin: twin.decisions(),
    "scenarios": lambda twin: twin.scenarios(),
    "simulate": simulated,
    "truth": held_against_truth,
}


def lacking(promised: Any, given: Any, path: str) -> list[str]:
    """Keys of `promised` that `given` does not have, at any depth; of lists, those of all their members together."""
    if isinstance(promised, dict) and isinstance(given, dict):
        missing = [f"{path}.{key}" for key in promised if key not in given]
        shared = [key for key in promised if key in given and key not in FREE]
        return missing + [one for key in shared for one in lacking(promised[key], given[key], f"{path}.{key}")]
    if isinstance(promised, list) and isinstance(given, list):
        wanted, have = merged(promised), merged(given)
        if wanted and not given:
            return [f"{path}: the real list is empty, nothing to compare with"]
        return lacking(wanted, have, f"{path}[]") if wanted else []
    return []


def merged(rows: list[Any]) -> dict[str, Any]:
    """Every key of the members, with the fullest of its values."""
    found: dict[str, Any] = {}
    for row in rows:
        for key, value in row.items() if isinstance(row, dict) else ():
            before = found.get(key)
            if isinstance(before, list) and isinstance(value, list):
                found[key] = before + value
            elif not before:
                found[key] = value
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_fake_promises_nothing_that_the_real_twin_lacks(real: TwinService, fake: Any, question: str) -> None:
    fake.quarantine_discard([3_000_001], by="Maya", reason="a test")
    fake.approve("R-0/x", by="Maya", reason="agreed")
    assert lacking(QUESTIONS[question](fake), QUESTIONS[question](real), question) == []


def test_every_question_of_the_pages_is_compared(fake: Any) -> None:
    answers = {name for name in dir(type(fake)) if not name.startswith("_")}
    other = {"approve", "reject", "post_facts", "quarantine_discard", "recommendation", "grid_columns", "has_truth",
             "settings", "version", "wait_for_change", "trace_csv"}  # fmt: skip
    assert answers - other == QUESTIONS.keys() - {"discarded", "excess", "risk"}


def test_what_is_lacking_is_found_at_any_depth() -> None:
    fake = {"a": [{"b": 1}, {"c": {"d": 2}}], "e": 3, "f": [1]}
    assert lacking(fake, {"a": [{"b": 0, "c": {}}], "f": []}, "x") == ["x.e", "x.a[].c.d"]
    assert lacking(fake, {"a": [], "e": 1, "f": []}, "x") == ["x.a: the real list is empty, nothing to compare with"]


def test_the_accuracy_of_a_real_twin_is_written_for_people(real: TwinService) -> None:
    from stocktwin.faces.cli.render import accuracy

    text = accuracy(real.accuracy(horizon=1))
    assert "seasonal naive" in text
    assert "rmsse" in text
