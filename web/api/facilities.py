"""What is to go when systems have moved; how far that is, and what still costs money."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from cloudctl.queries import facilities as reads
from tenants import facilities
from web.api.shapes import Body, Listing, PagedByName, Query, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("facilities", __name__, url_prefix="/api/v1/facilities", tag="Migration")


class FacilitiesQuery(PagedByName):
    kind: str | None = None
    state: str | None = None
    division: str | None = None


class MilestonesQuery(Query):
    division: str | None = None


class FacilityBody(BaseModel):
    """Fields as people write them. The use case judges values and keys, so that all faults come at once."""

    model_config = ConfigDict(extra="allow")

    name: Any = None
    kind: Any = Field(
        None, description="private_network, website, machine_room, internet_exit, self_built_cloud"
    )
    department: Any = None
    ends_on: Any = None
    yearly_cost_yuan: Any = None
    document: Any = Field(None, description="on whose ground it ends or may stay")
    systems: Any = Field(None, description="ids of the systems whose move makes it needless")
    domain: Any = Field(None, description="of a web site")

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class FacilitiesBody(Body):
    facilities: list[dict[str, Any]] = Field(description="each with its code")
    dry_run: bool = False


class Costs(Listing):
    yearly_cost_yuan: int
    without_cost: int


class EndBody(Body):
    ended_on: str = ""
    document: str = ""
    into: str | None = Field(None, max_length=200, description="what a web site was merged into")
    domain: str | None = Field(None, description="of the merged web site: it stays what it was")
    owner: str | None = Field(None, max_length=200, description="department that keeps it: stays as well")


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


@blueprint.get("")
@blueprint.input(FacilitiesQuery, location="query")
@blueprint.output(Listing)
def list_facilities(query_data: FacilitiesQuery) -> dict[str, Any]:
    """Facilities of departments that the caller sees, by code."""
    asked = query_data
    rows = read(
        reads.list_facilities, asked.kind, asked.state, asked.division, asked.limit, asked.marker or ""
    )
    return listing(rows, asked.limit)


@blueprint.post("/apply")
@blueprint.input(FacilitiesBody)
@blueprint.output(Listing)
def apply(json_data: FacilitiesBody) -> dict[str, Any]:
    """Register or change a list of facilities, all or nothing."""
    return listing(facilities.apply(core(), actor(), json_data.facilities, json_data.dry_run))


@blueprint.get("/milestones")
@blueprint.input(MilestonesQuery, location="query")
@blueprint.output(Listing)
def milestones(query_data: MilestonesQuery) -> dict[str, Any]:
    """How many there were of each kind, how many are left or overdue, by division."""
    return listing(facilities.milestones(core(), actor(), query_data.division))


@blueprint.get("/coverage")
@blueprint.output(Listing)
def coverage() -> dict[str, Any]:
    """Which departments take part, by division, level and kind of organisation."""
    return listing(facilities.coverage(core(), actor()))


@blueprint.get("/costs")
@blueprint.output(Costs)
def costs() -> dict[str, Any]:
    """What still costs money though its day is over or its systems have moved."""
    found = facilities.costs(core(), actor())
    return {**listing(found["items"]), **{key: found[key] for key in ("yearly_cost_yuan", "without_cost")}}


@blueprint.get("/<code>")
@blueprint.output(Row)
def show(code: str) -> dict[str, Any]:
    """One facility."""
    return read(reads.show_facility, code)


@blueprint.put("/<code>")
@blueprint.input(FacilityBody)
@blueprint.output(Row)
def put(code: str, json_data: FacilityBody) -> dict[str, Any]:
    """Register a facility, or change what is given of one."""
    facilities.put(core(), actor(), code, json_data.given())
    return read(reads.show_facility, code)


@blueprint.post("/<code>/end")
@blueprint.input(EndBody)
@blueprint.output(Row)
def end(code: str, json_data: EndBody) -> dict[str, Any]:
    """It is no more, since a day that is over, by a document."""
    facilities.end(core(), actor(), code, json_data.model_dump(exclude_none=True))
    return read(reads.show_facility, code)


@blueprint.post("/<code>/reopen")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def reopen(code: str, json_data: ReasonBody) -> dict[str, Any]:
    """It has not ended after all; says why."""
    facilities.reopen(core(), actor(), code, json_data.reason)
    return read(reads.show_facility, code)
