"""What a check of a policy has to know, read from the database: sites, vaults, systems, volumes, promises."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from cloudctl.lifecycle import ResourceState
from cloudctl.models import (
    BackupPolicy,
    InformationSystem,
    PolicyMember,
    RecoveryPoint,
    Resource,
    Site,
    Vault,
)
from cloudctl.queries import protection
from cloudctl.store import UnitOfWork
from dr.forecast import GIB, forecast
from dr.policy_check import Facts, MemberFacts, VaultFacts
from dr.policy_form import SYSTEM, MemberForm, PolicyForm
from dr.retention import Retention
from dr.tiers import TIERS, SystemFacts

HUB_ROLE = "province"
_MEASURED = 50  # increments, the newest


def members_of(uow: UnitOfWork, policy: BackupPolicy | None) -> list[MemberForm]:
    """The members that have not left the policy, as forms."""
    if policy is None:
        return []
    living = (PolicyMember.policy_id == policy.id, PolicyMember.left_at.is_(None))
    rows = uow.all(PolicyMember, *living, order_by=[PolicyMember.id])
    return [MemberForm(row.system_id, row.site_id, row.kind, row.name) for row in rows]


def role_of(uow: UnitOfWork, site_id: str) -> str | None:
    """The role of the site, province or city; None when there is no such site."""
    site = uow.get(Site, site_id)
    return site.role if site else None


def form_of(policy: BackupPolicy) -> PolicyForm:
    """The policy as the form that asks for it, without its members."""
    return PolicyForm(
        policy.name,
        TIERS[policy.tier],
        policy.every_s,
        policy.full_every,
        policy.window,
        policy.line_mbit,
        policy.retention,
        policy.lock_s,
        tuple(policy.vault_sites),
        policy.level,
        policy.prove_every_s,
    )


def facts_of(
    uow: UnitOfWork,
    members: Sequence[MemberForm],
    policy: BackupPolicy | None,
    but: Collection[int] = (),
    promised: Mapping[str, int] | None = None,
) -> Facts:
    """The facts for a check of the policy (None: a new one) with these members.

    `but` are policies whose promises do not count, because `promised` says what they are going to be.
    """
    systems = uow.all(InformationSystem, InformationSystem.id.in_({one.system for one in members}))
    stored = {} if policy is None else protection.stored_bytes(uow).get(policy.id, {})
    return Facts(
        sites=frozenset(uow.column(Site.id, Site.retired_at.is_(None))),
        vaults=vaults_of(uow, but, promised or {}),
        systems={row.id: system_facts(row) for row in systems},
        retired=frozenset(row.id for row in systems if row.retired_at is not None),
        members=_member_facts(uow, members),
        stored_bytes=stored,
        increments=[] if policy is None else _increments(uow, policy.id),
    )


def system_facts(row: InformationSystem) -> SystemFacts:
    """What tiers ask of a system."""
    return SystemFacts(
        row.is_key_application,
        row.has_key_data,
        row.basic_library,
        row.mlps_level,
        row.dr_tier,
        row.is_classified,
    )


def vaults_of(
    uow: UnitOfWork, but: Collection[int] = (), promised: Mapping[str, int] | None = None
) -> dict[str, VaultFacts]:
    """Every vault with what is promised of it: by policies not retired (but not these), and beside them."""
    sums, stored = dict(promised or {}), protection.stored_bytes(uow)
    for policy in uow.all(BackupPolicy, BackupPolicy.state != "retired", BackupPolicy.id.not_in(but)):
        for site, size in promises(
            policy.vault_sites, demanded_bytes(uow, policy), stored.get(policy.id, {})
        ):
            sums[site] = sums.get(site, 0) + size
    return {
        row.site_id: VaultFacts(
            row.lock_mode, row.state, row.limit_bytes, row.used_bytes, sums.get(row.site_id, 0)
        )
        for row in uow.all(Vault)
    }


def promises(sites: Iterable[str], demanded: int, stored: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """How much more a policy will put into each vault."""
    return ((site, max(0, demanded - stored.get(site, 0))) for site in sites)


def demanded_bytes(uow: UnitOfWork, policy: BackupPolicy) -> int:
    """The room that the policy demands of each of its vaults."""
    members = _member_facts(uow, members_of(uow, policy))
    size = sum(one.volume_bytes for one in members.values())
    retention = Retention.read(policy.retention)
    measured = _increments(uow, policy.id)
    return forecast(size, retention, policy.every_s, policy.full_every, measured).demanded_bytes


def _member_facts(uow: UnitOfWork, members: Iterable[MemberForm]) -> dict[MemberForm, MemberFacts]:
    wanted = list(members)
    systems = {one.system for one in wanted}
    volumes = uow.all(
        Resource,
        Resource.kind == "volume",
        Resource.system_id.in_(systems),
        Resource.state == ResourceState.ACTIVE,
    )
    names = {row.id: row.name for row in uow.all(BackupPolicy)}
    living = (PolicyMember.system_id.in_(systems), PolicyMember.left_at.is_(None))
    taken = {
        MemberForm(row.system_id, row.site_id, row.kind, row.name): names[row.policy_id]
        for row in uow.all(PolicyMember, *living)
    }
    return {one: _facts_of_member(one, volumes, taken.get(one)) for one in wanted}


def _facts_of_member(member: MemberForm, volumes: Sequence[Resource], taken: str | None) -> MemberFacts:
    mine = [row for row in volumes if (row.system_id, row.site_id) == (member.system, member.site)]
    if member.kind != SYSTEM:
        mine = [row for row in mine if member.name in (row.id, row.name, row.external_id)]
    size = sum(int((row.spec or {}).get("size_gib") or 0) for row in mine) * GIB
    return MemberFacts(size, taken, member.kind == SYSTEM or bool(mine))


def _increments(uow: UnitOfWork, policy_id: int) -> list[tuple[int, int]]:
    made = (
        RecoveryPoint.policy_id == policy_id,
        RecoveryPoint.kind == "incremental",
        RecoveryPoint.stored_bytes > 0,
    )
    newest = [RecoveryPoint.taken_at.desc()]
    columns = [RecoveryPoint.stored_bytes, RecoveryPoint.bytes]
    return [(row[0], row[1]) for row in uow.tuples(columns, *made, order_by=newest, limit=_MEASURED)]
