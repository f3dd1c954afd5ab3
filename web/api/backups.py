"""Policies of the offsite backup, what they protect and how that stands, and the vaults."""

from typing import Any

from apiflask import APIBlueprint
from pydantic import Field

from dr import acting, policies, standing, vaults
from dr.buckets.looking import look_at
from dr.rebuild import rebuild
from dr.vaults import VaultWish
from web.api.shapes import Answer, Body, Listing, Query, Row, listing
from web.backup_words import with_warnings
from web.visitor import actor, core, keyring, stores

blueprint = APIBlueprint("backups", __name__, url_prefix="/api/v1/backup", tag="Backup")


class MembersQuery(Query):
    policy: str | None = Field(None, max_length=200)
    system: str | None = Field(None, max_length=200)


class PoliciesBody(Body):
    policies: list[dict[str, Any]] = Field(description="as in examples/backup-policies.yaml")
    dry_run: bool = False


class ReasonBody(Body):
    reason: str = Field("", max_length=1000)


class RunBody(Body):
    """Of a system or of a policy: one of the two."""

    system: str | None = None
    policy: str | None = None
    site: str | None = None
    full: bool = False


class VaultBody(Body):
    escrow_key: str | None = Field(None, description="the public half, in hex; needed the first time")
    limit_bytes: int | None = Field(None, description="how much may be put into it; 0: no limit")


class RebuildBody(Body):
    vault: str = Field(description="the site of the vault, or s3://BUCKET")
    installation: str = Field("", description="only points of this one; empty: of all")


@blueprint.get("/overview")
@blueprint.output(Answer)
def overview() -> dict[str, Any]:
    """Coverage by tier, gauges, what is at risk, vaults with their room, and who lacks a policy."""
    return standing.overview(core(), actor())


@blueprint.get("/policies")
@blueprint.output(Listing)
def list_policies() -> dict[str, Any]:
    """Every policy, with how many of its members are in order."""
    return listing(standing.list_policies(core(), actor()))


@blueprint.post("/policies/apply")
@blueprint.input(PoliciesBody)
@blueprint.output(Listing)
def apply(json_data: PoliciesBody) -> dict[str, Any]:
    """Make policies say what the list says, all or nothing; again changes nothing."""
    look = look_at(stores)
    rows = policies.apply(core(), actor(), json_data.policies, json_data.dry_run, look)
    return listing([with_warnings(row) for row in rows])


@blueprint.get("/policies/<key>")
@blueprint.output(Row)
def show_policy(key: str) -> dict[str, Any]:
    """One policy with what may be lost, the room it takes, and its members."""
    return standing.show_policy(core(), actor(), key)


@blueprint.post("/policies/<key>/suspend")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def suspend(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """No new points until it is resumed; what is there stays."""
    policies.suspend(core(), actor(), key, json_data.reason)
    return standing.show_policy(core(), actor(), key)


@blueprint.post("/policies/<key>/resume")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def resume(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """Points are due again; what was missed is caught up with one point."""
    policies.resume(core(), actor(), key, json_data.reason)
    return standing.show_policy(core(), actor(), key)


@blueprint.post("/policies/<key>/retire")
@blueprint.input(ReasonBody)
@blueprint.output(Row)
def retire(key: str, json_data: ReasonBody) -> dict[str, Any]:
    """No points any more, for good; those there are stay as long as they would."""
    policies.retire(core(), actor(), key, json_data.reason)
    return standing.show_policy(core(), actor(), key)


@blueprint.get("/members")
@blueprint.input(MembersQuery, location="query")
@blueprint.output(Listing)
def list_members(query_data: MembersQuery) -> dict[str, Any]:
    """What is backed up, with its gauge."""
    return listing(standing.members(core(), actor(), query_data.policy, query_data.system))


@blueprint.post("/run")
@blueprint.input(RunBody)
@blueprint.output(Listing, status_code=202)
def run(json_data: RunBody) -> dict[str, Any]:
    """Take a point now, of every member of a system or policy."""
    asked = json_data
    return listing(acting.run(core(), actor(), asked.system, asked.policy, asked.site, asked.full))


@blueprint.get("/vaults")
@blueprint.output(Listing)
def list_vaults() -> dict[str, Any]:
    """Every vault with its lock as read back, what is used, promised and free."""
    return listing(standing.list_vaults(core(), actor()))


@blueprint.post("/rebuild")
@blueprint.input(RebuildBody)
@blueprint.output(Row)
def take_up(json_data: RebuildBody) -> dict[str, Any]:
    """Take up every point of a vault that this installation does not know; again changes nothing."""
    actor().must("backup.plan", actor().scopes("backup.plan"))
    site = vaults.site_of(stores(), json_data.vault)
    found = rebuild(core(), actor(), stores(), keyring(), site, json_data.installation)
    return {"id": site, "name": site, "state": "faulty" if found.faults else "rebuilt", **vars(found)}


@blueprint.post("/vaults/<site>/check")
@blueprint.input(VaultBody)
@blueprint.output(Row)
def check_vault(site: str, json_data: VaultBody) -> dict[str, Any]:
    """Look at the vault of a site: its lock is read back from the store and put on record."""
    actor().must("backup.plan", [("site", site)])
    vaults.check(core(), actor(), stores(), site, VaultWish(json_data.escrow_key, json_data.limit_bytes))
    [row] = [one for one in standing.list_vaults(core(), actor()) if one["id"] == site]
    return row
