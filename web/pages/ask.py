"""Asking for something: the form, its preview, the nearest request that fits, and sending it."""

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloudctl.clock import new_id
from cloudctl.errors import BadInput, CloudctlError, NotFound
from cloudctl.queries import register, topology
from cloudctl.queries import requests as reads
from cloudctl.queries import resources as resource_reads
from cloudctl.queries.people import who_am_i
from cloudctl.store import UnitOfWork
from tenants import requests
from web.errors import problem, status_of
from web.pages.form_values import form_of, form_sent, values_of
from web.visitor import actor, core, translate

blueprint = APIBlueprint("ask", __name__, url_prefix="/requests", enable_openapi=False)
KINDS = ("vm", "volume", "project", "backup", "release")
Json = dict[str, Any]


@blueprint.get("/new/<any(vm, volume, project, backup, release):kind>")
def form(kind: str) -> str:
    return _page(kind, _start(kind), new_id())


@blueprint.post("/new/<any(vm, volume, project, backup, release):kind>")
def send(kind: str) -> Response | tuple[str, int]:
    """Preview or submit; the key in the form makes a second click find the first request."""
    return _send(kind, None)


@blueprint.get("/<int:request_id>/correct")
def correct(request_id: int) -> str:
    """A returned request as a form again."""
    found = _returned(request_id)
    return _page(found["kind"], form_of(found), new_id(), found)


@blueprint.post("/<int:request_id>/correct")
def send_again(request_id: int) -> Response | tuple[str, int]:
    """Preview or send again what was returned."""
    found = _returned(request_id)
    return _send(found["kind"], found)


def _send(kind: str, returned: Json | None) -> Response | tuple[str, int]:
    values = form_sent(kind, request.form)
    key = request.form.get("key", "") or new_id()
    wanted = request.form.get("do", "preview")
    try:
        if wanted == "submit":
            return _submitted(values, key, returned)
        decision = requests.preview(core(), actor(), values)
        if wanted == "nearest" and decision.nearest_form is not None:
            values = dict(decision.nearest_form)
            decision = requests.preview(core(), actor(), values)
    except NotFound:
        raise
    except CloudctlError as error:
        told = problem(error)
        return _page(kind, values, key, returned, told, _decision_after(error, values)), int(status_of(error))
    return _page(kind, values, key, returned, decision=decision.as_json(translate())), 200


def _submitted(values: Json, key: str, returned: Json | None) -> Response:
    if returned is None:
        request_id = requests.submit(core(), actor(), values, key)
    else:
        request_id = int(returned["id"])
        requests.resubmit(core(), actor(), request_id, values)
    return redirect(url_for("request_page.show", request_id=request_id, done="submitted"), 303)


def _decision_after(error: CloudctlError, values: Json) -> Json | None:
    """A refused request shows what would fit beside the reasons."""
    if isinstance(error, BadInput):
        return None
    try:
        return requests.preview(core(), actor(), values).as_json(translate())
    except CloudctlError:
        return None


def _returned(request_id: int) -> Json:
    with core().store.read() as uow:
        found = reads.show(uow, actor(), request_id)
    if found["state"] != "returned" or found["requested_by"] != actor().user_id:
        raise NotFound("request {id} cannot be corrected", id=request_id)
    return found


def _page(
    kind: str,
    given: Mapping[str, Any],
    key: str,
    returned: Json | None = None,
    told: Json | None = None,
    decision: Json | None = None,
) -> str:
    with core().store.read() as uow:
        choices = _choices(uow, kind)
    faults: dict[str, list[str]] = {}
    for fault in told["faults"] if told else ():
        faults.setdefault(fault["place"].split("[")[0], []).append(fault["message"])
    return render_template(
        "ask.html",
        kind=kind,
        kinds=KINDS,
        form=values_of(given),
        key=key,
        returned=returned,
        problem=told,
        faults=faults,
        decision=decision,
        choices=choices,
    )


def _start(kind: str) -> Json:
    """What an empty form says already."""
    if kind == "release":
        return {"resources": request.args.getlist("resource")}
    with core().store.read() as uow:
        payer = who_am_i(uow, actor(), core().clock.now())["department_name"] or ""
    asked = {key: request.args[key] for key in ("system", "tier") if kind == "backup" and key in request.args}
    return {"payer": payer, "count": 1, "volume_type": "standard", "tier": "T2", **asked}


def _choices(uow: UnitOfWork, kind: str) -> dict[str, list[Json]]:
    """What the lists of the form offer to this person."""
    me = actor()
    departments = {key for scope, key in me.scopes("request.create") if scope == "department"}
    systems = [
        one
        for department in sorted(departments)
        for one in register.list_systems(uow, me, department=department, limit=500)
        if not one["classified"]
    ]
    choices = {"systems": systems, "sites": topology.list_sites(uow, me)}
    catalogue = topology.list_catalogue(uow, me)
    for item_kind in ("flavor", "image", "volume_type"):
        choices[item_kind] = [one for one in catalogue if one["kind"] == item_kind]
    if kind in ("volume", "release"):
        held = resource_reads.list_resources(uow, me)
        choices["resources"] = [
            one
            for one in held
            if one["department"] in departments
            and one["kind"] in ("server", "volume")
            and one["state"] == "active"
            and not one["name"].endswith("-boot")  # goes with its server
        ]
    return choices
