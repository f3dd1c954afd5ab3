"""Waves: planned, filled, checked, begun, opened and finished."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import waves as reads
from tenants.migration import wave_check, wave_requests, waves
from web.api.requests import FormBody
from web.api.shapes import Answer, Body, Done, Listing, Query, Row, listing
from web.saying import error_text, fault_message
from web.visitor import actor, core, read

blueprint = APIBlueprint("waves", __name__, url_prefix="/api/v1/waves", tag="Migration")
_NUMBERS: Any = Field(default_factory=list, max_length=100, description="ids of the waves that come before")


class WavesQuery(Query):
    state: Literal["draft", "running", "done", "cancelled"] | None = None


class WaveBody(Body):
    """A wave as filled in. The use case judges every value, so that all faults come at once."""

    name: str = ""
    scope: str = Field("", description="division:450000, own:450000 or department:CODE")
    starts_on: str = ""
    ends_on: str = ""
    position: int | None = Field(None, ge=1, le=100_000)
    is_pilot: bool = False
    after: list[int] = _NUMBERS


class WaveChange(Body):
    name: str | None = None
    starts_on: str | None = None
    ends_on: str | None = None
    position: int | None = Field(None, ge=1, le=100_000)
    is_pilot: bool | None = None
    after: list[int] | None = Field(None, max_length=100)


class PlaceBody(Body):
    position: int | None = Field(None, ge=1, le=100_000)
    after: list[str] | None = Field(None, description="ids of the systems it waits for")
    form: FormBody | None = Field(None, description="the request it will need, as its department sends it")


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


@blueprint.get("")
@blueprint.input(WavesQuery, location="query")
@blueprint.output(Listing)
def list_waves(query_data: WavesQuery) -> dict[str, Any]:
    """Every wave in its order."""
    return listing(read(reads.list_waves, query_data.state))


@blueprint.post("")
@blueprint.input(WaveBody)
@blueprint.output(Row, status_code=201)
def create(json_data: WaveBody) -> dict[str, Any]:
    """Plan a wave."""
    return read(reads.show_wave, waves.create(core(), actor(), json_data.model_dump()))


@blueprint.get("/<int:wave_id>")
@blueprint.output(Row)
def show(wave_id: int) -> dict[str, Any]:
    """One wave with its systems."""
    return read(reads.show_wave, wave_id)


@blueprint.patch("/<int:wave_id>")
@blueprint.input(WaveChange)
@blueprint.output(Row)
def edit(wave_id: int, json_data: WaveChange) -> dict[str, Any]:
    """Change what is given; the scope stays."""
    waves.edit(core(), actor(), wave_id, json_data.model_dump(exclude_none=True))
    return read(reads.show_wave, wave_id)


@blueprint.put("/<int:wave_id>/systems/<system_id>")
@blueprint.input(PlaceBody)
@blueprint.output(Row)
def put(wave_id: int, system_id: str, json_data: PlaceBody) -> dict[str, Any]:
    """Put a system into the wave, or change its place and what it will need."""
    told = json_data
    form = told.form.given() if told.form is not None else None
    waves.put(core(), actor(), wave_id, system_id, told.position, told.after, form)
    return read(reads.show_wave, wave_id)


@blueprint.delete("/<int:wave_id>/systems/<system_id>")
@blueprint.output(Done)
def take_out(wave_id: int, system_id: str) -> dict[str, Any]:
    """Take a system out of the wave."""
    waves.take_out(core(), actor(), wave_id, system_id)
    return {"id": wave_id}


@blueprint.get("/<int:wave_id>/check")
@blueprint.output(Answer)
def check(wave_id: int) -> dict[str, Any]:
    """Everything against the wave: order, dates, systems, quota and room of all forms together."""
    found = wave_check.check(core(), actor(), wave_id)
    return {"id": wave_id, **found.as_json(fault_message)}


@blueprint.post("/<int:wave_id>/start")
@blueprint.output(Row)
def start(wave_id: int) -> dict[str, Any]:
    """Begin the wave; refused while anything is in the way."""
    waves.start(core(), actor(), wave_id)
    return read(reads.show_wave, wave_id)


@blueprint.post("/<int:wave_id>/open")
@blueprint.output(Listing)
def open_requests(wave_id: int) -> dict[str, Any]:
    """Send the requests of those systems for which the caller may ask; what became of each system."""
    found = wave_requests.open_requests(core(), actor(), wave_id)
    return listing([one.as_json(error_text) for one in found])


@blueprint.post("/<int:wave_id>/finish")
@blueprint.output(Row)
def finish(wave_id: int) -> dict[str, Any]:
    """End the wave once all its systems have moved."""
    waves.finish(core(), actor(), wave_id)
    return read(reads.show_wave, wave_id)


@blueprint.post("/<int:wave_id>/cancel")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def cancel(wave_id: int, json_data: ReasonBody) -> dict[str, Any]:
    """Give the wave up."""
    waves.cancel(core(), actor(), wave_id, json_data.reason)
    return read(reads.show_wave, wave_id)
