"""What a check of a policy has to know, read from the database: sites, vaults, systems, volumes, promises."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

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
from dr.isolated.checks import from_json
from dr.policy_check import BucketLook, Facts, MemberFacts, VaultFacts
from dr.policy_form import BUCKET, SYSTEM, MemberForm, PolicyForm
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
    return [MemberForm(row.system_id, row.site_id, row.kind, row.name, from_json(row.checks)) for row in rows]


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
    looks: Mapping[MemberForm, BucketLook] = MappingProxyType({}),
) -> Facts:
    """The facts for a check of the policy (None: a new one) with these members.

    `but` are policies whose promises do not count, because `promised` says what they are going to be; `looks`
    what was seen of buckets just before.
    """
    systems = uow.all(InformationSystem, InformationSystem.id.in_({one.system for one in members}))
    stored = {} if policy is None else protection.stored_bytes(uow).get(policy.id, {})
    return Facts(
        sites=frozenset(uow.column(Site.id, Site.retired_at.is_(None))),
        vaults=vaults_of(uow, but, promised or {}),
        systems={row.id: system_facts(row) for row in systems},
        retired=frozenset(row.id for row in systems if row.retired_at is not None),
        members=_member_facts(uow, members, looks),
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


def _member_facts(
    uow: UnitOfWork,
    members: Iterable[MemberForm],
    looks: Mapping[MemberForm, BucketLook] = MappingProxyType({}),
) -> dict[MemberForm, MemberFacts]:
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
    rows = {
        MemberForm(row.system_id, row.site_id, row.kind, row.name): row
        for row in uow.all(PolicyMember, *living)
    }
    taken = {one: names[row.policy_id] for one, row in rows.items()}
    found = {one: _facts_of_member(one, volumes, taken.get(one)) for one in wanted}
    has_checks = {one: bool(row.checks) for one, row in rows.items()}
    found = {one: replace(facts, has_checks=has_checks.get(one, False)) for one, facts in found.items()}
    return {**found, **_bucket_facts(uow, [one for one in wanted if one.kind == BUCKET], taken, looks)}


def _bucket_facts(
    uow: UnitOfWork,
    buckets: Sequence[MemberForm],
    taken: Mapping[MemberForm, str],
    looks: Mapping[MemberForm, BucketLook],
) -> dict[MemberForm, MemberFacts]:
    """Of buckets: what their last points had, and whose they are."""
    of_kind = (PolicyMember.kind == BUCKET, PolicyMember.name.in_({one.name for one in buckets}))
    rows = uow.all(PolicyMember, *of_kind) if buckets else []
    points = {row.last_point_id for row in rows}
    sizes = dict(uow.tuples([RecoveryPoint.id, RecoveryPoint.bytes], RecoveryPoint.id.in_(points)))
    found = {}
    for one in buckets:
        same = [row for row in rows if (row.name, row.site_id) == (one.name, one.site)]
        others = [row.system_id for row in same if row.system_id != one.system and row.left_at is None]
        mine = [sizes.get(row.last_point_id, 0) for row in same if row.system_id == one.system]
        found[one] = MemberFacts(
            volume_bytes=max(mine, default=0),
            policy=taken.get(one),
            other_system=next(iter(others), None),
            bucket=looks.get(one, BucketLook.FINE),
        )
    return found


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
