"""Reads of what is protected: members of policies with their newest points that count, vaults, and which
systems should be protected. Aggregates only; what they mean now is judged in `dr.standing`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select

from cloudctl.actors import Actor
from cloudctl.lifecycle import PointState
from cloudctl.models import (
    BackupPolicy,
    Department,
    InformationSystem,
    PointCopy,
    PolicyMember,
    RecoveryPoint,
    Vault,
)
from cloudctl.queries.backups import RIGHT, own
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

STORED = ("sealed", "suspect", "lost", "copying")  # states of copies that take room
_MEASURED = 500  # points, the newest

# -- members of policies, and aggregates over their points


class Member(NamedTuple):
    """A member that has not left its policy, with what people read of it."""

    id: int
    policy_id: int
    kind: str
    system_id: str
    system_name: str
    department_id: str
    department_name: str
    site_id: str
    name: str
    next_at: datetime
    missed: int
    last_point_id: str | None
    checks: list[Any]


def list_members(uow: UnitOfWork, actor: Actor, *conditions: Any) -> list[Member]:
    """The members of policies that the actor may see, by system and site."""
    one, system = PolicyMember, InformationSystem
    statement = (
        select(
            one.id, one.policy_id, one.kind, one.system_id, system.name, system.department_id,
            Department.name, one.site_id, one.name, one.next_at, one.missed, one.last_point_id,
            one.checks,
        )
        .join(system, system.id == one.system_id)
        .join(Department, Department.id == system.department_id)
        .where(one.left_at.is_(None), *own(uow, actor, one.system_id, one.site_id), *conditions)
        .order_by(one.system_id, one.site_id, one.id)
    )  # fmt: skip
    found: Any = uow.session.execute(statement)
    return [Member(*row) for row in found]


class Newest(NamedTuple):
    """Of one member and level: when the newest PROTECTED point was taken, and when one was verified last."""

    member_id: int
    level: str
    taken_at: datetime
    verified_at: datetime | None


def newest_protected(uow: UnitOfWork, member_ids: Sequence[int]) -> list[Newest]:
    """For each member and level the newest point that counts, in one aggregate."""
    point = RecoveryPoint
    statement = (
        select(point.member_id, point.level, func.max(point.taken_at), func.max(point.verified_at))
        .where(point.state == PointState.PROTECTED, point.level.is_not(None), point.taken_at.is_not(None))
        .group_by(point.member_id, point.level)
    )
    wanted = set(member_ids)
    found: Any = uow.session.execute(statement)
    return [Newest(*row) for row in found if row[0] in wanted]


def delays_s(uow: UnitOfWork) -> dict[int, int]:
    """For each policy the longest time from taking a point to its last copy, among the newest of all."""
    columns = [RecoveryPoint.policy_id, RecoveryPoint.taken_at, RecoveryPoint.stored_at]
    stored = (RecoveryPoint.taken_at.is_not(None), RecoveryPoint.stored_at.is_not(None))
    newest = [RecoveryPoint.created_at.desc()]
    found: dict[int, int] = {}
    for policy_id, taken_at, stored_at in uow.tuples(columns, *stored, order_by=newest, limit=_MEASURED):
        found[policy_id] = max(found.get(policy_id, 0), int((stored_at - taken_at).total_seconds()))
    return found


# -- policies and vaults


def stored_bytes(uow: UnitOfWork) -> dict[int, dict[str, int]]:
    """For each policy what its copies take in each vault; one aggregate."""
    statement = (
        select(RecoveryPoint.policy_id, PointCopy.site_id, func.sum(PointCopy.bytes_done))
        .join(RecoveryPoint, RecoveryPoint.id == PointCopy.point_id)
        .where(PointCopy.state.in_(STORED))
        .group_by(RecoveryPoint.policy_id, PointCopy.site_id)
    )
    found: dict[int, dict[str, int]] = {}
    for policy_id, site, size in uow.session.execute(statement):
        found.setdefault(policy_id, {})[site] = int(size)
    return found


def policy_rows(uow: UnitOfWork) -> list[BackupPolicy]:
    """Every policy, those that are retired last."""
    return sorted(uow.all(BackupPolicy), key=lambda one: (one.state == "retired", one.name))


def policy_for(uow: UnitOfWork, tier: str, site_id: str) -> BackupPolicy | None:
    """The active policy of the tier that takes data of the site: the one that has most of it already.

    From the second tier on it has to have a vault at another site.
    """
    policies = uow.all(BackupPolicy, BackupPolicy.state == "active", BackupPolicy.tier == tier)
    if tier != "T1":
        policies = [one for one in policies if set(one.vault_sites) - {site_id}]
    here = (PolicyMember.site_id == site_id, PolicyMember.left_at.is_(None))
    has = {one.id: uow.count(PolicyMember, PolicyMember.policy_id == one.id, *here) for one in policies}
    return max(policies, key=lambda one: (has[one.id], -one.id), default=None)


def policy_of(uow: UnitOfWork, system_id: str, site_id: str) -> BackupPolicy | None:
    """The active policy that has the whole system at the site."""
    whole = (PolicyMember.kind == "system", PolicyMember.left_at.is_(None))
    member = uow.first(
        PolicyMember, *whole, PolicyMember.system_id == system_id, PolicyMember.site_id == site_id
    )
    policy = uow.get(BackupPolicy, member.policy_id) if member is not None else None
    return policy if policy is not None and policy.state == "active" else None


def sites_of_policies(uow: UnitOfWork) -> dict[int, set[str]]:
    """For each policy the sites where the data of its members is."""
    found: dict[int, set[str]] = {}
    living = PolicyMember.left_at.is_(None)
    for policy_id, site in uow.tuples([PolicyMember.policy_id, PolicyMember.site_id], living):
        found.setdefault(policy_id, set()).add(site)
    return found


def list_vaults(uow: UnitOfWork) -> list[Vault]:
    """Every vault by its site."""
    return uow.all(Vault, order_by=[Vault.site_id])


# -- who should be protected


_MARKS = (
    InformationSystem.is_key_application,
    InformationSystem.has_key_data,
    InformationSystem.basic_library,
    InformationSystem.mlps_level,
    InformationSystem.dr_tier,
)
_IN_USE = (
    InformationSystem.life_state == "in_use",
    InformationSystem.retired_at.is_(None),
    InformationSystem.is_classified.is_(False),
)
_ASKED_FOR = or_(
    InformationSystem.is_key_application.is_(True),
    InformationSystem.has_key_data.is_(True),
    InformationSystem.basic_library.is_not(None),
    InformationSystem.mlps_level >= 3,
    InformationSystem.dr_tier > 0,
)


class Marked(NamedTuple):
    """What tiers ask of a system: the columns, in the order of `dr.tiers.SystemFacts`."""

    is_key_application: bool
    has_key_data: bool
    basic_library: str | None
    mlps_level: int
    dr_tier: int | None


def count_marked(uow: UnitOfWork, actor: Actor) -> list[tuple[Marked, int]]:
    """How many systems in use there are of each kind that tiers tell apart; one aggregate."""
    statement = select(*_MARKS, func.count()).where(*_IN_USE, *_owned_systems(uow, actor)).group_by(*_MARKS)
    return [(Marked(*row[:-1]), row[-1]) for row in uow.session.execute(statement)]


def marks_of(uow: UnitOfWork, system_ids: Sequence[str]) -> dict[str, Marked]:
    """What tiers ask of these systems, as far as they are in use."""
    found: dict[str, Marked] = {}
    for start in range(0, len(system_ids), 500):
        some = InformationSystem.id.in_(system_ids[start : start + 500])
        for row in uow.tuples([InformationSystem.id, *_MARKS], *_IN_USE, some):
            found[row[0]] = Marked(*row[1:])
    return found


def without_policy(uow: UnitOfWork, actor: Actor, limit: int) -> list[tuple[str, str, str, Marked]]:
    """(id, name, department, marks) of systems in use that may need a backup and are in no active policy."""
    there = (
        select(PolicyMember.system_id)
        .join(BackupPolicy, BackupPolicy.id == PolicyMember.policy_id)
        .where(PolicyMember.left_at.is_(None), BackupPolicy.state == "active")
    )
    statement = (
        select(InformationSystem.id, InformationSystem.name, Department.name, *_MARKS)
        .join(Department, Department.id == InformationSystem.department_id)
        .where(*_IN_USE, _ASKED_FOR, InformationSystem.id.not_in(there), *_owned_systems(uow, actor))
        .order_by(InformationSystem.id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2], Marked(*row[3:])) for row in uow.session.execute(statement)]


def _owned_systems(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    seen = Sight(uow, actor, RIGHT)
    if seen.all:
        return ()
    departments = select(Department.id).where(*seen.departments())
    return (InformationSystem.department_id.in_(departments),)
