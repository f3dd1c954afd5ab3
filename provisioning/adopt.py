"""Use case: bind a project that exists on a cloud, with all that is in it, to a department's system.

Nothing is changed on the cloud: no tag, no role, no quota. What is found becomes rows of origin `adopted`
and counts as used; that may show a level as `over`, which blocks growth and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor, Role
from cloudctl.amounts import Amounts
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import BadInput, CloudForbidden, CloudNotFound, Conflict, Fault, NotFound, Refused
from cloudctl.lifecycle import ResourceState as State
from cloudctl.models import InformationSystem, Project, Resource, Site
from cloudctl.notices import tell
from cloudctl.ports import Cloud, CloudProject, Clouds, Port, Server, Volume
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from provisioning import administrators, fitness
from provisioning.comparison import There, things
from provisioning.counting import Count
from provisioning.desired import PORT, SERVER, VOLUME
from provisioning.look import addresses
from provisioning.sync import catalogue_names, free_name

ENVIRONMENTS = ("prod", "test", "dev")
_PASSAGE = ("BUILD", "creating", "downloading", "deleting", "attaching", "detaching", "reserved")


@dataclass(frozen=True)
class Contents:
    """What is in a project now."""

    project: CloudProject
    servers: tuple[Server, ...]
    volumes: tuple[Volume, ...]
    ports: tuple[Port, ...]
    quota: Amounts


def adopt(  # noqa: PLR0913, PLR0917  # what is bound to what, as the edges name it
    core: Core,
    clouds: Clouds,
    actor: Actor,
    site_id: str,
    external_project: str,
    system_id: str,
    environment: str,
    count: Count,
) -> str:
    """Bind the project, named by its id or unique name at the site; the id of ours.

    Refused for a system that may hold no resource; Conflict when the project or the system's place is
    bound already, or something in it is being made or deleted just now.
    """
    actor.must("resource.adopt", [("site", site_id)])
    with core.store.read() as uow:
        _check(uow, site_id, system_id, environment)
    contents = _contents(clouds.at(site_id), external_project)
    _must_stand_still(contents)
    with core.store.write() as uow:
        _check(uow, site_id, system_id, environment)
        project = _bind(core, uow, site_id, system_id, environment, contents)
        total = _record(core, uow, project, contents)
        uow.flush()
        count(uow, project, total)
        details = {
            "site": site_id,
            "external_id": contents.project.id,
            "name": contents.project.name,
            "system": system_id,
            "amounts": total.as_json(),
        }
        core.audit.record(uow, actor.user_id, "project.adopt", "project", project.id, details, actor.trace_id)
        _tell(core, uow, project, contents)
        return project.id


# -- what may be adopted --------------------------------------------------------------------------------


def _check(uow: UnitOfWork, site_id: str, system_id: str, environment: str) -> None:
    """All faults of the call at once; then the rules of the system."""
    faults = []
    if environment not in ENVIRONMENTS:
        known = {"environment": environment, "known": ", ".join(ENVIRONMENTS)}
        faults.append(Fault("environment", "unknown", "'{environment}' is none", known, "known: {known}"))
    site, system = uow.get(Site, site_id), uow.get(InformationSystem, system_id)
    if site is None or site.retired_at is not None:
        faults.append(Fault("site", "unknown", "there is no site '{site}'", {"site": site_id}))
    if system is None or system.retired_at is not None:
        faults.append(Fault("system", "unknown", "there is no system '{system}'", {"system": system_id}))
    if faults:
        raise BadInput("the project cannot be adopted like this", faults=faults)
    assert system is not None
    if system.is_classified:
        raise Refused("system '{system}' is classified: it can hold no resource here", system=system_id)


def _contents(cloud: Cloud, wanted: str) -> Contents:
    """Read everything in the project with cloudctl's own right to see all: no role in it is needed."""
    missing = fitness.missing_rights(fitness.OBSERVE, cloud.rights())
    if missing:
        raise CloudForbidden(
            "{site}: cannot see everything, the credential lacks {rights}",
            site=cloud.site,
            rights=", ".join(right.name for right in missing),
        )
    project = _find(cloud, wanted)
    return Contents(
        project,
        tuple(one for one in cloud.list_all_servers() if one.project_id == project.id),
        tuple(one for one in cloud.list_all_volumes() if one.project_id == project.id),
        tuple(one for one in cloud.list_all_ports() if one.project_id == project.id),
        cloud.get_quota(project.id),
    )


def _find(cloud: Cloud, wanted: str) -> CloudProject:
    try:
        return cloud.get_project(wanted)
    except CloudNotFound:
        found = [project for project in cloud.list_projects() if project.name == wanted]
    if not found:
        raise NotFound("{site} has no project '{project}'", site=cloud.site, project=wanted)
    if len(found) > 1:
        ids = {"ids": ", ".join(project.id for project in found), "project": wanted}
        fault = Fault("project", "ambiguous", "several are called '{project}'", ids, "name one by id: {ids}")
        raise BadInput("which project is meant?", faults=[fault])
    return found[0]


def _must_stand_still(contents: Contents) -> None:
    """What is being made or deleted just now would be recorded wrongly."""
    here: tuple[Server | Volume, ...] = (*contents.servers, *contents.volumes)
    moving = [one.name or one.id for one in here if one.status in _PASSAGE]
    if moving:
        raise Conflict("{names} are being changed on the cloud just now; try again", names=", ".join(moving))


# -- writing it down ------------------------------------------------------------------------------------


def _bind(
    core: Core, uow: UnitOfWork, site_id: str, system_id: str, environment: str, contents: Contents
) -> Project:
    external = contents.project
    bound = uow.first(Project, Project.site_id == site_id, Project.external_id == external.id)
    if bound is not None:
        raise Conflict(
            "project '{name}' is bound already, to {project}", name=external.name, project=bound.id
        )
    system = uow.need(InformationSystem, system_id)
    now, project_id = core.clock.now(), scopes.project_id(system_id, environment, site_id)
    columns: dict[str, Any] = {
        "name": external.name,
        "external_id": external.id,
        "external_domain_id": external.domain_id,
        "state": "active",
        "origin": "adopted",
        "quota_pushed": contents.quota.as_json(),
        "quota_pushed_at": now,
    }
    planned = uow.get(Project, project_id)
    if planned is None:
        place = {"system_id": system_id, "department_id": system.department_id, "environment": environment}
        return uow.add(Project(id=project_id, site_id=site_id, created_at=now, **place, **columns))
    free = [Project.id == project_id, Project.external_id.is_(None)]
    if not uow.update(Project, *free, **columns):
        words = "{project} is bound already, to '{name}' at the site"
        raise Conflict(words, project=project_id, name=planned.name)
    return uow.need(Project, project_id)


def _record(core: Core, uow: UnitOfWork, project: Project, contents: Contents) -> Amounts:
    """A row for each thing; what they count together."""
    flavors = catalogue_names(uow, project.site_id, "flavor")
    types = catalogue_names(uow, project.site_id, "volume_type")
    found = things(contents.servers, contents.volumes, contents.ports, flavors, types)
    ids = {thing.external_id: _row_id(uow, project.site_id, thing) for thing in found}
    specs = _specs(contents, ids)
    shown = {port.id: addresses(port) for port in contents.ports}
    total = Amounts()
    for thing in found:
        values: dict[str, Any] = {
            "state": State.ACTIVE,
            "origin": "adopted",
            "spec": {**thing.facts, **specs[thing.external_id]},
            "amounts": thing.amounts.as_json(),
            "addresses": shown.get(thing.external_id, {}),
            "project_id": project.id,
            "system_id": project.system_id,
            "department_id": project.department_id,
            "active_at": core.clock.now(),
            "seen_at": core.clock.now(),
            "ended_at": None,
        }
        if not uow.update(Resource, Resource.id == ids[thing.external_id], **values):
            _add(core, uow, project.site_id, ids[thing.external_id], thing, values)
        total += thing.amounts
    return total


def _row_id(uow: UnitOfWork, site_id: str, thing: There) -> str:
    """The row that a sync has written for the thing already, or a new one."""
    there = uow.first(
        Resource,
        Resource.site_id == site_id,
        Resource.kind == thing.kind,
        Resource.external_id == thing.external_id,
    )
    return there.id if there is not None else new_id()


def _add(
    core: Core, uow: UnitOfWork, site_id: str, row_id: str, thing: There, values: Mapping[str, Any]
) -> None:
    uow.add(
        Resource(
            id=row_id,
            kind=thing.kind,
            site_id=site_id,
            name=free_name(uow, site_id, thing.kind, thing.name, thing.external_id),
            external_id=thing.external_id,
            created_at=core.clock.now(),
            **values,
        )
    )


def _specs(contents: Contents, ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What belongs to what, in the words that a build writes, by resource id.

    Every volume counts as data: which one a server boots from is not known for certain, and a release
    must never take a data volume that nobody named.
    """
    specs: dict[str, dict[str, Any]] = {}
    for server in contents.servers:
        ports = _ids((port.id for port in contents.ports if port.device_id == server.id), ids)
        attached = {*server.volume_ids, *(v.id for v in contents.volumes if server.id in v.server_ids)}
        specs[server.id] = {
            "label": server.name,
            "port": ports[0] if ports else None,
            "ports": ports,
            "boot": None,
            "data": _ids(sorted(attached), ids),
        }
    for volume in contents.volumes:
        servers = _ids(volume.server_ids, ids)
        specs[volume.id] = {"role": "data", "server": servers[0] if servers else None}
    for port in contents.ports:
        specs[port.id] = {"server": ids.get(port.device_id), "network": port.network_id}
    return specs


def _ids(external: Iterable[str], ids: Mapping[str, str]) -> list[str]:
    return [ids[one] for one in external if one in ids]


def _tell(core: Core, uow: UnitOfWork, project: Project, contents: Contents) -> None:
    """The department learns what it holds from now on."""
    roles: Sequence[Role] = (Role.DEPARTMENT_APPROVER, Role.REQUESTER)
    people = administrators.holders(uow, roles, ("department", project.department_id))
    params = {
        "project": project.id,
        "name": contents.project.name,
        SERVER: len(contents.servers),
        VOLUME: len(contents.volumes),
        PORT: len(contents.ports),
    }
    words = "project {name} was adopted as {project}: {server} servers, {volume} volumes, {port} ports"
    tell(uow, core.clock, people, words, params, ("project", project.id))
