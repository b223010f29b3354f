"""Excess and risk as paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from stocktwin.faces.queries import AsOf, Limit, OptionalId

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService


def add_outlook(router: APIRouter, twin: TwinService) -> None:
    """Adds the paths to a router."""

    @router.get("/excess", tags=["analytics"], summary="Stock beyond its economic cover, most money first")
    def excess(
        item: OptionalId = None, location: OptionalId = None, as_of: AsOf = None, limit: Limit = None
    ) -> JSONResponse:
        return JSONResponse(twin.outlook.excess(item=item, location=location, as_of=as_of, limit=limit))

    @router.get("/risk", tags=["analytics"], summary="What may run out before an order of today could arrive")
    def risk(
        item: OptionalId = None, location: OptionalId = None, as_of: AsOf = None, limit: Limit = None
    ) -> JSONResponse:
        return JSONResponse(twin.outlook.risk(item=item, location=location, as_of=as_of, limit=limit))
