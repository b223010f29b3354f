#!/usr/bin/env python3
"""Set up, try and test Stocktwin with nothing but Python 3.11 and pip.

    python3 run.py demo                      install, build the demo twin, serve the web app (Ctrl-C stops it)
    python3 run.py test [pytest options]     install, run the everyday tests (--all: every test, as CI does)
    python3 run.py setup [--bench]           only install; .venv/bin/stocktwin exists afterwards (--bench: and the
                                             peers that benchmarks/ compares with)
    python3 run.py lock [uv options]         resolve the dependencies anew (--upgrade: to the newest)
    python3 run.py COMMAND ...               any other stocktwin command, e.g. `python3 run.py status`

Standard library only. Bare Debian has neither `make` nor the `venv` module and refuses plain `pip install`;
`pip install --target` works there, and the uv it fetches makes the environment from the hashed locks.
"""

import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:  # told before anything newer is needed
    sys.exit("Stocktwin needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
BOOTSTRAP = HERE / ".bootstrap"
STAMP = VENV / "stocktwin-setup.json"
LOCKS = {  # each level holds the one before it
    "runtime": HERE / "requirements.lock",
    "test": HERE / "requirements-dev.lock",
    "bench": HERE / "requirements-bench.lock",
}
LEVELS = tuple(LOCKS)
EXTRAS = {
    "requirements.lock": ("build", "postgres"),
    "requirements-dev.lock": ("build", "postgres", "dev"),
    "requirements-bench.lock": ("build", "postgres", "dev", "bench"),
}
UV_LOCK = HERE / "requirements-uv.lock"
SHARING = ("-n", "auto", "--maxprocesses", "8", "--dist", "loadfile")  # a file's fixtures are made once
UNFINISHED = "unfinished"
INTERRUPTED = 2  # pytest's exit code after Ctrl-C


class SetupError(Exception):
    """The environment could not be made; the message is for people."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout belongs to the command (`--json`)."""
    print(text, file=sys.stderr, flush=True)


def check(command: Sequence[str | Path], what: str, env: Mapping[str, str] | None = None) -> None:
    """Runs a step of the set-up; SetupError naming it when it fails."""
    result = subprocess.run([str(part) for part in command], check=False, cwd=HERE, stdin=subprocess.DEVNULL, env=env)
    if result.returncode:
        raise SetupError(f"{what} failed (see above). Mend the cause and run the same command again.")


# --- uv -------------------------------------------------------------------------------------------------------------


def uv() -> str:
    """Path of a working uv: the user's own, or one that pip fetches into .bootstrap (hashes checked)."""
    fetched = BOOTSTRAP / "uv" / "bin" / "uv"
    for candidate in (shutil.which("uv"), str(fetched)):
        if candidate and works([candidate, "--version"]):
            return candidate
    if not works([sys.executable, "-m", "pip", "--version"]):
        raise SetupError("pip is missing. On Debian and Ubuntu: apt-get install python3-pip")
    fetch_uv(BOOTSTRAP / "uv")
    return str(fetched)


def works(command: Sequence[str], env: Mapping[str, str] | None = None) -> bool:
    """Whether a program is there and succeeds (a shim may be there and not run); what it prints is not shown."""
    with contextlib.suppress(OSError):
        result = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, cwd=HERE, env=env)
        return result.returncode == 0
    return False


def fetch_uv(target: Path) -> None:
    """`pip install --target`, first beside its place: an interrupted fetch leaves nothing that looks whole."""
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--root-user-action=ignore", "--require-hashes", "--target", str(part), "-r", str(UV_LOCK)]
    check(pip, "Fetching uv with pip")
    part.rename(target)


# --- the environment ------------------------------------------------------------------------------------------------


def digest(level: str) -> str:
    """What an environment is made of: its lock and the project's own metadata."""
    return hashlib.sha256(LOCKS[level].read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()


def read_stamp() -> dict[str, str]:
    """What stands in .venv: its own path, its level and digest; empty when it is missing, foreign or broken."""
    try:
        stamp = json.loads(STAMP.read_text())
        healthy = (
            stamp["path"] == str(VENV)
            and (VENV / "bin" / "python").exists()
            and stamp["level"] in LOCKS
            and stamp["digest"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stamp if healthy else {}


def write_stamp(**stamp: str) -> None:
    """Written beside and renamed, so that it is whole or absent."""
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps({"path": str(VENV), **stamp}))
    part.replace(STAMP)


def ensure(level: str) -> None:
    """Makes .venv hold at least `level`; costs a few milliseconds when it does already.

    An environment never goes back to a smaller level.
    """
    if not is_current(level):
        with one_at_a_time():
            if not is_current(level):  # another process may have done it meanwhile
                install(max(level, read_stamp().get("level", level), key=LEVELS.index))


def is_current(level: str) -> bool:
    """Whether .venv holds `level`, from the locks as they are now, completely."""
    stamp = read_stamp()
    here = stamp.get("level")
    return here in LEVELS[LEVELS.index(level) :] and stamp["digest"] == digest(here)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two starts in one checkout do not install into each other's environment."""
    BOOTSTRAP.mkdir(exist_ok=True)
    with (BOOTSTRAP / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install(level: str) -> None:
    """Syncs .venv with the lock of `level`. Until the end the stamp says `unfinished`, so that a break is made good."""
    lock, began = LOCKS[level], time.monotonic()
    packages = sum("==" in line for line in lock.read_text().splitlines())
    known = read_stamp()
    length = "a few seconds" if known.get("digest", UNFINISHED) != UNFINISHED else "about a minute the first time"
    say(f"Setting up: {packages} packages into {VENV.name} ({length}) …")
    tool = uv()
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV), "UV_NO_PROGRESS": "1"}
    if not known:  # none, one that was moved here, or one whose making broke off
        check([tool, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], "Making .venv", env=env)
    write_stamp(level=level, digest=UNFINISHED)
    sync = [tool, "pip", "sync", "--quiet", "--require-hashes", str(lock)]
    if not works([*sync, "--offline"], env=env):  # first what uv has in its cache: faster, and needs no network
        check(sync, "Installing the packages", env=env)
    own = [tool, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(HERE)]
    check(own, "Installing Stocktwin itself", env=env)
    write_stamp(level=level, digest=digest(level))
    say(f"Set up in {time.monotonic() - began:.0f} s.")


def warm() -> None:
    """Compiles the kernels into their cache, so that the first simulation does not wait for it; costs nothing when the
    cache that was filled last is still the right one and still there."""
    stamp, made_of = VENV / "stocktwin-kernels.json", kernels_digest()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(stamp.read_text())
        if known["made_of"] == made_of and Path(known["folder"]).is_dir():
            return
    say("Compiling the kernels (under a minute the first time) …")
    code = "from stocktwin.kernels import jit; print(jit.warm() or '')"
    result = subprocess.run([VENV / "bin" / "python", "-c", code], check=False, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        raise SetupError("Compiling the kernels failed (see above).")
    if folder := result.stdout.strip():
        stamp.write_text(json.dumps({"made_of": made_of, "folder": folder}))


def kernels_digest() -> str:
    """What the compiled kernels are made of, as far as it can change under one environment."""
    parts = [str(STAMP), os.environ.get("STOCKTWIN_CACHE", ""), STAMP.read_text()]
    parts += [path.read_text() for path in sorted((HERE / "src" / "stocktwin" / "kernels").glob("*.py"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# --- commands -------------------------------------------------------------------------------------------------------


def setup(rest: list[str]) -> int:
    """Installs and nothing else."""
    if rest not in ([], ["--bench"]):
        say(f"run.py setup: unknown option {rest[0]!r} (there is only --bench)")
        return 2
    ensure("bench" if rest else "runtime")
    warm()
    return 0


def test(rest: list[str]) -> int:
    """The everyday tests; with --all every test, where a skip is a failure, and the kernels again without the JIT."""
    ensure("test")
    warm()
    every = "--all" in rest
    options = [option for option in rest if option != "--all"]
    env = {**os.environ, "STOCKTWIN_NO_SKIP": "1"} if every else dict(os.environ)
    failed = pytest([*([] if every else ["-m", "not slow"]), *SHARING, *options], env)
    if every and failed != INTERRUPTED:
        say("The kernels again, as plain Python (NUMBA_DISABLE_JIT=1):")
        failed = pytest(["tests/kernels"], {**os.environ, "NUMBA_DISABLE_JIT": "1"}) or failed
    return failed


def pytest(options: list[str], env: dict[str, str]) -> int:
    """pytest of the environment, from the project's root. Ctrl-C reaches it too: it is left to report and end."""
    child = subprocess.Popen([VENV / "bin" / "python", "-m", "pytest", *options], cwd=HERE, env=env)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return child.wait()


def lock(rest: list[str]) -> int:
    """Resolves every lock anew: hashes, no host names, one file for all platforms."""
    tool = uv()
    compile_ = [tool, "pip", "compile", "--quiet", "--universal", "--python-version", ".".join(map(str, OLDEST))]
    compile_ += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    compile_ += rest
    for name, extras in EXTRAS.items():
        chosen = [word for extra in extras for word in ("--extra", extra)]
        check([*compile_, *chosen, "pyproject.toml", "-o", name], f"Resolving {name}")
        say(f"wrote {name}")
    subprocess.run([*compile_, "-", "-o", UV_LOCK.name], cwd=HERE, input=b"uv\n", check=True)
    say(f"wrote {UV_LOCK.name}")
    return 0


def pass_on(argv: list[str]) -> int:
    """Becomes `stocktwin ARGV`: same process, so that Ctrl-C, kill and the exit code are its own."""
    ensure("runtime")
    program = str(VENV / "bin" / "stocktwin")
    os.execv(program, [program, *argv])
    return 0


def main(argv: list[str]) -> int:
    """Chooses the command; returns the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if argv else 2
    own: dict[str, Callable[[list[str]], int]] = {"setup": setup, "test": test, "lock": lock}
    command = own.get(argv[0])
    try:
        return command(argv[1:]) if command else pass_on(argv)
    except SetupError as error:
        say(f"run.py: {error}")
        return 3
    except KeyboardInterrupt:
        say("\nStopped. The next start goes on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
