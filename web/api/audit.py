"""The audit chain: reading and verifying."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.queries.audit import AuditFilter
from cloudctl.queries.audit import list_events as read_events
from tenants import auditing
from web.api.shapes import Answer, Listing, PagedByNumber, listing
from web.saying import fault_message
from web.visitor import actor, core, read

blueprint = APIBlueprint("audit", __name__, url_prefix="/api/v1", tag="Audit")


class AuditQuery(PagedByNumber):
    actor: str | None = None
    action: str | None = None
    subject: str | None = None


@blueprint.get("/audit")
@blueprint.input(AuditQuery, location="query")
@blueprint.output(Listing)
def list_events(query_data: AuditQuery) -> dict[str, Any]:
    """Events, the newest first."""
    wanted = AuditFilter(
        query_data.actor, query_data.action, query_data.subject, query_data.limit, query_data.marker
    )
    return listing(read(read_events, wanted), query_data.limit)


@blueprint.post("/audit/verify")
@blueprint.output(Answer)
def verify() -> dict[str, Any]:
    """Read the whole chain against its signed heads; every place where they do not fit."""
    verdict = auditing.verify(core(), actor())
    return {
        "intact": verdict.is_intact,
        "events": verdict.events,
        "heads": verdict.heads,
        "unsigned_tail": verdict.unsigned_tail,
        "faults": [
            {"place": fault.place, "code": fault.code, "message": fault_message(fault), "hint": None}
            for fault in verdict.faults
        ],
    }
