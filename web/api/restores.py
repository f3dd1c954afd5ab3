"""Restores: how far they have come, and the decisions of a second person."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import backups as reads
from dr import restore_asking
from web.api.shapes import Answer, Body, Listing, PagedByNumber, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("restores", __name__, url_prefix="/api/v1/restores", tag="Backup")


class RestoresQuery(PagedByNumber):
    state: str | None = Field(None, max_length=40)


class OpinionBody(Body):
    opinion: str = Field("", max_length=1000)


class UndoBody(Body):
    reason: str = Field(max_length=1000)


@blueprint.get("")
@blueprint.input(RestoresQuery, location="query")
@blueprint.output(Listing)
def list_restores(query_data: RestoresQuery) -> dict[str, Any]:
    """Restores that people asked for, the newest first."""
    asked = query_data
    return listing(read(reads.list_restores, asked.state, asked.limit, asked.marker), asked.limit)


@blueprint.get("/<int:restore_id>")
@blueprint.output(Row)
def show(restore_id: int) -> dict[str, Any]:
    """One restore, with how far it has come."""
    return read(reads.show_restore, restore_id)


@blueprint.post("/<int:restore_id>/approve")
@blueprint.input(OpinionBody)
@blueprint.output(Answer, status_code=202)
def approve(restore_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """Begin what somebody else asked for."""
    return restore_asking.approve(core(), actor(), restore_id, json_data.opinion)


@blueprint.post("/<int:restore_id>/reject")
@blueprint.input(OpinionBody)
@blueprint.output(Answer)
def reject(restore_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """It is not done, and why; whoever asked takes it back this way."""
    return restore_asking.reject(core(), actor(), restore_id, json_data.opinion)


@blueprint.post("/<int:restore_id>/undo")
@blueprint.input(UndoBody)
@blueprint.output(Answer, status_code=202)
def undo(restore_id: int, json_data: UndoBody) -> dict[str, Any]:
    """Ask that a system gets the volumes back that it had before; a second person decides."""
    return restore_asking.undo(core(), actor(), restore_id, json_data.reason)
