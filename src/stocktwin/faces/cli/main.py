"""`stocktwin`: one command a question. Runs in the twin's owner when there is one, else here, holding its lock.

Exit codes: 0 done (also when rows were quarantined), 1 a check that was asked for failed, 2 wrong use, 3 busy or the
machine does not allow it. `--twin` and `--json` may stand before or after the command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stocktwin.app.forward import Output, StreamOutput, forward
from stocktwin.domain.errors import StocktwinError, UsageError
from stocktwin.faces.cli.session import Serve, Session

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

LOCAL_COMMANDS = ("new", "demo", "serve", "world", "score")
"""Commands that make or own a twin, or stand beside it; every other one is forwarded to a running owner."""


def main(argv: list[str], serve: Serve | None = None, output: Output | None = None) -> int:
    """Runs one command of the user's; returns its exit code."""
    output = output or StreamOutput(sys.stdout, sys.stderr)
    try:
        words, root, as_json = split_globals(argv)
    except UsageError as error:
        output.err(f"error: {error}\n")
        return error.exit_code
    if asks_the_twin(words):
        code = forward(root, [*words, *(["--json"] if as_json else [])], Path.cwd(), output)
        if code is not None:
            return code
    return run(words, Session(root, Path.cwd(), as_json, output, serve=serve, purpose=words[0] if words else "command"))


def asks_the_twin(words: Sequence[str]) -> bool:
    """Whether a command is one for the twin's owner; help and version are this program's own."""
    own = not words or words[0] in LOCAL_COMMANDS or words[0].startswith("-")
    return not own and "--help" not in words and "-h" not in words


def run(words: Sequence[str], session: Session) -> int:
    """Runs one command in a session; errors become one line on stderr and an exit code."""
    from stocktwin.faces.cli.commands import cli

    try:
        result = cli.main(args=list(words), prog_name="stocktwin", standalone_mode=False, obj=session)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        session.output.err(f"error: {wrong_use(error)}\n")
        return 2
    except StocktwinError as error:
        session.output.err(f"error: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        session.output.err("interrupted\n")  # click has ended the line of the progress bar
        return 130
    finally:
        session.close()


def wrong_use(error: click.ClickException) -> str:
    """What was wrong in a command line, in one line."""
    context = getattr(error, "ctx", None)
    if context is None:
        return error.format_message()
    told = error.format_message()
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and isinstance(context.command, click.Group):
        told = f"{context.info_name} needs a command: {', '.join(context.command.list_commands(context))}"
    return f"{told} (see `{context.command_path} --help`)"


def run_forwarded(argv: Sequence[str], cwd: Path, output: Output, service: TwinService) -> int:
    """Runs, in the owner, a command that another process forwarded."""
    words, _, as_json = split_globals(argv)
    return run(words, Session(service.settings.root, cwd, as_json, output, service=service))


def nearest_twin(folder: Path) -> str:
    """The twin meant by a command that names none: this folder's, else the demo's beside it."""
    return ".demo" if not (folder / "twin.toml").exists() and (folder / ".demo" / "twin.toml").exists() else "."


def split_globals(argv: Sequence[str]) -> tuple[list[str], Path, bool]:
    """Takes `--twin DIR` and `--json` out of a command line, wherever they stand.

    >>> split_globals(["stock", "--json", "--twin", "shop"])
    (['stock'], PosixPath('shop'), True)
    """
    words: list[str] = []
    root = os.environ.get("STOCKTWIN_HOME") or nearest_twin(Path())
    as_json = False
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words.extend([word, *rest])
        elif word == "--json":
            as_json = True
        elif word == "--twin":
            value = next(rest, None)
            if value is None:
                raise UsageError("--twin needs a folder")
            root = value
        elif word.startswith("--twin="):
            root = word.removeprefix("--twin=")
        else:
            words.append(word)
    return words, Path(root), as_json
