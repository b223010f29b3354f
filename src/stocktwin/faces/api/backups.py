"""Backups as paths. To put one back is left to the command line: it replaces the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService


def add_backups(router: APIRouter, twin: TwinService) -> None:
    """Adds the paths to a router."""

    @router.get("/backups", tags=["state"], summary="Backups of the journal, newest first")
    def backups() -> JSONResponse:
        return JSONResponse(twin.backups())

    @router.post("/backups", tags=["state"], summary="Copy the journal into a new backup, every batch checked")
    def backup() -> JSONResponse:
        return JSONResponse(twin.backup())
