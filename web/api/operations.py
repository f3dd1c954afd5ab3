"""Durable work, its steps, and what to do when it failed."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import operations as reads
from provisioning import intervention
from tenants.settlement import settle
from web.api.shapes import Body, Listing, Number, PagedByNumber, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("operations", __name__, url_prefix="/api/v1", tag="Operations")


class OperationsQuery(PagedByNumber):
    state: str | None = None
    request: Number | None = None
    site: str | None = None


class AbandonBody(Body):
    reason: str = Field("", max_length=1000)


@blueprint.get("/operations")
@blueprint.input(OperationsQuery, location="query")
@blueprint.output(Listing)
def list_operations(query_data: OperationsQuery) -> dict[str, Any]:
    """Operations, the newest first; state `open`: all that go on."""
    asked = query_data
    rows = read(reads.list_operations, asked.state, asked.request, asked.site, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.get("/operations/<int:operation_id>")
@blueprint.output(Row)
def show_operation(operation_id: int) -> dict[str, Any]:
    """One operation with the steps of its journal."""
    return _show(operation_id)


@blueprint.post("/operations/<int:operation_id>/retry")
@blueprint.output(Row)
def retry(operation_id: int) -> dict[str, Any]:
    """Look again now, with a new deadline, instead of after the growing pause."""
    intervention.retry(core(), actor(), operation_id)
    return _show(operation_id)


@blueprint.post("/operations/<int:operation_id>/abandon")
@blueprint.input(AbandonBody)
@blueprint.output(Row)
def abandon(operation_id: int, json_data: AbandonBody) -> dict[str, Any]:
    """End an undo that cannot be finished; what it leaves on the cloud is shown as orphaned."""
    intervention.abandon(core(), actor(), operation_id, settle(core()), json_data.reason)
    return _show(operation_id)


def _show(operation_id: int) -> dict[str, Any]:
    return read(reads.show_operation, operation_id)
