"""One's own notices."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.queries.notices import list_notices as read_notices
from tenants import notices
from web.api.shapes import Done, Listing, PagedByNumber, listing
from web.saying import notice_text
from web.visitor import actor, core, read

blueprint = APIBlueprint("notices", __name__, url_prefix="/api/v1", tag="Notices")


class NoticesQuery(PagedByNumber):
    unread: bool = False


@blueprint.get("/notices")
@blueprint.input(NoticesQuery, location="query")
@blueprint.output(Listing)
def list_notices(query_data: NoticesQuery) -> dict[str, Any]:
    """What one has to do or know, the newest first; `text` is in the language asked for."""
    rows = read(read_notices, query_data.unread, query_data.limit, query_data.marker)
    return listing([{**row, "text": notice_text(row)} for row in rows], query_data.limit)


@blueprint.post("/notices/<int:notice_id>/read")
@blueprint.output(Done)
def read_notice(notice_id: int) -> dict[str, Any]:
    """The notice is read."""
    notices.mark_read(core(), actor(), notice_id)
    return {"id": notice_id, "state": "read"}
