"""One request: what is asked, its course, what was delivered, and the decision."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, NotFound
from cloudctl.lifecycle import REQUEST, RequestState
from cloudctl.queries import operations as operation_reads
from cloudctl.queries import people as people_reads
from cloudctl.queries import requests as reads
from cloudctl.store import UnitOfWork
from tenants import approvals, requests
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core

blueprint = APIBlueprint(
    "request_page", __name__, url_prefix="/requests/<int:request_id>", enable_openapi=False
)
REFRESH_S = 3
_MOVING = (RequestState.BUILDING, RequestState.CANCELLING)
Json = dict[str, Any]


@blueprint.get("/")
def show(request_id: int) -> str:
    return _page(request_id)


@blueprint.post("/approve")
def approve(request_id: int) -> Answer:
    return _decide(request_id, approvals.approve, "approved")


@blueprint.post("/return")
def send_back(request_id: int) -> Answer:
    return _decide(request_id, approvals.return_, "returned")


@blueprint.post("/reject")
def reject(request_id: int) -> Answer:
    return _decide(request_id, approvals.reject, "rejected")


@blueprint.post("/withdraw")
def withdraw(request_id: int) -> Response:
    """Take one's own request back."""
    requests.withdraw(core(), actor(), request_id)
    return redirect(url_for("request_page.show", request_id=request_id, done="withdrawn"), 303)


@blueprint.post("/cancel")
def cancel(request_id: int) -> Response:
    """Stop the request; what was made is undone."""
    requests.cancel(core(), actor(), request_id)
    return redirect(url_for("request_page.show", request_id=request_id, done="cancelled"), 303)


def _decide(request_id: int, decide: Callable[[Core, Actor, int, str], object], done: str) -> Answer:
    """One decision; a missing opinion shows the page again with what is wrong and what was written."""
    opinion = request.form.get("opinion", "").strip()
    return act(
        lambda: decide(core(), actor(), request_id, opinion),
        lambda: url_for("request_page.show", request_id=request_id, done=done),
        lambda error: _page(request_id, error, opinion),
    )


def _page(request_id: int, error: CloudctlError | None = None, opinion: str = "") -> str:
    me = actor()
    with core().store.read() as uow:
        found = reads.show(uow, me, request_id)
        operation = _operation(uow, found["operation_id"])
        units = people_reads.units_of(
            uow, {one["by"] for one in found["approvals"]} | {found["requested_by"]}
        )
    can_decide = any(one["id"] == request_id for one in approvals.inbox(core(), me))
    return render_template(
        "request_page.html",
        request=found,
        operation=operation,
        units=units,
        stage_titles={stage["name"]: stage["title"] for stage in found["stages"]},
        is_moving=found["state"] in _MOVING,
        refresh_s=REFRESH_S,
        can_decide=can_decide,
        can=_moves(me, found),
        problem=problem(error) if error is not None else None,
        opinion=opinion,
    )


def _operation(uow: UnitOfWork, operation_id: int | None) -> Json | None:
    if operation_id is None:
        return None
    try:
        return operation_reads.show_operation(uow, actor(), operation_id)
    except NotFound:  # the request may be seen, the work may not
        return None


def _moves(me: Actor, found: Json) -> set[str]:
    """Which buttons to offer; the use case behind each decides."""
    who = set()
    if found["requested_by"] == me.user_id:
        who.add("requester")
    elif me.may("request.cancel", [("site", found["site"])]):
        who.add("admin")
    moves = {row.event for row in REQUEST if row.source == found["state"] and row.who & who}
    return moves - {"cancel"} if "withdraw" in moves else moves
