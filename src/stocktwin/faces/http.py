"""What every HTTP face needs before a request is looked at: who may ask, from where, and how an id travels in a path.

Pure ASGI, so that event streams pass through untouched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
JSON_TYPES = ("application/json", "application/x-ndjson", "application/jsonl", "application/jsonlines")
ENCODED_SLASH = "\ue000"
"""Stands for a slash inside a path segment while the router looks at the path (a private-use character)."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SegmentConvertor(Convertor[str]):
    """One path segment that may hold an encoded slash: `{item:segment}`."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """The id as it is known to the twin."""
        return value.replace(ENCODED_SLASH, "/")

    def to_string(self, value: str) -> str:
        """The id, ready to stand in a path."""
        return quote(value, safe="")


register_url_convertor("segment", SegmentConvertor())


def segmented_path(raw_path: bytes) -> str:
    """The decoded path in which a slash inside a segment is `ENCODED_SLASH`, so that routing keeps segments apart.

    >>> segmented_path(b"/stock/A%2F1/DC%20North") == "/stock/A" + ENCODED_SLASH + "1/DC North"
    True
    """
    segments = raw_path.decode("latin-1").split("/")
    return "/".join(unquote(segment, errors="replace").replace("/", ENCODED_SLASH) for segment in segments)


@dataclass(frozen=True)
class Rules:
    """Who may talk to the server: `hosts` it answers to (None: any), `origins` it is shown under besides its own."""

    hosts: frozenset[str] | None
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hosts: Iterable[str] | None, origins: Iterable[str] = ()) -> Rules:
        """Rules from plain lists; a host stands without port, an origin as `https://twin.example.com`."""
        allowed = None if hosts is None else frozenset(host.lower() for host in hosts)
        return cls(allowed, frozenset(origin.lower().rstrip("/") for origin in origins))


def host_name(authority: str) -> str:
    """The host of a `Host` header, without its port.

    >>> host_name("127.0.0.1:8000"), host_name("[::1]:8000"), host_name("Twin.Example.com")
    ('127.0.0.1', '[::1]', 'twin.example.com')
    """
    text = authority.strip().lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]


def refusal(method: str, headers: Headers, rules: Rules) -> tuple[int, str] | None:
    """Why a request is refused (status, reason), or None when it may pass.

    A page of another site can reach a server on this machine through the visitor's browser: by a name of its own that
    resolves here (stopped by the list of hosts) or by posting a form (stopped by origin and content type).
    """
    host = headers.get("host", "")
    if rules.hosts is not None and host_name(host) not in rules.hosts:
        return 421, f"this server does not answer to the host {host!r}"
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None and not _same_origin(origin, host, rules):
        return 403, f"requests that change something are not taken from the origin {origin!r}"
    if origin is None and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return 403, f"requests that change something are not taken from {headers['sec-fetch-site']!r} pages"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in JSON_TYPES:
        return 415, f"the content type must be one of {', '.join(JSON_TYPES)}, not {kind or 'missing'!r}"
    return None


def _same_origin(origin: str, host: str, rules: Rules) -> bool:
    return origin.lower() in rules.origins or urlsplit(origin).netloc.lower() == host.strip().lower()


def problem_body(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """An RFC 9457 problem document."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


class Guard:
    """ASGI middleware: refuses strangers, keeps encoded slashes inside their segment, adds the security headers."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reason = refusal(scope["method"], Headers(scope=scope), self.rules)
        if reason is not None:
            await _refuse(send, *reason)
            return
        raw_path = scope.get("raw_path") or b""
        if b"%2f" in raw_path.lower():
            scope = {**scope, "path": segmented_path(raw_path)}
        await self.app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return wrapped


async def _refuse(send: Send, status: int, detail: str) -> None:
    titles = {403: "Forbidden", 415: "Unsupported media type", 421: "Misdirected request"}
    body = json.dumps(problem_body(status, titles[status], detail)).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
