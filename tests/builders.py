"""Rows that tests start from: a small province with one city cloud, its people and its catalogue."""

from datetime import datetime
from typing import Any

from cloudctl.actors import INSTALLATION, Actor, Grant, Role, Scope
from cloudctl.core import Core
from cloudctl.lifecycle import ResourceState
from cloudctl.models import (
    CatalogueItem,
    Department,
    Division,
    InformationSystem,
    Project,
    Resource,
    RoleGrant,
    Site,
    SiteZone,
    TopologyVersion,
    User,
)
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from tenants.register.history import begin_versions

AN_SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEmaYkCvKEUtvNj4DfcAIbW1YbU8De5G4kboVjHGH/RS alice@gx-finance"
)

APPROVALS: list[dict[str, Any]] = [
    {
        "name": "county-review",
        "title": "县级初审",
        "role": "division_reviewer",
        "at": "county",
        "when": {"department_levels": ["county", "township"]},
    },
    {"name": "department", "title": "单位审批", "role": "department_approver", "at": "department"},
    {"name": "cloud", "title": "云管审批", "role": "cloud_admin", "at": "site"},
    {
        "name": "province",
        "title": "省级审批",
        "role": "province_admin",
        "at": "installation",
        "when": {"zones": ["internet"]},
    },
]

PEOPLE: tuple[tuple[str, str, str | None, Role, Scope], ...] = (
    ("alice", "李爱丽", "gx-finance", Role.REQUESTER, ("department", "gx-finance")),
    ("bob", "王博", "gx-finance", Role.DEPARTMENT_APPROVER, ("department", "gx-finance")),
    ("carol", "陈凯", None, Role.CLOUD_ADMIN, ("site", "province")),
    ("dave", "戴伟", None, Role.PROVINCE_ADMIN, INSTALLATION),
    ("erin", "艾琳", "nn-qingxiu-edu", Role.REQUESTER, ("department", "nn-qingxiu-edu")),
    ("frank", "樊锐", None, Role.DIVISION_REVIEWER, ("division", "450103")),
    ("grace", "葛蕾", "nn-qingxiu-edu", Role.DEPARTMENT_APPROVER, ("department", "nn-qingxiu-edu")),
    ("heidi", "何蒂", None, Role.CLOUD_ADMIN, ("site", "city-1")),
    ("ivan", "易凡", None, Role.AUDITOR, INSTALLATION),
    ("sam", "沈安", None, Role.SYSTEM_ADMIN, INSTALLATION),
)


def a_province(core: Core, approvals: list[dict[str, Any]] | None = None) -> None:
    """Fill the database: two sites, three divisions, two departments, systems, catalogue, zones, people."""
    now = core.clock.now()
    with core.store.write() as uow:
        _sites_and_divisions(uow)
        _departments_and_systems(uow)
        begin_versions(uow, core.clock, uow.column(InformationSystem.id), "dave", "topology")
        _catalogue(uow)
        _people(uow, now)
        document = {"version": 1, "approvals": APPROVALS if approvals is None else approvals}
        uow.add(TopologyVersion(sha256="0" * 64, document=document, applied_at=now, applied_by="dave"))


def an_actor(core: Core, user_id: str) -> Actor:
    """The person as the edges would bring them, with the roles they hold now."""
    with core.store.read() as uow:
        user = uow.need(User, user_id)
        grants = uow.all(RoleGrant, RoleGrant.user_id == user_id)
        held = frozenset(Grant(Role(row.role), (row.scope_kind, row.scope_id)) for row in grants)
        return Actor(user.id, user.name, user.department_id, held)


def a_person(
    core: Core, user_id: str, role: Role, scope: Scope, department_id: str | None = None, name: str = ""
) -> Actor:
    """Another person, or another role of the same person."""
    with core.store.write() as uow:
        if uow.get(User, user_id) is None:
            uow.add(
                User(
                    id=user_id,
                    name=name or user_id,
                    department_id=department_id,
                    created_at=core.clock.now(),
                )
            )
        _grant(uow, user_id, role, scope, core.clock.now())
    return an_actor(core, user_id)


def a_vm_form(**changes: Any) -> dict[str, Any]:
    """The form of a request that nothing is wrong with: 3 VMs and 1 TiB for the finance department."""
    form: dict[str, Any] = {
        "kind": "vm",
        "system": "gx-finance-budget",
        "environment": "prod",
        "zone": "public",
        "count": 3,
        "flavor": "gov.medium",
        "image": "debian-12",
        "boot_size": "40GiB",
        "volume_type": "standard",
        "data_total": "1TiB",
        "data_volumes_per_vm": 2,
        "ssh_key": AN_SSH_KEY,
        "approval_number": "桂发改〔2026〕17号",
        "payer": "gx-finance",
        "reason": "预算系统上云",
    }
    return {key: value for key, value in {**form, **changes}.items() if value is not None}


def a_county_form(**changes: Any) -> dict[str, Any]:
    """A small request of a county department; its city's cloud serves it."""
    county = {
        "system": "nn-qingxiu-edu-enroll",
        "count": 1,
        "flavor": "gov.small",
        "data_total": None,
        "data_volumes_per_vm": None,
        "payer": "nn-qingxiu-edu",
    }
    return a_vm_form(**{**county, **changes})


def a_project(core: Core, system: str = "gx-finance-budget", site: str = "province") -> str:
    """The id of the system's project at a site, its row made where missing."""
    key = scopes.project_id(system, "prod", site)
    with core.store.write() as uow:
        if uow.get(Project, key) is None:
            owner = uow.need(InformationSystem, system).department_id
            name, now = f"{system}-prod", core.clock.now()
            uow.add(
                Project(
                    id=key, name=name, system_id=system, department_id=owner, site_id=site, created_at=now
                )
            )
    return key


def a_resource(core: Core, project_id: str, amounts: dict[str, int], **columns: Any) -> str:
    """The id of a resource of the project; an active server where the columns say nothing else."""
    with core.store.write() as uow:
        project = uow.need(Project, project_id)
        number = uow.count(Resource) + 1
        given = {
            "id": f"resource-{number}",
            "kind": "server",
            "name": f"vm{number}",
            "state": ResourceState.ACTIVE,
            "site_id": project.site_id,
            "system_id": project.system_id,
            "department_id": project.department_id,
            "created_at": core.clock.now(),
        }
        return uow.add(Resource(project_id=project_id, amounts=amounts, **{**given, **columns})).id


def _sites_and_divisions(uow: UnitOfWork) -> None:
    for site, title, role, division in (
        ("province", "省级政务云", "province", "450000"),
        ("city-1", "南宁市政务云", "city", "450100"),
    ):
        uow.session.add(Site(id=site, title=title, role=role, cloud=site, division_code=division))
    uow.flush()
    for code, name, level, parent, served_by in (
        ("450000", "广西壮族自治区", "province", None, ["province"]),
        ("450100", "南宁市", "city", "450000", ["city-1"]),
        ("450103", "青秀区", "county", "450100", ["city-1"]),
    ):
        uow.add(Division(code=code, name=name, level=level, parent_code=parent, served_by=served_by))
    for number, site in ((20, "province"), (21, "city-1")):
        for index, zone in enumerate(("public", "dedicated", "internet")):
            ipv4, ipv6 = f"10.{number}.{16 * index}.0/20", f"fd00:{number - 19}:{index + 1}::/64"
            uow.add(SiteZone(site_id=site, zone=zone, network=f"zone-{zone}", ipv4=ipv4, ipv6=ipv6))


def _departments_and_systems(uow: UnitOfWork) -> None:
    uow.add(Department(id="gx-finance", name="财政厅", kind="政府", division_code="450000"))
    uow.add(Department(id="nn-qingxiu-edu", name="青秀区教育局", kind="政府", division_code="450103"))
    for code, name, department, level, is_classified in (
        ("gx-finance-budget", "预算管理一体化系统", "gx-finance", 3, False),
        ("gx-finance-assets", "国有资产管理系统", "gx-finance", 2, False),
        ("gx-finance-secret", "涉密系统", "gx-finance", 2, True),
        ("nn-qingxiu-edu-enroll", "义务教育招生系统", "nn-qingxiu-edu", 2, False),
    ):
        uow.add(
            InformationSystem(
                id=code, name=name, department_id=department, mlps_level=level, is_classified=is_classified
            )
        )


def _catalogue(uow: UnitOfWork) -> None:
    for kind, name, title, spec in (
        ("flavor", "gov.small", "1核1G", {"vcpus": 1, "ram_mib": 1024}),
        ("flavor", "gov.medium", "2核4G", {"vcpus": 2, "ram_mib": 4096}),
        ("flavor", "gov.large", "4核8G", {"vcpus": 4, "ram_mib": 8192}),
        ("image", "debian-12", "Debian 12", {"login": "debian", "min_disk_gib": 10}),
        ("volume_type", "standard", "普通", {}),
        ("volume_type", "ssd", "高性能", {}),
    ):
        uow.add(CatalogueItem(kind=kind, name=name, title=title, spec=spec))


def _people(uow: UnitOfWork, now: datetime) -> None:
    for user_id, name, department_id, role, scope in PEOPLE:
        uow.add(User(id=user_id, name=name, department_id=department_id, created_at=now))
        _grant(uow, user_id, role, scope, now)


def _grant(uow: UnitOfWork, user_id: str, role: Role, scope: Scope, now: datetime) -> None:
    uow.add(
        RoleGrant(
            user_id=user_id,
            role=role.value,
            scope_kind=scope[0],
            scope_id=scope[1],
            granted_by="sam",
            granted_at=now,
        )
    )
