"""A PostgreSQL server of one's own for a comparison: durable, on a socket in a folder, ended with the block."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SETTINGS = ("shared_buffers=2GB", "max_wal_size=8GB", "checkpoint_timeout=30min", "listen_addresses=")
"""fsync and synchronous_commit stay on."""


def binaries() -> Path | None:
    """Folder of the server's programs, or None where no server is installed."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True), shutil.which("initdb")]
    return next((Path(path).parent for path in found if path), None)


@contextlib.contextmanager
def server(bin: Path, folder: Path) -> Iterator[str]:
    """A running server; its connection string. It refuses root, and then runs as `nobody`."""
    folder.mkdir(parents=True)
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data, log = str(folder / "data"), (folder / "log").open("w")
    make = [str(bin / "initdb"), "-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(make, check=True, stdout=log, stderr=log, cwd=folder, **user)
    start = [str(bin / "postgres"), "-D", data, "-k", str(folder)]
    start += [word for setting in SETTINGS for word in ("-c", setting)]
    process = subprocess.Popen(start, stdout=log, stderr=log, cwd=folder, **user)
    try:
        while "ready to accept connections" not in (folder / "log").read_text():
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield f"host={folder} user=bench dbname=postgres"
    finally:
        process.terminate()
        process.wait()
        log.close()
