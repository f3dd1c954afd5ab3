"""Moves of a system to its other site: what one would cost, asking, the words of people, how it goes."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import failovers as reads
from dr.failover import asking, back, deciding
from web.api.shapes import Answer, Body, Listing, PagedByNumber, Row, listing
from web.backup_words import with_faults
from web.visitor import actor, core, outside, read

blueprint = APIBlueprint("failovers", __name__, url_prefix="/api/v1", tag="Disaster recovery")


class FailoversQuery(PagedByNumber):
    plan: str | None = Field(None, max_length=200)
    state: str | None = Field(None, max_length=40)


class MoveBody(Body):
    plan: str = Field(max_length=200)
    kind: Literal["planned", "unplanned"] = "planned"
    to: str | None = Field(None, max_length=200)
    point: str | None = Field(None, max_length=64)
    reason: str = Field("", max_length=1000)
    accept_stale: bool = False


class DecisionBody(Body):
    plan_sha256: str = Field(max_length=64, description="of the plan that was looked at")
    opinion: str = Field("", max_length=1000)


class OpinionBody(Body):
    opinion: str = Field("", max_length=1000)


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


class GlassBody(Body):
    plan_sha256: str = Field(max_length=64)
    reason: str = Field(max_length=1000)
    conflict: str = Field(max_length=1000, description="what the old site may have written since")


class PlanBody(Body):
    plan: str = Field(max_length=200)
    reason: str = Field("", max_length=1000)


@blueprint.get("/failovers")
@blueprint.input(FailoversQuery, location="query")
@blueprint.output(Listing)
def list_failovers(query_data: FailoversQuery) -> dict[str, Any]:
    """Moves, the newest first."""
    asked = query_data
    found = read(reads.list_failovers, asked.plan, asked.state, asked.limit, asked.marker)
    return listing(found, asked.limit)


@blueprint.post("/failovers/preview")
@blueprint.input(MoveBody)
@blueprint.output(Answer)
def preview(json_data: MoveBody) -> dict[str, Any]:
    """What would be lost, from which point, and what is in the way; nothing is changed."""
    wanted = _wanted(json_data)
    return with_faults(asking.preview(core(), actor(), wanted, _outlook(wanted.plan)))


@blueprint.post("/failovers")
@blueprint.input(MoveBody)
@blueprint.output(Answer, status_code=202)
def ask(json_data: MoveBody) -> dict[str, Any]:
    """Put a move before two people."""
    wanted = _wanted(json_data)
    return asking.ask(core(), actor(), wanted, _outlook(wanted.plan))


@blueprint.post("/failovers/enrol")
@blueprint.input(PlanBody)
@blueprint.output(Answer)
def enrol(json_data: PlanBody) -> dict[str, Any]:
    """Make the witness's entry of a plan: open where its system runs."""
    return asking.enrol(core(), actor(), outside().witness, json_data.plan)


@blueprint.post("/failbacks")
@blueprint.input(PlanBody)
@blueprint.output(Answer, status_code=202)
def start_failback(json_data: PlanBody) -> dict[str, Any]:
    """Make the site ready from which the system came: what it has is kept, its data comes from here."""
    return back.begin(core(), actor(), json_data.plan, json_data.reason)


@blueprint.get("/failovers/<int:failover_id>")
@blueprint.output(Row)
def show(failover_id: int) -> dict[str, Any]:
    """One move with its timeline, parts, approvals and proofs."""
    return read(reads.show, failover_id)


@blueprint.post("/failovers/<int:failover_id>/approve")
@blueprint.input(DecisionBody)
@blueprint.output(Answer, status_code=202)
def approve(failover_id: int, json_data: DecisionBody) -> dict[str, Any]:
    """Say yes to the plan that was looked at; the second yes begins the move."""
    given = json_data
    outlook = asking.look_again(core(), actor(), outside().witness, failover_id)
    return deciding.approve(core(), actor(), failover_id, given.plan_sha256, given.opinion, outlook)


@blueprint.post("/failovers/<int:failover_id>/reject")
@blueprint.input(OpinionBody)
@blueprint.output(Answer)
def reject(failover_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """It is not done, and why; whoever asked takes it back this way."""
    return deciding.reject(core(), actor(), failover_id, json_data.opinion)


@blueprint.post("/failovers/<int:failover_id>/abort")
@blueprint.input(ReasonBody)
@blueprint.output(Answer, status_code=202)
def abort(failover_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """Give the move back, while that is possible."""
    return deciding.abort(core(), actor(), failover_id, json_data.reason)


@blueprint.post("/failovers/<int:failover_id>/commit")
@blueprint.output(Answer)
def commit(failover_id: int) -> dict[str, Any]:
    """It stays where it is now."""
    return deciding.commit(core(), actor(), failover_id)


@blueprint.post("/failovers/<int:failover_id>/break-glass")
@blueprint.input(GlassBody)
@blueprint.output(Answer, status_code=202)
def break_glass(failover_id: int, json_data: GlassBody) -> dict[str, Any]:
    """Go on without evidence or proof, on the word of two people of different roles."""
    given = json_data
    return deciding.break_glass(core(), actor(), failover_id, given.plan_sha256, given.reason, given.conflict)


def _wanted(body: MoveBody) -> asking.Wanted:
    return asking.Wanted(body.plan, body.kind, body.to, body.point, body.reason, body.accept_stale)


def _outlook(plan: str) -> asking.Outlook:
    return asking.look_for(core(), actor(), outside().witness, plan)
