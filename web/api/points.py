"""Recovery points: listed, proved, brought back, given up; their proofs and restores."""

from typing import Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from cloudctl.queries import backups as reads
from cloudctl.queries.backups import Points
from dr import acting, restore_asking
from dr.restore_asking import Asked
from web.api.shapes import Answer, Body, Listing, Number, PagedByName, PagedByNumber, Row, listing
from web.backup_words import with_faults
from web.visitor import actor, core, parts, read

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
    """What shall be brought back, whereto, and how."""

    mode: Literal["volumes", "system", "over"] = Field(
        "volumes", description="system: servers as well; over: the servers of the system get the volumes"
    )
    site: str | None = Field(None, description="where the volumes shall be; default: where the data was")
    project: str | None = Field(None, description="default: the system's own at that site")
    vault: str | None = Field(None, description="the site to read from; default: the nearest")
    volumes: list[dict[str, Any]] = Field(
        default_factory=list,
        description="position, or volume (its name), and name and type where they differ; empty: all",
    )
    flavors: dict[str, str] = Field(default_factory=dict, description="of the point -> of the catalogue")
    types: dict[str, str] = Field(default_factory=dict, description="of the point -> at the site")
    zones: dict[str, str] = Field(default_factory=dict, description="of the point -> at the site")
    reason: str = Field("", max_length=1000, description="needed for over")
    beyond_quota: bool = Field(False, description="also where the quota is short; for whoever sets quotas")

    def asked(self, key: str) -> Asked:
        """As the use cases take it."""
        return Asked(
            key, self.mode, self.site, self.project, self.vault, tuple(self.volumes), self.flavors,
            self.types, self.zones, self.reason, self.beyond_quota,
        )  # fmt: skip


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
    """Bring a point back; what is there stays, and where a running system changes a second person decides."""
    return restore_asking.ask(core(), actor(), json_data.asked(key))


@blueprint.post("/<key>/restore/preview")
@blueprint.input(RestoreBody)
@blueprint.output(Row)
def preview_restore(key: str, json_data: RestoreBody) -> dict[str, Any]:
    """What a restore would make and where, with everything that is wrong; changes nothing."""
    return with_faults(restore_asking.preview(core(), actor(), parts().clouds, json_data.asked(key)))


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
