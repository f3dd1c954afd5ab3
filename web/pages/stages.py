"""Moving a system on from a page: its own page of stages, and what the system's page includes."""

from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.queries.register import CLASSIFIED_NAME, find_system
from tenants.migration import course, exemptions
from tenants.migration.stages import ORDER
from web.auth import local_path
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core

blueprint = APIBlueprint("stage_pages", __name__, url_prefix="/systems/<key>", enable_openapi=False)
_EXEMPTION = ("clause", "document", "until", "reason")
Json = dict[str, Any]


@blueprint.get("/stage")
def show(key: str) -> str:
    return _page(key)


@blueprint.post("/stage/<event>")
def move(key: str, event: str) -> Answer:
    """Move the system by an event, with the fields of the form."""
    form = request.form
    shown = {name.removeprefix("shown."): text for name, text in form.items() if name.startswith("shown.")}
    filled = {name: text for name, text in shown.items() if text.strip()}
    return act(
        lambda: course.advance(core(), actor(), key, event, filled, form.get("reason", "")),
        lambda: _onward(key, "moved"),
        lambda error: _page(key, error, event),
    )


@blueprint.post("/exemption")
def ask_exemption(key: str) -> Answer:
    """Ask that the system need not move."""
    told = {name: request.form.get(name, "") for name in _EXEMPTION}
    made: list[int] = []
    return act(
        lambda: made.append(exemptions.ask(core(), actor(), key, **told)),
        lambda: url_for("exemption_pages.show", exemption_id=made[0], done="exemption_asked"),
        lambda error: _page(key, error, "exempt"),
    )


def stage_context(key: str, error: CloudctlError | None = None, event: str = "") -> Json:
    """What `stage_actions.html` shows of a system: the page that includes it passes this on as `way`."""
    me = actor()
    with core().store.read() as uow:
        row = find_system(uow, me, key)
        path = course.system_path(uow, row)
        steps = [step.as_json() for step in course.possible(uow, me, row.id)]
    return {
        "system": row.id,
        "name": CLASSIFIED_NAME if row.is_classified else row.name,
        "stage": row.stage,
        "order": [stage.value for stage in ORDER],
        "steps": steps,
        "may_ask_exemption": not row.is_classified
        and me.may("migration.exempt", path)
        and row.stage in (*(stage.value for stage in ORDER[:6]), "exempt"),
        "may_certify": not row.is_classified and me.may("migration.certify", path),
        "failed": event,
        "given": dict(request.form) if error is not None else {},
    }


def _page(key: str, error: CloudctlError | None = None, event: str = "") -> str:
    told = problem(error) if error is not None else None
    return render_template("stage_page.html", way=stage_context(key, error, event), problem=told)


def _onward(key: str, done: str) -> str:
    """Back to the page the form was on, when it is one of ours; else to the stages of the system."""
    page = local_path(request.form.get("onward"))
    if page and "?" not in page:
        return f"{page}?done={done}"
    return url_for("stage_pages.show", key=key, done=done)
