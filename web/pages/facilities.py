"""What is to go when systems have moved: the list, how far each kind is, who takes part, what still costs."""

from apiflask import APIBlueprint
from flask import render_template, request

from cloudctl.queries import facilities as reads
from tenants import facilities
from tenants.facility_form import KINDS
from web.visitor import actor, core, read

blueprint = APIBlueprint("facility_pages", __name__, url_prefix="/facilities", enable_openapi=False)
STATES = ("in_use", "planned", "ended")
_ON_A_PAGE = 200


@blueprint.get("/")
def list_facilities() -> str:
    """Facilities by kind and state, after the milestones of the whole."""
    asked = {key: request.args.get(key) or None for key in ("kind", "state")}
    marker = request.args.get("marker", "")
    rows = read(reads.list_facilities, asked["kind"], asked["state"], None, _ON_A_PAGE, marker)
    every = facilities.milestones(core(), actor())
    top = min((row["division"] for row in every), default=None)
    return render_template(
        "facilities.html",
        facilities=rows,
        milestones=[row for row in every if row["division"] == top],
        kinds=list(KINDS),
        states=STATES,
        asked=asked,
        next=rows[-1]["id"] if len(rows) == _ON_A_PAGE else None,
    )


@blueprint.get("/milestones")
def milestones() -> str:
    """Of each kind in each division: how many there were, are left, are overdue."""
    rows = facilities.milestones(core(), actor())
    return render_template("facility_milestones.html", milestones=rows)


@blueprint.get("/coverage")
def coverage() -> str:
    """Which departments take part, by division, level and kind of organisation."""
    rows = facilities.coverage(core(), actor())
    kinds = list(dict.fromkeys(kind for row in rows for kind in row["by_kind"]))
    return render_template("coverage.html", rows=rows, levels=reads.LEVELS, kinds=kinds)


@blueprint.get("/costs")
def costs() -> str:
    """What still costs money, the dearest first."""
    return render_template("facility_costs.html", costs=facilities.costs(core(), actor()))
