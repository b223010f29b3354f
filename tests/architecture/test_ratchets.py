"""What may not get worse. Exceptions carry the size they have; they may shrink, and must go when nothing needs them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MAX_FILE = 400
MAX_FUNCTION = 60
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "yaml.load", "os.system", "os.popen", "tempfile.mktemp"}
UNFINISHED = ("TODO", "FIXME", "XXX:")
Modules = dict[str, ast.Module]


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Top-level names of everything a module imports, anywhere in it, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno


def called(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name it goes by in the source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def beyond(sizes: dict[str, int], limit: int, exceptions: dict[str, int]) -> dict[str, int]:
    """What is longer than the limit, or than its own exception."""
    return {name: size for name, size in sizes.items() if size > exceptions.get(name, limit)}


def needless(sizes: dict[str, int], limit: int, exceptions: dict[str, int]) -> set[str]:
    """Exceptions for what is gone, or within the limit again."""
    return {name for name in exceptions if sizes.get(name, 0) <= limit}


def test_files_stay_readable_in_one_sitting(root: Path, project_files: list[Path]) -> None:
    python = [path for path in project_files if path.suffix == ".py"]
    sizes = {str(path.relative_to(root)): len(path.read_text().splitlines()) for path in python}
    assert beyond(sizes, MAX_FILE, LONG_FILES) == {}
    assert needless(sizes, MAX_FILE, LONG_FILES) == set()


def test_functions_stay_short(modules: Modules) -> None:
    sizes = {
        f"{name}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert beyond(sizes, MAX_FUNCTION, LONG_FUNCTIONS) == {}
    assert needless(sizes, MAX_FUNCTION, LONG_FUNCTIONS) == set()


def test_only_jit_calls_numba(modules: Modules) -> None:
    """Elsewhere a stale cache or a compilation at import would come back."""
    users = {name for name, tree in modules.items() for module, _ in imported(tree) if module in ("numba", "llvmlite")}
    assert users <= {"kernels/jit.py"}


def test_no_kernel_is_parallel(modules: Modules) -> None:
    """Without libgomp two threads calling a `parallel=True` kernel abort the process; ours run on our own threads."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.keyword) and node.arg == "parallel" and not is_false(node.value))
        or (
            isinstance(node, ast.Name | ast.Attribute)
            and "prange" in (getattr(node, "id", ""), getattr(node, "attr", ""))
        )
    ]
    assert found == []


def is_false(node: ast.expr) -> bool:
    """Whether an expression is the constant False."""
    return isinstance(node, ast.Constant) and node.value is False


def test_nothing_that_runs_what_it_reads(modules: Modules) -> None:
    found = [
        f"{name}:{line} {module}"
        for name, tree in modules.items()
        for module, line in imported(tree)
        if module in FORBIDDEN_IMPORTS
    ]
    for name, tree in modules.items():
        for function, call in called(tree):
            shell = any(word.arg == "shell" and not is_false(word.value) for word in call.keywords)
            if function in FORBIDDEN_CALLS or shell:
                found.append(f"{name}:{call.lineno} {function}")
    assert found == []


def test_nothing_is_unfinished(root: Path) -> None:
    package = root / "src" / "stocktwin"
    found = [
        f"{path.relative_to(package)}:{number}"
        for path in package.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if any(word in line for word in (*UNFINISHED, "NotImplementedError"))
    ]
    assert found == []
