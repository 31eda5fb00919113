"""What the daemon serves over HTTP: is it alive, is it ready, and its metrics. Read only, by design.

The app asks a ``Pulse``, which the daemon gives; it knows no ledger and no fleet, so that no request can slow or
change a cycle. GET and HEAD are all it answers, no body is read, and every answer of the app, errors too, carries
headers that keep browsers from guessing, storing or framing it. Who may reach the port is the network's business:
there is no login, and nothing here is secret.
"""

from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_CONTENT_TOO_LARGE = 413
_FAILED = 500
_UNAVAILABLE = 503


class Pulse(Protocol):
    """How the daemon is; each method returns at once, from memory, and never asks an outside system.

    The first two answer with a reason, not with a boolean: None is the good answer.
    """

    def why_not_alive(self) -> str | None:
        """Return why the process should be started anew (the cycle's thread is stuck), or None."""
        ...

    def why_not_ready(self) -> str | None:
        """Return why this process does no cycles yet (no lease, no first cycle), or None."""
        ...

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        ...


def create_app(pulse: Pulse) -> ASGIApp:
    """Return the app that answers for ``pulse``."""

    # Plain functions: Starlette runs them in its threads, so that a slow one keeps no other waiting.
    def healthz(_request: Request) -> Response:
        return _answer("alive", pulse.why_not_alive())

    def readyz(_request: Request) -> Response:
        return _answer("ready", pulse.why_not_ready())

    def metrics(_request: Request) -> Response:
        return Response(pulse.metrics(), headers={"content-type": METRICS_CONTENT_TYPE})

    inner = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)],
        exception_handlers={HTTPException: _refusal, Exception: _failure},
    )
    inner.router.redirect_slashes = False
    return _Outermost(inner)  # as Starlette's own middleware it would stand inside the answer to a bug


def _answer(what: str, why_not: str | None) -> Response:
    if why_not is None:
        return JSONResponse({what: True})
    return JSONResponse({what: False, "reason": why_not}, status_code=_UNAVAILABLE)


def _refusal(_request: Request, error: Exception) -> Response:
    """Answer every refusal as JSON, with what is expected."""
    assert isinstance(error, HTTPException), error
    body = {"error": error.detail, "expected": "GET /healthz, /readyz or /metrics"}
    return JSONResponse(body, status_code=error.status_code, headers=dict(error.headers or {}))


def _failure(_request: Request, _error: Exception) -> Response:
    """Answer a bug of ours without its text; the server logs that."""
    return JSONResponse({"error": "the request failed; see the log"}, status_code=_FAILED)


class _Outermost:
    """Adds the headers to every answer, and answers a request that brings a body before anything reads it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        asked = Headers(scope=scope)
        if "transfer-encoding" in asked or asked.get("content-length", "0") != "0":
            body = {"error": "found a request with a body", "expected": "none"}
            refusal = JSONResponse(body, status_code=_CONTENT_TOO_LARGE, headers={"connection": "close"})
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)
