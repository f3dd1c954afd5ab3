"""Files that cloudctl made: a bulletin, a sheet of faults."""

from io import BytesIO
from typing import Any

from apiflask import APIBlueprint
from flask import Response, send_file

from tenants.documents import open_document
from web.visitor import actor, core

blueprint = APIBlueprint("documents", __name__, url_prefix="/api/v1", tag="Documents")
_FILE: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "the file", "content": {"application/octet-stream": {}}}
}
# A page that is opened may style itself and nothing else; it is not of the portal.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@blueprint.get("/documents/<document_id>")
@blueprint.doc(responses=_FILE)
def show(document_id: str) -> Response:
    """The file itself, to be saved under its name."""
    row = open_document(core(), actor(), document_id)
    answer = send_file(BytesIO(row.content), row.media_type, as_attachment=True, download_name=row.name)
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Content-SHA256"] = row.sha256
    return answer
