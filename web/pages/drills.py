"""Drills for people: beginning one, watching its parts come up, and the calendar."""

from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import DrillState
from cloudctl.queries import drills as reads
from dr.drills import asking
from dr.drills.asking import FAULTS, NOW, Asked
from web.errors import problem
from web.plan_words import said
from web.posting import Answer, act
from web.visitor import actor, core, read

blueprint = APIBlueprint("drill_pages", __name__, url_prefix="/recovery/drills", enable_openapi=False)
_MOST, _MOST_MINUTES = 100, 24 * 60
_WATCHED_S = 5  # so often the page of a drill that goes on draws itself anew
_STOPPABLE = ("requested", "precheck", "isolated", "cloned", "starting", "validating", "holding")


@blueprint.get("/")
def list_drills() -> str:
    """All drills, the newest first, and the calendar."""
    drills = read(reads.list_drills, None, None, _MOST)
    return render_template("drills.html", drills=drills, calendar=read(reads.list_calendar))


@blueprint.get("/<int:drill_id>")
def show(drill_id: int) -> str:
    """One drill."""
    return _page(drill_id)


@blueprint.get("/of/<key>")
def plan(key: str) -> str:
    """The form, and what would be rehearsed."""
    return _plan_page(key)


@blueprint.post("/of/<key>")
def start(key: str) -> Answer:
    """Begin a drill of the plan."""
    made: dict[str, Any] = {}
    return act(
        lambda: made.update(asking.start(core(), actor(), key, _asked())),
        lambda: url_for(".show", drill_id=made["id"], done="drill_begun"),
        lambda error: _plan_page(key, error),
    )


@blueprint.post("/<int:drill_id>/end")
def end(drill_id: int) -> Answer:
    """Its hold ends now."""
    return act(
        lambda: asking.end(core(), actor(), drill_id),
        lambda: url_for(".show", drill_id=drill_id, done="drill_ended"),
        lambda error: _page(drill_id, error),
    )


@blueprint.post("/<int:drill_id>/abort")
def abort(drill_id: int) -> Answer:
    """It stops where it is."""
    reason = request.form.get("reason", "")
    return act(
        lambda: asking.abort(core(), actor(), drill_id, reason),
        lambda: url_for(".show", drill_id=drill_id, done="drill_aborted"),
        lambda error: _page(drill_id, error),
    )


def _asked() -> Asked:
    """What the form says; minutes that are no number are none."""
    given = request.values
    minutes = given.get("hold", "")
    held = int(minutes) if minutes.isdecimal() and len(minutes) < 6 else 0
    fault = given.get("fault", NOW)
    return Asked(given.get("point") or None, held * 60, fault, given.get("reason", ""))


def _plan_page(key: str, error: CloudctlError | None = None) -> str:
    asked = _asked()
    shown = {"point": asked.point, "hold": asked.hold_s // 60, "fault": asked.fault, "reason": asked.reason}
    is_new = error is None and not request.args
    preview = asking.preview(core(), actor(), key, Asked() if is_new or error is not None else asked)
    return render_template(
        "drill_plan.html",
        drill=said(preview),
        asked=shown,
        faults_of_time=FAULTS,
        most_minutes=_MOST_MINUTES,
        problem=problem(error) if error is not None else None,
    )


def _page(drill_id: int, error: CloudctlError | None = None) -> str:
    drill = said(read(reads.show_drill, drill_id))
    return render_template(
        "drill_page.html",
        drill=drill,
        is_going_on=drill["state"] != DrillState.DONE,
        is_stoppable=drill["state"] in _STOPPABLE,
        watched_s=_WATCHED_S,
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )
