"""What is known of a plan, read: rows of the database, and what clouds, storage and witness say when asked.

Rows are read in one short transaction; the outside is asked after it, so that no transaction waits for a
cloud. What does not answer is a `problem` in the facts, never an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import CloudctlError
from cloudctl.lifecycle import PointState, ResourceState
from cloudctl.models import (
    BackupPolicy,
    CatalogueItem,
    InformationSystem,
    PointCopy,
    PolicyMember,
    Project,
    ProtectionPlan,
    RecoveryPoint,
    Resource,
    Site,
    SiteZone,
)
from cloudctl.ports import Clouds, Replication, Room, Witness
from cloudctl.queries import protection
from cloudctl.store import Store, UnitOfWork
from dr.failover.protocols import Voting
from dr.levels import reaches
from dr.members import KEPT, SYSTEM
from dr.plans import copies, portrait
from dr.plans.document import Document, Way, of_json
from dr.plans.known import (
    CloudFacts,
    Known,
    PointFacts,
    PolicyFacts,
    ServerFacts,
    SiteFacts,
    SystemFacts,
    VolumeFacts,
    WitnessFacts,
    needed,
)
from dr.schedule import Grid, Window
from dr.ways.replication import with_beats
from provisioning import fitness
from provisioning.desired import PORT, SERVER, VOLUME
from tenants import reserves

_POINTS = 50  # the newest of a system
_MAKING = (PointState.PLANNED, PointState.CAPTURING, PointState.COPYING)


@dataclass(frozen=True)
class Outside:
    """Whatever is asked beside the database. None: there is none in this installation."""

    clouds: Clouds
    replication: Replication | None = None
    witness: Voting | None = None
    seen: dict[tuple[str, bool], CloudFacts] | None = None  # what clouds told already, in one round of looks

    def for_a_round(self) -> "Outside":
        """The same, asking each cloud once however many plans are looked at."""
        return replace(self, seen={})


def gather(
    store: Store, outside: Outside, document: Document, now: datetime, plan_id: int | None, source: str
) -> Known:
    """Everything about the plan, with the system running at `source`. Raises nothing for what is away."""
    with store.read() as uow:
        known = read(uow, document, now, plan_id, source)
    return ask(outside, document, known)


def read(uow: UnitOfWork, document: Document, now: datetime, plan_id: int | None, source: str) -> Known:
    """What the database knows, in the caller's transaction."""
    target = document.recovery if source == document.home else document.home
    system = uow.get(InformationSystem, document.system)
    here = uow.all(Site, Site.retired_at.is_(None))
    sites = {row.id: _site(uow, row) for row in here if row.id in (source, target)}
    sites |= {row.id: SiteFacts(row.id, row.mode) for row in here if row.id not in sites}
    others = [
        row
        for row in uow.all(ProtectionPlan, ProtectionPlan.state != "retired")
        if row.id != plan_id and row.name != document.name
    ]
    project = _project(uow, document.system, target)
    known = Known(
        at=now,
        source=source,
        target=target,
        system=None if system is None else _system(system),
        sites=sites,
        servers=servers_at(uow, document.system, source),
        standing=servers_at(uow, document.system, target),
        policies=_policies(uow, document.system, source),
        points=_points(uow, document.system, source),
        is_point_coming=bool(_coming(uow, document.system, source)),
        portrait=portrait.read(uow, document.system, source),
        project="" if project is None else project.id,
        other_plans={row.name: row.system_id for row in others},
        taken_servers={
            server: row.name
            for row in others
            if row.system_id == document.system
            for part in of_json(row.document).parts
            for server in part.names_at(source)
        },
        application_lag_s={} if plan_id is None else _lags(uow, plan_id, now),
        reserved=Amounts() if plan_id is None else reserves.held_by(uow, plan_id),
        reserved_by_others=reserves.held_at(uow, target, plan_id),
        gives_way=_amounts_at(uow, [row.system_id for row in others if row.name in document.evicts], target),
    )
    if project is not None:
        short = reserves.shortages(uow, plan_id, project, needed(document, known))
        known = replace(known, quota=tuple(short))
    return known


def again(uow: UnitOfWork, document: Document, before: Known, plan_id: int | None) -> Known:
    """The rows once more, in the transaction that decides, with what the outside said before it."""
    now = read(uow, document, before.at, plan_id, before.source)
    clouds = {key: one.cloud for key, one in before.sites.items()}
    return replace(
        now,
        sites={key: replace(one, cloud=clouds.get(key)) for key, one in now.sites.items()},
        replicas=before.replicas,
        replication_problem=before.replication_problem,
        witness=before.witness,
    )


def ask(outside: Outside, document: Document, known: Known) -> Known:
    """The same with what the two clouds, the storage and the witness say now."""
    sites = dict(known.sites)
    for site_id in (known.source, known.target):
        if site_id in sites:
            is_target = site_id == known.target
            sites[site_id] = replace(sites[site_id], cloud=_cloud(outside, site_id, is_target))
    replicas, problem = _replicas(outside.replication, document, known)
    return replace(
        known,
        sites=sites,
        replicas=replicas,
        replication_problem=problem,
        witness=_witness(outside.witness, document.name, (known.source, known.target)),
    )


# -- rows


def _lags(uow: UnitOfWork, plan_id: int, now: datetime) -> dict[str, float]:
    """How far behind each database is that was looked at; a part that nobody measures is not in it."""
    seen = uow.need(ProtectionPlan, plan_id).copies or {}
    lags = {part: copies.behind_s(copies.of_json(row), now) for part, row in seen.items()}
    return {part: lag for part, lag in lags.items() if lag is not None}


def _system(row: InformationSystem) -> SystemFacts:
    is_retired = row.retired_at is not None
    return SystemFacts(row.id, row.department_id, row.mlps_level or 0, row.is_classified, is_retired)


def _site(uow: UnitOfWork, row: Site) -> SiteFacts:
    items = uow.all(CatalogueItem, CatalogueItem.retired_at.is_(None))
    zones = uow.all(SiteZone, SiteZone.site_id == row.id, SiteZone.retired_at.is_(None))
    rooms = {Kind(kind): Room(told["total"], told["used"]) for kind, told in (row.capacity or {}).items()}
    return SiteFacts(
        row.id,
        row.mode,
        {(one.kind, one.name): str((one.site_names or {}).get(row.id, one.name)) for one in items},
        {one.zone: one.network for one in zones},
        {
            one.name: Amounts({kind: one.spec.get(kind.value, 0) for kind in (Kind.VCPUS, Kind.RAM_MIB)})
            for one in items
            if one.kind == "flavor"
        },
        rooms,
        row.capacity_at,
    )


def _project(uow: UnitOfWork, system: str, site: str) -> Project | None:
    mine = (Project.system_id == system, Project.site_id == site, Project.environment == "prod")
    return uow.first(Project, *mine, Project.external_id.is_not(None), Project.state != "retired")


def servers_at(uow: UnitOfWork, system: str, site: str) -> tuple[ServerFacts, ...]:
    """The servers of the system that stand at the site, with their volumes, in the caller's transaction."""
    of_system = (Resource.system_id == system, Resource.site_id == site)
    standing = (Resource.state == ResourceState.ACTIVE, Resource.kind.in_((SERVER, VOLUME, PORT)))
    rows = {row.id: row for row in uow.all(Resource, *of_system, *standing)}
    volumes = {key: row for key, row in rows.items() if row.kind == VOLUME and not row.spec.get(KEPT)}
    servers = sorted((row for row in rows.values() if row.kind == SERVER), key=lambda one: one.name)
    return tuple(_server(row, rows, volumes) for row in servers)


def _server(row: Resource, rows: Mapping[str, Resource], volumes: Mapping[str, Resource]) -> ServerFacts:
    spec = row.spec or {}
    mine = [str(spec.get("boot") or ""), *map(str, spec.get("data") or ())]
    mine += [key for key, one in volumes.items() if row.id in _servers_of(one)]
    port = rows.get(str(spec.get("port") or ""))
    boot = volumes.get(mine[0])
    addresses = (port.addresses if port is not None else None) or row.addresses or {}
    own = Amounts(row.amounts or {}) + Amounts((port.amounts if port is not None else None) or {})
    return ServerFacts(
        row.name,
        str(spec.get("label") or ""),
        str(spec.get("flavor") or ""),
        str(spec.get("zone") or (port.spec if port is not None else {}).get("zone") or ""),
        str(spec.get("image") or ((boot.spec if boot is not None else None) or {}).get("image") or ""),
        tuple(sorted(_flat(addresses))),
        tuple(_volume(volumes[key]) for key in dict.fromkeys(mine) if key in volumes),
        own,
        bool(spec.get("ssh_key")),
    )


def _servers_of(volume: Resource) -> tuple[str, ...]:
    spec = volume.spec or {}
    return tuple(str(spec[key]) for key in ("server", "attach_to") if spec.get(key))


def _flat(addresses: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for value in addresses.values():
        found += [value] if isinstance(value, str) else list(value)
    return found


def _volume(row: Resource) -> VolumeFacts:
    spec = row.spec or {}
    size = int(spec.get("size_gib") or 0)
    return VolumeFacts(
        row.name, row.external_id or "", size, str(spec.get("type") or ""), Amounts(row.amounts or {})
    )


def _policies(uow: UnitOfWork, system: str, site: str) -> tuple[PolicyFacts, ...]:
    living = (PolicyMember.left_at.is_(None), PolicyMember.kind == SYSTEM, PolicyMember.site_id == site)
    ids = uow.column(PolicyMember.policy_id, PolicyMember.system_id == system, *living)
    delays = protection.delays_s(uow)
    rows = uow.all(BackupPolicy, BackupPolicy.id.in_(ids), BackupPolicy.state != "retired")
    return tuple(
        PolicyFacts(
            row.name,
            row.state == "active",
            tuple(row.vault_sites),
            Grid(row.every_s, Window.read(row.window)).longest_gap_s,
            delays.get(row.id),
            row.every_s,
        )
        for row in rows
    )


def _points(uow: UnitOfWork, system: str, site: str) -> tuple[PointFacts, ...]:
    """The newest points of the whole system that count; NULL is older than everything."""
    whole = uow.column(PolicyMember.id, PolicyMember.kind == SYSTEM, PolicyMember.system_id == system)
    rows = uow.all(
        RecoveryPoint,
        RecoveryPoint.member_id.in_(whole),
        RecoveryPoint.site_id == site,
        RecoveryPoint.state == PointState.PROTECTED,
        RecoveryPoint.taken_at.is_not(None),
        order_by=[RecoveryPoint.taken_at.desc()],
        limit=_POINTS,
    )
    sealed = (PointCopy.point_id.in_([row.id for row in rows]), PointCopy.state == "sealed")
    copies: dict[str, list[str]] = {}
    for point_id, vault in uow.tuples([PointCopy.point_id, PointCopy.site_id], *sealed):
        copies.setdefault(point_id, []).append(vault)
    names = {row.id: row.name for row in uow.all(BackupPolicy)}
    return tuple(
        PointFacts(row.id, row.taken_at, row.level or "", tuple(sorted(copies.get(row.id, ()))),
                   names.get(row.policy_id, ""))
        for row in rows
        if row.taken_at is not None and reaches(row.level, "L1")
    )  # fmt: skip


def _amounts_at(uow: UnitOfWork, systems: Sequence[str], site: str) -> Amounts:
    """What the servers of these systems take at the site."""
    standing = (Resource.site_id == site, Resource.kind == SERVER, Resource.state == ResourceState.ACTIVE)
    rows = uow.all(Resource, Resource.system_id.in_(systems), *standing) if systems else []
    return sum((Amounts(row.amounts or {}) for row in rows), Amounts())


def _coming(uow: UnitOfWork, system: str, site: str) -> Sequence[str]:
    here = (RecoveryPoint.system_id == system, RecoveryPoint.site_id == site)
    return uow.column(RecoveryPoint.id, *here, RecoveryPoint.state.in_(_MAKING))


# -- the outside


def _cloud(outside: Outside, site_id: str, is_target: bool) -> CloudFacts:
    if outside.seen is None:
        return _ask_cloud(outside.clouds, site_id, is_target)
    if (site_id, is_target) not in outside.seen:
        outside.seen[site_id, is_target] = _ask_cloud(outside.clouds, site_id, is_target)
    return outside.seen[site_id, is_target]


def _ask_cloud(clouds: Clouds, site_id: str, is_target: bool) -> CloudFacts:
    try:
        cloud = clouds.at(site_id)
        rights = fitness.missing_rights(fitness.MANAGED, cloud.rights())
        missing = tuple(right.name for right in rights)
        if not is_target:
            return CloudFacts(missing_rights=missing)
        flavors, types, images = cloud.list_flavors(), cloud.list_volume_types(), cloud.list_images()
        networks, ports = cloud.list_networks(), cloud.list_all_ports()
    except CloudctlError as error:
        return CloudFacts(problem=error.text())
    return CloudFacts(
        flavors={key: one.details for one in flavors for key in (one.id, one.name)},
        types=frozenset(key for one in types for key in (one.id, one.name)),
        networks={key: _ranges(one.details) for one in networks for key in (one.id, one.name)},
        images={
            key: str(one.details.get("status", "active")) for one in images for key in (one.id, one.name)
        },
        taken=frozenset(address for one in ports for address in one.addresses),
        missing_rights=missing,
    )


def _ranges(details: Mapping[str, object]) -> tuple[str, ...]:
    told = details.get("subnets", ())
    return tuple(map(str, told)) if isinstance(told, list | tuple) else ()


def _replicas(
    replication: Replication | None, document: Document, known: Known
) -> tuple[Mapping[str, Any], str]:
    parts = [part for part in document.parts if part.way is Way.REPLICATION]
    ids = [one.external_id for part in parts for server in known.servers_of(part) for one in server.volumes]
    if not parts:
        return {}, ""
    if replication is None:
        return {}, "no storage is configured that copies volumes between sites"
    try:
        found = with_beats(replication, known.target, ids, known.at)
    except CloudctlError as error:
        return {}, error.text()
    return dict(zip(ids, found, strict=True)), ""


def _witness(witness: Witness | None, group: str, sites: Sequence[str]) -> WitnessFacts | None:
    if witness is None:
        return None
    members = witness.members()
    well = sum(one.is_ok for one in members)
    try:
        entry = witness.read(group)
        agents = {site: tuple(witness.servers(group, site)) for site in sites}
    except CloudctlError as error:
        return WitnessFacts(error.text(), len(members), well)
    if entry is None:
        return WitnessFacts("", len(members), well, agents=agents)
    return WitnessFacts("", len(members), well, entry.holder, entry.epoch, entry.is_open, agents)
