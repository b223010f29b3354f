"""`stocktwin journal …`: the only thing of a twin that must survive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from stocktwin.faces.cli.session import Session

session = click.make_pass_decorator(Session)


@click.group()
def journal() -> None:
    """The journal, the only thing of a twin that must survive."""


@journal.command()
@session
def head(run: Session) -> None:
    """The number and hash of its last batch: written down elsewhere, it shows later whether the journal was cut short
    or replaced (`verify --head`)."""
    run.show(run.twin.journal_head(), render_head)


def render_head(answer: Mapping[str, Any]) -> str:
    """The head in one line, its time in another."""
    told = f"recorded at {answer['recorded_at']}" if answer["seq"] else "the journal is empty"
    return f"{answer['head']}\n{told}"
