"""Commands about reference worlds: they stand beside the twin, so none of them is forwarded to a twin's owner."""

from __future__ import annotations

from pathlib import Path

import click

from stocktwin.faces.cli import render_worlds as render
from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)
PROFILES = ("small", "medium", "national")
PROCESSES = click.option("--processes", type=click.IntRange(1, 256), help="Work in so many (default: one a core).")


@click.group()
def world() -> None:
    """The reference world: a hidden truth that emits the feeds of its systems."""


@world.command("build")
@click.argument("folder")
@click.option("--profile", type=click.Choice(PROFILES), default="small", show_default=True, help="How large.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same world.")
@click.option("--faults", metavar="FILE", help="How often things go wrong (TOML; docs/world.md lists the rates).")
@click.option("--events", metavar="FILE", help="Disruptions that happen, in the words of scenarios (TOML).")
@click.option(
    "--balances-every",
    type=click.IntRange(1, 3650),
    help="State true balances every so many days (default 1; national 7).",
)
@click.option("--postgres", is_flag=True, help="Also write the ERP as a dump for PostgreSQL (feeds/erp_db/erp.sql).")
@PROCESSES
@session
def world_build(
    run: Session,
    folder: str,
    profile: str,
    days: int,
    seed: int,
    faults: str | None,
    events: str | None,
    balances_every: int | None,
    postgres: bool,
    processes: int | None,
) -> None:
    """Write a world's feeds, its hidden truth and the twin.toml that reads them into FOLDER."""
    from stocktwin.app.worlds import build_world

    answer = build_world(
        run.path(folder),
        profile,
        days,
        seed,
        run.progress(),
        rates=_given(run, faults),
        events=_given(run, events),
        processes=processes,
        postgres=postgres,
        balances_every=balances_every,
    )
    run.show(answer, render.built)


def _given(run: Session, path: str | None) -> Path | None:
    return None if path is None else run.path(path)


@world.command("step")
@click.argument("folder")
@click.option("--days", type=click.IntRange(1, 3650), required=True, help="How many days longer.")
@click.option("--decisions", metavar="FILE", help="Orders and policies to carry out, as exchange tables.")
@PROCESSES
@session
def world_step(run: Session, folder: str, days: int, decisions: str | None, processes: int | None) -> None:
    """Let the world in FOLDER live on, and write what its systems tell of it beside what they told before."""
    from stocktwin.app.worlds import step_world

    path = _given(run, decisions)
    run.show(step_world(run.path(folder), days, path, run.progress(), processes=processes), render.stepped)


@world.command("fork")
@click.argument("folder")
@click.argument("new")
@click.option("--at", metavar="DATE", help="As it was on the evening of this day (default: its last).")
@session
def world_fork(run: Session, folder: str, new: str, at: str | None) -> None:
    """Make NEW a copy of the world in FOLDER: it will live through the same, whatever is decided in it later."""
    from stocktwin.app.worlds import fork_world

    run.show(fork_world(run.path(folder), run.path(new), at, run.progress()), render.forked)


@world.command("play")
@click.argument("folder")
@click.option("--speed", type=click.FloatRange(1), default=600.0, show_default=True, help="Its seconds in one of ours.")
@click.option("--from", "since", metavar="TIME", help="Where it begins (default: seven days before its end).")
@click.option("--days", type=click.IntRange(1, 3650), help="How long (default: to the end).")
@click.option("--url", default="http://127.0.0.1:8737/", show_default=True, help="Server of the twin FOLDER/live.")
@session
def world_play(run: Session, folder: str, speed: float, since: str | None, days: int | None, url: str) -> None:
    """Play the feeds of the world in FOLDER live onto the twin FOLDER/live: rows into the ERP's database, files into
    the inbox, facts over REST. Ctrl-C stops; the next call goes on where it was."""
    from stocktwin.app.playing import play_world

    answer = play_world(
        run.path(folder),
        speed=speed,
        since=since,
        days=days,
        url=url.rstrip("/") + "/",
        say=run.note,
        progress=run.progress(),
    )
    run.show(answer, render.played)


@click.command()
@click.argument("folder")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Of the last so many days.")
@click.option(
    "--every",
    type=click.IntRange(1, 365),
    default=3,
    show_default=True,
    help="Look for anomalies every so many nights; 1 times detection by the night, and takes longest.",
)
@session
def score(run: Session, folder: str, days: int, every: int) -> None:
    """Hold the twin of a world's FOLDER against the truth: its feeds are replayed night by night, and what the twin
    says is compared with what was so (docs/scoring.md defines every figure)."""
    from stocktwin.app.scoring import score_world

    run.show(score_world(run.path(folder), days=days, every=every, progress=run.progress()), render.scored)
