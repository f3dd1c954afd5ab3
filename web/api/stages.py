"""The stage of a system's migration: what is possible, and moving on."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries.register import CLASSIFIED_NAME, find_system
from tenants.migration import course
from web.api.shapes import Answer, Body, Row
from web.visitor import actor, core

blueprint = APIBlueprint("stages", __name__, url_prefix="/api/v1/systems/<key>/stage", tag="Migration")


class MoveBody(Body):
    event: str = Field(max_length=40)
    shown: dict[str, str] = Field(
        default_factory=dict, description="fields of the register, as people write them"
    )
    reason: str = ""
    dry_run: bool = False


@blueprint.get("")
@blueprint.output(Row)
def show(key: str) -> dict[str, Any]:
    """Where the system stands, and what the caller can do next with the fields that are asked."""
    return _shown(key)


@blueprint.post("")
@blueprint.input(MoveBody)
@blueprint.output(Answer)
def move(key: str, json_data: MoveBody) -> dict[str, Any]:
    """Move the system by an event; with `dry_run` only what would change."""
    told = json_data
    if told.dry_run:
        changes = course.preview(core(), actor(), key, told.event, told.shown, told.reason)
        return {**_shown(key), "changes": changes}
    course.advance(core(), actor(), key, told.event, told.shown, told.reason)
    return _shown(key)


def _shown(key: str) -> dict[str, Any]:
    with core().store.read() as uow:
        row = find_system(uow, actor(), key)
        steps = course.possible(uow, actor(), row.id)
        return {
            "id": row.id,
            "name": CLASSIFIED_NAME if row.is_classified else row.name,
            "state": row.stage,
            "possible": [step.as_json() for step in steps],
        }
