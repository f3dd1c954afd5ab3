"""Points out of a vault into a database that does not know them: after the loss of everything else.

Heads are read and, where the key is here, manifests; a thousand points take seconds. Rows that points hang
on and that are not there are made as they must be: a system, its department and its site by their ids, a
policy that is suspended. Nothing that is there is changed, and again changes nothing. What is found is sealed
until somebody proves it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.errors import ObjectMissing
from cloudctl.escrow import EscrowKey
from cloudctl.lifecycle import PointState
from cloudctl.models import (
    BackupPolicy,
    Department,
    Division,
    InformationSystem,
    PointCopy,
    PointVolume,
    PolicyMember,
    RecoveryPoint,
    Site,
    Vault,
)
from cloudctl.ports import ObjectStore, Purpose, Stores
from cloudctl.store import UnitOfWork
from dr.buckets.naming import name_members
from dr.contents import faults_of, notes_of, read_contents, write_contents
from dr.database.fetching import is_copy
from dr.drafting import member_id as id_in_vaults
from dr.keyring import Keyring
from dr.points.head import Head, manifest_key
from dr.points.parallel import each
from dr.points.reading import FoundPoint, Reading, read_heads
from dr.proving import told
from tenants.register.history import begin_versions

ORIGIN = "rebuilt"  # of the rows that are made here
POLICY = "rebuilt"
_THREADS = 16
_BATCH = 200  # points in one transaction


@dataclass(frozen=True)
class Rebuilt:
    """What the vault had, what is new here, and what is odd."""

    points: int
    new: int
    expired: int
    faults: tuple[dict[str, Any], ...]
    notes: tuple[dict[str, Any], ...]


def rebuild(
    core: Core, actor: Actor, stores: Stores, keyring: Keyring, site_id: str, installation: str = ""
) -> Rebuilt:
    """Take up every point of the vault of the site, of every installation or of one.

    Needs backup.plan at the site, and that stores.yaml and the escrow keys name the vault and whom to trust.
    """
    actor.must("backup.plan", [("site", site_id)])
    vault = stores.vault(site_id, Purpose.READ)
    lock_mode = vault.lock_mode().value
    reading = _of_systems(read_heads(vault, keyring.trusted(), installation))
    gone = _expired(vault, reading.points, core.clock.now())
    escrow = keyring.escrow()
    with core.store.read() as uow:
        known = gone | set(uow.column(PointVolume.point_id))
    unread = [one.head for one in reading.points if one.head.point not in known]
    contents = read_contents(vault, unread, escrow)
    new = 0
    with core.store.write() as uow:
        _make_vault(core, uow, site_id, vault, lock_mode, escrow.get(site_id))
    for start in range(0, len(reading.points), _BATCH):
        with core.store.write() as uow:
            batch = reading.points[start : start + _BATCH]
            new += sum(_take_up(core, uow, site_id, one, one.head.point in gone, escrow) for one in batch)
            told_of = [contents[one.head.point] for one in batch if one.head.point in contents]
            write_contents(uow, told_of)
            name_members(uow, [(one.point, one.topology) for one in told_of])
    faults = [*reading.faults, *faults_of(contents)]
    notes = [*reading.notes, *notes_of(contents, site_id)]
    found = Rebuilt(len(reading.points), new, len(gone), (*told(faults),), (*told(notes),))
    with core.store.write() as uow:
        details = {"points": found.points, "new": new, "faults": len(faults)}
        core.audit.record(uow, actor.user_id, "backup.rebuild", "vault", site_id, details, actor.trace_id)
    return found


def _of_systems(reading: Reading) -> Reading:
    """Without the copies of cloudctl's own database, which `init --restore-from` brings back."""
    return replace(reading, points=tuple(one for one in reading.points if not is_copy(one.head)))


def _expired(vault: ObjectStore, points: Iterable[FoundPoint], now: datetime) -> frozenset[str]:
    """Points whose lock has run out and whose manifest is no longer there: they were given up."""
    old = [one.head for one in points if one.head.locked_until is None or one.head.locked_until <= now]

    def look(head: Head) -> tuple[str, bool]:
        try:
            vault.head(manifest_key(head))
        except ObjectMissing:
            return head.point, True
        return head.point, False

    return frozenset(point for point, is_gone in each(old, look, _THREADS) if is_gone)


# -- rows


def _take_up(
    core: Core,
    uow: UnitOfWork,
    site_id: str,
    found: FoundPoint,
    is_gone: bool,
    escrow: Mapping[str, EscrowKey],
) -> bool:
    """The rows of one point and its copy; whether the point is new here."""
    head = found.head
    known = uow.get(RecoveryPoint, head.point)
    if known is None:
        member = _member(core, uow, head, site_id)
        sites = {key.id: site for site, key in escrow.items()}
        has_parent = head.parent is None or uow.get(RecoveryPoint, head.parent) is not None
        state = PointState.EXPIRED if is_gone else PointState.SEALED if has_parent else PointState.LOST
        uow.add(
            RecoveryPoint(
                id=head.point,
                sequence=head.sequence,
                member_id=member.id,
                policy_id=member.policy_id,
                system_id=head.system,
                site_id=head.site,
                kind=head.kind,
                parent_id=head.parent if has_parent else None,
                state=state,
                consistency=head.consistency,
                sealed_key={sites.get(key, key): wrapped for key, wrapped in head.keys.items()},
                manifest_sha256=head.manifest.sha256,
                bytes=head.volume_bytes,
                stored_bytes=head.plain_bytes,
                taken_at=head.taken_at,
                stored_at=found.stored_at,
                locked_until=head.locked_until,
                created_at=found.stored_at or core.clock.now(),
                error_message=None
                if has_parent
                else "the point on which it rests is in no vault that was read",
            )
        )
        if not member.last_point_id or not is_gone:
            member.last_point_id = head.point
    copy = uow.first(PointCopy, PointCopy.point_id == head.point, PointCopy.site_id == site_id)
    if copy is None:
        copy = uow.add(
            PointCopy(point_id=head.point, site_id=site_id, state="expired" if is_gone else "sealed")
        )
    if not copy.head_key:
        copy.state = "expired" if is_gone else "sealed"
        copy.head_key, copy.head_sha256 = head.key, found.head_sha256
        copy.objects_total = copy.objects_done = head.objects
        copy.bytes_total = copy.bytes_done = head.plain_bytes
        copy.locked_until, copy.sealed_at = head.locked_until, found.stored_at
    uow.flush()
    return known is None


def _member(core: Core, uow: UnitOfWork, head: Head, vault_site: str) -> PolicyMember:
    """The member whose points these are; made, in a policy that makes none, where it is not there."""
    of_system = (PolicyMember.system_id == head.system, PolicyMember.site_id == head.site)
    for member in uow.all(PolicyMember, *of_system):
        if id_in_vaults(member) == head.member or member.name == head.member:
            return member
    _make_ground(core, uow, head)
    kind, _, _ = head.member.partition("-")
    is_known = kind in {"system", "volume", "bucket"}
    plain = f"system-{head.site}-{head.system}" == head.member
    return uow.add(
        PolicyMember(
            policy_id=_policy(core, uow, vault_site).id,
            kind=kind if is_known else "system",
            system_id=head.system,
            site_id=head.site,
            name="" if plain else head.member,
            next_at=core.clock.now(),
        )
    )


def _policy(core: Core, uow: UnitOfWork, vault_site: str) -> BackupPolicy:
    found = uow.first(BackupPolicy, BackupPolicy.name == POLICY)
    if found is not None:
        return found
    return uow.add(
        BackupPolicy(
            name=POLICY,
            state="suspended",
            tier="T2",
            every_s=86400,
            full_every=7,
            retention={"last": 1000},  # gives nothing up
            lock_s=30 * 86400,
            vault_sites=[vault_site],
            level="L1",
            prove_every_s=30 * 86400,
            created_at=core.clock.now(),
            created_by="system",
        )
    )


def _make_ground(core: Core, uow: UnitOfWork, head: Head) -> None:
    """Site and system by their ids, where nothing here knows them."""
    if uow.get(Site, head.site) is None:
        role = "city" if uow.count(Site, Site.role == "province") else "province"
        uow.add(
            Site(id=head.site, title=head.site, role=role, cloud="", division_code=ORIGIN, mode="observe")
        )
    if uow.get(InformationSystem, head.system) is not None:
        return
    if uow.get(Division, ORIGIN) is None:
        uow.add(Division(code=ORIGIN, name=ORIGIN, level="province"))
    if uow.get(Department, ORIGIN) is None:
        uow.add(Department(id=ORIGIN, name=ORIGIN, kind="事业单位", division_code=ORIGIN))
    uow.add(InformationSystem(id=head.system, name=head.system, department_id=ORIGIN, origin=ORIGIN))
    begin_versions(uow, core.clock, [head.system], "system", ORIGIN)


def _make_vault(
    core: Core, uow: UnitOfWork, site_id: str, store: ObjectStore, lock_mode: str, escrow: EscrowKey | None
) -> None:
    uow.need(Site, site_id)
    if uow.get(Vault, site_id) is None:
        public = escrow.public if escrow else ""
        uow.add(
            Vault(
                site_id=site_id,
                bucket=store.bucket,
                lock_mode=lock_mode,
                escrow_key=public,
                probed_at=core.clock.now(),
            )
        )
