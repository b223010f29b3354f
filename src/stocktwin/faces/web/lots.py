"""Pages about lots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from stocktwin.faces.queries import After, OptionalId, QueryId
from stocktwin.faces.web.render import Renderer
from stocktwin.faces.web.trace_picture import NODE, picture

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

DOCUMENTS = 50
LOTS = 100


def add_lots_pages(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    """Adds the pages to a router."""

    @router.get("/lots")
    def lots(
        request: Request,
        item: OptionalId = None,
        lot: OptionalId = None,
        location: OptionalId = None,
        state: Literal["expired", "expiring", "short", "unknown", ""] = "",
        after: After = None,
    ) -> Response:
        if item and lot:
            return RedirectResponse("lots/trace?" + urlencode({"item": item, "lot": lot}), 303)
        asked = {"item": item, "location": location, "state": state}

        def facts() -> dict[str, Any]:
            given = {name: value or None for name, value in asked.items()}
            answer = twin.lots(**given, order="expiry", limit=LOTS, after=after)
            return {"s": answer, "asked": asked, "after": after, "address": address}

        def address(**changes: str | None) -> str:
            return urlencode({name: value for name, value in (asked | changes).items() if value})

        return render(request, "lots.html", facts)

    @router.get("/lots/trace")
    def trace(
        request: Request,
        item: QueryId,
        lot: QueryId,
        direction: Literal["both", "forward", "back"] = "both",
        at: OptionalId = None,
        known_at: OptionalId = None,
        book: OptionalId = None,
        after: After = None,
    ) -> HTMLResponse:
        asked = {"at": at or None, "known_at": known_at or None, "book": book or None}

        def facts() -> dict[str, Any]:
            answer = twin.trace(item, lot, direction, **asked, limit=DOCUMENTS, after=after)
            return {
                "t": answer,
                "drawn": picture(answer),
                "node": NODE,
                "after": after,
                "asked": asked,
                "address": address,
            }

        def address(**changes: str | None) -> str:
            words = {"item": item, "lot": lot, "direction": direction, **asked} | changes
            return urlencode({name: value for name, value in words.items() if value and value != "both"})

        return render(request, "trace.html", facts)
