"""The questions of `app.usecases` as paths. Endpoints are plain functions: each call runs in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from stocktwin.faces.api.backups import add_backups
from stocktwin.faces.api.live import LiveFeed
from stocktwin.faces.api.lots import add_lots
from stocktwin.faces.api.outlook import add_outlook
from stocktwin.faces.api.past import add_past
from stocktwin.faces.api.problems import PROBLEM_SCHEMA
from stocktwin.faces.queries import After, AsOf, Learned, Limit, Moment, OptionalId, PageSize, QueryId
from stocktwin.faces.requests import DecisionRequest, DiscardRequest, SimulationRequest

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

MAX_FACTS_BYTES = 64 * 1024 * 1024
PROBLEMS: dict[int | str, dict[str, Any]] = {400: PROBLEM_SCHEMA, 404: PROBLEM_SCHEMA, 422: PROBLEM_SCHEMA}

Id = Annotated[str, Path(min_length=1, max_length=500)]
Offset = Annotated[int, Query(ge=0, le=2**53)]
Movements = Annotated[int, Query(ge=1, le=10_000_000, description="most movements returned, newest first")]
Horizon = Annotated[int, Query(ge=1, le=730, description="days")]
PublishedHead = Annotated[str | None, Query(max_length=100, description="SEQ:HASH of an earlier `journal/head`")]


def api_router(twin: TwinService, feed: LiveFeed) -> APIRouter:
    """Every path under `/api/v1`."""
    router = APIRouter(prefix="/api/v1", responses=PROBLEMS, default_response_class=JSONResponse)
    _add_state(router, twin)
    add_backups(router, twin)
    _add_stock(router, twin)
    add_lots(router, twin)
    _add_items(router, twin)
    add_past(router, twin)
    _add_questions(router, twin)
    _add_decisions(router, twin)
    _add_facts(router, twin)
    _add_live(router, feed)
    return router


def _add_state(router: APIRouter, twin: TwinService) -> None:
    @router.get("/status", tags=["state"], summary="Facts counted per source, state hash, clock")
    def status() -> JSONResponse:
        return JSONResponse(twin.status())

    @router.get("/overview", tags=["state"], summary="KPIs, locations and lanes of the network")
    def overview() -> JSONResponse:
        return JSONResponse(twin.overview())

    @router.get("/verify", tags=["state"], summary="Check the laws of the ledger, and a published head")
    def verify(head: PublishedHead = None) -> JSONResponse:
        return JSONResponse(twin.verify(head))

    @router.get("/journal/head", tags=["state"], summary="The head of the journal's hash chain, to be kept elsewhere")
    def journal_head() -> JSONResponse:
        return JSONResponse(twin.journal_head())

    @router.get("/quarantine", tags=["state"], summary="Rows that were not taken, with file, line, column and value")
    def quarantine(
        limit: PageSize = 100, after: After = None, source: OptionalId = None, discarded: bool = False
    ) -> JSONResponse:
        return JSONResponse(twin.quarantine(limit=limit, after=after, source=source, discarded=discarded))

    @router.post("/quarantine/discard", tags=["state"], summary="Put rows that were refused aside, on the record")
    def discard(request: DiscardRequest) -> JSONResponse:
        return JSONResponse(twin.quarantine_discard(request.ids, by=request.by, reason=request.reason))


def _add_stock(router: APIRouter, twin: TwinService) -> None:
    @router.get("/stock", tags=["stock"], summary="On hand, at any time, as known at any time")
    def stock(
        item: OptionalId = None,
        location: OptionalId = None,
        at: Moment = None,
        known_at: Moment = None,
        learned_by: Learned = None,
        book: Annotated[str | None, Query(max_length=200, description="a system's own book")] = None,
        limit: Limit = None,
        after: After = None,
    ) -> JSONResponse:
        moments = {"at": at, "known_at": known_at, "learned_by": learned_by}
        return JSONResponse(twin.stock(item=item, location=location, book=book, limit=limit, after=after, **moments))

    @router.get("/item-locations", tags=["stock"], summary="One page of all item-locations, sorted and filtered")
    def item_locations(
        offset: Offset = 0,
        limit: PageSize = 100,
        sort: Annotated[str, Query(max_length=60, description="a column of the answer")] = "item_id",
        descending: bool = False,
        search: Annotated[str | None, Query(max_length=200, description="part of an id or a description")] = None,
        location: OptionalId = None,
        category: Annotated[str | None, Query(max_length=200)] = None,
        filter: Annotated[str | None, Query(max_length=60, description="a named condition")] = None,
        after: After = None,
    ) -> JSONResponse:
        page = twin.grid(
            offset=offset,
            limit=limit,
            sort=sort,
            descending=descending,
            search=search,
            location=location,
            category=category,
            filter=filter,
            after=after,
        )
        return JSONResponse(page)


def _add_items(router: APIRouter, twin: TwinService) -> None:
    @router.get("/item-locations/{item:segment}/{location:segment}", tags=["stock"], summary="All about one")
    def item_location(item: Id, location: Id, movements: Movements = 100) -> JSONResponse:
        return JSONResponse(twin.item_location(item=item, location=location, movements=movements))

    @router.get("/item-location", tags=["stock"], summary="The same, for ids that cannot stand in a path")
    def item_location_by_query(item: QueryId, location: QueryId, movements: Movements = 100) -> JSONResponse:
        return JSONResponse(twin.item_location(item=item, location=location, movements=movements))

    @router.get("/movements", tags=["stock"], summary="What happened to an item at a location, newest first")
    def movements(item: QueryId, location: QueryId, limit: PageSize = 100, after: After = None) -> JSONResponse:
        return JSONResponse(twin.movements(item=item, location=location, limit=limit, after=after))

    @router.get("/observations", tags=["stock"], summary="Counts and claims of an item at a location, newest first")
    def observations(item: QueryId, location: QueryId, limit: PageSize = 100, after: After = None) -> JSONResponse:
        return JSONResponse(twin.observations(item=item, location=location, limit=limit, after=after))

    @router.get("/items/{item:segment}", tags=["stock"], summary="An item at all its locations")
    def item(item: Id) -> JSONResponse:
        return JSONResponse(twin.item(item=item))

    @router.get("/item", tags=["stock"], summary="The same, for ids that cannot stand in a path")
    def item_by_query(item: QueryId) -> JSONResponse:
        return JSONResponse(twin.item(item=item))


def _add_questions(router: APIRouter, twin: TwinService) -> None:
    @router.get("/anomalies", tags=["analytics"], summary="What does not fit, with evidence and the cheapest check")
    def anomalies(
        days: Annotated[int, Query(ge=1, le=3_650)] = 90, limit: Limit = None, after: After = None
    ) -> JSONResponse:
        return JSONResponse(twin.anomalies(days=days, limit=limit, after=after))

    @router.get("/reconcile", tags=["analytics"], summary="Where the systems' books differ from the record")
    def reconcile(limit: Limit = None, after: After = None) -> JSONResponse:
        return JSONResponse(twin.reconcile(limit=limit, after=after))

    @router.get("/arrivals", tags=["analytics"], summary="When each open order line will arrive")
    def arrivals(item: OptionalId = None, as_of: AsOf = None, limit: Limit = None, after: After = None) -> JSONResponse:
        past = {} if as_of is None else {"as_of": as_of}
        return JSONResponse(twin.arrivals(item=item, limit=limit, after=after, **past))

    @router.get("/forecast", tags=["analytics"], summary="Demand ahead as a distribution, per item and location")
    def forecast(
        item: OptionalId = None,
        location: OptionalId = None,
        horizon: Horizon = 28,
        as_of: AsOf = None,
        limit: Limit = None,
        after: After = None,
    ) -> JSONResponse:
        asked = {"item": item, "location": location, "horizon": horizon, "limit": limit, "after": after}
        return JSONResponse(twin.forecast(**asked, **({} if as_of is None else {"as_of": as_of})))

    add_outlook(router, twin)

    @router.get("/accuracy", tags=["analytics"], summary="The forecast backtested beside simple ones")
    def accuracy(horizon: Horizon = 28) -> JSONResponse:
        return JSONResponse(twin.accuracy(horizon=horizon))

    @router.get("/truth", tags=["world"], summary="Truth, record and books side by side (twins of a world only)")
    def truth(item: OptionalId = None, location: OptionalId = None) -> JSONResponse:
        return JSONResponse(twin.truth(item=item or None, location=location or None))

    @router.get("/scenarios", tags=["simulation"], summary="The library and the twin's own scenarios")
    def scenarios() -> JSONResponse:
        return JSONResponse(twin.scenarios())

    @router.post("/simulations", tags=["simulation"], summary="Run scenarios against the live state, with a baseline")
    def simulations(request: SimulationRequest) -> JSONResponse:
        return JSONResponse(
            twin.simulate(
                scenarios=request.scenarios,
                replications=request.replications,
                horizon=request.horizon,
                seed=request.seed,
                warmup=request.warmup,
            )
        )


def _add_decisions(router: APIRouter, twin: TwinService) -> None:
    @router.get("/recommendations", tags=["recommendations"], summary="Actions, tested by simulation, best first")
    def recommendations(
        top: Annotated[int, Query(ge=1, le=1_000, description="how many are proved")] = 20,
        limit: Limit = None,
        after: After = None,
    ) -> JSONResponse:
        return JSONResponse(twin.recommend(top=top, limit=limit, after=after))

    @router.get("/recommendations/{id:segment}", tags=["recommendations"], summary="One, with its proof")
    def recommendation(id: Id) -> JSONResponse:
        return JSONResponse(twin.recommendation(id))

    @router.post("/recommendations/{id:segment}/approve", tags=["recommendations"], summary="Approve, on the record")
    def approve(id: Id, decision: DecisionRequest) -> JSONResponse:
        return JSONResponse(twin.approve(id, by=decision.by, reason=decision.reason))

    @router.post("/recommendations/{id:segment}/reject", tags=["recommendations"], summary="Reject, on the record")
    def reject(id: Id, decision: DecisionRequest) -> JSONResponse:
        return JSONResponse(twin.reject(id, by=decision.by, reason=decision.reason))

    @router.get("/decisions", tags=["recommendations"], summary="Who decided what, when and why")
    def decisions(limit: Limit = None, after: After = None) -> JSONResponse:
        return JSONResponse(twin.decisions(limit=limit, after=after))


FACTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"table": "movements", "event_id": "S-1", "event_time": "2026-01-02T08:15:00Z", '
                '"kind": "sale", "item_id": "A-1", "quantity": 2, "from_id": "DC-1", "system": "erp"}\n',
            }
        },
    }
}


def _add_facts(router: APIRouter, twin: TwinService) -> None:
    @router.post("/facts", tags=["facts"], summary="Deliver facts as JSON lines", openapi_extra=FACTS_BODY)
    async def facts(
        request: Request,
        table: Annotated[str | None, Query(max_length=60, description="the table of lines that name none")] = None,
        source: Annotated[str, Query(max_length=200, description="whose words the lines are in")] = "exchange",
    ) -> JSONResponse:
        body = await read_body(request, MAX_FACTS_BYTES)
        return JSONResponse(await to_thread.run_sync(lambda: twin.post_facts(body, table=table, source=source)))


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; 413 as soon as it is longer than `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise HTTPException(413, f"the body is longer than {limit} bytes; deliver it in parts")
        chunks.append(chunk)
    return b"".join(chunks)


def _add_live(router: APIRouter, feed: LiveFeed) -> None:
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}

    @router.get("/live", tags=["state"], summary="Server-sent events: the version of the twin, whenever it grows")
    async def live() -> StreamingResponse:
        return StreamingResponse(feed.events(), media_type="text/event-stream", headers=headers)
