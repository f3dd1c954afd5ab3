"""cloudctl's own database: its copies, and after a restore the word of two people."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for

from cloudctl.errors import CloudctlError
from dr.database import confirming, copies
from web.errors import problem
from web.posting import Answer, act
from web.visitor import actor, core, read

blueprint = APIBlueprint("database_pages", __name__, url_prefix="/backup/database", enable_openapi=False)
_MOST = 100


@blueprint.get("")
def show() -> str:
    return _page()


@blueprint.post("/copies")
def back_up() -> Answer:
    """Begin a copy now."""
    return _act(lambda: copies.back_up(core(), actor()), "copy_begun")


@blueprint.post("/copies/<key>/prove")
def prove(key: str) -> Answer:
    """Begin to prove a copy."""
    return _act(lambda: copies.prove(core(), actor(), key), "copy_proof_begun")


@blueprint.post("/confirm")
def confirm() -> Answer:
    """Say that the installation may act again."""
    reason = request.form.get("reason", "")
    return _act(lambda: confirming.confirm(core(), actor(), reason), "confirmed")


def _act(what: Callable[[], object], done: str) -> Answer:
    return act(what, lambda: url_for(".show", done=done), _page)


def _page(error: CloudctlError | None = None) -> str:
    me, status = actor(), read(confirming.status)
    return render_template(
        "database.html",
        status=status,
        copies=read(copies.list_copies, False, _MOST),
        can_back_up=me.may("database.back_up"),
        can_confirm=me.may("database.confirm") and me.user_id not in status["confirmed_by"],
        problem=problem(error) if error is not None else None,
        reason=request.form.get("reason", ""),
    )
