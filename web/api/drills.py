"""Drills: what one would rehearse, beginning it, how far it has come, and when plans are rehearsed."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import drills as reads
from dr.drills import asking, calendar
from dr.drills.asking import Asked
from dr.drills.calendar import Entry
from web.api.shapes import Body, Listing, PagedByNumber, Row, listing
from web.plan_words import said
from web.visitor import actor, core, read

blueprint = APIBlueprint("drills", __name__, url_prefix="/api/v1/drills", tag="Disaster recovery")


class DrillsQuery(PagedByNumber):
    plan: str | None = Field(None, max_length=200)
    state: str | None = Field(None, max_length=40)


class DrillBody(Body):
    plan: str = Field(max_length=200, description="id or name")
    point: str | None = Field(None, max_length=64, description="default: the newest at the fault")
    hold_s: int = Field(0, ge=0, le=asking.MOST_HOLD_S)
    fault: str = Field(asking.NOW, max_length=20, description="now, or random")
    reason: str = Field("", max_length=1000)


class AbortBody(Body):
    reason: str = Field(max_length=1000)


class CalendarBody(Body):
    every_s: int = Field(ge=0, le=calendar.MOST_S)
    window: dict[str, str] = Field(default_factory=dict, description="from and until, Beijing time")
    is_random: bool = False
    hold_s: int = Field(0, ge=0, le=asking.MOST_HOLD_S)


@blueprint.get("")
@blueprint.input(DrillsQuery, location="query")
@blueprint.output(Listing)
def list_drills(query_data: DrillsQuery) -> dict[str, Any]:
    """Drills, the newest first."""
    asked = query_data
    rows = read(reads.list_drills, asked.plan, asked.state, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.post("/preview")
@blueprint.input(DrillBody)
@blueprint.output(Row)
def preview(json_data: DrillBody) -> dict[str, Any]:
    """What would be rehearsed, and all that is in the way; nothing is changed."""
    return said(asking.preview(core(), actor(), json_data.plan, _asked(json_data)))


@blueprint.post("")
@blueprint.input(DrillBody)
@blueprint.output(Row, status_code=202)
def start(json_data: DrillBody) -> dict[str, Any]:
    """Begin a drill."""
    return said(asking.start(core(), actor(), json_data.plan, _asked(json_data)))


@blueprint.get("/<int:drill_id>")
@blueprint.output(Row)
def show(drill_id: int) -> dict[str, Any]:
    """One drill with its parts, checks, isolation and timeline."""
    return said(read(reads.show_drill, drill_id))


@blueprint.post("/<int:drill_id>/end")
@blueprint.output(Row, status_code=202)
def end(drill_id: int) -> dict[str, Any]:
    """Its hold ends now."""
    return said(asking.end(core(), actor(), drill_id))


@blueprint.post("/<int:drill_id>/abort")
@blueprint.input(AbortBody)
@blueprint.output(Row, status_code=202)
def abort(drill_id: int, json_data: AbortBody) -> dict[str, Any]:
    """It stops where it is, and is cleared away."""
    return said(asking.abort(core(), actor(), drill_id, json_data.reason))


@blueprint.get("/calendar")
@blueprint.output(Listing)
def list_calendar() -> dict[str, Any]:
    """When each plan is rehearsed by itself."""
    return listing(read(reads.list_calendar))


@blueprint.put("/calendar/<plan>")
@blueprint.input(CalendarBody)
@blueprint.output(Row)
def set_calendar(plan: str, json_data: CalendarBody) -> dict[str, Any]:
    """Rehearse the plan so from now on."""
    entry = Entry(json_data.every_s, json_data.window, json_data.is_random, json_data.hold_s)
    return calendar.set_entry(core(), actor(), plan, entry)


@blueprint.delete("/calendar/<plan>")
@blueprint.output(Row)
def put_off(plan: str) -> dict[str, Any]:
    """The plan is no longer rehearsed by itself."""
    return calendar.put_off(core(), actor(), plan)


def _asked(body: DrillBody) -> Asked:
    return Asked(body.point, body.hold_s, body.fault, body.reason)
