"""Signing in and out, and the switch between Chinese and English."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tenants import people
from web.auth import COOKIE, forget_session, keep_session, local_path
from web.visitor import LANGUAGE_COOKIE, core, visit

blueprint = APIBlueprint("session", __name__, enable_openapi=False)
_YEAR_S = 365 * 86400


@blueprint.get("/sign-in")
def sign_in_form() -> str | Response:
    """The form; who is signed in goes home."""
    if visit() is not None:
        return redirect(url_for("home.show"), 303)
    return render_template("sign_in.html", reason=None, onward=None, user_id="")


@blueprint.post("/sign-in")
def sign_in() -> Response:
    """A new session, whatever the browser had before. NotSignedIn shows the form again with the reason."""
    secret = people.sign_in(
        core(),
        request.form.get("user_id", "").strip(),
        request.form.get("password", ""),
        request.remote_addr or "",
    )
    old = request.cookies.get(COOKIE)
    if old:
        people.sign_out(core(), old)
    answer = redirect(local_path(request.form.get("onward")) or url_for("home.show"), 303)
    keep_session(answer, secret)
    return answer


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End the session at the server and forget its cookie."""
    people.sign_out(core(), request.cookies.get(COOKIE, ""))
    answer = redirect(url_for("session.sign_in_form"), 303)
    forget_session(answer)
    return answer


@blueprint.post("/language")
def set_language() -> Response:
    """Remember the language in a cookie and, when signed in, with the person."""
    wanted = request.form.get("language", "")
    answer = redirect(local_path(request.form.get("onward")) or url_for("home.show"), 303)
    if wanted in people.LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=_YEAR_S, samesite="Lax", httponly=True)
        here = visit()
        if here is not None:
            people.set_language(core(), here.actor, wanted)
    return answer
