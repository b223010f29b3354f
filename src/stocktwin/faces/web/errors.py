"""Errors of pages as pages: a person who follows a stale link reads a sentence, not a JSON document."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from stocktwin.domain.errors import StocktwinError
from stocktwin.faces.web.render import Renderer

Handler = Callable[[Request, Exception], Any]


def add_error_pages(app: FastAPI, render: Renderer) -> None:
    """Shows the problem documents that `app` already makes as pages, to whoever asked for HTML."""
    for kind in (StocktwinError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _as_page(app.exception_handlers[kind], render))


def _as_page(problem: Handler, render: Renderer) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        response: Response = problem(request, error)
        if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith("/api/"):
            return response
        facts = {"problem": json.loads(bytes(response.body))}
        return await run_in_threadpool(render, request, "error.html", lambda: facts, response.status_code)

    return handler
