"""The past as paths: the history of an account, late facts, stock as of T and as known at D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from stocktwin.faces.queries import After, Learned, Moment, OptionalId, PageSize, QueryId

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService


def add_past(router: APIRouter, twin: TwinService) -> None:
    """Adds the paths to a router."""

    @router.get("/history", tags=["past"], summary="Every fact of an account, with its source and the balance after it")
    def history(
        item: QueryId,
        location: OptionalId = None,
        lot: OptionalId = None,
        condition: OptionalId = None,
        owner: OptionalId = None,
        book: OptionalId = None,
        since: Moment = None,
        at: Moment = None,
        known_at: Moment = None,
        learned_by: Learned = None,
        limit: PageSize = 100,
        after: After = None,
    ) -> JSONResponse:
        account = {"location": location, "lot": lot, "condition": condition, "owner": owner, "book": book}
        times = {"since": since, "at": at, "known_at": known_at, "learned_by": learned_by}
        return JSONResponse(twin.history(item, **account, limit=limit, after=after, **times))

    @router.get("/late", tags=["past"], summary="Facts that came late, and what each of them changed")
    def late(
        since: Moment = None,
        hours: Annotated[float | None, Query(ge=0, le=1e6, description="late is what came after so many")] = None,
        item: OptionalId = None,
        location: OptionalId = None,
        limit: PageSize = 100,
        after: After = None,
    ) -> JSONResponse:
        return JSONResponse(twin.late(since=since, hours=hours, item=item, location=location, limit=limit, after=after))

    _add_then(router, twin)


def _add_then(router: APIRouter, twin: TwinService) -> None:
    @router.get("/then", tags=["past"], summary="Stock as of T as known at D, beside what is known now")
    def then(
        item: OptionalId = None,
        location: OptionalId = None,
        search: Annotated[str | None, Query(max_length=200)] = None,
        changed: bool = False,
        at: Moment = None,
        known_at: Moment = None,
        learned_by: Learned = None,
        limit: PageSize = 100,
        after: After = None,
    ) -> JSONResponse:
        asked = {"item": item, "location": location, "at": at, "known_at": known_at, "learned_by": learned_by}
        return JSONResponse(twin.then(search=search, changed=changed, limit=limit, after=after, **asked))

    @router.get("/available", tags=["stock"], summary="On hand, reserved and available, per item and location")
    def available(
        item: OptionalId = None,
        location: OptionalId = None,
        at: Moment = None,
        known_at: Moment = None,
        limit: PageSize = 100,
        after: After = None,
    ) -> JSONResponse:
        asked = {"item": item, "location": location, "at": at, "known_at": known_at}
        return JSONResponse(twin.available(**asked, limit=limit, after=after))

    @router.get("/reservations", tags=["stock"], summary="Order lines that reserve stock, in the order of service")
    def reservations(
        item: OptionalId = None,
        location: OptionalId = None,
        at: Moment = None,
        known_at: Moment = None,
        state: Annotated[str | None, Query(max_length=20, description="pending, posted, void, expired or all")] = None,
        limit: PageSize = 100,
        after: After = None,
    ) -> JSONResponse:
        asked = {"item": item, "location": location, "at": at, "known_at": known_at, "state": state}
        return JSONResponse(twin.reservations(**asked, limit=limit, after=after))

    @router.get("/curve", tags=["past"], summary="On hand of an item over time, as known at D and as known now")
    def curve(
        item: QueryId, location: OptionalId = None, known_at: Moment = None, learned_by: Learned = None
    ) -> JSONResponse:
        return JSONResponse(twin.curve(item, location, known_at=known_at, learned_by=learned_by))

    @router.get("/ledger", tags=["state"], summary="How the ledger is doing: laws, hash, head, batches, sizes")
    def ledger() -> JSONResponse:
        return JSONResponse(twin.ledger_health())

    @router.post("/verify", tags=["state"], summary="Begin to prove the laws; `GET /ledger` says how far that is")
    def verify() -> JSONResponse:
        return JSONResponse(twin.verify_start(), 202)

    @router.get("/span", tags=["past"], summary="From when to when anything happened, and was learned")
    def span() -> JSONResponse:
        return JSONResponse(twin.span())
