"""Lists of requests: those one may see, and those that wait for one's decision."""

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.lifecycle import RequestState
from cloudctl.queries import requests as reads
from tenants import approvals
from web.visitor import actor, core

blueprint = APIBlueprint("request_list", __name__, enable_openapi=False)
_ON_A_PAGE = 50


@blueprint.get("/requests")
def show() -> str:
    """Requests that the person may see, by state."""
    state = request.args.get("state") or None
    is_mine = request.args.get("mine") == "1"
    marker = request.args.get("marker", type=int)
    with core().store.read() as uow:
        rows = reads.rows(uow, actor(), state, is_mine, limit=_ON_A_PAGE, marker=marker)
    following = rows[-1]["id"] if len(rows) == _ON_A_PAGE else None
    return render_template(
        "request_list.html",
        requests=rows,
        states=[one.value for one in RequestState],
        state=state,
        is_mine=is_mine,
        next=following,
    )


@blueprint.get("/inbox")
def inbox() -> str:
    return render_template("inbox.html", requests=approvals.inbox(core(), actor()))
