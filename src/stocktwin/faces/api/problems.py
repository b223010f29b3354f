"""Errors as problem documents (RFC 9457): one place decides which error is which status."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from stocktwin.domain.errors import (
    CheckFailed,
    EnvironmentFault,
    NotFoundError,
    StocktwinError,
    UsageError,
)
from stocktwin.faces.http import problem_body

logger = logging.getLogger("stocktwin.http")

STATUSES: tuple[tuple[type[StocktwinError], int, str], ...] = (
    (NotFoundError, 404, "Not found"),
    (UsageError, 400, "Wrong use"),
    (CheckFailed, 409, "Check failed"),
    (EnvironmentFault, 503, "Not available now"),
    (StocktwinError, 500, "The twin is damaged"),
)
"""The first line whose class fits decides."""

TITLES = {400: "Wrong use", 404: "Not found", 405: "Method not allowed", 413: "Too large", 422: "Not understood"}
PROBLEM_SCHEMA: dict[str, Any] = {
    "description": "What went wrong, naming the offending value",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


def status_of(error: StocktwinError) -> tuple[int, str]:
    """HTTP status and title of one of our own errors.

    >>> status_of(NotFoundError("item", "A-1"))
    (404, 'Not found')
    """
    return next((status, title) for kind, status, title in STATUSES if isinstance(error, kind))


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """A problem document as a response."""
    body = problem_body(status, title, detail, **more)
    return JSONResponse(body, status, media_type="application/problem+json")


def add_problems(app: FastAPI) -> None:
    """Turns every error of `app` into a problem document; an unforeseen one is logged and keeps its details inside."""
    app.add_exception_handler(StocktwinError, _own_error)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)


def _own_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StocktwinError)
    status, title = status_of(error)
    return problem(status, title, str(error))


def _not_understood(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_field_error(entry) for entry in error.errors()]
    detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in errors)
    return problem(422, TITLES[422], detail, errors=errors)


def _field_error(entry: dict[str, Any]) -> dict[str, Any]:
    field = ".".join(str(part) for part in entry["loc"][1:]) or str(entry["loc"][0])
    given = entry.get("input")
    shown = repr(given) if isinstance(given, str | int | float | bool | None) else type(given).__name__
    return {"field": field, "message": f"{entry['msg']} (given: {shown[:200]})"}


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = f"nothing stands at {request.url.path!r}"
    return problem(error.status_code, TITLES.get(error.status_code, str(error.detail)), str(detail))


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "Internal error", "the server met an error of its own; its log holds the details")
