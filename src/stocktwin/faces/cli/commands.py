"""The commands: each reads its options, asks `app`, and shows the answer."""

from __future__ import annotations

import tomllib
from typing import Any

import click

from stocktwin.domain.errors import CheckFailed, UsageError
from stocktwin.faces.cli import journal, lots, outlook, past, render, render_stress, worlds
from stocktwin.faces.cli.options import AFTER, BOOK, ITEM, KNOWN_AT, LEARNED_BY, LIMIT, LOCATION
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)


@click.group(context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110})
@click.version_option(package_name="stocktwin", message="stocktwin %(version)s")
def cli() -> None:
    """An inventory digital twin.

    \b
    Every command takes --twin DIR (default: this folder, or STOCKTWIN_HOME) and --json.
    """


@cli.command()
@click.argument("folder")
@session
def new(run: Session, folder: str) -> None:
    """Make a new, empty twin in FOLDER."""
    from stocktwin.app.bootstrap import create_twin

    run.show(create_twin(run.path(folder)), render.new)


@cli.command()
@click.argument("folder", required=False)
@click.option("--source", help="Section of twin.toml that describes FOLDER (found by itself where one fits).")
@session
def ingest(run: Session, folder: str | None, source: str | None) -> None:
    """Take in an exchange FOLDER, or, without one, every source that twin.toml configures."""
    path = None if folder is None else run.path(folder)
    run.show(run.twin.ingest(path, source=source, progress=run.progress()), render.ingest)


@cli.command()
@session
def status(run: Session) -> None:
    """What was delivered, accepted, duplicate and quarantined, per source; the twin's clock and state hash."""
    run.show(run.twin.status(), render.status)


@cli.command()
@click.option("--head", metavar="SEQ:HASH", help="A head that `journal head` printed once: is it still in the journal?")
@session
def verify(run: Session, head: str | None) -> None:
    """Prove the ledger's laws; exit 1 if one does not hold."""
    answer = run.twin.verify(head, progress=run.progress())
    run.show(answer, render.verify)
    if not answer["ok"]:
        broken = [law["law"] for law in answer["laws"] if not law["ok"]]
        raise CheckFailed(f"broken: {', '.join(broken)}")


@cli.command()
@ITEM
@LOCATION
@click.option("--at", help="On hand at this time (ISO 8601; a bare date means the end of that day).")
@KNOWN_AT
@LEARNED_BY
@BOOK
@click.option("--lots", "by_lot", is_flag=True, help="By lot, with expiry; issues that name no lot are attributed.")
@LIMIT
@AFTER
@session
def stock(run: Session, /, by_lot: bool, **options: Any) -> None:
    """How much is where: now, at a past time, and as it was known at a past time."""
    if by_lot:
        lots.stock(run, options)
        return
    run.show(run.twin.stock(**options), render.stock)


@cli.group()
def quarantine() -> None:
    """Rows that could not be taken, each with file, line, column and value."""


@quarantine.command("list")
@click.option("--source", help="Only this source.")
@click.option("--discarded", is_flag=True, help="Those that were discarded, by whom, when and why.")
@LIMIT
@AFTER
@session
def quarantine_list(run: Session, /, **options: Any) -> None:
    """List them."""
    run.show(run.twin.quarantine(**options), render.quarantine)


@quarantine.command("discard")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID...")
@click.option("--reason", required=True, help="Why.")
@click.option("--by", envvar="USER", required=True, help="Who decides (default: the USER variable).")
@session
def quarantine_discard(run: Session, ids: tuple[int, ...], reason: str, by: str) -> None:
    """Put rows that were refused aside for good; they stay counted as quarantined."""
    run.show(run.twin.quarantine_discard(ids, by=by, reason=reason), render.discarded)


@quarantine.command("replay")
@click.option("--source", help="Only this source.")
@session
def quarantine_replay(run: Session, source: str | None) -> None:
    """Read them again under the mapping as it is now."""
    run.show(run.twin.quarantine_replay(source=source), render.ingest)


@cli.command()
@LIMIT
@AFTER
@session
def reconcile(run: Session, /, **options: Any) -> None:
    """Where the systems' books differ from the record, most money first."""
    run.show(run.twin.reconcile(**options), render.reconcile)


@cli.command()
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back to look.")
@LIMIT
@AFTER
@session
def anomalies(run: Session, /, **options: Any) -> None:
    """What looks wrong, with the evidence and the cheapest check that would settle it."""
    run.show(run.twin.anomalies(**options), render.anomalies)


@cli.group()
def scenario() -> None:
    """What-if scenarios: the built-in library and the twin's own."""


@scenario.command("list")
@session
def scenario_list(run: Session) -> None:
    """List them."""
    run.show(run.twin.scenarios(), render.scenarios)


@scenario.command("show")
@click.argument("name")
@session
def scenario_show(run: Session, name: str) -> None:
    """Print one as TOML, to start your own from."""
    run.show(run.twin.scenario_text(name), lambda answer: str(answer["toml"]))


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME_OR_FILE...")
@click.option("--replications", type=click.IntRange(2, 100_000), help="Simulated futures (default 200).")
@click.option("--horizon", type=click.IntRange(1, 20_000_000), help="Days (default: what the scenario needs).")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Another value for a parameter (`scenario list`)."
)
@click.option("--warmup", type=click.IntRange(0), default=0, help="First days of the horizon that are not counted.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Same seed, same numbers.")
@session
def simulate(run: Session, /, names: tuple[str, ...], changes: tuple[str, ...], **options: Any) -> None:
    """Simulate scenarios on the live twin, beside the baseline, on the same luck."""
    chosen: list[Any] = [str(run.path(name)) if name.endswith(".toml") else name for name in names]
    parameters = dict(map(_parameter, changes))
    if parameters:
        chosen = [{"base": name, "parameters": parameters} for name in chosen]
    run.show(run.twin.simulate(chosen, progress=run.progress(), **options), render.simulation)


def _parameter(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as in TOML (28, 1.5, 2026-12-01), else a text as it stands."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise UsageError(f"--set: expected KEY=VALUE, not {text!r}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


@cli.command()
@click.option("--top", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--scenario", metavar="NAME", help="Safety stock and pre-positioning under a scenario instead.")
@click.option("--item", help="With --scenario: only this item.")
@click.option("--location", help="With --scenario: only this location.")
@session
def recommend(run: Session, top: int, scenario: str | None, item: str | None, location: str | None) -> None:
    """What to do, each with the effect that simulation proved."""
    if scenario is None:
        run.show(run.twin.recommend(top=top, progress=run.progress()), render.recommendations)
        return
    chosen = str(run.path(scenario)) if scenario.endswith(".toml") else scenario
    answer = run.twin.prepare_for(chosen, item=item, location=location, progress=run.progress())
    run.show(answer, render_stress.prepared)


def _decision(verb: str, meaning: str) -> None:
    @cli.command(verb, help=meaning)
    @click.argument("id")
    @click.option("--by", envvar="USER", required=True, help="Who decides (default: the USER variable).")
    @click.option("--reason", default="", help="Why.")
    @session
    def command(run: Session, id: str, by: str, reason: str) -> None:
        run.show(run.twin.decide(id, verb, by=by, reason=reason), render.decision)


_decision("approve", "Approve a recommendation; the decision is logged for good.")
_decision("reject", "Reject a recommendation; the decision is logged for good.")


@cli.command()
@LIMIT
@AFTER
@session
def decisions(run: Session, /, **options: Any) -> None:
    """Who approved or rejected what, when and why."""
    run.show(run.twin.decisions(**options), render.decisions)


@cli.command()
@click.argument("what", nargs=-1, required=True, metavar="[decisions] FOLDER")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True, help="Of the facts."
)
@click.option("--all", "everything", is_flag=True, help="With `decisions`: all of them, not only the new ones.")
@session
def export(run: Session, what: tuple[str, ...], form: str, everything: bool) -> None:
    """Write every accepted fact back as an exchange folder; or, as `export decisions FOLDER`, what was approved since
    the last such export, as orders and policies to be carried out."""
    if len(what) == 2 and what[0] == "decisions":
        run.show(run.twin.export_decisions(run.path(what[1]), everything=everything), render.exported_decisions)
        return
    if len(what) > 1 or what[0] == "decisions":
        raise UsageError(f"export FOLDER, or export decisions FOLDER, not export {' '.join(what)}")
    run.show(run.twin.export(run.path(what[0]), form=form), render.export)


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8737, show_default=True, help="0 = any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@session
def serve(run: Session, port: int, host: str) -> None:
    """Serve the web app and the REST interface, watch the inbox, answer other commands."""
    _serve(run, host, port)


@cli.command()
@click.option("--folder", default=".demo", show_default=True, help="Where the demo twin lives.")
@click.option("--port", type=click.IntRange(0, 65535), default=8737, show_default=True, help="0 = any free one.")
@click.option("--fresh", is_flag=True, help="Build it again.")
@click.option("--build-only", is_flag=True, help="Build it and stop.")
@session
def demo(run: Session, folder: str, port: int, fresh: bool, build_only: bool) -> None:
    """Build the demo twin (500 items, 4 warehouses, a year of facts) and serve it."""
    from stocktwin.app.demo import build_demo

    run.root = run.path(folder)
    build_demo(run.root, fresh=fresh, say=run.note, progress=run.progress())
    if not build_only:
        _serve(run, "127.0.0.1", port)


cli.add_command(journal.journal)
cli.add_command(past.history)
cli.add_command(past.late)
cli.add_command(past.then)
cli.add_command(past.available)
cli.add_command(past.reservations)
cli.add_command(outlook.forecast)
cli.add_command(outlook.arrivals)
cli.add_command(outlook.excess)
cli.add_command(outlook.risk)
cli.add_command(outlook.accuracy)
cli.add_command(lots.trace)
cli.add_command(lots.transforms)
cli.add_command(worlds.world)
cli.add_command(worlds.score)


def _serve(run: Session, host: str, port: int) -> None:
    if run.serve is None:
        raise UsageError("this command line was started without a server")
    run.serve(run.twin, host, port, run.note)
