"""`stocktwin …` and `python -m stocktwin …`: wires the command line to the server, which may not know each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    from stocktwin.faces.cli.main import main as run

    return run(list(sys.argv[1:] if argv is None else argv), serve=serve_twin)


def entry() -> None:
    """The `stocktwin` command. Leaves without tearing the interpreter down: everything durable was committed, and a
    database engine that is taken apart after its threads prints pages of leaks."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve_twin(service: TwinService, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves a twin until Ctrl-C: web and REST, the inbox, and the commands of other processes."""
    from stocktwin.app.forward import CommandServer, Output
    from stocktwin.app.live import Inbox
    from stocktwin.app.standby import Standby
    from stocktwin.faces.cli.main import run_forwarded
    from stocktwin.faces.serve import serve

    def command(argv: Sequence[str], cwd: Path, output: Output) -> int:
        return run_forwarded(argv, cwd, output, service)

    root = service.settings.root
    service.go_live()
    commands = CommandServer(root, command)
    inbox = Inbox(root / "inbox", lambda path: announce(took(service.take_file(path), path.name)), announce)
    standby = Standby(service, inbox.start, announce) if service.shared else None
    commands.start()
    standby.start() if standby else inbox.start()
    try:
        serve(service, host, port, ready=lambda url: announce(f"Stocktwin is at {url} (Ctrl-C stops it)"))
    finally:
        if standby:
            standby.stop()
        inbox.stop()
        commands.stop()


def took(answer: Mapping[str, Any], name: str) -> str:
    """One line about a file of the inbox."""
    what = ", ".join(f"{answer[key]:,} {key}" for key in ("accepted", "duplicates", "quarantined"))
    return f"inbox: {name}: {what}"


if __name__ == "__main__":
    entry()
