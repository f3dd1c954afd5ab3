"""What falls due by the clock: points, proofs, and the points that retention gives up. Speaks to no cloud.

Any number of workers may call it: what is due is read first, and looked at again under the member's lock
before it is begun.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Conflict
from cloudctl.lifecycle import PointState
from cloudctl.models import BackupPolicy, Operation, PointCopy, PointProof, PolicyMember, RecoveryPoint
from cloudctl.operations import OPEN
from cloudctl.store import UnitOfWork
from dr.proving import rank
from dr.retention import Held, Retention, decide
from dr.schedule import Grid, Window
from dr.starting import READABLE, begin_expiry, begin_point, begin_proof

log = logging.getLogger(__name__)

BY = "system"
ACTIVE = "active"
PROOFS_AT_ONCE = 2  # each reads a whole point; the other workers are for points
_AGAIN = timedelta(hours=6)  # before a proof that proved nothing is begun once more
_PROVABLE = (PointState.SEALED, PointState.PROTECTED, PointState.SUSPECT)


@dataclass(frozen=True)
class Begun:
    """The operations that were begun."""

    points: tuple[int, ...] = ()
    proofs: tuple[int, ...] = ()
    expiries: tuple[int, ...] = ()


def begin_due(core: Core) -> Begun:
    """Begin every point and proof that is due, and give up what retention no longer keeps.

    A point that cannot begin since another of its member is being made counts as missed.
    """
    now = core.clock.now()
    with core.store.read() as uow:
        active = uow.column(BackupPolicy.id, BackupPolicy.state == ACTIVE)
        its_turn = (PolicyMember.left_at.is_(None), PolicyMember.next_at <= now)
        due = uow.column(PolicyMember.id, *its_turn, PolicyMember.policy_id.in_(active))
        members = uow.column(PolicyMember.id)
        to_prove = [one for one in members if _due_proof(uow, one, now) is not None]
        to_expire = [one for one in members if _given_up(uow, one, now)]
    return Begun(
        tuple(_each(core, due, _begin_point)),
        tuple(_each(core, to_prove, _begin_proof)),
        tuple(_each(core, to_expire, _begin_expiry)),
    )


def _each(core: Core, ids: Iterable[int], begin: Callable[[Core, UnitOfWork, int], list[int]]) -> list[int]:
    """Begin for one member after the other, each in its own transaction; trouble with one stops no other."""
    begun: list[int] = []
    for member_id in ids:
        try:
            with core.store.write() as uow:
                operations = begin(core, uow, member_id)
        except CloudctlError as error:
            log.warning("member %s: %s", member_id, error)
            continue
        for operation_id in operations:
            core.bell.ring(operation_id)
        begun += operations
    return begun


# -- points


def _begin_point(core: Core, uow: UnitOfWork, member_id: int) -> list[int]:
    member = uow.for_update(PolicyMember, member_id)
    policy = uow.need(BackupPolicy, member.policy_id)
    now = core.clock.now()
    due = Grid(policy.every_s, Window.read(policy.window)).due(member.next_at, now)
    if not due.is_due or policy.state != ACTIVE or member.left_at is not None:
        return []
    member.next_at = due.next_at
    try:
        point = begin_point(uow, core.clock, member, now)
    except Conflict as error:
        log.warning("member %s: a point was missed: %s", member_id, error)
        member.missed += due.missed + 1
        uow.flush()
        return []
    member.missed = member.missed + due.missed if due.missed else 0
    uow.flush()
    return [point.operation_id] if point.operation_id is not None else []


# -- proofs


@dataclass(frozen=True)
class _DueProof:
    point_id: str
    level: str
    site_id: str


def _begin_proof(core: Core, uow: UnitOfWork, member_id: int) -> list[int]:
    if uow.count(PointProof, PointProof.state == "running") >= PROOFS_AT_ONCE:
        return []
    due = _due_proof(uow, member_id, core.clock.now())
    if due is None:
        return []
    point = uow.need(RecoveryPoint, due.point_id)
    proof = begin_proof(uow, core.clock, point, due.level, due.site_id, BY)
    return [proof.operation_id] if proof.operation_id is not None else []


def _due_proof(uow: UnitOfWork, member_id: int, now: datetime) -> _DueProof | None:
    """The newest point to the level of the policy; then every other one by reading, the stalest first."""
    points = uow.all(
        RecoveryPoint,
        RecoveryPoint.member_id == member_id,
        RecoveryPoint.state.in_(_PROVABLE),
        order_by=[RecoveryPoint.sequence.desc()],
    )
    if not points:
        return None
    tried = _last_proofs(uow, points)
    if any(proof.state == "running" for proof in tried.values()):
        return None
    newest, policy = points[0], uow.need(BackupPolicy, points[0].policy_id)
    making = uow.get(Operation, newest.operation_id) if newest.operation_id else None
    if making is not None and making.state in OPEN:
        return None  # it is just being read back
    every = timedelta(seconds=policy.prove_every_s)
    is_stale = rank(newest.level) < rank(policy.level) or _age(newest, now) >= every
    if is_stale and _may_try(tried.get(newest.id), every, now):
        return _from_vault(uow, newest, policy.level)
    others = sorted(points, key=lambda one: _seen_at(one, tried.get(one.id)))
    for point in others:
        if now - _seen_at(point, tried.get(point.id)) >= every:
            return _from_vault(uow, point, "L1")
    return None


def _last_proofs(uow: UnitOfWork, points: list[RecoveryPoint]) -> dict[str, PointProof]:
    of_points = PointProof.point_id.in_([one.id for one in points])
    return {one.point_id: one for one in uow.all(PointProof, of_points, order_by=[PointProof.id])}


def _age(point: RecoveryPoint, now: datetime) -> timedelta:
    return now - (point.verified_at or point.created_at)


def _may_try(last: PointProof | None, every: timedelta, now: datetime) -> bool:
    """A proof that passed for less, failed or proved nothing is not begun again at once."""
    return last is None or now - last.started_at >= min(every, _AGAIN)


def _seen_at(point: RecoveryPoint, last: PointProof | None) -> datetime:
    """When anybody looked at it last."""
    seen = point.verified_at or point.stored_at or point.created_at
    return max(seen, last.started_at) if last is not None else seen


def _from_vault(uow: UnitOfWork, point: RecoveryPoint, level: str) -> _DueProof | None:
    """From the vault that has been looked at longest ago, so that all have their turn."""
    of_point = (PointCopy.point_id == point.id, PointCopy.state.in_(("sealed", "suspect")))
    copies = uow.all(PointCopy, *of_point)
    copies.sort(key=lambda one: (one.state != "suspect", one.checked_at or point.created_at, one.site_id))
    return _DueProof(point.id, level, copies[0].site_id) if copies else None


# -- what retention gives up


def _begin_expiry(core: Core, uow: UnitOfWork, member_id: int) -> list[int]:
    uow.for_update(PolicyMember, member_id)
    begun = []
    for point_id in _given_up(uow, member_id, core.clock.now()):
        try:
            operation = begin_expiry(uow, core.clock, uow.need(RecoveryPoint, point_id))
        except CloudctlError as error:
            log.info("point %s stays for now: %s", point_id, error)
            continue
        begun.append(operation.id)
    return begun


def _given_up(uow: UnitOfWork, member_id: int, now: datetime) -> tuple[str, ...]:
    points = uow.all(RecoveryPoint, RecoveryPoint.member_id == member_id, RecoveryPoint.state.in_(READABLE))
    if not points:
        return ()
    policy = uow.need(BackupPolicy, points[-1].policy_id)
    held = [
        Held(
            one.id,
            one.taken_at or one.created_at,
            one.state == PointState.PROTECTED,
            one.parent_id,
            one.locked_until,
        )
        for one in points
    ]
    return decide(held, Retention.read(policy.retention), now).given_up
