"""Faults that a twin must survive, done on purpose and counted. Exit 1 when one was not survived.

.venv/bin/python benchmarks/faults.py kills  --count 1000     SIGKILL at random instants and at every failpoint
.venv/bin/python benchmarks/faults.py images --count 2000     power cuts: what was not synced is lost, kept or torn
.venv/bin/python benchmarks/faults.py flips  --count 1000     one bit of the journal, or of the projection
.venv/bin/python benchmarks/faults.py full                    a disk without room (needs root, for a small tmpfs)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fault", choices=["kills", "images", "flips", "full"])
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same faults (instants of kills apart)")
    parser.add_argument("--verify-every", type=int, default=1, help="prove all laws after every so many")
    parser.add_argument("--plant", action="store_true", help="with a defect that must be found (kills, images, flips)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Runs one kind of fault and prints its counts."""
    import importlib

    asked = parse(argv)
    run: Callable[..., dict[str, Any]] = importlib.import_module(f"faultlab.{asked.fault}").run
    began = time.monotonic()
    answer = run(asked.count, asked.seed, asked.verify_every, asked.plant, lambda text: print(text, file=sys.stderr))
    answer["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(answer, indent=None if asked.json else 2))
    return 1 if answer["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
