"""From a posted fact to the open pages, and from a second start to the first page, on a copy of a twin.

    .venv/bin/python benchmarks/live.py TWIN [--facts 10] [--json]

Serves the copy twice. A start ends when the first page has been sent whole. Of each posted sale: `acknowledged` (on
disk), `told` (the event stream says that something changed), then `item`, `grid` and `overview`: the page, asked for
once the stream has told, is sent whole with the new quantity in it. Seconds since the post.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOT_COPIED = ("twin.lock", "twin.sock", "feeds", "truth", "derived")


@contextmanager
def served(twin: Path) -> Iterator[str]:
    """A server on a free port; its address."""
    command = [sys.executable, "-m", "stocktwin", "--twin", str(twin), "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "http://" in line:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield "http://" + line.split("http://")[1].split()[0].rstrip("/.")
                return
        raise SystemExit("the server did not start")
    finally:
        process.terminate()
        process.wait(30)


def get(url: str) -> str:
    """A page, whole."""
    with urllib.request.urlopen(url) as response:
        return str(response.read().decode())


class Listener:
    """Follows the event stream of a twin as an open page does."""

    def __init__(self, base: str) -> None:
        self._told = threading.Semaphore(0)
        self._stream = urllib.request.urlopen(f"{base}/api/v1/live")
        threading.Thread(target=self._follow, daemon=True).start()
        self.wait()

    def _follow(self) -> None:
        for line in self._stream:
            if line.startswith(b"data:"):
                self._told.release()

    def wait(self) -> None:
        """Blocks until the stream tells of one more change."""
        if not self._told.acquire(timeout=60):
            raise SystemExit("the stream told of no change")


def post_and_look(base: str, listener: Listener, row: dict[str, Any], number: int) -> dict[str, float]:
    """Posts one sale and waits until the pages show it."""
    path = "/".join(urllib.parse.quote(row[name], safe="") for name in ("item_id", "location_id"))
    level = json.loads(get(f"{base}/api/v1/item-locations/{path}"))
    fact = {
        "table": "movements", "event_id": f"BENCH-{time.time_ns()}-{number}", "event_time": level["as_of"],
        "kind": "sale", "item_id": row["item_id"], "quantity": 1, "from_id": row["location_id"], "system": "erp",
    }  # fmt: skip
    body = json.dumps(fact).encode()
    request = urllib.request.Request(f"{base}/api/v1/facts", body, {"content-type": "application/x-ndjson"})
    before = get(f"{base}/stock/{path}")
    start = time.perf_counter()
    answer = json.loads(urllib.request.urlopen(request).read())
    seen = {"acknowledged": time.perf_counter() - start}
    assert answer["accepted"] == 1, answer
    listener.wait()
    seen["told"] = time.perf_counter() - start
    assert get(f"{base}/stock/{path}") != before
    seen["item"] = time.perf_counter() - start
    page = json.loads(get(f"{base}/api/v1/item-locations?limit=100&search={urllib.parse.quote(row['item_id'])}"))
    seen["grid"] = time.perf_counter() - start
    assert get(base)
    seen["overview"] = time.perf_counter() - start
    [shown] = [one for one in page["rows"] if one["location_id"] == row["location_id"]]
    assert float(shown["on_hand"]) == float(level["position"]["on_hand"]) - 1, (shown, level["position"])
    return seen


def measure(twin: Path, facts: int) -> dict[str, Any]:
    """Both measurements."""
    found: dict[str, Any] = {"starts": []}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "twin"
        shutil.copytree(twin, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (copy / "feeds").mkdir()
        for attempt in ("first", "second"):
            start = time.perf_counter()
            with served(copy) as base:
                address = time.perf_counter() - start
                get(base)
                found["starts"].append({"start": attempt, "address": address, "page": time.perf_counter() - start})
                if attempt == "second":
                    time.sleep(5)
                    rows = json.loads(get(f"{base}/api/v1/item-locations?limit={facts}&sort=on_hand&descending=true"))
                    listener = Listener(base)
                    found["facts"] = [post_and_look(base, listener, row, at) for at, row in enumerate(rows["rows"])]
                else:
                    time.sleep(20)  # what is made in the background is kept by then
    return found


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("twin", type=Path)
    parser.add_argument("--facts", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.twin, options.facts)
    if options.json:
        print(json.dumps(found))
        return
    for start in found["starts"]:
        print(f"{start['start']} start: address after {start['address']:.2f} s, first page {start['page']:.2f} s")
    for name in found["facts"][0]:
        seconds = [fact[name] for fact in found["facts"]]
        print(f"{name:13s} median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
