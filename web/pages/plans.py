"""Protection plans for people: how each stands, its parts, and what would be in the way of a failover now."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.errors import CloudctlError, NotFound
from dr.plans import acting, showing
from web.errors import problem, status_of
from web.plan_words import said
from web.visitor import actor, core

blueprint = APIBlueprint("plan_pages", __name__, url_prefix="/recovery", enable_openapi=False)
Answer = Response | tuple[str, int]


@blueprint.get("/")
def list_plans() -> str:
    """Every plan with its state, health and objectives."""
    return render_template("plans.html", plans=showing.list_plans(core(), actor()))


@blueprint.get("/plans/<key>")
def show(key: str) -> str:
    """One plan; readiness and forecast are as last looked at, so that the page waits for no cloud."""
    return _page(key)


@blueprint.post("/plans/<key>/suspend")
def suspend(key: str) -> Answer:
    """It is not relied on until it is resumed."""
    reason = request.form.get("reason", "")
    return _act(key, lambda: acting.suspend(core(), actor(), key, reason), "plan_suspended")


@blueprint.post("/plans/<key>/resume")
def resume(key: str) -> Answer:
    """It counts again, and has to be rehearsed first."""
    return _act(key, lambda: acting.resume(core(), actor(), key), "plan_resumed")


def _act(key: str, act: Callable[[], Any], done: str) -> Answer:
    try:
        act()
    except NotFound:
        raise
    except CloudctlError as error:
        return _page(key, error), int(status_of(error))
    return redirect(url_for(".show", key=key, done=done), 303)


def _page(key: str, error: CloudctlError | None = None) -> str:
    return render_template(
        "plan_page.html",
        plan=said(showing.show(core(), actor(), key)),
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )
