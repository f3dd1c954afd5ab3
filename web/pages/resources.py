"""What we hold on the clouds."""

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.queries import register, topology
from cloudctl.queries import resources as reads
from web.visitor import actor, core

blueprint = APIBlueprint("resource_pages", __name__, url_prefix="/resources", enable_openapi=False)
_KINDS = ("server", "volume", "port")
_MOST = 500


@blueprint.get("/")
def show() -> str:
    """Machines and volumes, by system, cloud and kind."""
    asked = {key: request.args.get(key) or None for key in ("system", "site", "kind")}
    with core().store.read() as uow:
        rows = reads.list_resources(uow, actor(), asked["system"], None, asked["site"], asked["kind"] or None)
        sites = topology.list_sites(uow, actor())
        systems = register.list_systems(uow, actor(), limit=500)
    if asked["kind"] is None:
        rows = [row for row in rows if row["kind"] != "port"]
    return render_template(
        "resources.html",
        resources=rows[:_MOST],
        left_out=max(0, len(rows) - _MOST),
        kinds=_KINDS,
        sites=sites,
        systems=systems,
        system_names={one["id"]: one["name"] for one in systems},
        asked=asked,
    )
