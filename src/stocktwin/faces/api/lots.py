"""Lots as paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from stocktwin.faces.queries import After, Limit, Moment, OptionalId, QueryId

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

Book = Annotated[str | None, Query(max_length=200, description="a system's own book")]
Direction = Annotated[Literal["both", "forward", "back"], Query(description="where it went, where it came from")]
Documents = Annotated[int | None, Query(ge=1, le=10_000_000, description="most documents returned; all without it")]


def add_lots(router: APIRouter, twin: TwinService) -> None:
    """Adds the paths to a router."""
    _add_stock(router, twin)
    _add_trace(router, twin)


def _add_stock(router: APIRouter, twin: TwinService) -> None:
    @router.get("/lots", tags=["stock"], summary="Stock by lot, with expiry; unnamed issues are attributed")
    def lots(
        item: OptionalId = None,
        location: OptionalId = None,
        at: Moment = None,
        known_at: Moment = None,
        book: Book = None,
        state: Annotated[
            Literal["expired", "expiring", "short", "unknown"] | None, Query(description="only such")
        ] = None,
        order: Literal["item", "expiry"] = "item",
        limit: Limit = None,
        after: After = None,
    ) -> JSONResponse:
        asked = {"item": item, "location": location, "at": at, "known_at": known_at, "book": book}
        return JSONResponse(twin.lots(**asked, state=state, order=order, limit=limit, after=after))

    @router.get("/transforms", tags=["stock"], summary="What was made of what, and documents that do not add up")
    def transforms(
        item: OptionalId = None,
        faulty: bool = False,
        at: Moment = None,
        known_at: Moment = None,
        book: Book = None,
        limit: Documents = None,
        after: After = None,
    ) -> JSONResponse:
        return JSONResponse(twin.transforms(item, at, known_at, book, faulty, limit, after))


def _add_trace(router: APIRouter, twin: TwinService) -> None:
    @router.get(
        "/trace", tags=["stock"], summary="Recall trace of a lot: where it is, where it went, what it is made of"
    )
    def trace(
        item: QueryId,
        lot: QueryId,
        direction: Direction = "both",
        at: Moment = None,
        known_at: Moment = None,
        book: Book = None,
        limit: Documents = None,
        after: After = None,
    ) -> JSONResponse:
        return JSONResponse(
            twin.trace(item, lot, direction, at=at, known_at=known_at, book=book, limit=limit, after=after)
        )

    @router.get(
        "/trace.csv", tags=["stock"], summary="Every movement of a recall trace, as CSV", response_class=Response
    )
    def trace_csv(
        item: QueryId,
        lot: QueryId,
        direction: Direction = "both",
        at: Moment = None,
        known_at: Moment = None,
        book: Book = None,
    ) -> Response:
        text = twin.trace_csv(item=item, lot=lot, direction=direction, at=at, known_at=known_at, book=book)
        headers = {"content-disposition": 'attachment; filename="trace.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
