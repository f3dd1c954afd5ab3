"""The 1+N as one file: plan and apply; and the registers that come from it."""

import re
from typing import Any

from apiflask import APIBlueprint
from flask import request
from pydantic import Field

from cloudctl.queries import topology as reads
from tenants.topology import apply as applying
from tenants.topology import load
from tenants.topology import plan as planning
from web.api.shapes import Answer, Body, Listing, PagedByName, Query, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("topology", __name__, url_prefix="/api/v1", tag="Topology")
_NAME = re.compile(r"[^\x00-\x1f/\\]{1,100}")


class PlanQuery(Query):
    name: str = Field("topology.yaml", description="what the file is called in faults")


class ApplyBody(Body):
    plan: dict[str, Any]
    allow_destroy: bool = False


class DivisionsQuery(PagedByName):
    parent: str | None = None


class DepartmentsQuery(PagedByName):
    division: str | None = None


class ProjectsQuery(PagedByName):
    system: str | None = None
    site: str | None = None


class CatalogueQuery(Query):
    kind: str | None = None


@blueprint.get("/topology")
@blueprint.output(Row)
def show() -> dict[str, Any]:
    """The newest applied document."""
    return read(reads.show_topology)


@blueprint.post("/topology/plan")
@blueprint.input(PlanQuery, location="query")
@blueprint.output(Answer)
def plan(query_data: PlanQuery) -> dict[str, Any]:
    """What a file would change; the body is its YAML. All its faults at once, each with line and column."""
    name = query_data.name if _NAME.fullmatch(query_data.name) else "topology.yaml"
    made = planning.plan(core(), load.read(request.get_data(cache=False), name)).as_json()
    return {"plan": made, "changes": made["changes"]}


@blueprint.post("/topology/apply")
@blueprint.input(ApplyBody)
@blueprint.output(Answer)
def apply(json_data: ApplyBody) -> dict[str, Any]:
    """Do exactly what a plan says; 412 when rows have moved since it was made."""
    made = planning.read(json_data.plan)
    applying.apply(core(), actor(), made, json_data.allow_destroy)
    return {"applied": len(made.changes)}


@blueprint.get("/divisions")
@blueprint.input(DivisionsQuery, location="query")
@blueprint.output(Listing)
def list_divisions(query_data: DivisionsQuery) -> dict[str, Any]:
    """Administrative divisions by code."""
    asked = query_data
    rows = read(reads.list_divisions, asked.parent, asked.limit, asked.marker or "")
    return listing(rows, asked.limit)


@blueprint.get("/departments")
@blueprint.input(DepartmentsQuery, location="query")
@blueprint.output(Listing)
def list_departments(query_data: DepartmentsQuery) -> dict[str, Any]:
    """Departments by code, of a division and all below it when named."""
    asked = query_data
    rows = read(reads.list_departments, asked.division, asked.limit, asked.marker or "")
    return listing(rows, asked.limit)


@blueprint.get("/departments/<key>")
@blueprint.output(Row)
def show_department(key: str) -> dict[str, Any]:
    """One department by code or name, with its systems."""
    return read(reads.show_department, key)


@blueprint.get("/projects")
@blueprint.input(ProjectsQuery, location="query")
@blueprint.output(Listing)
def list_projects(query_data: ProjectsQuery) -> dict[str, Any]:
    """Projects on the clouds."""
    asked = query_data
    rows = read(reads.list_projects, asked.system, asked.site, asked.limit, asked.marker or "")
    return listing(rows, asked.limit)


@blueprint.get("/catalogue")
@blueprint.input(CatalogueQuery, location="query")
@blueprint.output(Listing)
def list_catalogue(query_data: CatalogueQuery) -> dict[str, Any]:
    """Flavors, images and volume types on offer."""
    return listing(read(reads.list_catalogue, query_data.kind))
