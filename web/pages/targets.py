"""Targets: who is behind, by how many, until when; urging, reporting, decomposing."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.queries import targets as reads
from tenants.migration import decomposing, target_notes, target_rows, targeting
from tenants.migration.decomposing import TO
from tenants.migration.measures import MEASURES
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core

blueprint = APIBlueprint("target_pages", __name__, url_prefix="/targets", enable_openapi=False)
STATES = ("overdue", "open", "unknown", "reached", "empty")


@blueprint.get("/")
def list_targets() -> str:
    """Every open target with its lamp, by measure and state."""
    asked = {key: request.args.get(key) or None for key in ("measure", "state")}
    measure = asked["measure"] if asked["measure"] in MEASURES else None
    every = target_rows.list_targets(core(), actor(), measure=measure)
    rows = [row for row in every if asked["state"] in (None, row["state"])]
    lamps = {lamp: sum(row["lamp"] == lamp for row in every) for lamp in ("red", "yellow", "green")}
    return render_template(
        "targets.html", targets=rows, measures=list(MEASURES), states=STATES, asked=asked, lamps=lamps
    )


@blueprint.get("/<int:target_id>")
def show(target_id: int) -> str:
    return _page(target_id)


@blueprint.post("/<int:target_id>/urge")
def urge(target_id: int) -> Answer:
    """Tell the people of the scope that the target is behind."""
    return _act(target_id, "urged", lambda: target_notes.urge(core(), actor(), target_id, _text()))


@blueprint.post("/<int:target_id>/report")
def report(target_id: int) -> Answer:
    """Say how it goes."""
    return _act(target_id, "reported", lambda: target_notes.report(core(), actor(), target_id, _text()))


@blueprint.post("/<int:target_id>/decompose")
def decompose(target_id: int) -> Answer:
    """Give the target its parts, evenly."""
    to = request.form.get("to", "")
    return _act(target_id, "decomposed", lambda: decomposing.decompose(core(), actor(), target_id, to=to))


@blueprint.post("/<int:target_id>/close")
def close(target_id: int) -> Answer:
    """The target is no longer followed."""
    return _act(target_id, "target_closed", lambda: targeting.close(core(), actor(), target_id, _text()))


def _text() -> str:
    return request.form.get("text", "")


def _act(target_id: int, done: str, what: Callable[[], object]) -> Answer:
    """One act; what is wrong with it is shown on the page again, with what was written."""
    return act(
        what,
        lambda: url_for("target_pages.show", target_id=target_id, done=done),
        lambda error: _page(target_id, error),
    )


def _page(target_id: int, error: CloudctlError | None = None) -> str:
    me = actor()
    found: dict[str, Any] = target_rows.show_target(core(), me, target_id)
    with core().store.read() as uow:
        path = reads.path_of(uow, found["scope"])
        people = reads.people_of(uow, found["scope"])
    return render_template(
        "target_page.html",
        target=found,
        told=len(people - {me.user_id}),
        may_set=me.may("migration.target", path),
        may_report=me.may("migration.move", path),
        to=TO,
        problem=problem(error) if error is not None else None,
        text=request.form.get("text", ""),
    )
