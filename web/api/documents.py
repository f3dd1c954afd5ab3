"""Files that cloudctl made: a bulletin, a sheet of faults."""

from apiflask import APIBlueprint
from flask import Response

from tenants.documents import open_document
from web.sending import FILE, attachment
from web.visitor import actor, core

blueprint = APIBlueprint("documents", __name__, url_prefix="/api/v1", tag="Documents")


@blueprint.get("/documents/<document_id>")
@blueprint.doc(responses=FILE)
def show(document_id: str) -> Response:
    """The file itself, to be saved under its name."""
    row = open_document(core(), actor(), document_id)
    answer = attachment(row.name, row.media_type, row.content)
    answer.headers["X-Content-SHA256"] = row.sha256
    return answer
