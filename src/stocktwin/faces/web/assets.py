"""Static files under a path that names their content, so that browsers may keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

STATIC = Path(__file__).parent / "static"


class KeptFiles(StaticFiles):
    """Static files that never change under their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for a year."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def digest(folder: Path) -> str:
    """Twelve hex digits of the names and contents of all files in `folder`."""
    state = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:12]


def mount_assets(app: FastAPI) -> str:
    """Serves the static files; their folder relative to the twin's root, without a slash at its end."""
    folder = f"static/{digest(STATIC)}"
    app.mount(f"/{folder}", KeptFiles(directory=STATIC), name="static")
    return folder
