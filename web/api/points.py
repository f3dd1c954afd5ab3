"""Recovery points: listed, proved, brought back, given up; their proofs and restores."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import backups as reads
from cloudctl.queries.backups import Points
from dr import acting
from web.api.shapes import Answer, Body, Listing, Number, PagedByName, PagedByNumber, Row, listing
from web.visitor import actor, core, read

blueprint = APIBlueprint("points", __name__, url_prefix="/api/v1/points", tag="Backup")


class PointsQuery(PagedByName):
    system: str | None = Field(None, max_length=200)
    policy: Number | None = None
    site: str | None = Field(None, max_length=200)
    state: str | None = Field(None, max_length=40)
    gone: bool = Field(False, description="also those that have expired or failed")


class ProveBody(Body):
    level: Literal["L0", "L1", "L2", "L3", "L4"] | None = None
    site: str | None = Field(None, description="of the vault; default: one away from the data")


class RestoreBody(Body):
    site: str | None = Field(None, description="where the volumes shall be; default: where the data was")
    project: str | None = Field(None, description="default: the system's own at that site")
    vault: str | None = Field(None, description="the site to read from; default: the nearest")
    volumes: list[dict[str, Any]] = Field(
        default_factory=list, description="position, and name and type where they differ; empty: all"
    )


@blueprint.get("")
@blueprint.input(PointsQuery, location="query")
@blueprint.output(Listing)
def list_points(query_data: PointsQuery) -> dict[str, Any]:
    """Recovery points, the newest first, each with the level to which it is proved and since when."""
    asked = query_data
    wanted = Points(
        asked.system, asked.policy, asked.site, asked.state, asked.gone, asked.limit, asked.marker
    )
    return listing(read(reads.list_points, wanted), asked.limit)


@blueprint.get("/<key>")
@blueprint.output(Row)
def show(key: str) -> dict[str, Any]:
    """One point with its volumes, copies, proofs and restores."""
    return read(reads.show_point, key)


@blueprint.post("/<key>/prove")
@blueprint.input(ProveBody)
@blueprint.output(Answer, status_code=202)
def prove(key: str, json_data: ProveBody) -> dict[str, Any]:
    """Begin to prove a point to a level; default: what its policy demands."""
    return acting.prove(core(), actor(), key, json_data.level, json_data.site)


@blueprint.post("/<key>/restore")
@blueprint.input(RestoreBody)
@blueprint.output(Answer, status_code=202)
def restore(key: str, json_data: RestoreBody) -> dict[str, Any]:
    """Bring a point back as new volumes; nothing that is there is overwritten."""
    asked = json_data
    return acting.restore(core(), actor(), key, asked.site, asked.project, asked.vault, asked.volumes)


@blueprint.post("/<key>/expire")
@blueprint.output(Answer, status_code=202)
def expire(key: str) -> dict[str, Any]:
    """Give up now what the retention gives up anyway."""
    return acting.expire(core(), actor(), key)


@blueprint.get("/proofs")
@blueprint.input(PagedByNumber, location="query")
@blueprint.output(Listing)
def list_proofs(query_data: PagedByNumber) -> dict[str, Any]:
    """Tries to prove points, the newest first."""
    return listing(read(reads.list_proofs, query_data.limit, query_data.marker), query_data.limit)


@blueprint.get("/proofs/<int:proof_id>")
@blueprint.output(Row)
def show_proof(proof_id: int) -> dict[str, Any]:
    """One try to prove a point, with what was seen."""
    return read(reads.show_proof, proof_id)


@blueprint.get("/restores/<int:restore_id>")
@blueprint.output(Row)
def show_restore(restore_id: int) -> dict[str, Any]:
    """One restore, with how far it has come."""
    return read(reads.show_restore, restore_id)
