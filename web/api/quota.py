"""Limits, what is held and used, and why something does not fit."""

from typing import Any

from apiflask import APIBlueprint

from cloudctl.errors import BadInput, Fault
from cloudctl.queries import quota as reads
from tenants import ledger
from web.api.shapes import Body, Listing, Query, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("quota", __name__, url_prefix="/api/v1", tag="Quota")


class QuotaQuery(Query):
    scope: str | None = None
    site: str | None = None
    kind: str | None = None


class ExplainQuery(Query):
    project: str | None = None
    department: str | None = None
    division: str | None = None
    site: str | None = None


class LimitBody(Body):
    scope: str
    kind: str
    site: str = "*"
    limit: int | None
    guarantee: int | None = None


@blueprint.get("/quota")
@blueprint.input(QuotaQuery, location="query")
@blueprint.output(Listing)
def list_rows(query_data: QuotaQuery) -> dict[str, Any]:
    """Limits with what is held, used and free at each level that the caller may see."""
    return listing(read(reads.rows, query_data.scope, query_data.site, query_data.kind))


@blueprint.put("/quota")
@blueprint.input(LimitBody)
@blueprint.output(Row)
def set_limit(json_data: LimitBody) -> dict[str, Any]:
    """Set a limit (null: none at this level) and, when given, the guarantee."""
    new = json_data
    ledger.set_limit(core(), actor(), new.scope, new.site, new.kind, new.limit, new.guarantee)
    [row] = read(reads.rows, new.scope, new.site, new.kind)
    return row


@blueprint.get("/quota/explain")
@blueprint.input(ExplainQuery, location="query")
@blueprint.output(Listing)
def explain(query_data: ExplainQuery) -> dict[str, Any]:
    """Every level that limits a project, department or division, kind by kind, the tightest marked."""
    named = [
        (kind, key) for kind in ("project", "department", "division") if (key := getattr(query_data, kind))
    ]
    if len(named) != 1:
        fault = Fault("project", "one_of", "name one project, department or division")
        raise BadInput("the input has faults", faults=[fault])
    found = ledger.explain(core(), actor(), named[0], query_data.site or "*")
    return {**listing(explained_rows(found)), "scope": found["scope"], "site": found["site"]}


@blueprint.get("/quota/drift")
@blueprint.output(Listing)
def drift() -> dict[str, Any]:
    """Where the counters differ from what they count."""
    return listing(ledger.drift(core(), actor()))


@blueprint.post("/quota/repair")
@blueprint.output(Listing)
def repair() -> dict[str, Any]:
    """Set the counters to what they count; what was wrong."""
    return listing(ledger.repair(core(), actor()))


def explained_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each kind and level; `tightest` is where the least is left of that kind."""
    return [
        {
            **level,
            "id": None,
            "name": f"{level['scope']}@{level['site']}/{kind['kind']}",
            "state": None,
            "kind": kind["kind"],
            "free": level["left"],
            "tightest": level["left"] is not None and level["left"] == _least(kind),
        }
        for kind in found["kinds"]
        for level in kind["levels"]
    ]


def _least(kind: dict[str, Any]) -> int | None:
    left = [level["left"] for level in kind["levels"] if level["left"] is not None]
    return min(left) if left else None
