"""Systems that need not move: asked for, decided by another person, ended."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import exemptions as reads
from tenants.migration import exemptions
from web.api.shapes import Body, Listing, PagedByNumber, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("exemptions", __name__, url_prefix="/api/v1/exemptions", tag="Migration")


class ExemptionsQuery(PagedByNumber):
    state: str | None = None
    system: str | None = None


class AskBody(Body):
    system: str
    clause: str = ""
    document: str = ""
    until: str = Field("", description="the last day on which it holds, at most three years ahead")
    reason: str = ""


class OpinionBody(Body):
    opinion: str = ""


@blueprint.get("")
@blueprint.input(ExemptionsQuery, location="query")
@blueprint.output(Listing)
def list_exemptions(query_data: ExemptionsQuery) -> dict[str, Any]:
    """Exemptions of systems that the caller sees, the newest first."""
    asked = query_data
    return listing(
        read(reads.list_exemptions, asked.state, asked.system, asked.limit, asked.marker), asked.limit
    )


@blueprint.post("")
@blueprint.input(AskBody)
@blueprint.output(Row, status_code=201)
def ask(json_data: AskBody) -> dict[str, Any]:
    """Ask that a system need not move; another person decides."""
    new = json_data
    made = exemptions.ask(core(), actor(), new.system, new.clause, new.document, new.until, new.reason)
    return read(reads.show_exemption, made)


@blueprint.get("/<int:exemption_id>")
@blueprint.output(Row)
def show(exemption_id: int) -> dict[str, Any]:
    """One exemption."""
    return read(reads.show_exemption, exemption_id)


@blueprint.post("/<int:exemption_id>/approve")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def approve(exemption_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """The system need not move until that day; never by whoever asked."""
    exemptions.approve(core(), actor(), exemption_id, json_data.opinion)
    return read(reads.show_exemption, exemption_id)


@blueprint.post("/<int:exemption_id>/reject")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def reject(exemption_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """The system has to move; an opinion is required."""
    exemptions.reject(core(), actor(), exemption_id, json_data.opinion)
    return read(reads.show_exemption, exemption_id)


@blueprint.post("/<int:exemption_id>/withdraw")
@blueprint.output(Row)
def withdraw(exemption_id: int) -> dict[str, Any]:
    """Take back what one has asked for oneself."""
    exemptions.withdraw(core(), actor(), exemption_id)
    return read(reads.show_exemption, exemption_id)


@blueprint.post("/<int:exemption_id>/revoke")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def revoke(exemption_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """End an approved exemption before its day; the opinion says why."""
    exemptions.revoke(core(), actor(), exemption_id, json_data.opinion)
    return read(reads.show_exemption, exemption_id)
