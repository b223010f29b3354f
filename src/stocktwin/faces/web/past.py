"""Pages with two clocks, and of the ledger itself: health, stock then, late facts, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from stocktwin.domain.identity import CONDITIONS
from stocktwin.faces.queries import After

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService
    from stocktwin.faces.web.render import Renderer

ROWS = 50
Text = Annotated[str, Query(max_length=500)]


def _asked_of_then(
    at: Text = "",
    learned_by: Text = "",
    item: Text = "",
    location: Text = "",
    search: Text = "",
    changed: Text = "",
    tied: Text = "",
) -> dict[str, str]:
    """The two handles of *Stock then* and what it is narrowed to."""
    return {"at": at, "learned_by": learned_by, "item": item, "location": location, "search": search,
            "changed": changed, "tied": tied}  # fmt: skip


AskedOfThen = Annotated[dict[str, str], Depends(_asked_of_then)]


def add_past_pages(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    """Adds the pages to a router."""
    _add_health(router, twin, render)
    _add_then(router, twin, render)
    _add_late(router, twin, render)
    _add_history(router, twin, render)


def _add_health(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/ledger")
    def ledger(request: Request) -> HTMLResponse:
        def facts() -> dict[str, Any]:
            return {"health": twin.ledger_health(), "status": twin.status(), "backups": twin.backups()}

        return render(request, "ledger.html", facts)


def _add_then(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    def facts(asked: dict[str, str]) -> dict[str, Any]:
        moments = {name: asked[name] or None for name in ("at", "learned_by")}
        then = twin.then(
            search=asked["search"] or None,
            changed=bool(asked["changed"]),
            limit=ROWS,
            after=asked["after"] or None,
            **moments,
        )
        return {"asked": asked, "then": then}

    @router.get("/then")
    def then(request: Request, asked: AskedOfThen, after: After = None) -> HTMLResponse:
        whole = {**asked, "after": after or ""}
        return render(request, "then.html", lambda: {**facts(whole), "span": twin.span()})

    @router.get("/then-rows")  # beside the page that it becomes a part of, so that its links lead where they should
    def rows(request: Request, asked: AskedOfThen) -> HTMLResponse:
        return render(request, "fragments/then.html", lambda: facts({**asked, "after": ""}))


def _add_late(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/late")
    def late(
        request: Request,
        since: Text = "",
        hours: Text = "",
        item: Text = "",
        location: Text = "",
        after: After = None,
    ) -> HTMLResponse:
        asked: dict[str, Any] = {"since": since or None, "hours": _number(hours), "item": item or None}
        asked |= {"location": location or None, "after": after or None}
        return render(request, "late.html", lambda: {"asked": asked, "late": twin.late(**asked, limit=ROWS)})


def _number(text: str) -> float | None:
    """The hours of a form; what is none is as if it had been left empty."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return None


def _add_history(router: APIRouter, twin: TwinService, render: Renderer) -> None:
    @router.get("/history")
    def history(
        request: Request,
        item: Text = "",
        location: Text = "",
        lot: Text = "",
        condition: Text = "",
        owner: Text = "",
        book: Text = "",
        since: Text = "",
        at: Text = "",
        learned_by: Text = "",
        after: After = None,
    ) -> HTMLResponse:
        asked = {"item": item, "location": location, "lot": lot, "condition": condition, "owner": owner, "book": book,
                 "since": since, "at": at, "learned_by": learned_by}  # fmt: skip

        def facts() -> dict[str, Any]:
            given = {name: value.strip() or None for name, value in asked.items()}
            chosen = str(given.pop("item") or "")
            told = twin.history(chosen, limit=ROWS, after=after or None, **given) if chosen else None
            systems = [source["system"] for source in twin.status()["sources"]]
            shown = {"asked": {**asked, "after": after or ""}, "told": told}
            return {**shown, "systems": systems, "conditions": CONDITIONS}

        return render(request, "history.html", facts)
