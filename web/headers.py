"""What goes with every answer: security headers, the request's id, and one line in the log."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, g, request

from cloudctl.clock import monotonic
from web.visitor import core, request_id

log = structlog.get_logger("web")

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send `Origin: null` with our forms
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def register(app: Flask) -> None:
    """Put the headers and the log line on every answer."""
    app.before_request(_start)
    app.after_request(_finish)


def _start() -> None:
    g.started = monotonic()


def _finish(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers["X-Request-Id"] = request_id()
    if core().settings.public_url.startswith("https://"):
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static":
        answer.headers.setdefault("Cache-Control", "no-store")
        _log(answer)
    return answer


def _log(answer: Response) -> None:
    """Never the query, a body, a token or a cookie: only what happened."""
    if (request.endpoint or "").startswith("health.") and answer.status_code == HTTPStatus.OK:
        return  # asked every second by whoever balances the load
    actor = g.get("actor")
    log.info(
        "request",
        request_id=request_id(),
        method=request.method,
        path=request.path,
        endpoint=request.endpoint,
        status=answer.status_code,
        ms=round((monotonic() - g.started) * 1000) if "started" in g else None,
        user=actor.user_id if actor is not None else None,
        address=request.remote_addr,
    )
