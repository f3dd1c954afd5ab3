"""Protection plans for people: how each stands, its parts, and what would be in the way of a failover now."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from dr.plans import acting, showing
from web.errors import problem
from web.plan_words import said
from web.posting import Answer, act
from web.visitor import actor, core

blueprint = APIBlueprint("plan_pages", __name__, url_prefix="/recovery", enable_openapi=False)


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


def _act(key: str, what: Callable[[], object], done: str) -> Answer:
    return act(what, lambda: url_for(".show", key=key, done=done), lambda error: _page(key, error))


def _page(key: str, error: CloudctlError | None = None) -> str:
    return render_template(
        "plan_page.html",
        plan=said(showing.show(core(), actor(), key)),
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )
