"""The web application with REST under `/api/v1`; `faces.web` adds the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from stocktwin.faces.api.live import LiveFeed
from stocktwin.faces.api.problems import add_problems
from stocktwin.faces.api.routes import api_router
from stocktwin.faces.http import LOOPBACK, Guard, Rules

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

DESCRIPTION = (
    "Questions to an inventory digital twin. Quantities are exact: integers in the item's unit, or decimal strings "
    "where it is divisible. Times are ISO 8601 in UTC. Errors are problem documents that name the offending value."
)


def create_app(twin: TwinService, *, hosts: Iterable[str] | None = LOOPBACK, origins: Iterable[str] = ()) -> FastAPI:
    """The application that answers for `twin`.

    `hosts`: names it answers to (None: any); `origins`: further origins its pages are shown under, behind a proxy that
    changes the host.
    """
    feed = LiveFeed(twin)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        feed.close()

    app = FastAPI(
        title="Stocktwin",
        version=version("stocktwin"),
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.live = feed
    add_problems(app)
    app.include_router(api_router(twin, feed))
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    app.add_middleware(Guard, rules=Rules.of(hosts, origins))
    return app
