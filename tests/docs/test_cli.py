"""docs/cli.md names every command of `stocktwin`; the help of each says what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from stocktwin.faces.cli.commands import cli


def leaves(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name (`quarantine list`)."""
    for name, command in sorted(group.commands.items()):
        full = f"{above} {name}".strip()
        if isinstance(command, click.Group):
            yield from leaves(command, full)
        else:
            yield full, command


def test_every_command_is_documented(root: Path) -> None:
    page = (root / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = [name for name, _ in leaves(cli)]
    assert len(commands) > 10
    assert [name for name in commands if f"`{name}`" not in page and f"`{name} " not in page] == []


def test_every_command_and_option_says_what_it_does() -> None:
    silent = [name for name, command in leaves(cli) if not command.help]
    for name, command in leaves(cli):
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        silent += [f"{name} {option.opts[0]}" for option in options if not option.help]
    assert silent == []
