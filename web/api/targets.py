"""Targets: set, decomposed, followed, urged and reported."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from tenants.migration import decomposing, target_notes, target_rows, targeting
from web.api.shapes import Answer, Body, Listing, Query, Row, listing
from web.visitor import actor, core

blueprint = APIBlueprint("targets", __name__, url_prefix="/api/v1/targets", tag="Migration")
_PERCENT = "a percentage with at most two decimals: 95, 99.5"


class TargetsQuery(Query):
    scope: str | None = None
    measure: str | None = None
    state: Literal["reached", "open", "overdue", "unknown", "empty", "closed"] | None = None
    closed: bool = Field(False, description="also those that are closed")
    parent: int | None = Field(None, ge=0, le=2**53)


class TargetBody(Body):
    """A target as filled in. The use case judges every value, so that all faults come at once."""

    name: str = ""
    scope: str = Field("", description="division:450000, own:450000 or department:CODE")
    measure: str = ""
    value: str | int | float = Field("", description=_PERCENT)
    due_on: str = ""
    source: str = Field("", description="the document that says so")
    leader: str | None = None
    unit: str | None = None
    person: str | None = None


class TargetsBody(Body):
    targets: list[dict[str, Any]] = Field(description="as in examples/targets.yaml")
    dry_run: bool = False


class DecomposeBody(Body):
    parts: list[dict[str, Any]] = Field(
        default_factory=list, description="each with its scope, and what differs from the target"
    )
    to: Literal["divisions", "departments"] | None = None
    dry_run: bool = False


class NoteBody(Body):
    text: str = ""


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


@blueprint.get("")
@blueprint.input(TargetsQuery, location="query")
@blueprint.output(Listing)
def list_targets(query_data: TargetsQuery) -> dict[str, Any]:
    """Targets with how they stand now, the next that is due first."""
    asked = query_data
    rows = target_rows.list_targets(
        core(), actor(), asked.scope, asked.measure, asked.state, asked.closed, asked.parent
    )
    return listing(rows)


@blueprint.post("")
@blueprint.input(TargetBody)
@blueprint.output(Row, status_code=201)
def create(json_data: TargetBody) -> dict[str, Any]:
    """Set a target."""
    made = targeting.create(core(), actor(), json_data.model_dump(exclude_none=True))
    return _show(made)


@blueprint.post("/apply")
@blueprint.input(TargetsBody)
@blueprint.output(Listing)
def apply(json_data: TargetsBody) -> dict[str, Any]:
    """Make open targets say what the list says, all or nothing; again changes nothing."""
    return listing(targeting.apply(core(), actor(), json_data.targets, json_data.dry_run))


@blueprint.get("/<int:target_id>")
@blueprint.output(Row)
def show(target_id: int) -> dict[str, Any]:
    """One target with its parts, whether they are enough, and what was said about it."""
    return _show(target_id)


@blueprint.post("/<int:target_id>/decompose")
@blueprint.input(DecomposeBody)
@blueprint.output(Answer)
def decompose(target_id: int, json_data: DecomposeBody) -> dict[str, Any]:
    """Give a target its parts, and say whether it is reached once each of them is."""
    told = json_data
    return decomposing.decompose(core(), actor(), target_id, told.parts, told.to, told.dry_run).as_json()


@blueprint.post("/<int:target_id>/urge")
@blueprint.input(NoteBody)
@blueprint.output(Answer)
def urge(target_id: int, json_data: NoteBody) -> dict[str, Any]:
    """Tell the people of the scope that the target is behind; who was told."""
    return {"id": target_id, "told": target_notes.urge(core(), actor(), target_id, json_data.text)}


@blueprint.post("/<int:target_id>/report")
@blueprint.input(NoteBody)
@blueprint.output(Answer)
def report(target_id: int, json_data: NoteBody) -> dict[str, Any]:
    """Say how it goes; whoever set the target or urged is told."""
    return {"id": target_id, "told": target_notes.report(core(), actor(), target_id, json_data.text)}


@blueprint.post("/<int:target_id>/close")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def close(target_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """The target is no longer followed."""
    targeting.close(core(), actor(), target_id, json_data.reason)
    return _show(target_id)


def _show(target_id: int) -> dict[str, Any]:
    return target_rows.show_target(core(), actor(), target_id)
