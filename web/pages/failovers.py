"""Moves for people: what one would cost, asking for it, the words of two people, and how far it has come."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import FailoverState
from cloudctl.queries import failovers as reads
from dr.failover import asking, deciding
from dr.failover.closing import segments
from dr.failover.job import KINDS, PLANNED, RETURNABLE
from dr.plans import showing
from web.backup_words import with_faults
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, outside, read

blueprint = APIBlueprint("failover_pages", __name__, url_prefix="/recovery", enable_openapi=False)
_MOST = 200


@blueprint.get("/failovers")
def list_failovers() -> str:
    """Every move, the newest first."""
    plans = [one["name"] for one in showing.list_plans(core(), actor())] if _may_ask() else []
    return render_template("failovers.html", moves=read(reads.list_failovers, limit=_MOST), plans=plans)


@blueprint.get("/plans/<key>/failover")
def plan(key: str) -> str:
    """The form, and what would come of it as it is filled in."""
    return _plan_page(key)


@blueprint.post("/plans/<key>/failover")
def ask(key: str) -> Answer:
    """Put the move before two people."""
    made: dict[str, Any] = {}
    return act(
        lambda: made.update(asking.ask(core(), actor(), _wanted(key), _outlook(key))),
        lambda: url_for(".show", failover_id=made["id"], done="failover_asked"),
        lambda error: _plan_page(key, error),
    )


@blueprint.get("/failovers/<int:failover_id>")
def show(failover_id: int) -> str:
    """One move: how far it is, what proves each step, who decides."""
    return _page(failover_id)


@blueprint.post("/failovers/<int:failover_id>/approve")
def approve(failover_id: int) -> Answer:
    """Say yes to the plan that this page showed."""
    given = request.form

    def what() -> object:
        outlook = asking.look_again(core(), actor(), outside().witness, failover_id)
        seen, opinion = given.get("plan_sha256", ""), given.get("opinion", "")
        return deciding.approve(core(), actor(), failover_id, seen, opinion, outlook)

    return _decided(failover_id, what, "failover_decided")


@blueprint.post("/failovers/<int:failover_id>/reject")
def reject(failover_id: int) -> Answer:
    """It is not done; whoever asked takes it back this way."""
    opinion = request.form.get("opinion", "")
    return _decided(
        failover_id, lambda: deciding.reject(core(), actor(), failover_id, opinion), "failover_decided"
    )


@blueprint.post("/failovers/<int:failover_id>/abort")
def abort(failover_id: int) -> Answer:
    """Give it back, while that is possible."""
    reason = request.form.get("reason", "")
    return _decided(
        failover_id, lambda: deciding.abort(core(), actor(), failover_id, reason), "failover_stopped"
    )


@blueprint.post("/failovers/<int:failover_id>/commit")
def commit(failover_id: int) -> Answer:
    """It stays where it is now."""
    return _decided(failover_id, lambda: deciding.commit(core(), actor(), failover_id), "failover_committed")


def _may_ask() -> bool:
    return bool(actor().scopes("dr.run"))


def _wanted(key: str) -> asking.Wanted:
    """What the form says."""
    given = request.values
    return asking.Wanted(
        key,
        given.get("kind") or PLANNED,
        None,
        given.get("point") or None,
        given.get("reason", ""),
        bool(given.get("accept_stale")),
    )


def _outlook(key: str) -> asking.Outlook:
    return asking.look_for(core(), actor(), outside().witness, key)


def _decided(failover_id: int, what: Callable[[], object], done: str) -> Answer:
    return act(
        what,
        lambda: url_for(".show", failover_id=failover_id, done=done),
        lambda error: _page(failover_id, error),
    )


def _plan_page(key: str, error: CloudctlError | None = None) -> str:
    wanted = _wanted(key)
    return render_template(
        "failover_plan.html",
        move=with_faults(asking.preview(core(), actor(), wanted, _outlook(key))),
        wanted=wanted,
        kinds=KINDS,
        problem=problem(error) if error is not None else None,
    )


def _page(failover_id: int, error: CloudctlError | None = None) -> str:
    move = read(reads.show, failover_id)
    state = FailoverState(move["state"])
    times = {one["state"]: one["at"].isoformat() for one in move["timeline"]}
    return render_template(
        "failover_page.html",
        move=move,
        spans=segments(times),
        is_own=move["asked_by"] == actor().user_id,
        is_returnable=state in RETURNABLE and state != FailoverState.REQUESTED,
        problem=problem(error) if error is not None else None,
    )
