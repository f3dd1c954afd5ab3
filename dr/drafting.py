"""What is settled about a point before anything is copied: the same in every run, so that its manifest and
head are the same bytes in every vault."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

from cloudctl.errors import NotProved
from cloudctl.escrow import key_id
from cloudctl.models import Operation, PointCopy, PointVolume, PolicyMember, RecoveryPoint, Vault
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.forecast import GIB
from dr.point_job import PointJob, move_point
from dr.points.head import Previous
from dr.points.manifest import CINDER, Part
from dr.points.replication import Draft
from dr.starting import FULL, INCREMENTAL

_MOST = 80  # characters of a member's id in a vault


def member_id(member: PolicyMember) -> str:
    """What a member is called in vaults: stable, and the same for every installation that rebuilds it."""
    name = f"-{hashlib.sha256(member.name.encode()).hexdigest()[:12]}" if member.name else ""
    found = f"{member.kind}-{member.site_id}-{member.system_id}{name}"
    if len(found) <= _MOST:
        return found
    return f"{member.kind}-{hashlib.sha256(found.encode()).hexdigest()[:32]}"


def settle(uow: UnitOfWork, run: Run, operation: Operation, job: PointJob, is_full: bool) -> None:
    """Write down, once, until when the point is locked, what came before it, and which keys open it."""
    point = move_point(
        uow,
        job.point.id,
        "copy",
        locked_until=run.clock.now() + timedelta(seconds=job.policy.lock_s),
        kind=FULL if is_full else INCREMENTAL,
    )
    if is_full:
        point.parent_id = None
    previous = _previous(uow, point)
    ids = {
        vault.site_id: key_id(vault.escrow_key)
        for vault in uow.all(Vault, Vault.site_id.in_(list(point.sealed_key)))
    }
    operation.scratch = {
        **operation.scratch,
        "previous": None if previous is None else [previous.sequence, previous.head_sha256],
        "key_ids": ids,
    }
    run.journal(uow, "settle", "done", f"{point.kind}, locked until {point.locked_until:%Y-%m-%d %H:%M} UTC")


def draft(job: PointJob, parts: Sequence[Part]) -> Draft:
    """The point as replication wants it; nothing of it depends on when or how often this is asked."""
    point, previous = job.point, job.scratch["previous"]
    ids = job.scratch["key_ids"]
    assert point.taken_at is not None
    return Draft(
        installation=job.installation,
        member=member_id(job.member),
        sequence=point.sequence,
        point=point.id,
        kind=point.kind,
        parent=point.parent_id,
        system=point.system_id,
        site=point.site_id,
        consistency=point.consistency,
        taken_at=point.taken_at,
        locked_until=point.locked_until,
        previous=None if previous is None else Previous(*previous),
        keys={ids[site]: wrapped for site, wrapped in point.sealed_key.items()},
        parts=tuple(parts),
        topology=point.topology,
    )


def container_of(record: dict[str, str]) -> str:
    """In which bucket the objects are, as Cinder's record tells. NotProved when it cannot be read."""
    try:
        return str(json.loads(base64.b64decode(record["url"], validate=True))["container"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotProved("Cinder's record of a backup cannot be read") from error


def _previous(uow: UnitOfWork, point: RecoveryPoint) -> Previous | None:
    """The newest older point of the member that has a head, expired ones included."""
    older = uow.tuples(
        (RecoveryPoint.sequence, PointCopy.head_sha256),
        RecoveryPoint.member_id == point.member_id,
        RecoveryPoint.sequence < point.sequence,
        PointCopy.point_id == RecoveryPoint.id,
        PointCopy.head_sha256 != "",
        order_by=[RecoveryPoint.sequence.desc()],
        limit=1,
    )
    return Previous(*older[0]) if older else None


def part_of(row: PointVolume) -> Part:
    """A volume as the manifest has it."""
    return Part(
        position=row.position,
        format=CINDER,
        name=row.name,
        container=str(row.spec["container"]),
        size_bytes=row.size_gib * GIB,
        volume_id=row.volume_id,
        volume_type=row.volume_type,
        is_incremental=row.is_incremental,
        backup_id=str(row.backup_id),
        parent_backup_id=row.parent_backup_id,
        service=row.record["service"],
        url=row.record["url"],
    )
