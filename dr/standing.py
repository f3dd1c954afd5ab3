"""How protection stands now: gauges of members, coverage of tiers, room of vaults, and who lacks what.

Only proved points count. Nothing of it is stored: it is judged anew, each time somebody looks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.models import BackupPolicy, PolicyMember, Site, Vault
from cloudctl.queries import protection as reads
from cloudctl.queries.protection import Marked, Member, Newest
from cloudctl.store import UnitOfWork
from dr import policies
from dr.policy_facts import HUB_ROLE, demanded_bytes, vaults_of
from dr.policy_form import SYSTEM
from dr.schedule import Gauge, Grid, Health, Window, gauge, loss, objective
from dr.tiers import TIERS, SystemFacts, demanded

Json = dict[str, Any]
Rows = list[Json]
_MOST_LISTED = 200
_GOOD = (Health.PROTECTED, Health.AT_RISK)
_BAD = (Health.AT_RISK, Health.VIOLATED, Health.SEEDING)


@dataclass(frozen=True)
class _Point:
    """The newest point of a member and level."""

    taken_at: datetime
    level: str | None


@dataclass(frozen=True)
class _Stand:
    """A member, its policy and its gauge."""

    member: Member
    policy: BackupPolicy
    gauge: Gauge
    verified_at: datetime | None
    level: str | None

    @property
    def health(self) -> Health:
        return Health.SUSPENDED if self.policy.state == policies.SUSPENDED else self.gauge.health


def overview(core: Core, actor: Actor) -> Json:
    """Everything on one page: coverage by tier, gauges, what is at risk, vaults, who lacks a policy.

    Needs backup.see anywhere; what is counted is what the actor may see.
    """
    actor.must("backup.see", actor.scopes("backup.see"))
    with core.store.read() as uow:
        now = core.clock.now()
        stands = _stands(uow, actor, now)
        rows = [_member_row(one) for one in stands]
        return {
            "coverage": _coverage(uow, actor, stands),
            "members": len(rows),
            "by_state": {one.value: sum(row["state"] == one for row in rows) for one in Health},
            "at_risk": [row for row in rows if row["state"] in _BAD],
            "unprotected": _unprotected(uow, actor),
            "vaults": _vault_rows(uow),
            "policies": _policy_rows(uow, stands),
        }


def members(core: Core, actor: Actor, policy: str | None = None, system: str | None = None) -> Rows:
    """What is backed up, with its gauge; of one policy or system where named."""
    actor.must("backup.see", actor.scopes("backup.see"))
    with core.store.read() as uow:
        conditions = []
        if policy is not None:
            conditions.append(PolicyMember.policy_id == policies.find(uow, policy).id)
        if system is not None:
            conditions.append(PolicyMember.system_id == system)
        return [_member_row(one) for one in _stands(uow, actor, core.clock.now(), *conditions)]


def list_policies(core: Core, actor: Actor) -> Rows:
    """Every policy with how many of its members the actor sees, and how many of those are in order."""
    actor.must("backup.see", actor.scopes("backup.see"))
    with core.store.read() as uow:
        return _policy_rows(uow, _stands(uow, actor, core.clock.now()))


def show_policy(core: Core, actor: Actor, key: str) -> Json:
    """One policy with what may be lost, what it takes in each vault, and its members. NotFound."""
    actor.must("backup.see", actor.scopes("backup.see"))
    with core.store.read() as uow:
        policy = policies.find(uow, key)
        mine = PolicyMember.policy_id == policy.id
        stands = _stands(uow, actor, core.clock.now(), mine)
        [row] = [one for one in _policy_rows(uow, stands) if one["id"] == policy.id]
        return {
            **row,
            "demanded_bytes": demanded_bytes(uow, policy),
            "members": [_member_row(one) for one in stands],
        }


def list_vaults(core: Core, actor: Actor) -> Rows:
    """Every vault with its lock as read back, what is used, promised and free."""
    actor.must("backup.see", actor.scopes("backup.see"))
    with core.store.read() as uow:
        return _vault_rows(uow)


# -- gauges


def _stands(uow: UnitOfWork, actor: Actor, now: datetime, *conditions: Any) -> list[_Stand]:
    found = reads.list_members(uow, actor, *conditions)
    by_id = {row.id: row for row in reads.policy_rows(uow)}
    newest: dict[int, list[Newest]] = {}
    for one in reads.newest_protected(uow, [member.id for member in found]):
        newest.setdefault(one.member_id, []).append(one)
    return [_stand(member, by_id[member.policy_id], newest.get(member.id, ()), now) for member in found]


def _stand(member: Member, policy: BackupPolicy, newest: Sequence[Newest], now: datetime) -> _Stand:
    points = [_Point(one.taken_at, one.level) for one in newest]
    wanted = objective(_grid(policy), policy.level, policy.prove_every_s)
    verified = [one.verified_at for one in newest if one.verified_at is not None]
    best = max(newest, key=lambda one: (one.taken_at, one.level), default=None)
    return _Stand(
        member,
        policy,
        gauge(now, points, wanted),
        max(verified, default=None),
        best.level if best else None,
    )


def _member_row(one: _Stand) -> Json:
    member, policy = one.member, one.policy
    wanted = objective(_grid(policy), policy.level, policy.prove_every_s)
    return {
        "id": member.id,
        "name": member.name or member.system_name,
        "state": one.health.value,
        "kind": member.kind,
        "system": member.system_id,
        "system_name": member.system_name,
        "department": member.department_id,
        "department_name": member.department_name,
        "site": member.site_id,
        "policy": policy.name,
        "tier": policy.tier,
        "rpo_s": one.gauge.rpo_s,
        "rpo_objective_s": wanted.proved_s,
        "copied_rpo_s": one.gauge.copied_rpo_s,
        "copied_objective_s": wanted.copied_s,
        "used_per_cent": one.gauge.used_per_cent,
        "level": one.level,
        "level_demanded": policy.level,
        "verified_at": one.verified_at,
        "next_at": member.next_at,
        "missed": member.missed,
        "last_point": member.last_point_id,
        "checks": member.checks,
    }


# -- coverage


def _coverage(uow: UnitOfWork, actor: Actor, stands: Sequence[_Stand]) -> Rows:
    """For each tier: how many systems have to have it or more, and how many of those have it, proved."""
    have: dict[str, int] = {}
    for one in stands:
        if one.member.kind == SYSTEM and one.health in _GOOD:
            number = TIERS[one.policy.tier].number
            have[one.member.system_id] = max(number, have.get(one.member.system_id, 0))
    need = {key: _demanded(marks) for key, marks in reads.marks_of(uow, list(have)).items()}
    counted = [(_demanded(marks), count) for marks, count in reads.count_marked(uow, actor)]
    rows = []
    for tier in TIERS.values():
        if tier.number == 0:
            continue
        must = sum(count for number, count in counted if number >= tier.number)
        covered = sum(number >= tier.number and have[key] >= tier.number for key, number in need.items())
        share = (
            None if not must else f"{covered * 10_000 // must // 100}.{covered * 10_000 // must % 100:02d}"
        )
        rows.append(
            {
                "id": tier.name,
                "name": tier.title,
                "state": None if not must else "covered" if covered == must else "lacking",
                "must": must,
                "covered": covered,
                "lacking": must - covered,
                "share": share,
            }
        )
    return rows


def _unprotected(uow: UnitOfWork, actor: Actor) -> Rows:
    rows = []
    for key, name, department, marks in reads.without_policy(uow, actor, _MOST_LISTED):
        number = _demanded(marks)
        if number:
            rows.append(
                {
                    "id": key,
                    "name": name,
                    "state": "unprotected",
                    "department_name": department,
                    "tier": f"T{number}",
                }
            )
    return rows


def _demanded(marks: Marked) -> int:
    return demanded(SystemFacts(*marks))


# -- policies and vaults


def _policy_rows(uow: UnitOfWork, stands: Iterable[_Stand]) -> Rows:
    mine: dict[int, list[_Stand]] = {}
    for one in stands:
        mine.setdefault(one.policy.id, []).append(one)
    lines, delays = _Lines(uow), reads.delays_s(uow)
    return [
        _policy_row(row, mine.get(row.id, []), lines.word(row), delays.get(row.id))
        for row in reads.policy_rows(uow)
    ]


def _policy_row(row: BackupPolicy, mine: Sequence[_Stand], arrangement: str, delay_s: int | None) -> Json:
    lost = loss(_grid(row), delay_s or 0)
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "tier": row.tier,
        "every_s": row.every_s,
        "full_every": row.full_every,
        "window": row.window,
        "line_mbit": row.line_mbit,
        "retention": row.retention,
        "lock_s": row.lock_s,
        "vaults": row.vault_sites,
        "arrangement": arrangement,
        "level": row.level,
        "prove_every_s": row.prove_every_s,
        "delay_s": delay_s,
        "worst_loss_s": lost.worst_s,
        "mean_loss_s": lost.mean_s,
        "members_count": len(mine),
        "covered": sum(one.health in _GOOD for one in mine),
        "missed": sum(one.member.missed for one in mine),
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }


class _Lines:
    """From which site to which one copies go, over all policies that are not retired."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._roles = {row.id: row.role for row in uow.all(Site)}
        self._from = reads.sites_of_policies(uow)
        living = [row for row in reads.policy_rows(uow) if row.state != policies.RETIRED]
        self._all = {pair for row in living for pair in self._of(row)}

    def word(self, row: BackupPolicy) -> str:
        """local, hub (the province's site keeps it), mutual (each keeps the other's), or offsite."""
        away = [pair for pair in self._of(row) if pair[0] != pair[1]]
        if not away:
            return "local" if self._from.get(row.id) else "offsite"
        if all(self._roles.get(to) == HUB_ROLE for _, to in away):
            return "hub"
        return "mutual" if all((to, where) in self._all for where, to in away) else "offsite"

    def _of(self, row: BackupPolicy) -> list[tuple[str, str]]:
        return [(where, to) for where in self._from.get(row.id, ()) for to in row.vault_sites]


def _vault_rows(uow: UnitOfWork) -> Rows:
    facts = vaults_of(uow)
    return [_vault_row(row, facts[row.site_id].promised_bytes, facts[row.site_id].free_bytes)
            for row in reads.list_vaults(uow)]  # fmt: skip


def _vault_row(row: Vault, promised: int, free: int | None) -> Json:
    return {
        "id": row.site_id,
        "name": row.site_id,
        "state": row.state,
        "site": row.site_id,
        "bucket": row.bucket,
        "lock_mode": row.lock_mode,
        "limit_bytes": row.limit_bytes,
        "used_bytes": row.used_bytes,
        "promised_bytes": promised,
        "free_bytes": free,
        "escrow_key": row.escrow_key,
        "note": row.note,
        "probed_at": row.probed_at,
    }


def _grid(row: BackupPolicy) -> Grid:
    return Grid(row.every_s, Window.read(row.window))
