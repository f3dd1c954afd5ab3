"""The home page: what waits for me, what I asked for, what I should know."""

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.queries import requests as request_reads
from cloudctl.queries.notices import list_notices as read_notices
from tenants import approvals, notices
from web.saying import notice_text
from web.visitor import actor, core

blueprint = APIBlueprint("home", __name__, enable_openapi=False)
_ON_A_PAGE = 50
_NEWEST = 6


@blueprint.get("/")
def show() -> str:
    """What waits, what was asked, what is new."""
    me = actor()
    to_decide = approvals.inbox(core(), me)
    with core().store.read() as uow:
        mine = request_reads.rows(uow, me, mine=True, limit=_NEWEST)
        states = request_reads.count_by_state(uow, me)
    return render_template(
        "home.html",
        to_decide=to_decide,
        mine=mine,
        states=states,
        returned=[one for one in mine if one["state"] == "returned"],
        notices=_notices(_NEWEST),
    )


@blueprint.get("/notices")
def list_notices() -> str:
    """All of one's own notices, page by page."""
    marker = request.args.get("marker", type=int)
    rows = _notices(_ON_A_PAGE, marker)
    following = rows[-1]["id"] if len(rows) == _ON_A_PAGE else None
    return render_template("notice_page.html", notices=rows, next=following)


@blueprint.post("/notices/<int:notice_id>/read")
def read_notice(notice_id: int) -> Response:
    """The notice is read."""
    notices.mark_read(core(), actor(), notice_id)
    return redirect(url_for("home.list_notices"), 303)


def _notices(limit: int, marker: int | None = None) -> list[dict[str, object]]:
    with core().store.read() as uow:
        rows = read_notices(uow, actor(), limit=limit, marker=marker)
    return [{**row, "text": notice_text(row)} for row in rows]
