"""How work on recovery points begins: the rows of it and its operation, in the transaction of the caller.

Nothing here speaks to a cloud or a store. Whoever calls rings the bell for `operation_id` after the commit.
All of it locks the member first, so that of two who begin at once the second sees what the first began.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloudctl import operations
from cloudctl.clock import Clock, new_id
from cloudctl.errors import Conflict, Refused, WrongState
from cloudctl.lifecycle import POINT, PointState, move
from cloudctl.models import (
    BackupPolicy,
    Operation,
    PointCopy,
    PointProof,
    PolicyMember,
    RecoveryPoint,
    Restore,
)
from cloudctl.operations import OPEN
from cloudctl.store import UnitOfWork
from dr import recording, restore_plan
from dr.members import BUCKET

BACKUP, PROOF, RESTORE, EXPIRY = "backup", "proof", "restore", "expiry"  # kinds of operations
#: The same for a department's bucket: flows of their own (dr/buckets).
OF_BUCKETS = {BACKUP: "bucket-backup", PROOF: "bucket-proof", RESTORE: "bucket-restore"}
POINT_SUBJECT, PROOF_SUBJECT, RESTORE_SUBJECT = "recovery_point", "point_proof", "restore"
FULL, INCREMENTAL = "full", "incremental"

SHORTEST_S, LONGEST_S = 3600, 24 * 3600  # how long a point may take; between: until the next one is due
PROOF_DEADLINE_S = RESTORE_DEADLINE_S = 24 * 3600
EXPIRY_DEADLINE_S = 7 * 24 * 3600

UNFINISHED = (PointState.PLANNED, PointState.CAPTURING, PointState.COPYING)
ENDED = (PointState.EXPIRED, PointState.FAILED, PointState.CANCELLED)
READABLE = (PointState.SEALED, PointState.PROTECTED, PointState.SUSPECT, PointState.LOST)


def begin_point(
    uow: UnitOfWork, clock: Clock, member: PolicyMember, now: datetime, kind: str | None = None
) -> RecoveryPoint:
    """A new point of the member, `planned`, with a pending copy for each vault and its operation.

    `kind` (full, incremental) overrules the policy; an increment that cannot rest on anything is a full
    one all the same. Conflict while another point of the member is being made.
    """
    member = uow.for_update(PolicyMember, member.id)
    _must_be_free(uow, member)
    policy = uow.need(BackupPolicy, member.policy_id)
    parent = None if kind == FULL else _parent(uow, policy, member, is_asked=kind == INCREMENTAL)
    sequence = max(uow.column(RecoveryPoint.sequence, RecoveryPoint.member_id == member.id), default=0) + 1
    point = uow.add(
        RecoveryPoint(
            id=new_id(),
            sequence=sequence,
            member_id=member.id,
            policy_id=policy.id,
            system_id=member.system_id,
            site_id=member.site_id,
            kind=FULL if parent is None else INCREMENTAL,
            parent_id=None if parent is None else parent.id,
            state=PointState.PLANNED,
            created_at=now,
        )
    )
    for site_id in dict.fromkeys(policy.vault_sites):
        uow.add(PointCopy(point_id=point.id, site_id=site_id))
    deadline_s = min(max(policy.every_s, SHORTEST_S), LONGEST_S)
    subject = (POINT_SUBJECT, point.id)
    kind_of_work = work_of(uow, BACKUP, member.id)
    operation = operations.start(uow, clock, kind_of_work, subject, member.site_id, deadline_s)
    point.operation_id = operation.id
    member.last_point_id = point.id
    uow.flush()
    return point


def begin_proof(
    uow: UnitOfWork, clock: Clock, point: RecoveryPoint, level: str, site_id: str, by: str
) -> PointProof:
    """A try to prove the point to the level (L0 to L4) from the vault of the site.

    Refused when that vault has no sealed copy; Conflict while another proof from it is going on.
    """
    _lock(uow, point)
    _must_be_readable(uow, point, site_id)
    same = (PointProof.point_id == point.id, PointProof.site_id == site_id, PointProof.state == "running")
    if uow.count(PointProof, *same):
        raise Conflict("point {point} is being proved from {site} already", point=point.id, site=site_id)
    proof = uow.add(
        PointProof(
            point_id=point.id, site_id=site_id, level=level, state="running", started_at=clock.now(), by=by
        )
    )
    subject = (PROOF_SUBJECT, proof.id)
    work = work_of(uow, PROOF, point.member_id)
    proof.operation_id = operations.start(uow, clock, work, subject, site_id, PROOF_DEADLINE_S).id
    uow.flush()
    return proof


def begin_restore(  # noqa: PLR0913, PLR0917  # what goes where, as the edges name it
    uow: UnitOfWork,
    clock: Clock,
    point: RecoveryPoint,
    from_site_id: str,
    to_site_id: str,
    to_project: str,
    by: str,
    volumes: Sequence[Mapping[str, Any]] = (),
    mode: str = restore_plan.VOLUMES,
    **more: Any,
) -> Restore:
    """Bring the point back in the project `to_project` (its id at the site `to_site_id`).

    `volumes`: for each one wanted `position`, and `name` and `type` at the new place where they shall
    differ; empty: all of them as they were. `more` goes into the plan. A mode of `restore_plan.BY_TWO` waits
    for a second person: nothing begins before `start_restore`. Refused when the vault has no sealed copy.
    """
    _lock(uow, point)
    _must_be_readable(uow, point, from_site_id)
    restore = uow.add(
        Restore(
            point_id=point.id,
            from_site_id=from_site_id,
            to_site_id=to_site_id,
            to_project=to_project,
            purpose="restore",
            mode=mode,
            plan={"volumes": [dict(one) for one in volumes], **more},
            state="awaiting",
            asked_at=clock.now(),
            asked_by=by,
        )
    )
    if mode not in restore_plan.BY_TWO:
        start_restore(uow, clock, restore)
    uow.flush()
    return restore


def start_restore(uow: UnitOfWork, clock: Clock, restore: Restore) -> Operation:
    """The rows of what it makes, with their amounts in the ledger, and its operation; state `asked`.

    OverQuota, to be rolled back. Refused when the vault no longer has a sealed copy; Conflict while the
    volumes of the system change places already.
    """
    point = uow.need(RecoveryPoint, restore.point_id)
    _lock(uow, point)
    if restore.mode != restore_plan.BACK:
        _must_be_readable(uow, point, restore.from_site_id)
    if restore.mode in restore_plan.BY_TWO:
        _must_be_alone(uow, point, restore)
    restore.state = "asked"
    recording.intend(uow, clock, restore)
    subject = (RESTORE_SUBJECT, restore.id)
    work = operations.start(uow, clock, RESTORE, subject, restore.to_site_id, RESTORE_DEADLINE_S)
    restore.operation_id = work.id
    uow.flush()
    return work


def begin_expiry(uow: UnitOfWork, clock: Clock, point: RecoveryPoint) -> Operation:
    """Give the point up: it goes to `expiring`, and what is kept of it is deleted.

    Refused before its lock has run out, for the last protected point of its member, and while a point
    rests on it that is not given up too; Conflict while it is read, checked or restored.
    """
    _lock(uow, point)
    target = move(POINT, PointState(point.state), "expire")
    if point.locked_until is not None and point.locked_until > clock.now():
        raise Refused("point {point} is locked until {until}", point=point.id, until=point.locked_until)
    others = (RecoveryPoint.member_id == point.member_id, RecoveryPoint.id != point.id)
    if not uow.count(RecoveryPoint, *others, RecoveryPoint.state == PointState.PROTECTED):
        raise Refused("point {point} is the last that is protected", point=point.id)
    given_up = (*ENDED, PointState.EXPIRING)
    if uow.count(RecoveryPoint, RecoveryPoint.parent_id == point.id, RecoveryPoint.state.not_in(given_up)):
        raise Refused("other points rest on point {point}", point=point.id)
    _must_not_be_in_use(uow, point)
    point.state = target
    operation = operations.start(
        uow, clock, EXPIRY, (POINT_SUBJECT, point.id), point.site_id, EXPIRY_DEADLINE_S
    )
    uow.flush()
    return operation


def hold(uow: UnitOfWork, point: RecoveryPoint, site_id: str) -> None:
    """Lock the member and read the point afresh. Refused unless the vault of the site has a copy to read."""
    _lock(uow, point)
    _must_be_readable(uow, point, site_id)


def work_of(uow: UnitOfWork, kind: str, member_id: int) -> str:
    """The kind of operation that does it for what the member is."""
    member = uow.need(PolicyMember, member_id)
    return OF_BUCKETS[kind] if member.kind == BUCKET else kind


# -- the guards


def _lock(uow: UnitOfWork, point: RecoveryPoint) -> None:
    uow.for_update(PolicyMember, point.member_id)
    uow.session.refresh(point)


def _must_be_free(uow: UnitOfWork, member: PolicyMember) -> None:
    """Conflict while a point of the member is being made, checked right after included."""
    last = uow.get(RecoveryPoint, member.last_point_id) if member.last_point_id else None
    operation = uow.get(Operation, last.operation_id) if last and last.operation_id else None
    is_open = operation is not None and operation.state in OPEN
    unfinished = (RecoveryPoint.member_id == member.id, RecoveryPoint.state.in_(UNFINISHED))
    if is_open or uow.count(RecoveryPoint, *unfinished):
        raise Conflict("another point of {system} is being made", system=member.name or member.system_id)


def _must_be_readable(uow: UnitOfWork, point: RecoveryPoint, site_id: str) -> None:
    if point.state not in READABLE:
        raise WrongState("point {point} is {state}", point=point.id, state=str(point.state))
    copy = uow.first(PointCopy, PointCopy.point_id == point.id, PointCopy.site_id == site_id)
    if copy is None or copy.state not in ("sealed", "suspect", "lost"):
        raise Refused("the vault of {site} has no copy of point {point}", site=site_id, point=point.id)


def _must_be_alone(uow: UnitOfWork, point: RecoveryPoint, restore: Restore) -> None:
    """Conflict while another restore exchanges volumes of the same system at the site."""
    points = uow.column(
        RecoveryPoint.id, RecoveryPoint.system_id == point.system_id, RecoveryPoint.site_id == point.site_id
    )
    going = (Restore.state.in_(("asked", "running")), Restore.mode.in_(restore_plan.BY_TWO))
    if uow.count(Restore, *going, Restore.id != restore.id, Restore.point_id.in_(points)):
        raise Conflict("volumes of {system} change places already", system=point.system_id)


def _must_not_be_in_use(uow: UnitOfWork, point: RecoveryPoint) -> None:
    restoring = (Restore.point_id == point.id, Restore.state.in_(("asked", "running")))
    proving = (PointProof.point_id == point.id, PointProof.state == "running")
    if uow.count(Restore, *restoring) or uow.count(PointProof, *proving):
        raise Conflict("point {point} is being read", point=point.id)


# -- full or incremental


def _parent(
    uow: UnitOfWork, policy: BackupPolicy, member: PolicyMember, is_asked: bool
) -> RecoveryPoint | None:
    """The point that an increment may rest on; None when a full one is due.

    It must be right in every vault of the policy: an increment whose parent a vault lacks is worth
    nothing there. That is how a vault that was full, cut off or new gets whole again.
    """
    finished = (RecoveryPoint.member_id == member.id, RecoveryPoint.state.not_in((*ENDED, *UNFINISHED)))
    last = uow.first(RecoveryPoint, *finished, order_by=[RecoveryPoint.sequence.desc()])
    if last is None or last.state not in (PointState.SEALED, PointState.PROTECTED):
        return None
    if not is_asked and chain_length(uow, last) >= policy.full_every:
        return None
    copies = (PointCopy.point_id == last.id, PointCopy.state == "sealed")
    if not set(policy.vault_sites) <= set(uow.column(PointCopy.site_id, *copies)):
        return None
    return last


def chain_length(uow: UnitOfWork, point: RecoveryPoint) -> int:
    """How many points have to be read to restore this one; a full one: 1."""
    length, parent_id = 1, point.parent_id
    while parent_id is not None:
        length, parent_id = length + 1, uow.need(RecoveryPoint, parent_id).parent_id
    return length
