"""Sites that can work alone: how old what they have is, and the word of two people that one does."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from dr.alone import rounds, showing, taking_over
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, read, stores

blueprint = APIBlueprint("alone_pages", __name__, url_prefix="/alone", enable_openapi=False)


@blueprint.get("")
def show() -> str:
    return _page()


@blueprint.post("/takeover")
def take_over() -> Answer:
    """Say that the home is lost and this site works alone."""

    def what() -> None:
        rounds.take_in_due(core(), stores())
        taking_over.take_over(core(), actor(), request.form.get("reason", ""))

    return _act(what, "taken_over")


@blueprint.post("/standby")
def stand_by() -> Answer:
    """Say that the home is back, and stand by again."""

    def what() -> None:
        home = rounds.watch_home(core(), stores())
        taking_over.stand_by(core(), actor(), request.form.get("reason", ""), home)

    return _act(what, "stands_by")


def _act(what: Callable[[], object], done: str) -> Answer:
    return act(what, lambda: url_for(".show", done=done), _page)


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
