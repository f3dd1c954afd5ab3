"""Exemptions: those that wait for a decision first, and each with the decision on it."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import CloudctlError
from cloudctl.queries import exemptions as reads
from tenants.migration import exemptions
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, read

blueprint = APIBlueprint("exemption_pages", __name__, url_prefix="/exemptions", enable_openapi=False)
STATES = ("asked", "approved", "rejected", "withdrawn", "revoked", "ended")
_ON_A_PAGE = 100


@blueprint.get("/")
def list_exemptions() -> str:
    """What waits, and what was decided."""
    state = request.args.get("state") or "asked"
    marker = request.args.get("marker", type=int)
    rows = read(reads.list_exemptions, None if state == "all" else state, None, _ON_A_PAGE, marker)
    following = rows[-1]["id"] if len(rows) == _ON_A_PAGE else None
    return render_template("exemptions.html", exemptions=rows, states=STATES, state=state, next=following)


@blueprint.get("/<int:exemption_id>")
def show(exemption_id: int) -> str:
    return _page(exemption_id)


@blueprint.post("/<int:exemption_id>/approve")
def approve(exemption_id: int) -> Answer:
    return _decide(exemption_id, exemptions.approve, "exemption_approved")


@blueprint.post("/<int:exemption_id>/reject")
def reject(exemption_id: int) -> Answer:
    return _decide(exemption_id, exemptions.reject, "exemption_rejected")


@blueprint.post("/<int:exemption_id>/revoke")
def revoke(exemption_id: int) -> Answer:
    return _decide(exemption_id, exemptions.revoke, "exemption_revoked")


@blueprint.post("/<int:exemption_id>/withdraw")
def withdraw(exemption_id: int) -> Answer:
    """Take back what one has asked for oneself."""
    return _decide(
        exemption_id, lambda core, me, id_, _: exemptions.withdraw(core, me, id_), "exemption_withdrawn"
    )


def _decide(exemption_id: int, decide: Callable[[Core, Actor, int, str], object], done: str) -> Answer:
    """One decision; what is wrong with it is shown on the page again, with what was written."""
    opinion = request.form.get("opinion", "")
    return act(
        lambda: decide(core(), actor(), exemption_id, opinion),
        lambda: url_for("exemption_pages.show", exemption_id=exemption_id, done=done),
        lambda error: _page(exemption_id, error),
    )


def _page(exemption_id: int, error: CloudctlError | None = None) -> str:
    me = actor()
    found = read(reads.show_exemption, exemption_id)
    decides = me.may("migration.decide")
    return render_template(
        "exemption_page.html",
        exemption=found,
        can_decide=found["state"] == "asked" and decides and found["asked_by"] != me.user_id,
        can_withdraw=found["state"] == "asked" and found["asked_by"] == me.user_id,
        can_revoke=found["state"] == "approved" and decides,
        problem=problem(error) if error is not None else None,
        opinion=request.form.get("opinion", ""),
    )
