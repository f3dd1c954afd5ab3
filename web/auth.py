"""Authentication and the first look at rights, before any view runs: token, session, CSRF, first password."""

import hmac
from urllib.parse import urlsplit

from flask import Flask, g, redirect, request, url_for
from werkzeug.wrappers import Response

from cloudctl.actors import Actor
from cloudctl.clock import new_id
from cloudctl.errors import CloudctlError, NotAllowed, NotSignedIn
from cloudctl.observing import STANDING_BY, standby_of, standby_refusal
from tenants import people
from web.access import ACCESS, PUBLIC, SIGNED_IN
from web.visitor import core, is_api, visit

COOKIE = "cloudctl_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
MIB = 1024 * 1024
LARGE_BODY = {
    "topology.plan": 8 * MIB,
    "topology.apply": 8 * MIB,
    "systems.import_file": 16 * MIB,
    "register_pages.preview": 17 * MIB,  # a form around the file
    "register_pages.import_file": 17 * MIB,
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_FIRST_PASSWORD = frozenset(
    {
        "account.password_form",
        "account.change_password",
        "session.sign_out",
        "session.set_language",
        "people.me",
    }
)

_AT_A_STANDBY = frozenset(
    {
        "alone.take_over",
        "alone_pages.take_over",
        "sign_in.sign_in",
        "session.sign_in",
        "session.sign_out",
        "session.set_language",
        "tokens.create_token",
        "tokens.revoke_token",
    }
)


def register(app: Flask) -> None:
    """Run these looks before every view, in this order."""
    app.before_request(_name_the_request)
    app.before_request(_identify)
    app.before_request(_check_access)


def _name_the_request() -> None:
    g.request_id = f"req-{new_id()}"
    if request.endpoint in LARGE_BODY:
        request.max_content_length = LARGE_BODY[request.endpoint]


def _identify() -> None:
    """Find out who asks. A bad token is an error even where anyone may look; a stale cookie is nobody."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise NotSignedIn("sign in with a bearer token")
        g.actor = people.actor_of_token(core(), token.strip(), g.request_id)
        return
    secret = request.cookies.get(COOKIE)
    if not secret or request.endpoint == "static":
        return
    try:
        found = people.visit_of_session(core(), secret, g.request_id)
    except NotSignedIn as error:
        g.why_nobody = error
        return
    g.visit, g.actor = found, found.actor


def _check_access() -> Response | None:
    if request.endpoint is None:
        return None  # no such address: Flask answers
    needed = ACCESS.get(request.endpoint)
    if needed is None:
        raise CloudctlError("no right is declared for {endpoint}", endpoint=request.endpoint)
    _check_origin()
    _check_standby()
    if needed == PUBLIC:
        return None
    actor = g.get("actor")
    if not isinstance(actor, Actor):
        raise g.get("why_nobody") or NotSignedIn("sign in first")
    _check_csrf()
    if needed != SIGNED_IN and not actor.scopes(needed):
        actor.must(needed)
    return _first_password()


def _check_origin() -> None:
    """A browser says where a form was sent from; another site's form is refused even without a session."""
    origin = request.headers.get("Origin")
    if request.method in _SAFE or origin is None or "Authorization" in request.headers:
        return
    ours = {request.host, urlsplit(core().settings.public_url).netloc}
    if urlsplit(origin).netloc not in ours:
        raise NotAllowed("this form was sent from another site")


def _check_standby() -> None:
    """What people change at a standby would be gone with the next export: it is refused."""
    if request.method in _SAFE or request.endpoint in _AT_A_STANDBY:
        return
    with core().store.read() as uow:
        row = standby_of(uow)
        if row is not None and row.state == STANDING_BY:
            raise standby_refusal()


def _check_csrf() -> None:
    here = visit()
    if request.method in _SAFE or here is None:
        return
    sent = request.headers.get(CSRF_HEADER) or ("" if is_api() else request.form.get(CSRF_FIELD, ""))
    if not hmac.compare_digest(sent.encode(), here.csrf.encode()):
        raise NotAllowed("the page was open too long; load it again and send once more")


def _first_password() -> Response | None:
    here = visit()
    if here is None or not here.must_change_password or request.endpoint in _WITH_FIRST_PASSWORD:
        return None
    if is_api():
        raise NotAllowed("change the first password before anything else")
    return redirect(url_for("account.password_form"), 303)


def keep_session(answer: Response, secret: str) -> None:
    """Put the session's secret into the cookie of the answer."""
    answer.set_cookie(
        COOKIE,
        secret,
        httponly=True,
        samesite="Lax",
        secure=core().settings.public_url.startswith("https://"),
        max_age=core().settings.session_s,
    )


def forget_session(answer: Response) -> None:
    answer.delete_cookie(COOKIE, httponly=True, samesite="Lax")


def local_path(wanted: str | None) -> str | None:
    """The path to go on to after signing in, when it is one of ours."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return None
    return wanted if wanted.isprintable() and "\\" not in wanted else None
