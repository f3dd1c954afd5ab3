"""Sites that can work alone: how old what they have is, and the word of two people that one does."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.errors import CloudctlError, NotFound
from dr.alone import rounds, showing, taking_over
from web.errors import problem, status_of
from web.visitor import actor, core, read, stores

blueprint = APIBlueprint("alone_pages", __name__, url_prefix="/alone", enable_openapi=False)
Answer = Response | tuple[str, int]


@blueprint.get("")
def show() -> str:
    return _page()


@blueprint.post("/takeover")
def take_over() -> Answer:
    """Say that the home is lost and this site works alone."""

    def act() -> None:
        rounds.take_in_due(core(), stores())
        taking_over.take_over(core(), actor(), request.form.get("reason", ""))

    return _act(act, "taken_over")


@blueprint.post("/standby")
def stand_by() -> Answer:
    """Say that the home is back, and stand by again."""

    def act() -> None:
        home = rounds.watch_home(core(), stores())
        taking_over.stand_by(core(), actor(), request.form.get("reason", ""), home)

    return _act(act, "stands_by")


def _act(act: Callable[[], Any], done: str) -> Answer:
    try:
        act()
    except NotFound:
        raise
    except CloudctlError as error:
        return _page(error), int(status_of(error))
    return redirect(url_for(".show", done=done), 303)


def _page(error: CloudctlError | None = None) -> str:
    told = read(showing.overview, core().clock.now())
    standby = told["standby"]
    can_say = standby is not None and actor().may("dr.approve", [("site", standby["id"])])
    return render_template(
        "alone.html",
        told=told,
        standby=standby,
        can_say=can_say,
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )
