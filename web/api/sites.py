"""The clouds of the 1+N: check, connect, compare, adopt."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.amounts import Amounts
from cloudctl.errors import BadInput, Fault, Misconfigured
from cloudctl.models import Project
from cloudctl.queries import topology as reads
from cloudctl.store import UnitOfWork
from provisioning import adopt as adopting
from provisioning import sites
from provisioning import sync as syncing
from tenants import ledger
from web.api.shapes import Answer, Body, Listing, Query, Row, listing
from web.visitor import actor, core, parts, read

blueprint = APIBlueprint("sites", __name__, url_prefix="/api/v1", tag="Sites")


class ConnectBody(Body):
    site: str | None = Field(None, description="left out: a cloud that is not in the topology yet")
    cloud: str | None = Field(None, description="entry of clouds.yaml; the topology's when left out")
    mode: str = "managed"


class CheckQuery(Query):
    zero_default_quotas: bool = Field(False, description="first set the cloud's default quotas to zero")


class AdoptBody(Body):
    site: str
    external_id: str = Field(max_length=64)
    system: str
    environment: str = "prod"


@blueprint.get("/sites")
@blueprint.output(Listing)
def list_sites() -> dict[str, Any]:
    """The clouds that the caller works at or is served by."""
    return listing(read(reads.list_sites))


@blueprint.get("/sites/<key>")
@blueprint.output(Row)
def show_site(key: str) -> dict[str, Any]:
    """One cloud by id or title, with its zones and what the last check found."""
    return read(reads.show_site, key)


@blueprint.post("/sites/<site_id>/check")
@blueprint.input(CheckQuery, location="query")
@blueprint.output(Answer)
def check_site(site_id: str, query_data: CheckQuery) -> dict[str, Any]:
    """Sign in to the cloud; every right and name that is needed, and which are missing."""
    zero = query_data.zero_default_quotas
    return sites.check(core(), parts().clouds, actor(), site_id, zero_default_quotas=zero)


@blueprint.post("/sites/<site_id>/sync")
@blueprint.output(Answer)
def sync_site(site_id: str) -> dict[str, Any]:
    """Compare the cloud with what is known of it; nothing is changed there."""
    return syncing.sync(core(), parts().clouds, actor(), site_id, _count)


@blueprint.post("/sites/connect")
@blueprint.input(ConnectBody)
@blueprint.output(Answer)
def connect_site(json_data: ConnectBody) -> dict[str, Any]:
    """Connect a cloud of one's own to a site of the topology."""
    body = json_data
    try:
        return sites.connect(core(), parts().clouds, actor(), body.site, body.cloud, body.mode)
    except Misconfigured as error:  # the entry is the caller's input here
        fault = Fault("cloud", "bad_entry", error.template, error.params, error.hint)
        raise BadInput("the cloud cannot be connected like this", faults=error.faults or [fault]) from error


@blueprint.post("/projects/adopt")
@blueprint.input(AdoptBody)
@blueprint.output(Row, status_code=201)
def adopt_project(json_data: AdoptBody) -> dict[str, Any]:
    """Bind an existing project with its servers and volumes to a system; the cloud stays as it is."""
    body = json_data
    wanted = (body.site, body.external_id, body.system, body.environment)
    project_id = adopting.adopt(core(), parts().clouds, actor(), *wanted, _count)
    found = read(reads.list_projects, system=body.system, site=body.site)
    return next(row for row in found if row["id"] == project_id)


def _count(uow: UnitOfWork, project: Project, _more: Amounts) -> None:
    """Tell the ledger; it counts the project's resources anew, so that again changes nothing."""
    ledger.count_used(uow, project.id)
