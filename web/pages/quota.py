"""Quota: for one department or division, what every level allows, has taken and leaves."""

from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.actors import INSTALLATION, Actor
from cloudctl.errors import CloudctlError
from cloudctl.queries import topology
from cloudctl.store import UnitOfWork
from tenants import ledger
from web.errors import problem
from web.visitor import actor, core

blueprint = APIBlueprint("quota_pages", __name__, url_prefix="/quota", enable_openapi=False)
Json = dict[str, Any]


@blueprint.get("/")
def show() -> str:
    """The levels of one department or division at one cloud."""
    me = actor()
    with core().store.read() as uow:
        scopes = _scopes(uow, me)
        sites = topology.list_sites(uow, me)
    known = [scope["id"] for scope in scopes]
    chosen = request.args.get("scope")
    scope = chosen if chosen in known else known[0] if known else None
    own_sites = [key for kind, key in sorted(me.scopes("quota.see")) if kind == "site"]
    site = request.args.get("site") or (own_sites[0] if own_sites else sites[0]["id"] if sites else "*")
    found, told = None, None
    if scope is not None:
        try:
            found = ledger.explain(core(), me, scope, site)
        except CloudctlError as error:
            told = problem(error)
    return render_template(
        "quota.html", scopes=scopes, scope=scope, sites=sites, site=site,
        levels=_levels(found) if found else [], kinds=found["kinds"] if found else [], problem=told,
    )  # fmt: skip


def _scopes(uow: UnitOfWork, me: Actor) -> list[Json]:
    """What can be chosen: one's own department first, then divisions and departments that are seen."""
    held = me.scopes("quota.see")
    departments = topology.list_departments(uow, me, limit=500)
    departments.sort(key=lambda one: one["id"] != me.department_id)
    rows = [{"id": f"department:{one['id']}", "name": one["name"]} for one in departments]
    if INSTALLATION in held or any(kind == "division" for kind, _ in held):
        divisions = topology.list_divisions(uow, me)
        rows = [{"id": f"division:{one['id']}", "name": one["name"]} for one in divisions] + rows
    return rows


def _levels(found: Json) -> list[Json]:
    """The levels that limit or count anything, each with its kinds by name."""
    levels: dict[tuple[str, str], Json] = {}
    for kind in found["kinds"]:
        for level in kind["levels"]:
            place = (level["scope"], level["site"])
            row = levels.setdefault(place, {"scope": level["scope"], "site": level["site"], "kinds": {}})
            row["kinds"][kind["kind"]] = level
    limited = [row for row in levels.values() if any(_is_limited(one) for one in row["kinds"].values())]
    return limited or list(levels.values())[:1]


def _is_limited(level: Json) -> bool:
    return level["limit"] is not None
