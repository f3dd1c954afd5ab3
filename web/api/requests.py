"""Requests: preview, submit, follow, decide."""

from typing import Any

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from cloudctl.clock import new_id
from cloudctl.errors import BadInput, Fault
from cloudctl.queries import requests as reads
from tenants import approvals, requests
from web.api.shapes import Answer, Body, Listing, PagedByNumber, Row, listing
from web.visitor import actor, core, read, translate

blueprint = APIBlueprint("requests", __name__, url_prefix="/api/v1", tag="Requests")
_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["integer", "string", "null"]}
_SIZES = {"type": ["array", "string", "null"], "items": {"type": ["string", "integer", "object"]}}
_IDS = {"type": ["array", "string", "null"], "items": {"type": "string"}}


def _field(schema: dict[str, Any], description: str = "") -> Any:
    return Field(None, json_schema_extra=dict(schema), description=description)


class FormBody(BaseModel):
    """A request as filled in. The use case judges every value and key, so that all faults come at once."""

    model_config = ConfigDict(extra="allow")

    kind: Any = _field(_TEXT, "vm, volume, project, backup or release")
    system: Any = _field(_TEXT)
    environment: Any = _field(_TEXT, "prod, test or dev")
    site: Any = _field(_TEXT, "left out: the first that serves the department's division")
    zone: Any = _field(_TEXT, "public, dedicated or internet")
    count: Any = _field(_NUMBER)
    flavor: Any = _field(_TEXT)
    image: Any = _field(_TEXT)
    boot_size: Any = _field(_TEXT, "40GiB")
    volume_type: Any = _field(_TEXT)
    data_volumes: Any = _field(_SIZES, "sizes of the data volumes of each VM")
    data_total: Any = _field(_TEXT, "1TiB in all, spread over all VMs")
    data_volumes_per_vm: Any = _field(_NUMBER)
    ssh_key: Any = _field(_TEXT, "the line of a .pub file")
    volumes: Any = _field(_SIZES)
    attach_to: Any = _field(_TEXT, "id of a server")
    resources: Any = _field(_IDS)
    with_volumes: Any = _field({"type": ["boolean", "string", "null"]})
    tier: Any = _field(_TEXT, "of a backup: T1, T2, T3 or T4")
    approval_number: Any = _field(_TEXT)
    payer: Any = _field(_TEXT)
    reason: Any = _field(_TEXT)

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class RequestsQuery(PagedByNumber):
    state: str | None = None
    mine: bool = False
    department: str | None = None


class OpinionBody(Body):
    opinion: str = Field("", max_length=1000)


class ResubmitBody(Body):
    form: FormBody


@blueprint.post("/requests/preview")
@blueprint.input(FormBody)
@blueprint.output(Answer)
def preview(json_data: FormBody) -> dict[str, Any]:
    """What submitting would decide; nothing is written."""
    return requests.preview(core(), actor(), json_data.given()).as_json(translate())


@blueprint.post("/requests")
@blueprint.input(FormBody)
@blueprint.output(Row, status_code=201)
def submit(json_data: FormBody) -> dict[str, Any]:
    """Submit. With the same `Idempotency-Key` header again, the first request is the answer."""
    return _show(requests.submit(core(), actor(), json_data.given(), _idempotency_key()))


@blueprint.get("/requests")
@blueprint.input(RequestsQuery, location="query")
@blueprint.output(Listing)
def list_requests(query_data: RequestsQuery) -> dict[str, Any]:
    """Requests that the caller may see, the newest first."""
    asked = query_data
    rows = read(reads.rows, asked.state, asked.mine, asked.department, asked.limit, asked.marker)
    return listing(rows, asked.limit)


@blueprint.get("/requests/<int:request_id>")
@blueprint.output(Row)
def show(request_id: int) -> dict[str, Any]:
    """One request with stages, approvals, holds, operation and resources."""
    return _show(request_id)


@blueprint.get("/inbox")
@blueprint.output(Listing)
def inbox() -> dict[str, Any]:
    """Requests whose present stage the caller can decide."""
    return listing(approvals.inbox(core(), actor()))


@blueprint.post("/requests/<int:request_id>/approve")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def approve(request_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """Approve the stage that waits; the last approval starts the work."""
    approvals.approve(core(), actor(), request_id, json_data.opinion)
    return _show(request_id)


@blueprint.post("/requests/<int:request_id>/return")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def send_back(request_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """Send the request back to be corrected; an opinion is required."""
    approvals.return_(core(), actor(), request_id, json_data.opinion)
    return _show(request_id)


@blueprint.post("/requests/<int:request_id>/reject")
@blueprint.input(OpinionBody)
@blueprint.output(Row)
def reject(request_id: int, json_data: OpinionBody) -> dict[str, Any]:
    """Refuse the request for good; an opinion is required."""
    approvals.reject(core(), actor(), request_id, json_data.opinion)
    return _show(request_id)


@blueprint.post("/requests/<int:request_id>/withdraw")
@blueprint.output(Row)
def withdraw(request_id: int) -> dict[str, Any]:
    """Take one's own request back before it is approved."""
    requests.withdraw(core(), actor(), request_id)
    return _show(request_id)


@blueprint.post("/requests/<int:request_id>/cancel")
@blueprint.output(Row)
def cancel(request_id: int) -> dict[str, Any]:
    """Stop the request; what was made for it is undone."""
    requests.cancel(core(), actor(), request_id)
    return _show(request_id)


@blueprint.post("/requests/<int:request_id>/resubmit")
@blueprint.input(ResubmitBody)
@blueprint.output(Row)
def resubmit(request_id: int, json_data: ResubmitBody) -> dict[str, Any]:
    """Send a returned request again, corrected."""
    requests.resubmit(core(), actor(), request_id, json_data.form.given())
    return _show(request_id)


def _show(request_id: int) -> dict[str, Any]:
    return read(reads.show, request_id)


def _idempotency_key() -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 200:
        fault = Fault("Idempotency-Key", "too_long", "must have at most {most} characters", {"most": 200})
        raise BadInput("the input has faults", faults=[fault])
    return key or new_id()
