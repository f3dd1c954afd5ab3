"""Which systems had a backup that was proved, at any moment: conditions that other aggregates are built from.

A point counts when all of a system was restored from the vault of another site and compared, and when it is
young enough for its policy: not older than two of the policy's rhythms (of a day at least) and two of its
proofs. What was proved then counts for a past moment, whatever became of the point since, unless it was found
to be wrong.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, case, cast, exists, extract, or_, select
from sqlalchemy.orm import aliased

from cloudctl.lifecycle import PointState
from cloudctl.models import BackupPolicy, PointProof, PolicyMember, RecoveryPoint
from cloudctl.store import UnitOfWork

RESTORED = ("L2", "L3", "L4")  # levels to which a point has to be restored
_DAY_S = 86_400
_PIECE = 500


def backed_up(at: Any) -> Subquery:
    """The ids (`system_id`) of the systems that had a proved backup at the moment, each once."""
    return _proofs(RecoveryPoint.system_id).where(*_counting(at)).distinct().subquery()


def is_known(at: Any) -> ColumnElement[bool]:
    """Whether policies were kept here at the moment: before, nobody could have known of any backup."""
    return select(BackupPolicy.id).where(BackupPolicy.created_at <= at).exists()


def proved_points(uow: UnitOfWork, at: datetime, ids: Sequence[str]) -> dict[str, tuple[datetime, str]]:
    """Of each of these systems: when its newest point that counted at the moment was taken, and its level."""
    found: dict[str, tuple[datetime, str]] = {}
    columns = (RecoveryPoint.system_id, RecoveryPoint.taken_at, PointProof.reached)
    counting = _proofs(*columns).where(*_counting(at)).order_by(*columns[1:])
    for start in range(0, len(ids), _PIECE):
        some = RecoveryPoint.system_id.in_(ids[start : start + _PIECE])
        for system, taken_at, level in uow.session.execute(counting.where(some)):
            found[system] = (taken_at, level)
    return found


def _proofs(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(PointProof)
        .join(RecoveryPoint, RecoveryPoint.id == PointProof.point_id)
        .join(BackupPolicy, BackupPolicy.id == RecoveryPoint.policy_id)
        .join(PolicyMember, PolicyMember.id == RecoveryPoint.member_id)
    )


def _counting(at: Any) -> Sequence[Any]:
    """The conditions on proofs that count at the moment."""
    later = aliased(PointProof)
    was_doubted = exists().where(
        later.point_id == PointProof.point_id,
        later.state == "failed",
        later.ended_at > PointProof.ended_at,
        later.ended_at <= at,
    )
    rhythm_s = case((BackupPolicy.every_s < _DAY_S, _DAY_S), else_=BackupPolicy.every_s)
    return (
        PointProof.state == "passed",
        PointProof.reached.in_(RESTORED),
        PointProof.site_id != RecoveryPoint.site_id,
        PointProof.ended_at <= at,
        PolicyMember.kind == "system",
        RecoveryPoint.state.not_in((PointState.SUSPECT, PointState.LOST)),
        or_(RecoveryPoint.state != PointState.EXPIRED, RecoveryPoint.ended_at > at),
        seconds(at) - seconds(RecoveryPoint.taken_at) <= 2 * (rhythm_s + BackupPolicy.prove_every_s),
        ~was_doubted,
    )


def seconds(moment: Any) -> ColumnElement[int]:
    """Seconds since 1970 of a moment or a column, on every engine."""
    if isinstance(moment, datetime):
        return cast(int(moment.timestamp()), BigInteger)
    return cast(extract("epoch", moment), BigInteger)
