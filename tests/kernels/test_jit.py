"""The door to Numba: lazy, cached once, readable by many, plain Python on demand."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stocktwin.kernels import jit
from stocktwin.kernels.jit import Float64Vector, Int64Vector, kernel

compiled_only = pytest.mark.skipif(jit.jit_disabled(), reason="looks at compiled code")


class Pair(NamedTuple):
    left: Int64Vector
    weight: Float64Vector
    scale: int


@kernel(inline=True)
def twice(x):  # type: ignore[no-untyped-def]
    return x + x


@kernel("int64(int64, int64)")
def add(a: int, b: int) -> int:
    return twice(a) + b


@kernel()
def total(pair: Pair, out: Float64Vector) -> int:
    left, weight, scale = pair
    count = 0
    for at in range(left.shape[0]):
        out[at] = left[at] * weight[at] * scale
        count = add(left[at], count)
    return count


def example() -> tuple[Pair, np.ndarray]:
    return Pair(np.arange(4), np.full(4, 0.5), 3), np.zeros(4)


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kernels_call_kernels_and_take_named_tuples() -> None:
    pair, out = example()
    assert total(pair, out) == 12
    assert out.tolist() == [0.0, 1.5, 3.0, 4.5]


def test_the_python_function_gives_the_same() -> None:
    pair, out = example()
    assert total.py_func(pair, out) == 12
    assert out.tolist() == [0.0, 1.5, 3.0, 4.5]


@compiled_only
def test_signatures_are_explicit() -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        add("one", 2)  # type: ignore[arg-type]


def test_an_annotation_without_a_numba_type_is_named() -> None:
    @kernel()
    def wrong(text: str) -> None: ...

    if not jit.jit_disabled():
        with pytest.raises(TypeError, match=r"wrong.*str"):
            wrong("x")


def test_importing_kernels_loads_no_numba() -> None:
    modules = sorted(path.stem for path in Path(jit.__file__).parent.glob("[a-z]*.py"))
    names = ", ".join(f"stocktwin.kernels.{name}" for name in modules)
    assert run(f"import sys, {names}; print('numba' in sys.modules, 'llvmlite' in sys.modules)") == "False False\n"


def test_without_jit_nothing_is_compiled() -> None:
    code = """
        import sys
        from stocktwin.kernels import jit
        @jit.kernel("int64(int64)")
        def double(x): return 2 * x
        print(double(4), jit.warm(), 'numba' in sys.modules)
        """
    assert run(code, NUMBA_DISABLE_JIT="1") == "8 None False\n"


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """A package with the real `jit.py` and two tiny kernels, so that filling its cache takes a second."""
    package = tmp_path / "mini"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "jit.py").write_text(Path(jit.__file__).read_text())
    (package / "leaf.py").write_text(
        "from mini.jit import kernel\n@kernel('int64(int64)')\ndef leaf(x): return x + 1\n"
    )
    (package / "top.py").write_text(
        "from mini.jit import kernel\nfrom mini.leaf import leaf\n"
        "@kernel('int64(int64)')\ndef top(x): return 10 * leaf(x)\n"
    )
    return tmp_path


CALL = "from mini.top import top; from mini import jit; print(top(4), len(list(jit.warm().glob('*.nbc'))))"


@compiled_only
def test_the_cache_is_filled_once_whole_and_then_only_read(miniature: Path) -> None:
    cache = miniature / "cache"
    where = {"PYTHONPATH": str(miniature), "STOCKTWIN_CACHE": str(cache)}
    assert run(CALL, **where) == "50 2\n"
    (folder,) = (path for path in cache.iterdir())
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    cache.chmod(0o500)
    folder.chmod(0o500)
    try:
        loaded = CALL + "; print(sum(top._resolve().stats.cache_hits.values()))"
        assert run(loaded, **where) == "50 2\n1\n"
    finally:
        cache.chmod(0o700)
        folder.chmod(0o700)
    assert stamps == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@compiled_only
def test_an_edited_callee_is_never_answered_from_an_old_cache(miniature: Path) -> None:
    where = {"PYTHONPATH": str(miniature), "STOCKTWIN_CACHE": str(miniature / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(CALL, **where).startswith("50 ")
    leaf = miniature / "mini" / "leaf.py"
    leaf.write_text(leaf.read_text().replace("x + 1", "x + 2"))
    assert run(CALL, **where).startswith("60 ")


@compiled_only
def test_two_processes_fill_one_cache(miniature: Path) -> None:
    where = {**os.environ, "PYTHONPATH": str(miniature), "STOCKTWIN_CACHE": str(miniature / "cache")}
    both = [subprocess.Popen([sys.executable, "-c", CALL], env=where, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == [b"50 2\n", b"50 2\n"]
    assert len(list((miniature / "cache").iterdir())) == 1


@compiled_only
def test_a_damaged_cache_costs_a_compilation_not_an_answer(miniature: Path) -> None:
    where = {"PYTHONPATH": str(miniature), "STOCKTWIN_CACHE": str(miniature / "cache")}
    assert run(CALL, **where).startswith("50 ")
    for path in (miniature / "cache").rglob("*.nbc"):
        path.write_bytes(b"not code")
    assert run(CALL, **where).startswith("50 ")


@compiled_only
def test_without_a_writable_folder_a_private_one_is_used(miniature: Path) -> None:
    (miniature / "cache").write_text("a file, not a folder")
    (miniature / "tmp").mkdir()
    where = {
        "PYTHONPATH": str(miniature),
        "STOCKTWIN_CACHE": str(miniature / "cache"),
        "TMPDIR": str(miniature / "tmp"),
    }
    assert run(CALL, **where) == "50 2\n"
    (private,) = (miniature / "tmp").iterdir()
    assert private.stat().st_mode & 0o077 == 0
