"""Reads of the 1+N: sites, divisions, departments, systems, projects, the catalogue, as the actor may see.

The catalogue is for everybody who is signed in. Departments, systems and projects are seen from where a
role is held: a department sees itself, a division all inside it, a site all that it serves.
"""

from typing import Any, TypeVar

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.models import (
    CatalogueItem,
    Department,
    Division,
    Project,
    Row,
    Site,
    SiteZone,
    TopologyVersion,
)
from cloudctl.queries.register import list_systems
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
R = TypeVar("R", bound=Row)
PAGE = 100
_ZONES = ("public", "dedicated", "internet")  # as people list them


# -- sites


def list_sites(uow: UnitOfWork, actor: Actor) -> Rows:
    """The sites that the actor works at or is served by."""
    seen = Sight(uow, actor, "site.see")
    sites = uow.all(Site, Site.retired_at.is_(None), order_by=[Site.role.desc(), Site.id])
    return [_site(site) for site in sites if seen.site(site.id)]


def show_site(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One site by id or title, with its zones and what its last check found. NotFound when not seen."""
    seen = Sight(uow, actor, "site.see")
    site = _one(
        "site", key, [one for one in _by_key(uow, Site, Site.id, Site.title, key) if seen.site(one.id)]
    )
    zones = uow.all(SiteZone, SiteZone.site_id == site.id, SiteZone.retired_at.is_(None))
    zones.sort(key=lambda zone: (_ZONES.index(zone.zone) if zone.zone in _ZONES else len(_ZONES), zone.zone))
    return {
        **_site(site),
        "zones": [
            {"id": zone.id, "name": zone.zone, "state": None, "network": zone.network,
             "ipv4": zone.ipv4, "ipv6": zone.ipv6}
            for zone in zones
        ],
        "check": site.check,
        "serves": sorted(code for code, served_by in seen.served.items() if site.id in served_by),
    }  # fmt: skip


def _site(site: Site) -> Json:
    return {
        "id": site.id,
        "name": site.title,
        "state": site.state,
        "role": site.role,
        "cloud": site.cloud,
        "division": site.division_code,
        "mode": site.mode,
        "domain_policy": site.domain_policy,
        "domain": site.domain_name,
        "slots": site.slots,
        "guests": site.guests,
        "checked_at": site.checked_at,
    }


# -- divisions and departments


def list_divisions(
    uow: UnitOfWork, actor: Actor, parent: str | None = None, limit: int | None = None, marker: str = ""
) -> Rows:
    """The divisions by code, those after `marker`; of one parent when named."""
    seen = Sight(uow, actor, "department.see")
    conditions = [Division.retired_at.is_(None), Division.code > marker]
    if parent is not None:
        conditions.append(Division.parent_code == parent)
    rows = uow.all(Division, *conditions, order_by=[Division.code])
    return [_division(row) for row in rows if seen.division(row.code)][:limit]


def _division(row: Division) -> Json:
    return {
        "id": row.code,
        "name": row.name,
        "state": None,
        "level": row.level,
        "parent": row.parent_code,
        "served_by": row.served_by,
    }


def list_departments(
    uow: UnitOfWork, actor: Actor, division: str | None = None, limit: int = PAGE, marker: str = ""
) -> Rows:
    """The departments by code, those after `marker`; of one division and all below it when named."""
    seen = Sight(uow, actor, "department.see")
    conditions = [Department.retired_at.is_(None), Department.id > marker]
    if division is not None:
        conditions.append(Department.division_code.in_(seen.below(division)))
    rows = uow.all(Department, *conditions, *seen.departments(), order_by=[Department.id], limit=limit)
    return [_department(row, seen) for row in rows]


def show_department(uow: UnitOfWork, actor: Actor, key: str) -> Json:
    """One department by code or name, with its systems. NotFound when not seen."""
    seen = Sight(uow, actor, "department.see")
    found = _by_key(uow, Department, Department.id, Department.name, key, *seen.departments())
    row = _one("department", key, found)
    return {**_department(row, seen), "systems": list_systems(uow, actor, department=row.id)}


def _department(row: Department, seen: Sight) -> Json:
    return {
        "id": row.id,
        "name": row.name,
        "state": _life(row.retired_at),
        "kind": row.kind,
        "division": row.division_code,
        "division_name": seen.names.get(row.division_code),
        "served_by": seen.served.get(row.division_code, []),
    }


# -- projects


def list_projects(
    uow: UnitOfWork,
    actor: Actor,
    system: str | None = None,
    site: str | None = None,
    limit: int = PAGE,
    marker: str = "",
) -> Rows:
    """The projects by id, those after `marker`."""
    seen = Sight(uow, actor, "resource.see", home=False)
    conditions: list[Any] = [Project.id > marker, *seen.own(Project.department_id.in_, Project.site_id)]
    for column, value in ((Project.system_id, system), (Project.site_id, site)):
        if value is not None:
            conditions.append(column == value)
    rows = uow.all(Project, *conditions, order_by=[Project.id], limit=limit)
    return [
        {
            "id": row.id,
            "name": row.name,
            "state": row.state,
            "system": row.system_id,
            "department": row.department_id,
            "environment": row.environment,
            "site": row.site_id,
            "external_id": row.external_id,
            "origin": row.origin,
            "created_at": row.created_at,
        }
        for row in rows
    ]


# -- catalogue and the document


def list_catalogue(uow: UnitOfWork, actor: Actor, kind: str | None = None) -> Rows:
    """What is on offer, for everybody: flavors by size, images and volume types by name."""
    conditions: list[Any] = [CatalogueItem.retired_at.is_(None)]
    if kind is not None:
        conditions.append(CatalogueItem.kind == kind)
    rows = uow.all(CatalogueItem, *conditions)
    rows.sort(key=lambda row: (row.kind, row.spec.get("vcpus", 0), row.spec.get("ram_mib", 0), row.name))
    return [
        {
            "id": row.name,
            "name": row.title,
            "state": None,
            "kind": row.kind,
            **row.spec,
            "site_names": row.site_names,
        }
        for row in rows
    ]


def show_topology(uow: UnitOfWork, actor: Actor) -> Json:
    """The newest applied document, whole. NotAllowed without `topology.see`; NotFound before the first."""
    actor.must("topology.see", actor.scopes("topology.see"))
    newest = uow.first(TopologyVersion, order_by=[TopologyVersion.id.desc()])
    if newest is None:
        raise NotFound("no topology was applied yet", hint="run: cloudctl topology apply FILE")
    return {
        "id": newest.id,
        "name": newest.sha256[:12],
        "state": None,
        "sha256": newest.sha256,
        "applied_at": newest.applied_at,
        "applied_by": newest.applied_by,
        "document": newest.document,
    }


def _by_key(uow: UnitOfWork, model: type[R], id_: Any, name: Any, key: str, *conditions: Any) -> list[R]:
    """The row of that id, or else all of that name."""
    return uow.all(model, id_ == key, *conditions) or uow.all(model, name == key, *conditions)


def _one(what: str, key: str, found: list[R]) -> R:
    if not found:
        raise NotFound("{what} '{key}' does not exist", what=what, key=key)
    if len(found) > 1:
        raise NotFound(
            "{what} '{key}' is not the only one of that name", what=what, key=key, hint="use its id"
        )
    return found[0]


def _life(retired_at: object) -> str:
    return "retired" if retired_at is not None else "active"
