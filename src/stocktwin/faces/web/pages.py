"""The pages: each is a shell with its facts in it; what takes long is a fragment that the page fetches afterwards.

A page that hears of a change (`static/main.js`) asks for itself again and replaces what differs, so nothing here knows
about live updates. Links are relative, so that the twin may stand under any path of a proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from stocktwin.faces.queries import After, OptionalId, QueryId
from stocktwin.faces.requests import SimulationRequest
from stocktwin.faces.web.assets import mount_assets
from stocktwin.faces.web.comparison import lines
from stocktwin.faces.web.errors import add_error_pages
from stocktwin.faces.web.lots import add_lots_pages
from stocktwin.faces.web.past import add_past_pages
from stocktwin.faces.web.reference import operations
from stocktwin.faces.web.render import Renderer

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

QUARANTINE_ROWS = 50
ANOMALY_ROWS = 25
ATTENTION_ROWS = 4
RECOMMENDATIONS = 20
MOVEMENTS = 50
OBSERVATIONS = 20


def add_pages(app: FastAPI, twin: TwinService) -> None:
    """Adds every page, the static files and the error pages to `app`."""
    render = Renderer(twin, mount_assets(app))
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    _add_overview(router, twin, render)
    _add_stock(router, twin, render)
    add_lots_pages(router, twin, render)
    _add_scenarios(router, twin, render)
    _add_recommendations(router, twin, render)
    _add_data(router, twin, render)
    add_past_pages(router, twin, render)
    _add_truth(router, twin, render)
    _add_reference(router, app, render)
    app.include_router(router)
    add_error_pages(app, render)


def _add_overview(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/")
    def overview(request: Request) -> HTMLResponse:
        return render(request, "overview.html", lambda: {"overview": twin.overview(), "status": twin.status()})

    @router.get("/fragments/attention")
    def attention(request: Request) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            return {
                "recommendations": _open(twin.recommend(top=RECOMMENDATIONS)["recommendations"])[:ATTENTION_ROWS],
                "anomalies": twin.anomalies(limit=ATTENTION_ROWS)["anomalies"],
            }

        return render(request, "fragments/attention.html", facts)


def _open(recommendations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in recommendations if entry.get("status", "open") == "open"]


def _add_stock(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/stock")
    def stock(request: Request) -> HTMLResponse:
        return render(request, "stock.html", lambda: {"overview": twin.overview(), "sortable": twin.grid_columns()})

    @router.get("/stock/at")
    def item_location_by_query(
        request: Request, item: QueryId, location: QueryId, movements: After = None, observations: After = None
    ) -> HTMLResponse:
        return item_location(request, item, location, movements, observations)

    @router.get("/stock/{item:segment}/{location:segment}")
    def item_location(
        request: Request, item: str, location: str, movements: After = None, observations: After = None
    ) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            it = twin.item_location(item=item, location=location, movements=MOVEMENTS)
            if movements:
                it |= _page("movements", twin.movements(item, location, limit=MOVEMENTS, after=movements))
            if observations:
                it |= _page("observations", twin.observations(item, location, limit=OBSERVATIONS, after=observations))
            return {"it": it, "after": {"movements": movements, "observations": observations}}

        return render(request, "item_location.html", facts)

    @router.get("/items/at")
    def item_by_query(request: Request, item: QueryId) -> HTMLResponse:
        return one_item(request, item)

    @router.get("/items/{item:segment}")
    def one_item(request: Request, item: str) -> HTMLResponse:
        return render(request, "item.html", lambda: {"item": twin.item(item=item)})


def _page(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer["rows"], f"{name}_next": answer["next"]}


def _add_scenarios(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/scenarios")
    def scenarios(request: Request) -> HTMLResponse:
        return render(request, "scenarios.html", lambda: {**twin.scenarios(), "overview": twin.overview()})

    @router.post("/scenarios/result")
    def result(request: Request, wanted: SimulationRequest) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            answer = twin.simulate(**wanted.model_dump())
            return {"result": answer, "lines": lines(answer, twin.settings.currency)}

        return render(request, "fragments/comparison.html", facts)


def _add_recommendations(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/recommendations")
    def recommendations(request: Request) -> HTMLResponse:
        return render(request, "recommendations.html", twin.decisions)

    @router.get("/fragments/recommendations")
    def listed(request: Request) -> HTMLResponse:
        return render(request, "fragments/recommendations.html", lambda: twin.recommend(top=RECOMMENDATIONS))


def _add_data(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/data")
    def data(
        request: Request,
        source: Annotated[str | None, Query(max_length=200)] = None,
        anomalies: After = None,
        quarantined: After = None,
        discarded: bool = False,
    ) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            rows = twin.quarantine(source or None, QUARANTINE_ROWS, quarantined, discarded)
            after = {"anomalies": anomalies, "quarantined": quarantined}
            shown = {"source": source or "", "discarded": discarded}
            return {"status": twin.status(), "quarantine": rows, "after": after, **shown}

        return render(request, "data.html", facts)

    @router.get("/fragments/anomalies")
    def anomalies(request: Request, after: After = None) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            return {**twin.anomalies(limit=ANOMALY_ROWS, after=after), "after": after}

        return render(request, "fragments/anomalies.html", facts)

    @router.get("/fragments/laws")
    def laws(request: Request) -> HTMLResponse:
        return render(request, "fragments/laws.html", twin.verify)


def _add_truth(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/truth")
    def truth(request: Request, item: OptionalId = None, location: OptionalId = None) -> HTMLResponse:
        return render(request, "truth.html", lambda: {"t": twin.truth(item=item or None, location=location or None)})


def _add_reference(router: APIRouter, app: FastAPI, render: Renderer) -> None:
    description: Callable[[], dict[str, Any]] = app.openapi

    @router.get("/reference")
    def reference(request: Request) -> HTMLResponse:
        return render(request, "reference.html", lambda: {"groups": operations(description())})
