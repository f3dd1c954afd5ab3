"""What falls due by the clock, each in one statement over all members: points to take, to prove, to give up.

What is told here is looked at again under the member's lock before anything is begun.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from cloudctl.models import BackupPolicy, Operation, PointCopy, PointProof, PolicyMember, RecoveryPoint
from cloudctl.queries.proved import seconds
from cloudctl.store import UnitOfWork


class Standing(NamedTuple):
    """A point in the vaults, and what its policy says of keeping it."""

    member_id: int
    id: str
    taken_at: datetime | None
    created_at: datetime
    state: str
    parent_id: str | None
    locked_until: datetime | None
    expires_at: datetime | None
    retention: dict[str, int]
    every_s: int


def members_due(uow: UnitOfWork, now: datetime, active: str) -> list[int]:
    """Members of policies in the state `active` whose next point is due, the longest due first."""
    statement = (
        select(PolicyMember.id)
        .join(BackupPolicy, BackupPolicy.id == PolicyMember.policy_id)
        .where(BackupPolicy.state == active, PolicyMember.left_at.is_(None), PolicyMember.next_at <= now)
        .order_by(PolicyMember.next_at, PolicyMember.id)
    )
    return list(uow.session.scalars(statement))


def standing_points(uow: UnitOfWork, states: Collection[str], member_id: int | None = None) -> list[Standing]:
    """Every point in one of the states, of all members or of one, the oldest of each member first."""
    point = RecoveryPoint
    statement = (
        select(
            point.member_id, point.id, point.taken_at, point.created_at, point.state, point.parent_id,
            point.locked_until, point.expires_at, BackupPolicy.retention, BackupPolicy.every_s,
        )
        .join(BackupPolicy, BackupPolicy.id == point.policy_id)
        .where(point.state.in_(states))
        .order_by(point.member_id, point.sequence)
    )  # fmt: skip
    if member_id is not None:
        statement = statement.where(point.member_id == member_id)
    found: Any = uow.session.execute(statement)
    return [Standing(*row) for row in found]


def members_to_prove(
    uow: UnitOfWork,
    now: datetime,
    states: Collection[str],
    open_states: Collection[str],
    offsite_tiers: Collection[str],
    again: timedelta,
) -> list[int]:
    """Members that have a point which is not proved as its policy demands, or that nobody looked at for long.

    `again` is the least time between two tries of the newest; members of which a point is being made or
    proved are left out. Whoever waited longest comes first.
    """
    newest = (
        select(RecoveryPoint.member_id, func.max(RecoveryPoint.sequence).label("sequence"))
        .where(RecoveryPoint.state.in_(states))
        .group_by(RecoveryPoint.member_id)
        .subquery()
    )
    is_away = PointProof.site_id != RecoveryPoint.site_id
    tried = (
        select(
            PointProof.point_id,
            func.max(PointProof.started_at).label("at"),
            func.max(case((is_away, PointProof.started_at))).label("away_at"),
        )
        .join(RecoveryPoint, RecoveryPoint.id == PointProof.point_id)
        .group_by(PointProof.point_id)
        .subquery()
    )
    every_s = BackupPolicy.prove_every_s
    is_newest = RecoveryPoint.sequence == newest.c.sequence
    pause_s = case((every_s < int(again.total_seconds()), every_s), else_=int(again.total_seconds()))
    is_offsite = BackupPolicy.tier.in_(offsite_tiers)
    tried_at = case((is_offsite, tried.c.away_at), else_=tried.c.at)
    may_try = or_(tried_at.is_(None), _age_s(now, tried_at) >= pause_s)
    seen_at = func.coalesce(RecoveryPoint.verified_at, RecoveryPoint.stored_at, RecoveryPoint.created_at)
    is_unseen = and_(
        _age_s(now, seen_at) >= every_s, or_(tried.c.at.is_(None), _age_s(now, tried.c.at) >= every_s)
    )
    is_lacking = or_(
        func.coalesce(RecoveryPoint.level, "") < BackupPolicy.level,
        _age_s(now, func.coalesce(RecoveryPoint.verified_at, RecoveryPoint.created_at)) >= every_s,
        and_(is_offsite, ~_is_proved_elsewhere(now)),
    )
    statement: Select[Any] = (
        select(RecoveryPoint.member_id, func.min(func.coalesce(tried.c.at, RecoveryPoint.created_at)))
        .join(BackupPolicy, BackupPolicy.id == RecoveryPoint.policy_id)
        .join(newest, newest.c.member_id == RecoveryPoint.member_id)
        .outerjoin(tried, tried.c.point_id == RecoveryPoint.id)
        .where(
            RecoveryPoint.state.in_(states),
            or_(and_(is_newest, is_lacking, may_try), is_unseen),
            RecoveryPoint.member_id.not_in(_busy(states, open_states)),
        )
        .group_by(RecoveryPoint.member_id)
        .order_by(func.min(func.coalesce(tried.c.at, RecoveryPoint.created_at)), RecoveryPoint.member_id)
    )
    return [member_id for member_id, _ in uow.session.execute(statement)]


def elsewhere(uow: UnitOfWork, point: RecoveryPoint) -> Sequence[tuple[str, datetime]]:
    """To which level the point was proved from vaults of other sites than its data's, and when."""
    proofs = uow.tuples(
        [PointProof.reached, PointProof.ended_at],
        PointProof.point_id == point.id,
        PointProof.site_id != point.site_id,
        PointProof.state == "passed",
        PointProof.reached.is_not(None),
        PointProof.ended_at.is_not(None),
    )
    copies = uow.tuples(
        [PointCopy.level, PointCopy.checked_at],
        PointCopy.point_id == point.id,
        PointCopy.site_id != point.site_id,
        PointCopy.state == "sealed",
        PointCopy.level.is_not(None),
        PointCopy.checked_at.is_not(None),
    )
    return [(level, at) for level, at in (*proofs, *copies)]


# -- conditions


def _is_proved_elsewhere(now: datetime) -> ColumnElement[bool]:
    """Whether a vault of another site has proved the point as the policy demands, and not too long ago."""
    by_proof = (
        select(PointProof.id)
        .where(
            PointProof.point_id == RecoveryPoint.id,
            PointProof.site_id != RecoveryPoint.site_id,
            PointProof.state == "passed",
            PointProof.reached >= BackupPolicy.level,
            _age_s(now, PointProof.ended_at) < BackupPolicy.prove_every_s,
        )
        .exists()
    )
    by_reading = (
        select(PointCopy.id)
        .where(
            PointCopy.point_id == RecoveryPoint.id,
            PointCopy.site_id != RecoveryPoint.site_id,
            PointCopy.state == "sealed",
            PointCopy.level >= BackupPolicy.level,
            _age_s(now, PointCopy.checked_at) < BackupPolicy.prove_every_s,
        )
        .exists()
    )
    return or_(by_proof, by_reading)


def _busy(states: Collection[str], open_states: Collection[str]) -> Select[Any]:
    """Members of which such a point is being proved, or is just being read back by what made it."""
    return (
        select(RecoveryPoint.member_id)
        .outerjoin(PointProof, and_(PointProof.point_id == RecoveryPoint.id, PointProof.state == "running"))
        .outerjoin(
            Operation, and_(Operation.id == RecoveryPoint.operation_id, Operation.state.in_(open_states))
        )
        .where(RecoveryPoint.state.in_(states), or_(PointProof.id.is_not(None), Operation.id.is_not(None)))
    )


def _age_s(now: datetime, moment: Any) -> ColumnElement[int]:
    return seconds(now) - seconds(moment)
