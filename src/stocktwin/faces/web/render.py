"""Templates bound to one twin: its name, currency and time zone, and links that work wherever the twin is mounted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from stocktwin.faces.web.comparison import between, change, figure
from stocktwin.faces.web.wording import filters

if TYPE_CHECKING:
    from stocktwin.app.usecases import TwinService

TEMPLATES = Path(__file__).parent / "templates"
NOT_IN_A_PATH = (".", "..")
"""Segments that browsers and proxies resolve away, however they are encoded."""


class Renderer:
    """Renders a template with the facts of a request; `assets` is the versioned folder of static files."""

    def __init__(self, twin: TwinService, assets: str) -> None:
        self._twin = twin
        self._assets = assets
        settings = twin.settings
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= filters(settings.currency, settings.timezone)
        self._environment.filters |= {
            "data": json_data,
            "figure": lambda name, value: figure(name, value, settings.currency),
            "change": lambda name, value: change(name, value, settings.currency),
            "between": lambda name, lo, hi: between(name, lo, hi, settings.currency),
        }
        self._environment.globals |= {
            "twin_name": settings.name,
            "currency": settings.currency,
            "timezone": settings.timezone,
        }

    def __call__(
        self, request: Request, template: str, facts: Callable[[], Mapping[str, Any]], status: int = 200
    ) -> HTMLResponse:
        """The page. The version is read before the facts: a change in between is then seen as news, never missed."""
        version = self._twin.version()
        root = relative_root(request)
        page = self._environment.get_template(template).render(
            **facts(),
            root=root,
            assets=f"{root}{self._assets}",
            version=version,
            has_truth=self._twin.has_truth(),
            item_location_url=lambda item, location: item_location_url(root, item, location),
            item_url=lambda item: item_url(root, item),
        )
        return HTMLResponse(page, status, headers={"cache-control": "no-store"})


def relative_root(request: Request) -> str:
    """Where the twin's front page is, seen from the page asked for."""
    path = (request.scope.get("raw_path") or request.url.path.encode()).decode("latin-1")
    mounted = request.scope.get("root_path", "").rstrip("/")
    return up(path.removeprefix(mounted))


def up(path: str) -> str:
    """The relative way from `path` to its root.

    >>> up("/"), up("/stock"), up("/stock/A%2F1/DC")
    ('./', './', '../../')
    """
    return "../" * (path.count("/") - 1) or "./"


def item_location_url(root: str, item: str, location: str) -> str:
    """Page of an item at a location, whatever stands in the ids.

    >>> item_location_url("./", "A/1", "DC 2"), item_location_url("./", "..", "DC")
    ('./stock/A%2F1/DC%202', './stock/at?item=..&location=DC')
    """
    if item in NOT_IN_A_PATH or location in NOT_IN_A_PATH:
        return f"{root}stock/at?" + urlencode({"item": item, "location": location})
    return f"{root}stock/{quote(item, safe='')}/{quote(location, safe='')}"


def item_url(root: str, item: str) -> str:
    """Page of an item.

    >>> item_url("../", "A 1"), item_url("./", "at")
    ('../items/A%201', './items/at?item=at')
    """
    if item in NOT_IN_A_PATH or item == "at":
        return f"{root}items/at?" + urlencode({"item": item})
    return f"{root}items/{quote(item, safe='')}"


def json_data(value: Any) -> Markup:
    """JSON that may stand inside a `<script type="application/json">`: no text in it can end the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
