"""Protection plans: what is protected, whereto, whether that can be relied on, and what is in the way now."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.plans import acting, showing
from dr.ways import database_asking
from web.api.shapes import Answer, Body, Listing, Query, Row, listing
from web.plan_words import said
from web.visitor import actor, core, outside

blueprint = APIBlueprint("plans", __name__, url_prefix="/api/v1", tag="Disaster recovery")


class PlansQuery(Query):
    system: str | None = Field(None, max_length=200)
    state: str | None = Field(None, max_length=40)


class ApplyBody(Body):
    plans: list[dict[str, Any]] = Field(description="as in examples/protection-plans.yaml")
    dry_run: bool = False


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


class SetUpBody(Body):
    is_anew: bool = Field(False, description="what the other one wrote gives way, and is kept beside")


@blueprint.get("/plans")
@blueprint.input(PlansQuery, location="query")
@blueprint.output(Listing)
def list_plans(query_data: PlansQuery) -> dict[str, Any]:
    """Every plan, with its state, its health and whether it is ready, as last looked at."""
    return listing(showing.list_plans(core(), actor(), query_data.system, query_data.state))


@blueprint.post("/plans/apply")
@blueprint.input(ApplyBody)
@blueprint.output(Listing)
def apply(json_data: ApplyBody) -> dict[str, Any]:
    """Make plans say what the list says, all or nothing; again changes nothing."""
    rows = acting.apply(core(), actor(), outside(), json_data.plans, json_data.dry_run)
    return listing([said(row) for row in rows])


@blueprint.get("/plans/<key>")
@blueprint.output(Row)
def show(key: str) -> dict[str, Any]:
    """One plan with its parts, what is wrong, what is held for it, and the forecast."""
    return said(showing.show(core(), actor(), key))


@blueprint.get("/plans/<key>/document")
@blueprint.output(Answer)
def export(key: str) -> dict[str, Any]:
    """The plan as it is written in a file; applied again it changes nothing."""
    return {"plans": [showing.export(core(), actor(), key)]}


@blueprint.post("/plans/<key>/suspend")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def suspend(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """The plan is not relied on until it is resumed; its room stays held."""
    acting.suspend(core(), actor(), key, json_data.reason)
    return said(showing.show(core(), actor(), key))


@blueprint.post("/plans/<key>/resume")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def resume(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """The plan counts again, and has to be rehearsed first."""
    acting.resume(core(), actor(), key, json_data.reason)
    return said(showing.show(core(), actor(), key))


@blueprint.post("/plans/<key>/retire")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def retire(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """The plan is over for good; its room is given back."""
    acting.retire(core(), actor(), key, json_data.reason)
    return said(showing.show(core(), actor(), key))


@blueprint.get("/plans/<key>/databases")
@blueprint.output(Listing)
def list_databases(key: str) -> dict[str, Any]:
    """The databases of the plan that copy themselves, and how far behind each was when looked at last."""
    return listing(database_asking.lag(core(), actor(), key))


@blueprint.post("/plans/<key>/databases/setup")
@blueprint.input(SetUpBody)
@blueprint.output(Row)
def set_up_databases(key: str, json_data: SetUpBody) -> dict[str, Any]:
    """Have the database at the other site follow the one where the system runs; again changes nothing."""
    return database_asking.set_up(core(), actor(), key, is_anew=json_data.is_anew)


@blueprint.get("/plans/<key>/readiness")
@blueprint.output(Row)
def show_readiness(key: str) -> dict[str, Any]:
    """What would stop a failover of the plan right now, asked now."""
    [row] = showing.readiness(core(), actor(), outside(), key)
    return said(row)


@blueprint.get("/readiness")
@blueprint.output(Listing)
def list_readiness() -> dict[str, Any]:
    """The same of every plan that is not retired."""
    return listing([said(row) for row in showing.readiness(core(), actor(), outside())])
