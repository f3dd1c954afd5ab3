"""Traffic: the names of plans, the share of people that each site gets, and the shifts that change it."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr.traffic import acting, describing
from web.api.shapes import Answer, Body, Listing, Paged, Row, listing
from web.backup_words import with_faults
from web.visitor import actor, core, dns, read

blueprint = APIBlueprint("traffic", __name__, url_prefix="/api/v1/traffic", tag="Disaster recovery")


class ApplyBody(Body):
    plan: str = Field(max_length=200)
    limits: dict[str, Any] | None = None


class ShiftBody(Body):
    """Where people shall go: `to` one site, or by `weights` that make a hundred."""

    to: str | None = Field(None, max_length=100)
    weights: dict[str, int] | None = Field(None, max_length=20)
    soak_s: int | None = None
    set_aside: list[str] = Field(default_factory=list, max_length=20)
    reason: str = Field("", max_length=1000)

    def wanted(self) -> acting.Wanted:
        """As the use case takes it."""
        return acting.Wanted(self.to, self.weights, self.soak_s, tuple(self.set_aside), self.reason)


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


class ShiftsQuery(Paged):
    name: str | None = Field(None, max_length=300)


@blueprint.get("")
@blueprint.output(Listing)
def list_traffic() -> dict[str, Any]:
    """Every name with the share of each site."""
    return listing(read(describing.list_traffic))


@blueprint.post("")
@blueprint.input(ApplyBody)
@blueprint.output(Answer, status_code=202)
def apply(json_data: ApplyBody) -> dict[str, Any]:
    """Keep the name of a plan in the name service from now on, by these limits."""
    return acting.apply(core(), actor(), dns(), json_data.plan, json_data.limits)


@blueprint.get("/shifts")
@blueprint.input(ShiftsQuery, location="query")
@blueprint.output(Listing)
def list_shifts(query_data: ShiftsQuery) -> dict[str, Any]:
    """Shifts, the newest first."""
    return listing(read(describing.list_shifts, query_data.name, query_data.limit))


@blueprint.get("/shifts/<int:shift_id>")
@blueprint.output(Row)
def show_shift(shift_id: int) -> dict[str, Any]:
    """One shift: its steps, how far it has come, and what was seen from outside."""
    return read(describing.show_shift, shift_id)


@blueprint.post("/shifts/<int:shift_id>/halt")
@blueprint.input(ReasonBody)
@blueprint.output(Answer)
def halt(shift_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """People stay where they are by now."""
    return acting.halt(core(), actor(), shift_id, json_data.reason)


@blueprint.post("/shifts/<int:shift_id>/resume")
@blueprint.input(ReasonBody)
@blueprint.output(Answer, status_code=202)
def resume(shift_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """A halted shift goes on."""
    return acting.resume(core(), actor(), dns(), shift_id, json_data.reason)


@blueprint.post("/shifts/<int:shift_id>/roll-back")
@blueprint.input(ReasonBody)
@blueprint.output(Answer, status_code=202)
def roll_back(shift_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """People go to where they were before."""
    return acting.roll_back(core(), actor(), shift_id, json_data.reason)


@blueprint.get("/<key>")
@blueprint.output(Row)
def show(key: str) -> dict[str, Any]:
    """One name, by itself, its number or its plan: its parts, its limits, its last shifts."""
    return with_faults({**read(describing.show_traffic, key), "faults": []})


@blueprint.post("/<key>/preview")
@blueprint.input(ShiftBody)
@blueprint.output(Row)
def preview(key: str, json_data: ShiftBody) -> dict[str, Any]:
    """The steps that a shift would take, and the rules in its way; nothing is changed."""
    return with_faults(acting.preview(core(), actor(), dns(), key, json_data.wanted()))


@blueprint.post("/<key>/shifts")
@blueprint.input(ShiftBody)
@blueprint.output(Answer, status_code=202)
def shift(key: str, json_data: ShiftBody) -> dict[str, Any]:
    """Begin to move people, step by step."""
    return acting.shift(core(), actor(), dns(), key, json_data.wanted())


@blueprint.post("/<key>/freeze")
@blueprint.input(ReasonBody)
@blueprint.output(Answer)
def freeze(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """Nobody is moved until it is ended; a shift that is under way halts."""
    return acting.freeze(core(), actor(), key, json_data.reason)


@blueprint.post("/<key>/thaw")
@blueprint.input(ReasonBody)
@blueprint.output(Answer)
def thaw(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """People may be moved again."""
    return acting.thaw(core(), actor(), key, json_data.reason)
