"""Excess and risk as paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

OptionalId = Annotated[str | None, Query(max_length=500)]
AsOf = Annotated[str | None, Query(max_length=40, description="with what the sources knew then; ISO 8601 date or time")]
Limit = Annotated[int | None, Query(ge=1, le=10_000_000, description="most rows returned; all without it")]


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
