"""Time and memory of building reference worlds; each case in a process of its own, so that its peak memory is its own.

    .venv/bin/python benchmarks/world.py [small medium block national] [--processes 2] [--json]

`small` lives a year, `medium` 90 days; `block` is one of the 40 blocks of `national` over 90 days, from which the whole
is estimated (the blocks are alike, and the parent joins their truth while others live); `national` builds it all
(5 GB of disk). Without names: all but the last. CPU seconds depend little on what else the machine does, wall seconds a
lot.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CASES = {"small": ("small", 365), "medium": ("medium", 90), "block": ("national", 90), "national": ("national", 90)}
MIB = 1024 if sys.platform == "linux" else 1024 * 1024


def measured(name: str, processes: int | None) -> dict[str, Any]:
    """Builds one case in this process and measures it."""
    from stocktwin.world.blocks import write_block
    from stocktwin.world.build import build
    from stocktwin.world.parts import Joiner
    from stocktwin.world.settings import Settings

    profile, days = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        wall = time.perf_counter()
        if name == "block":
            settings = Settings(profile, days)
            with Joiner(Path(folder)) as joiner:
                rows = write_block(Path(folder), settings, 0)
                for table in rows:
                    if table.startswith("truth/"):
                        joiner.add(table, 0)
        else:
            rows = dict(build(Path(folder), profile=profile, days=days, processes=processes).rows)
        wall = time.perf_counter() - wall
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "case": name,
        "days": days,
        "movements": sum(n for table, n in rows.items() if table.startswith("feeds/") and table.endswith("/movements")),
        "rows": sum(rows.values()),
        "wall_s": round(wall, 1),
        "cpu_s": round(sum(one.ru_utime + one.ru_stime for one in usage), 1),
        "peak_mib": round(max(one.ru_maxrss for one in usage) / MIB),
        "size_mib": round(size / 2**20),
    }


def estimate(block: dict[str, Any], processes: int) -> dict[str, Any]:
    """The whole of `national` from one of its blocks, on as many cores as processes."""
    from stocktwin.world.profile import PROFILES

    blocks = PROFILES["national"].blocks
    return {
        "case": "national (estimated)",
        "days": block["days"],
        "movements": blocks * block["movements"],
        "rows": blocks * block["rows"],
        "wall_s": round(blocks * block["cpu_s"] / processes),
        "cpu_s": round(blocks * block["cpu_s"]),
        "peak_mib": (processes + 1) * block["peak_mib"],
        "size_mib": blocks * block["size_mib"],
    }


def main() -> None:
    """Measures the cases and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", default=["small", "medium", "block"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"no case called {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    if asked.here:
        print(json.dumps(measured(asked.cases[0], asked.processes)))
        return
    results = []
    for name in asked.cases:
        command = [sys.executable, __file__, name, "--here", "--processes", str(asked.processes)]
        results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        if name == "block":
            results.append(estimate(results[-1], asked.processes))
    if asked.json:
        print(json.dumps(results, indent=1))
        return
    print("".join(f"{key:>21}" if key == "case" else f"{key:>14}" for key in results[0]))
    for one in results:
        print("".join(f"{v:>21}" if k == "case" else f"{v:>14,}" for k, v in one.items()))


if __name__ == "__main__":
    main()
