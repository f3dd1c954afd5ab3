"""Reads of the offsite backup: points with their copies and proofs, policies, vaults, restores.

A department sees its own, a division all inside it, a site's administrators everything at their site. What
a row is worth now (gauges, coverage) is said in `dr.standing`, out of `cloudctl.queries.protection`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, tuple_

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.lifecycle import PointState
from cloudctl.models import (
    BackupPolicy,
    InformationSystem,
    PointCopy,
    PointProof,
    PointVolume,
    PolicyMember,
    RecoveryPoint,
    Resource,
    Restore,
)
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
PAGE = 100
RIGHT = "backup.see"
_GONE = (PointState.EXPIRED, PointState.FAILED, PointState.CANCELLED)


def may_see(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on recovery points; none for whoever sees everything."""
    return own(uow, actor, RecoveryPoint.system_id, RecoveryPoint.site_id)


def own(uow: UnitOfWork, actor: Actor, system_id: Any, site_id: Any) -> Sequence[Any]:
    """Conditions on rows of systems that the actor may see, or at a site of the actor's."""

    def belongs(departments: Any) -> Any:
        systems = select(InformationSystem.id).where(InformationSystem.department_id.in_(departments))
        return system_id.in_(systems)

    return Sight(uow, actor, RIGHT).own(belongs, site_id)


# -- points


@dataclass(frozen=True)
class Points:
    """Which points to list: of a system, policy, site, state; those that are gone only where asked for."""

    system: str | None = None
    policy: int | None = None
    site: str | None = None
    state: str | None = None
    with_gone: bool = False
    limit: int = PAGE
    marker: str | None = None


def list_points(uow: UnitOfWork, actor: Actor, wanted: Points | None = None) -> Rows:
    """The newest first, after the point `marker`."""
    asked = wanted or Points()
    conditions: list[Any] = [*may_see(uow, actor)]
    filters = (
        (RecoveryPoint.system_id, asked.system),
        (RecoveryPoint.policy_id, asked.policy),
        (RecoveryPoint.site_id, asked.site),
        (RecoveryPoint.state, asked.state),
    )
    conditions += [column == value for column, value in filters if value is not None]
    if not asked.with_gone and asked.state is None:
        conditions.append(RecoveryPoint.state.not_in(_GONE))
    if asked.marker and (last := uow.get(RecoveryPoint, asked.marker)) is not None:
        key = tuple_(RecoveryPoint.created_at, RecoveryPoint.id)
        conditions.append(key < tuple_(last.created_at, last.id))
    newest = [RecoveryPoint.created_at.desc(), RecoveryPoint.id.desc()]
    found = uow.all(RecoveryPoint, *conditions, order_by=newest, limit=asked.limit)
    names = _Names(uow, found)
    return [_point(row, names) for row in found]


def show_point(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One by its id or how its id alone begins, with volumes, copies, proofs and restores.

    NotFound when there is none that the actor may see.
    """
    named = RecoveryPoint.id == key
    if len(key) >= 8:
        named = or_(named, RecoveryPoint.id.startswith(key, autoescape=True))
    found = uow.all(RecoveryPoint, named, *may_see(uow, actor), limit=2)
    if len(found) != 1:
        raise NotFound("{what} '{key}' does not exist", what="point", key=key)
    [row] = found
    copies = uow.all(PointCopy, PointCopy.point_id == row.id, order_by=[PointCopy.site_id])
    proofs = uow.all(PointProof, PointProof.point_id == row.id, order_by=[PointProof.id.desc()], limit=PAGE)
    made = uow.all(Restore, Restore.point_id == row.id, order_by=[Restore.id.desc()], limit=PAGE)
    return {
        **_point(row, _Names(uow, found)),
        "topology": row.topology,
        "manifest_sha256": row.manifest_sha256,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "volumes": volumes_of(uow, row.id),
        "copies": [_copy(one) for one in copies],
        "proofs": [_proof(one) for one in proofs],
        "restores": [_restore(one) for one in made],
    }


def volumes_of(uow: UnitOfWork, point_id: str) -> Rows:
    """The volumes of a point in their order."""
    volumes = uow.all(PointVolume, PointVolume.point_id == point_id, order_by=[PointVolume.position])
    return [
        {
            "id": one.id,
            "name": one.name,
            "state": one.state,
            "position": one.position,
            "volume": one.volume_id,
            "size_gib": one.size_gib,
            "type": one.volume_type,
            "is_incremental": one.is_incremental,
            "root_sha256": one.root_sha256,
        }
        for one in volumes
    ]


def show_restore(uow: UnitOfWork, actor: Actor, restore_id: int) -> Json:
    """One restore with the servers it is about; NotFound when there is none that the actor may see."""
    row = uow.get(Restore, restore_id)
    if row is not None and uow.count(RecoveryPoint, RecoveryPoint.id == row.point_id, *may_see(uow, actor)):
        ids = [one["row"] for one in row.plan.get("servers", ()) if "row" in one]
        servers = uow.all(Resource, Resource.id.in_(ids), order_by=[Resource.name])
        told = [
            {"id": one.id, "name": one.name, "state": one.state, "addresses": one.addresses}
            for one in servers
        ]
        return {**_restore(row), "servers": told}
    raise NotFound("{what} '{key}' does not exist", what="restore", key=str(restore_id))


def list_restores(
    uow: UnitOfWork, actor: Actor, state: str | None = None, limit: int = PAGE, marker: int | None = None
) -> Rows:
    """The newest restores of all points that the actor may see, those for proofs left out."""
    conditions: list[Any] = [
        Restore.purpose == "restore",
        Restore.point_id.in_(select(RecoveryPoint.id).where(*may_see(uow, actor))),
    ]
    if state is not None:
        conditions.append(Restore.state == state)
    if marker is not None:
        conditions.append(Restore.id < marker)
    found = uow.all(Restore, *conditions, order_by=[Restore.id.desc()], limit=limit)
    points = uow.all(RecoveryPoint, RecoveryPoint.id.in_({one.point_id for one in found}))
    systems = {row.id: row.system_id for row in points}
    return [{**_restore(one), "system": systems[one.point_id]} for one in found]


def show_proof(uow: UnitOfWork, actor: Actor, proof_id: int) -> Json:
    """One proof with what was seen; NotFound when there is none of a point that the actor may see."""
    row = uow.get(PointProof, proof_id)
    if row is not None and uow.count(RecoveryPoint, RecoveryPoint.id == row.point_id, *may_see(uow, actor)):
        return _proof(row)
    raise NotFound("{what} '{key}' does not exist", what="proof", key=str(proof_id))


def list_proofs(uow: UnitOfWork, actor: Actor, limit: int = PAGE, marker: int | None = None) -> Rows:
    """The newest proofs of all points that the actor may see."""
    conditions: list[Any] = [PointProof.point_id.in_(select(RecoveryPoint.id).where(*may_see(uow, actor)))]
    if marker is not None:
        conditions.append(PointProof.id < marker)
    found = uow.all(PointProof, *conditions, order_by=[PointProof.id.desc()], limit=limit)
    points = uow.all(RecoveryPoint, RecoveryPoint.id.in_({one.point_id for one in found}))
    systems = {row.id: row.system_id for row in points}
    return [{**_proof(one), "system": systems[one.point_id]} for one in found]


class _Names:
    """What people read for the ids in points."""

    def __init__(self, uow: UnitOfWork, found: Sequence[RecoveryPoint]) -> None:
        self.systems = _names(uow, InformationSystem, {row.system_id for row in found})
        self.policies = _names(uow, BackupPolicy, {row.policy_id for row in found})
        members = PolicyMember.id.in_({row.member_id for row in found})
        of_buckets = (members, PolicyMember.kind == "bucket")
        self.buckets = {
            row[0]: row[1] for row in uow.tuples([PolicyMember.id, PolicyMember.name], *of_buckets)
        }


def _names(uow: UnitOfWork, model: Any, ids: set[Any]) -> dict[Any, str]:
    return {key: name for key, name in uow.tuples([model.id, model.name], model.id.in_(ids))}  # noqa: C416


def _point(row: RecoveryPoint, names: _Names) -> Json:
    return {
        "id": row.id,
        "name": f"{row.system_id}#{row.sequence}",
        "state": row.state,
        "system": row.system_id,
        "system_name": names.systems.get(row.system_id),
        "site": row.site_id,
        "policy": row.policy_id,
        "policy_name": names.policies.get(row.policy_id),
        "bucket": names.buckets.get(row.member_id),
        "sequence": row.sequence,
        "kind": row.kind,
        "parent": row.parent_id,
        "consistency": row.consistency or None,
        "level": row.level,
        "verified_at": row.verified_at,
        "taken_at": row.taken_at,
        "stored_at": row.stored_at,
        "bytes": row.bytes,
        "stored_bytes": row.stored_bytes,
        "locked_until": row.locked_until,
        "expires_at": row.expires_at,
        "operation_id": row.operation_id,
        "created_at": row.created_at,
    }


def _copy(one: PointCopy) -> Json:
    return {
        "id": one.id,
        "name": one.site_id,
        "state": one.state,
        "site": one.site_id,
        "lock_mode": one.lock_mode or None,
        "locked_until": one.locked_until,
        "level": one.level,
        "checked_at": one.checked_at,
        "sealed_at": one.sealed_at,
        "objects_done": one.objects_done,
        "objects_total": one.objects_total,
        "bytes_done": one.bytes_done,
        "bytes_total": one.bytes_total,
        "note": one.note,
    }


def _proof(one: PointProof) -> Json:
    return {
        "id": one.id,
        "name": one.point_id,
        "state": one.state,
        "point": one.point_id,
        "site": one.site_id,
        "level": one.level,
        "reached": one.reached,
        "details": one.details,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "by": one.by,
        "operation_id": one.operation_id,
    }


def _restore(one: Restore) -> Json:
    return {
        "id": one.id,
        "name": one.point_id,
        "state": one.state,
        "point": one.point_id,
        "vault": one.from_site_id,
        "site": one.to_site_id,
        "project": one.to_project,
        "bucket": (one.plan or {}).get("bucket"),
        "as_of": (one.plan or {}).get("as_of"),
        "purpose": one.purpose,
        "mode": one.mode,
        "reason": one.reason,
        "made": one.made,
        "bytes_done": one.bytes_done,
        "bytes_total": one.bytes_total,
        "is_verified": one.is_verified,
        "operation_id": one.operation_id,
        "asked_at": one.asked_at,
        "asked_by": one.asked_by,
        "decided_at": one.decided_at,
        "decided_by": one.decided_by,
        "opinion": one.opinion,
        "ended_at": one.ended_at,
    }
