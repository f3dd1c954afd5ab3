"""cloudctl's own database: whether it may act, its copies in the vaults, and the word of two people after a
restore."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.database import confirming, copies
from web.api.shapes import Body, Listing, Paged, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("database", __name__, url_prefix="/api/v1/database", tag="Database")


class CopiesQuery(Paged):
    gone: bool = Field(False, description="also those that were given up or failed")


class ConfirmBody(Body):
    reason: str = Field(max_length=1000, description="what was looked at")


@blueprint.get("")
@blueprint.output(Row)
def show() -> dict[str, Any]:
    """Whether this installation acts or only observes, who has confirmed, and its newest copy."""
    return read(confirming.status)


@blueprint.get("/copies")
@blueprint.input(CopiesQuery, location="query")
@blueprint.output(Listing)
def list_copies(query_data: CopiesQuery) -> dict[str, Any]:
    """The copies of the database in the vaults, the newest first, with the level to which each is proved."""
    return listing(read(copies.list_copies, query_data.gone, query_data.limit))


@blueprint.post("/copies")
@blueprint.output(Row, status_code=202)
def back_up() -> dict[str, Any]:
    """Begin a copy now."""
    return copies.back_up(core(), actor())


@blueprint.post("/copies/<key>/prove")
@blueprint.output(Row, status_code=202)
def prove(key: str) -> dict[str, Any]:
    """Begin to prove a copy: read back from every vault, brought back out of one and examined."""
    return copies.prove(core(), actor(), key)


@blueprint.post("/confirm")
@blueprint.input(ConfirmBody)
@blueprint.output(Row)
def confirm(json_data: ConfirmBody) -> dict[str, Any]:
    """After a restore: say that the installation may act again; the second person ends observing."""
    return confirming.confirm(core(), actor(), json_data.reason)
