"""`stocktwin …` and `python -m stocktwin …`: wires the command line to the server, which may not know each other."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    from stocktwin.faces.cli.main import main as run

    return run(list(sys.argv[1:] if argv is None else argv), serve=_serve)


def _serve(service: object, host: str, port: int, announce: object) -> None:
    from stocktwin.faces.serve import serve

    serve(service, host, port, announce)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
