"""What falls due by the clock: points, proofs, and the points that retention gives up. Speaks to no cloud.

Any number of workers may call it: what is due is read first, and looked at again under the member's lock
before it is begun.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from cloudctl.core import Core
from cloudctl.errors import CloudctlError, Conflict
from cloudctl.lifecycle import PointState
from cloudctl.models import BackupPolicy, Operation, PointCopy, PointProof, PolicyMember, RecoveryPoint
from cloudctl.operations import OPEN
from cloudctl.queries import falling_due
from cloudctl.queries.falling_due import Standing
from cloudctl.store import UnitOfWork
from dr.proving import highest, rank
from dr.retention import Held, Retention, decide, leaves_at
from dr.schedule import Grid, Window
from dr.starting import READABLE, begin_expiry, begin_point, begin_proof
from dr.tiers import TIERS

log = logging.getLogger(__name__)

BY = "system"
ACTIVE = "active"
PROOFS_AT_ONCE = 2  # each reads a whole point; the other workers are for points
_AGAIN = timedelta(hours=6)  # before a proof that proved nothing is begun once more
OFFSITE_TIERS = tuple(tier.name for tier in TIERS.values() if tier.copies_offsite)
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
        due = falling_due.members_due(uow, now, ACTIVE)
        free = PROOFS_AT_ONCE - uow.count(PointProof, PointProof.state == "running")
        to_prove = (
            falling_due.members_to_prove(uow, now, _PROVABLE, OPEN, OFFSITE_TIERS, _AGAIN) if free > 0 else []
        )
        standing = falling_due.standing_points(uow, READABLE)
    to_judge = [
        member_id
        for member_id, points in groupby(standing, key=lambda one: one.member_id)
        if _judged(list(points), now).is_news
    ]
    return Begun(
        tuple(_each(core, due, _begin_point)),
        tuple(_each(core, to_prove, _begin_proof, most=free)),
        tuple(_each(core, to_judge, _begin_expiry)),
    )


def _each(
    core: Core,
    ids: Iterable[int],
    begin: Callable[[Core, UnitOfWork, int], list[int]],
    most: int | None = None,
) -> list[int]:
    """Begin for one member after the other, each in its own transaction; trouble with one stops no other."""
    begun: list[int] = []
    for member_id in ids:
        if most is not None and len(begun) >= most:
            break
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
    is_offsite = policy.tier in OFFSITE_TIERS
    level, at = _proved(uow, newest, is_offsite)
    is_stale = rank(level) < rank(policy.level) or now - at >= every
    last = _last_proofs(uow, [newest], away_from=newest.site_id).get(newest.id) if is_offsite else None
    if is_stale and _may_try(last if is_offsite else tried.get(newest.id), every, now):
        due = _from_vault(uow, newest, policy.level, is_offsite)
        if due is not None:
            return due
    others = sorted(points, key=lambda one: _seen_at(one, tried.get(one.id)))
    for point in others:
        if now - _seen_at(point, tried.get(point.id)) >= every:
            return _from_vault(uow, point, "L1", is_offsite=False)
    return None


def _proved(uow: UnitOfWork, point: RecoveryPoint, is_offsite: bool) -> tuple[str | None, datetime]:
    """To what level the point is proved, and when that was seen last.

    What a vault beside the data proves says nothing about a copy that has to survive the site.
    """
    if not is_offsite:
        return point.level, point.verified_at or point.created_at
    found = [one for one in falling_due.elsewhere(uow, point) if rank(one[0]) <= rank(point.level)]
    best = highest(level for level, _ in found)
    times = [at for level, at in found if rank(level) >= rank(best)]
    return best, max(times, default=point.created_at)


def _last_proofs(
    uow: UnitOfWork, points: list[RecoveryPoint], away_from: str | None = None
) -> dict[str, PointProof]:
    """The newest try of each point; with `away_from`, of those from vaults of other sites."""
    conditions: list[Any] = [PointProof.point_id.in_([one.id for one in points])]
    if away_from is not None:
        conditions.append(PointProof.site_id != away_from)
    return {one.point_id: one for one in uow.all(PointProof, *conditions, order_by=[PointProof.id])}


def _may_try(last: PointProof | None, every: timedelta, now: datetime) -> bool:
    """A proof that passed for less, failed or proved nothing is not begun again at once."""
    return last is None or now - last.started_at >= min(every, _AGAIN)


def _seen_at(point: RecoveryPoint, last: PointProof | None) -> datetime:
    """When anybody looked at it last."""
    seen = point.verified_at or point.stored_at or point.created_at
    return max(seen, last.started_at) if last is not None else seen


def _from_vault(uow: UnitOfWork, point: RecoveryPoint, level: str, is_offsite: bool) -> _DueProof | None:
    """From the vault that has been looked at longest ago, so that all have their turn.

    `is_offsite`: from one at another site than the data's; None where there is no such copy.
    """
    of_point = (PointCopy.point_id == point.id, PointCopy.state.in_(("sealed", "suspect")))
    copies = uow.all(PointCopy, *of_point)
    chosen = [one for one in copies if not is_offsite or one.site_id != point.site_id]
    chosen.sort(key=lambda one: (one.state != "suspect", one.checked_at or point.created_at, one.site_id))
    return _DueProof(point.id, level, chosen[0].site_id) if chosen else None


# -- what retention gives up


@dataclass(frozen=True)
class _Judged:
    """Of one member: what goes, and when each point will, where that is not on record yet."""

    given_up: tuple[str, ...]
    leaving: Mapping[str, datetime]

    @property
    def is_news(self) -> bool:
        return bool(self.given_up or self.leaving)


def _judged(points: Sequence[Standing], now: datetime) -> _Judged:
    """Pure: what retention makes of the points of one member, by the policy of the newest."""
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
    retention, known = Retention.read(points[-1].retention), {one.id: one.expires_at for one in points}
    leaving = leaves_at(held, retention, points[-1].every_s)
    news = {key: at for key, at in leaving.items() if known[key] != at}
    return _Judged(decide(held, retention, now).given_up, news)


def _begin_expiry(core: Core, uow: UnitOfWork, member_id: int) -> list[int]:
    """Write down when points will go, and begin to give up those that retention no longer keeps."""
    uow.for_update(PolicyMember, member_id)
    points = falling_due.standing_points(uow, READABLE, member_id)
    if not points:
        return []
    judged = _judged(points, core.clock.now())
    for point_id, at in judged.leaving.items():
        uow.update(RecoveryPoint, RecoveryPoint.id == point_id, expires_at=at)
    begun = []
    for point_id in judged.given_up:
        try:
            operation = begin_expiry(uow, core.clock, uow.need(RecoveryPoint, point_id))
        except CloudctlError as error:
            log.info("point %s stays for now: %s", point_id, error)
            continue
        begun.append(operation.id)
    return begun
