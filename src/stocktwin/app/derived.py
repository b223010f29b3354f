"""Answers that follow from a state, kept beside the projection: a second start need not make them again.

Disposable: what is missing, damaged, of another state or of other code is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from stocktwin.app.settings import Settings

FOLDER: Final = "derived"
LAYERS: Final = ("tables", "kernels", "analytics")
"""Layers whose code decides what is derived from a snapshot."""
Kept = TypeVar("Kept")
Record = dict[str, Any]


@cache
def code_version() -> str:
    """Digest of the code that derives answers: another version of it makes them anew."""
    here = Path(__file__).parent.parent
    files = sorted(path for layer in LAYERS for path in (here / layer).glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


class Derived:
    """The folder of derived answers of one twin; without a folder nothing is kept."""

    def __init__(self, settings: Settings | None) -> None:
        self._folder = None if settings is None else settings.root / FOLDER

    def read(self, name: str, state: str) -> Record | None:
        """The record kept under a name, if it was derived from that state by this code."""
        if self._folder is None:
            return None
        try:
            data = io.BytesIO((self._folder / f"{name}.npz").read_bytes())
            with np.load(data, allow_pickle=False) as stored:
                told: Record = json.loads(str(stored["told"]))
                if told.pop("state") != state or told.pop("code") != code_version():
                    return None
                return told | {key: stored[key] for key in stored.files if key != "told"}
        except Exception:  # whatever is wrong with it, it is made anew
            return None

    def write(self, name: str, state: str, record: Mapping[str, Any]) -> None:
        """Keeps a record of arrays and JSON values. A record that holds more, or a full disk, is not kept."""
        if self._folder is None:
            return
        arrays: Record = {key: value for key, value in record.items() if isinstance(value, np.ndarray)}
        told = {key: value for key, value in record.items() if key not in arrays}
        with contextlib.suppress(OSError, TypeError):
            text = json.dumps({**told, "state": state, "code": code_version()})
            self._folder.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".partial", delete=False) as file:
                np.savez(file, **arrays, told=np.array(text))
            Path(file.name).replace(self._folder / f"{name}.npz")


def as_record(value: Any) -> Record:
    """The fields of a frozen record of arrays and JSON values."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def from_record(kind: type[Kept], record: Mapping[str, Any]) -> Kept:
    """The record again; lists are tuples, at every depth. TypeError where its fields are others."""
    return kind(**{key: _tuples(value) for key, value in record.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
