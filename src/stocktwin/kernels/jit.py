"""The only door to Numba: kernels compile on their first call, and the compiled code is kept on disk.

Writing a kernel

    @kernel("int64(int64, int64)")            # explicit signature, or a tuple of several
    def add(a: int, b: int) -> int: ...

    @kernel()                                 # the signature is read from the annotations
    def sweep(lines: Lines, day: int, out: Int64Matrix) -> None: ...

    @kernel(inline=True)                      # a leaf: takes the types of its caller and is inlined there
    def shortage(demand, on_hand): ...

Annotations may be `int`, `float`, `bool`, the array aliases below (C-contiguous), or a `NamedTuple` class of those.
Kernels are compiled without the GIL, with NumPy's error model, without `fastmath` and without `parallel` (which aborts
a process where libgomp is missing), so they run on our own threads and give the same bits on any number of them.

How it works

- A `Kernel` is a lazy object. Importing a kernel module loads no Numba. Another kernel may call it: while the caller is
  compiled, Numba asks the object for its type (`_numba_type_`) and gets the real dispatcher, so calls between kernels
  are direct and leaves are inlined.
- Compiled code lives in `$STOCKTWIN_CACHE` or `~/.cache/stocktwin`, in a folder named by a digest of every
  `kernels/*.py`, Python, Numba, llvmlite, the CPU and Numba's settings. One process fills it, under a lock, into a
  temporary folder that is renamed when complete; after that it is only read, so that an edited callee can never leave a
  stale answer and two processes can never write the same file. A folder that cannot be written falls back to a private
  temporary one; a full one may be read-only.
- With `NUMBA_DISABLE_JIT=1` a kernel is its Python function.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import shutil
import sys
import tempfile
import threading
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

P = ParamSpec("P")
R = TypeVar("R")

Int64Vector = Annotated[npt.NDArray[np.int64], ("int64", 1)]
Int64Matrix = Annotated[npt.NDArray[np.int64], ("int64", 2)]
Int64Cube = Annotated[npt.NDArray[np.int64], ("int64", 3)]
Int32Vector = Annotated[npt.NDArray[np.int32], ("int32", 1)]
Int32Matrix = Annotated[npt.NDArray[np.int32], ("int32", 2)]
Int32Cube = Annotated[npt.NDArray[np.int32], ("int32", 3)]
Int16Cube = Annotated[npt.NDArray[np.int16], ("int16", 3)]
UInt64Vector = Annotated[npt.NDArray[np.uint64], ("uint64", 1)]
UInt32Vector = Annotated[npt.NDArray[np.uint32], ("uint32", 1)]
UInt16Vector = Annotated[npt.NDArray[np.uint16], ("uint16", 1)]
Float64Vector = Annotated[npt.NDArray[np.float64], ("float64", 1)]
Float64Matrix = Annotated[npt.NDArray[np.float64], ("float64", 2)]

_SCALARS = {int: "int64", float: "float64", bool: "boolean"}
_IGNORED_SETTINGS = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_DISABLE_JIT", "NUMBA_DEBUG_CACHE")
_KEPT_FOLDERS = 6
"""How many older compile caches stay beside the current one."""

_lock = threading.RLock()
_registry: list[Kernel[..., Any]] = []


def jit_disabled() -> bool:
    """Whether kernels run as plain Python (`NUMBA_DISABLE_JIT`)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called, or when another kernel that calls it is compiled.

    `py_func` is the Python function itself.
    """

    def __init__(self, function: Callable[P, R], signatures: tuple[str, ...] | None, inline: bool) -> None:
        self.py_func = function
        self.inline = inline
        self._signatures = signatures
        self._dispatcher: Any = None
        self._call: Callable[P, R] | None = None
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __repr__(self) -> str:
        return f"<kernel {self.__module__}.{self.__name__}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        call = self._call
        if call is None:
            call = self._call = self._plain if jit_disabled() else self._resolve()
        return call(*args, **kwargs)

    def _plain(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The Python function, with 64-bit arithmetic that wraps silently as it does when compiled."""
        with np.errstate(over="ignore"):
            return self.py_func(*args, **kwargs)

    @property
    def _numba_type_(self) -> Any:
        """What Numba sees when another kernel calls this one: its dispatcher."""
        return self._resolve()._numba_type_

    def _resolve(self) -> Any:
        if self._dispatcher is None:
            with _lock:
                if self._dispatcher is None:
                    self._dispatcher = _compile(self, _store())
        return self._dispatcher


def kernel(
    signatures: str | tuple[str, ...] | None = None, *, inline: bool = False
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Makes a function a kernel: compiled on its first call, or for its caller when `inline`.

    >>> @kernel("int64(int64)")
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double, double.py_func(4)
    (<kernel stocktwin.kernels.jit.double>, 8)
    """
    several = (signatures,) if isinstance(signatures, str) else signatures

    def wrap(function: Callable[P, R]) -> Kernel[P, R]:
        made = Kernel(function, several, inline)
        if not inline and made.__module__.startswith(f"{__package__}."):
            _registry.append(made)
        return made

    return wrap


class _Borrow(Kernel[P, R]):
    """See `borrow`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.py_func(*args, **kwargs)

    def _resolve(self) -> Any:
        if self._dispatcher is None:
            self._dispatcher = _compile_borrow()
        return self._dispatcher


borrow: Kernel[Any, Any] = _Borrow(lambda arrays: arrays, None, True)
"""Inside a kernel: an array, or a NamedTuple of arrays, without the count of its owners, which Numba keeps with atomic
instructions at every call between kernels (three quarters of the time of a loop that passes tens of arrays). Its owner
must outlive the kernel, so only arguments may be borrowed, never what a kernel has made itself."""


def warm() -> Path | None:
    """Compiles every kernel of this package into the cache, or checks that it is there; the folder, None without JIT.

    `run.py setup` and the test session call it. A filled cache costs one directory look-up.
    """
    if jit_disabled():
        return None
    with _lock:
        return _store().folder


# --- from annotations to Numba types ---------------------------------------------------------------------------------


def _numba_signatures(made: Kernel[..., Any]) -> list[Any]:
    if made._signatures is not None:
        return list(made._signatures)
    hints = typing.get_type_hints(made.py_func, include_extras=True)
    hints.pop("return", None)
    return [tuple(_numba_type(hint, made) for hint in hints.values())]


def _numba_type(hint: Any, made: Kernel[..., Any]) -> Any:
    types: Any = importlib.import_module("numba.core.types")
    if hint in _SCALARS:
        return getattr(types, _SCALARS[hint])
    if typing.get_origin(hint) is Annotated:
        name, dimensions = hint.__metadata__[0]
        return types.Array(getattr(types, name), dimensions, "C")
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint, include_extras=True)
        return types.BaseTuple.from_types([_numba_type(fields[name], made) for name in hint._fields], hint)
    raise TypeError(f"{made!r}: no Numba type for the annotation {hint!r}")


# --- compiling and the cache on disk ---------------------------------------------------------------------------------


class _Store:
    """A cache folder: read-only once `folder` is complete, writable while `filling`."""

    def __init__(self, folder: Path | None, filling: bool = False) -> None:
        self.folder = folder
        self.filling = filling


_current: _Store | None = None


def _store() -> _Store:
    """The cache of this code on this machine, filled if it is not there yet."""
    global _current  # noqa: PLW0603 - one cache per process
    if _current is None:
        digest = _digest()
        found = next((base / digest for base in _bases() if (base / digest).is_dir()), None)
        _current = _Store(found) if found else _fill(digest)
    return _current


def _compile(made: Kernel[..., Any], store: _Store) -> Any:
    numba: Any = importlib.import_module("numba")
    typeinfer: Any = importlib.import_module("numba.core.typeinfer")
    dispatcher = numba.njit(nogil=True, error_model="numpy", forceinline=made.inline)(made.py_func)
    if made.inline:
        return dispatcher
    if store.folder is not None:
        dispatcher._cache = _function_cache(made.py_func, store.folder, store.filling)
    with typeinfer.register_dispatcher(dispatcher):
        for signature in _numba_signatures(made):
            dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def _compile_borrow() -> Any:
    """The compiled form of `borrow`: its argument with null in place of every owner."""
    parts_of = ("numba", "numba.extending", "numba.core.cgutils", "numba.np.arrayobj", "numba.core.types")
    numba, extending, utilities, arrays_, types = (importlib.import_module(name) for name in parts_of)

    def without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
        if isinstance(kind, types.BaseTuple):
            parts = utilities.unpack_tuple(builder, value)
            kept = [without_owner(context, builder, one, part) for one, part in zip(kind, parts, strict=True)]
            return context.make_tuple(builder, kind, kept)
        if not isinstance(kind, types.Array):
            return value
        array = arrays_.make_array(kind)(context, builder, value)
        array.meminfo = utilities.get_null_value(array.meminfo.type)
        array.parent = utilities.get_null_value(array.parent.type)
        return array._getvalue()

    @extending.intrinsic
    def disown(typing_context: Any, arrays: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return without_owner(context, builder, signature.args[0], values[0])

        return arrays(arrays), generate

    return numba.njit(forceinline=True)(lambda arrays: disown(arrays))  # noqa: PLW0108 - an intrinsic is no function


def _function_cache(function: Any, folder: Path, filling: bool) -> Any:
    """Numba's cache of one function, kept in our folder and written only while we fill it."""
    caching: Any = importlib.import_module("numba.core.caching")

    class Here(caching._CacheLocator):  # type: ignore[misc]
        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return folder.name.strip(".")[:40]  # the folder is named by the digest of the sources

        def get_disambiguator(self) -> str:
            return str(function.__code__.co_firstlineno)

        @classmethod
        def from_function(cls, function: Any, path: str) -> Any:
            return cls()

    class Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes: typing.ClassVar = [Here]

    class Cache(caching.FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

        def load_overload(self, signature: Any, context: Any) -> Any:
            try:
                return super().load_overload(signature, context)
            except Exception:  # a damaged cache file costs a compilation, never an answer
                return None

        def save_overload(self, signature: Any, result: Any) -> None:
            if filling:
                super().save_overload(signature, result)

    return Cache(function)


def _fill(digest: str) -> _Store:
    """Compiles every kernel into a temporary folder and renames it when it is complete; one process at a time."""
    for base in _bases(writable=True):
        with contextlib.suppress(OSError), _file_lock(base / f"{digest}.lock"):
            if not (base / digest).is_dir():
                _fill_folder(base, digest)
            (base / f"{digest}.lock").unlink(missing_ok=True)
            return _Store(base / digest if (base / digest).is_dir() else None)
    return _Store(None)


def _fill_folder(base: Path, digest: str) -> None:
    global _current  # noqa: PLW0603 - kernels compiled meanwhile go into the folder being filled
    temporary = Path(tempfile.mkdtemp(prefix=f".{digest}.", dir=base))
    try:
        _current = _Store(temporary, filling=True)
        _import_all()
        for made in list(_registry):
            made._resolve()
        if _digest() == digest:  # else a source was edited meanwhile: keep nothing
            os.rename(temporary, base / digest)
            _forget_old(base)
    finally:
        _current = None
        shutil.rmtree(temporary, ignore_errors=True)


def _import_all() -> None:
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"{__package__}.{path.stem}")


def _digest() -> str:
    """Names the cache: every kernel source and everything else that decides what they compile to."""
    import llvmlite
    import llvmlite.binding
    import numba

    parts = [sys.version, platform.machine(), numba.__version__, llvmlite.__version__, np.__version__]
    parts.append(llvmlite.binding.get_host_cpu_name())
    settings = sorted(name for name in os.environ if name.startswith("NUMBA_") and name not in _IGNORED_SETTINGS)
    parts += [f"{name}={os.environ[name]}" for name in settings]
    digest = hashlib.sha256("\x1f".join(parts).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\x1f" + path.read_bytes() + b"\x1f")
    return f"kernels-{digest.hexdigest()[:32]}"


def _bases(writable: bool = False) -> Iterator[Path]:
    """Where caches may be: the chosen folder, then a private temporary one."""
    chosen = os.environ.get("STOCKTWIN_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stocktwin"
    private = Path(tempfile.gettempdir()) / f"stocktwin-{os.getuid() if hasattr(os, 'getuid') else os.getlogin()}"
    for base in (Path(chosen) if chosen else home, private):
        with contextlib.suppress(OSError):
            if writable:
                base.mkdir(parents=True, exist_ok=True, mode=0o700)
                tempfile.TemporaryFile(dir=base).close()
            if base.is_dir() and _trusted(base):
                yield base


def _trusted(base: Path) -> bool:
    """Compiled code is run: a folder that someone else could have put there is not read."""
    if not hasattr(os, "getuid"):
        return True
    status = base.stat()
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & 0o002


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Holds an OS lock on a file: released by the end of the process, however it ends."""
    with path.open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # no such lock here: two processes may do the same work, the rename decides
            pass
        yield


def _forget_old(base: Path) -> None:
    folders = sorted(base.glob("kernels-*"), key=lambda path: path.stat().st_mtime)
    for old in [path for path in folders if path.is_dir()][: -_KEPT_FOLDERS - 1]:
        shutil.rmtree(old, ignore_errors=True)


def _main() -> None:
    real = importlib.import_module("stocktwin.kernels.jit")  # kernels register there, not with this script
    print(f"kernels: {real.warm() or 'not compiled (NUMBA_DISABLE_JIT, or no folder can be written)'}")


if __name__ == "__main__":
    _main()
