"""What people do with points: take one now, prove one, give one up. Bringing back: dr/restore_asking.py."""

from typing import Any

from cloudctl.actors import Actor, Scope
from cloudctl.core import Core
from cloudctl.errors import BadInput, Conflict, Fault, NotFound, Refused
from cloudctl.models import (
    BackupPolicy,
    InformationSystem,
    PointCopy,
    PolicyMember,
    Project,
    RecoveryPoint,
    Site,
)
from cloudctl.queries import backups as reads
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from dr import policies, starting
from dr.levels import LEVELS
from dr.retention import Held, Retention, decide

Json = dict[str, Any]
_MOST_VOLUMES = 100
_SHORTEST_ID = 8


def run(
    core: Core,
    actor: Actor,
    system: str | None = None,
    policy: str | None = None,
    site: str | None = None,
    is_full: bool = False,
) -> list[Json]:
    """Take a point now of every member of the system, or of the policy; one row for each.

    A member of which a point is being made already is skipped and says so, in a row of state `busy`; Conflict
    when that is all. NotFound when nothing of it is backed up. Needs backup.run at department or site.
    """
    with core.store.write() as uow:
        members = _members(uow, actor, system, policy, site)
        rows = [_begun(core, uow, actor, member, is_full) for member in members]
        if all(row["id"] is None for row in rows):
            raise Conflict("points of all of it are being made already")
        return rows


def prove(core: Core, actor: Actor, key: str, level: str | None = None, site: str | None = None) -> Json:
    """Begin to prove a point, from the vault of the site (default: one that is not where the data was).

    The level is the policy's where none is said. Needs backup.prove; Refused where no copy is sealed.
    """
    with core.store.write() as uow:
        point = find_point(uow, actor, key)
        actor.must("backup.prove", path_of(uow, point.system_id, point.site_id))
        wanted = level or uow.need(BackupPolicy, point.policy_id).level
        if wanted not in LEVELS:
            params = {"given": wanted[:60], "choices": ", ".join(LEVELS)}
            fault = Fault("level", "unknown_word", "'{given}' is none of: {choices}", params)
            raise BadInput("the input has faults", faults=[fault])
        source = site or vault_for(uow, point)
        proof = starting.begin_proof(uow, core.clock, point, wanted, source, actor.user_id)
        _ring(core, uow, proof.operation_id)
        _record(core, uow, actor, "prove", point, level=wanted, vault=source, proof=proof.id)
        return {"id": proof.id, "name": point.id, "state": proof.state, "level": wanted, "site": source,
                "operation_id": proof.operation_id}  # fmt: skip


def expire(core: Core, actor: Actor, key: str) -> Json:
    """Give up now what the retention gives up anyway. Refused, with the reasons, for what it keeps."""
    with core.store.write() as uow:
        point = find_point(uow, actor, key)
        actor.must("backup.expire", path_of(uow, point.system_id, point.site_id))
        policy = uow.need(BackupPolicy, point.policy_id)
        mine = (RecoveryPoint.member_id == point.member_id, RecoveryPoint.state.in_(starting.READABLE))
        held = [
            Held(row.id, row.taken_at or row.created_at, row.state == "protected", row.parent_id,
                 row.locked_until)
            for row in uow.all(RecoveryPoint, *mine)
        ]  # fmt: skip
        kept = decide(held, Retention.read(policy.retention), core.clock.now())
        if why := kept.why.get(point.id):
            raise Refused("point {point} is kept: {why}", point=point.id, why=", ".join(why))
        operation = starting.begin_expiry(uow, core.clock, point)
        _ring(core, uow, operation.id)
        _record(core, uow, actor, "expire", point)
        return {"id": point.id, "name": point.id, "state": point.state, "operation_id": operation.id}


def find_point(uow: UnitOfWork, actor: Actor, key: str) -> RecoveryPoint:
    """The point of that id, or whose id alone begins so. NotFound when there is none that the actor sees."""
    known = reads.may_see(uow, actor)
    by_id = RecoveryPoint.id.startswith(key, autoescape=True) if len(key) >= _SHORTEST_ID else None
    found = uow.all(RecoveryPoint, by_id, *known, limit=2) if by_id is not None else []
    if len(found) != 1:
        raise NotFound("{what} '{key}' does not exist", what="point", key=key)
    return found[0]


# -- the pieces ---------------------------------------------------------------------------------


def _members(
    uow: UnitOfWork, actor: Actor, system: str | None, policy: str | None, site: str | None
) -> list[PolicyMember]:
    if (system is None) == (policy is None):
        fault = Fault("system", "one_of", "name a system or a policy")
        raise BadInput("the input has faults", faults=[fault])
    active = uow.column(BackupPolicy.id, BackupPolicy.state == policies.ACTIVE)
    conditions: list[Any] = [PolicyMember.left_at.is_(None), PolicyMember.policy_id.in_(active)]
    if policy is not None:
        conditions.append(PolicyMember.policy_id == policies.find(uow, policy).id)
    if system is not None:
        conditions.append(PolicyMember.system_id == system)
    if site is not None:
        conditions.append(PolicyMember.site_id == site)
    members = uow.all(PolicyMember, *conditions, order_by=[PolicyMember.id])
    seen = [one for one in members if actor.may("backup.see", path_of(uow, one.system_id, one.site_id))]
    if not seen:
        raise NotFound("nothing of it is backed up by an active policy")
    for member in seen:
        actor.must("backup.run", path_of(uow, member.system_id, member.site_id))
    return seen


def _begun(core: Core, uow: UnitOfWork, actor: Actor, member: PolicyMember, is_full: bool) -> Json:
    row = {"name": member.name or member.system_id, "system": member.system_id, "site": member.site_id}
    kind = starting.FULL if is_full else None
    try:
        point = starting.begin_point(uow, core.clock, member, core.clock.now(), kind)
    except Conflict as error:
        return {"id": None, **row, "state": "busy", "kind": None, "operation_id": None, "note": error.text()}
    _ring(core, uow, point.operation_id)
    _record(core, uow, actor, "run", point)
    return {"id": point.id, **row, "state": point.state, "kind": point.kind,
            "operation_id": point.operation_id, "note": ""}  # fmt: skip


def vault_for(uow: UnitOfWork, point: RecoveryPoint, near: str | None = None) -> str:
    """The vault to read from: at the site named if it has a copy, else one away from the data, else any."""
    sealed = (PointCopy.point_id == point.id, PointCopy.state == "sealed")
    sites = sorted(uow.column(PointCopy.site_id, *sealed), key=lambda one: (one == point.site_id, one))
    if not sites:
        raise Refused("no vault has a sealed copy of point {point}", point=point.id)
    return near if near is not None and near in sites else str(sites[0])


def project_for(uow: UnitOfWork, point: RecoveryPoint, site: str, key: str | None) -> str:
    """The id at the cloud of the project that gets the volumes."""
    if uow.get(Site, site) is None:
        raise NotFound("{what} '{key}' does not exist", what="site", key=site)
    here: tuple[Any, ...] = (Project.site_id == site, Project.state != "retired")
    if key is None:
        here = (*here, Project.system_id == point.system_id, Project.environment == "prod")
    else:
        here = (*here, (Project.id == key) | (Project.name == key) | (Project.external_id == key))
    project = uow.first(Project, *here)
    if project is None or project.external_id is None:
        hint = "ask for one: cloudctl request create project --system {system} --site {site}"
        raise Refused("there is no project at {site} to restore into", hint=hint, site=site,
                      system=point.system_id)  # fmt: skip
    owner = uow.need(InformationSystem, point.system_id).department_id
    if project.department_id != owner:
        raise Refused("the project {project} belongs to another department", project=project.id)
    return project.external_id


def path_of(uow: UnitOfWork, system_id: str, site_id: str) -> list[Scope]:
    """Where a right on the system's points has to be held: its department and divisions, or the site."""
    owner = uow.need(InformationSystem, system_id).department_id
    return scopes.department_path(uow, owner, site_id)


def _ring(core: Core, uow: UnitOfWork, operation_id: int | None) -> None:
    if operation_id is not None:
        uow.after_commit(lambda: core.bell.ring(operation_id))


def _record(
    core: Core, uow: UnitOfWork, actor: Actor, action: str, point: RecoveryPoint, **details: object
) -> None:
    told = {"system": point.system_id, "site": point.site_id, "sequence": point.sequence, **details}
    subject = (starting.POINT_SUBJECT, point.id)
    core.audit.record(uow, actor.user_id, f"backup.{action}", *subject, told, actor.trace_id)
