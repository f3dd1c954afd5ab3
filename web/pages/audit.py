"""The audit chain for those who audit."""

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.queries.audit import AuditFilter
from cloudctl.queries.audit import list_events as read_events
from web.visitor import actor, core

blueprint = APIBlueprint("audit_pages", __name__, enable_openapi=False)
_ON_A_PAGE = 100


@blueprint.get("/audit")
def list_events() -> str:
    """Events, the newest first, by whom, what and about what."""
    given = {key: request.args.get(key) or None for key in ("actor", "action", "subject")}
    wanted = AuditFilter(**given, limit=_ON_A_PAGE, before=request.args.get("marker", type=int))
    with core().store.read() as uow:
        events = read_events(uow, actor(), wanted)
    following = events[-1]["id"] if len(events) == _ON_A_PAGE else None
    return render_template("audit.html", events=events, wanted=wanted, next=following)
