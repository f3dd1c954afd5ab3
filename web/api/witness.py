"""The vote of three places, as it answers now."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.agents import asking
from dr.agents.looking import look
from dr.failover.dismissing import dismiss as dismiss_agent
from web.api.shapes import Answer, Body, Listing, Row, listing
from web.visitor import actor, core, outside

blueprint = APIBlueprint("witness", __name__, url_prefix="/api/v1/witness", tag="Disaster recovery")


@blueprint.get("")
@blueprint.output(Listing)
def show() -> dict[str, Any]:
    """Its members, and for each plan who may write, which agents there are and what observers saw."""
    return listing(look(core(), actor(), outside().witness))


class AgentsBody(Body):
    plan: str = Field(max_length=200)
    servers: list[str] = Field([], max_length=200, description="by name or label; none: those of the parts")
    parts: list[str] = Field([], max_length=200, description="none either: all that the plan has writers of")
    site: str = Field("", max_length=200, description="only those there")


@blueprint.post("/agents")
@blueprint.input(AgentsBody)
@blueprint.output(Row)
def install(json_data: AgentsBody) -> dict[str, Any]:
    """Bring the agent of a plan to its servers; again changes nothing."""
    wanted = asking.Wanted(json_data.plan, tuple(json_data.servers), tuple(json_data.parts), json_data.site)
    return asking.install(core(), actor(), outside().witness, wanted)


class DismissBody(Body):
    plan: str = Field(max_length=200)
    site: str = Field(max_length=200)
    server: str = Field(max_length=200)
    reason: str = Field("", max_length=1000)


@blueprint.post("/dismiss")
@blueprint.input(DismissBody)
@blueprint.output(Answer)
def dismiss(json_data: DismissBody) -> dict[str, Any]:
    """A server is gone for good: its agent counts no more."""
    said = json_data
    return dismiss_agent(core(), actor(), outside().witness, said.plan, said.site, said.server, said.reason)
