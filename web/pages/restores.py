"""Restores: what one would do, asking for it, how far it has come, and the decision of a second person."""

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from cloudctl.queries import backups as reads
from dr import restore_asking
from dr.restore_asking import AWAITING, Asked
from dr.restore_plan import MODES, VOLUMES
from web.backup_words import with_faults
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, parts, read

blueprint = APIBlueprint("restore_pages", __name__, url_prefix="/backup", enable_openapi=False)
_MOST = 200


@blueprint.get("/restores")
def list_restores() -> str:
    return render_template("restores.html", restores=read(reads.list_restores, None, _MOST))


@blueprint.get("/points/<key>/restore")
def plan(key: str) -> str:
    """The form, and what would come of it as it is filled in."""
    return _plan_page(key)


@blueprint.post("/points/<key>/restore")
def ask(key: str) -> Answer:
    """Begin it, or put it before a second person."""
    made: dict[str, Any] = {}
    return act(
        lambda: made.update(restore_asking.ask(core(), actor(), _asked(key))),
        lambda: url_for(
            ".show",
            restore_id=made["id"],
            done="restore_awaits" if made["state"] == AWAITING else "restore_asked",
        ),
        lambda error: _plan_page(key, error),
    )


@blueprint.get("/restores/<int:restore_id>")
def show(restore_id: int) -> str:
    return _page(restore_id)


@blueprint.post("/restores/<int:restore_id>/approve")
def approve(restore_id: int) -> Answer:
    """Begin what somebody else asked for."""
    opinion = request.form.get("opinion", "")
    return _decided(restore_id, lambda: restore_asking.approve(core(), actor(), restore_id, opinion))


@blueprint.post("/restores/<int:restore_id>/reject")
def reject(restore_id: int) -> Answer:
    """It is not done; whoever asked takes it back this way."""
    opinion = request.form.get("opinion", "")
    return _decided(restore_id, lambda: restore_asking.reject(core(), actor(), restore_id, opinion))


@blueprint.post("/restores/<int:restore_id>/undo")
def undo(restore_id: int) -> Answer:
    """Ask that the system gets its volumes back."""
    made: dict[str, Any] = {}
    reason = request.form.get("reason", "")
    return act(
        lambda: made.update(restore_asking.undo(core(), actor(), restore_id, reason)),
        lambda: url_for(".show", restore_id=made["id"], done="restore_awaits"),
        lambda error: _page(restore_id, error),
    )


def _asked(key: str) -> Asked:
    """What the form says; a position that is no number is the name of nothing."""
    given = request.values
    positions = [int(one) for one in given.getlist("position") if one.isdecimal() and len(one) < 6]
    return Asked(
        key,
        given.get("mode") or VOLUMES,
        given.get("site") or None,
        given.get("project") or None,
        volumes=tuple({"position": one} for one in positions),
        reason=given.get("reason", ""),
    )


def _decided(restore_id: int, what: Callable[[], object]) -> Answer:
    return act(
        what,
        lambda: url_for(".show", restore_id=restore_id, done="restore_decided"),
        lambda error: _page(restore_id, error),
    )


def _plan_page(key: str, error: CloudctlError | None = None) -> str:
    asked = _asked(key)
    return render_template(
        "restore_plan.html",
        point=read(reads.show_point, key),
        plan=with_faults(restore_asking.preview(core(), actor(), parts().clouds, asked)),
        asked=asked,
        modes=MODES,
        problem=problem(error) if error is not None else None,
    )


def _page(restore_id: int, error: CloudctlError | None = None) -> str:
    restore = read(reads.show_restore, restore_id)
    return render_template(
        "restore_page.html",
        restore=restore,
        point=read(reads.show_point, restore["point"]),
        is_own=restore["asked_by"] == actor().user_id,
        opinion=request.form.get("opinion", ""),
        problem=problem(error) if error is not None else None,
    )
