"""Waves: what moves when, what is in the way, and the requests of a wave."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError, NotFound
from cloudctl.queries import targets as places
from cloudctl.queries import waves as reads
from tenants.migration import wave_check, wave_requests, waves
from tenants.migration.wave_plan import WAVE
from tenants.migration.wave_requests import Opened
from web.errors import problem, status_of
from web.posting import Answer, act
from web.saying import error_text, fault_message
from web.visitor import actor, core, read

blueprint = APIBlueprint("wave_pages", __name__, url_prefix="/waves", enable_openapi=False)


@blueprint.get("/")
def list_waves() -> str:
    return render_template("waves.html", waves=read(reads.list_waves))


@blueprint.get("/<int:wave_id>")
def show(wave_id: int) -> str:
    return _page(wave_id)


@blueprint.post("/<int:wave_id>/start")
def start(wave_id: int) -> Answer:
    return _act(wave_id, "wave_started", lambda: waves.start(core(), actor(), wave_id))


@blueprint.post("/<int:wave_id>/finish")
def finish(wave_id: int) -> Answer:
    return _act(wave_id, "wave_finished", lambda: waves.finish(core(), actor(), wave_id))


@blueprint.post("/<int:wave_id>/cancel")
def cancel(wave_id: int) -> Answer:
    """Give the wave up."""
    reason = request.form.get("reason", "")
    return _act(wave_id, "wave_cancelled", lambda: waves.cancel(core(), actor(), wave_id, reason))


@blueprint.post("/<int:wave_id>/open")
def open_requests(wave_id: int) -> str | tuple[str, int]:
    """Send the requests for which the person may ask; the page says what became of each system."""
    try:
        found = wave_requests.open_requests(core(), actor(), wave_id)
    except NotFound:
        raise
    except CloudctlError as error:
        return _page(wave_id, error), int(status_of(error))
    return _page(wave_id, opened=found)


def _act(wave_id: int, done: str, what: Callable[[], object]) -> Answer:
    return act(
        what,
        lambda: url_for("wave_pages.show", wave_id=wave_id, done=done),
        lambda error: _page(wave_id, error),
    )


def _page(wave_id: int, error: CloudctlError | None = None, opened: list[Opened] | None = None) -> str:
    me = actor()
    found = read(reads.show_wave, wave_id)
    with core().store.read() as uow:
        may_plan = me.may("migration.plan", places.path_of(uow, found["scope"]))
    checked = None
    if may_plan and found["state"] in ("draft", "running"):
        checked = wave_check.check(core(), me, wave_id).as_json(fault_message)
    return render_template(
        "wave_page.html",
        wave=found,
        check=checked,
        can={row.event for row in WAVE if row.source == found["state"]} if may_plan else set(),
        can_open=found["state"] == "running" and bool(me.scopes("request.create")),
        opened=[one.as_json(error_text) for one in opened] if opened is not None else None,
        problem=problem(error) if error is not None else None,
    )
