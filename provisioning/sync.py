"""Use case: compare everything a site has with what is on record, and write down what differs.

Nothing is changed on the cloud, ever: what is wrong there is put right by an operation or by people.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.actors import Actor
from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import new_id
from cloudctl.core import Core
from cloudctl.errors import CloudctlError, CloudNotFound
from cloudctl.lifecycle import ResourceState as State
from cloudctl.models import (
    CatalogueItem,
    Operation,
    PolicyMember,
    Project,
    Resource,
    Restore,
    ServiceRequest,
    Site,
)
from cloudctl.notices import tell
from cloudctl.operations import OPEN
from cloudctl.ports import TAG_REQUEST, TAG_RESOURCE, Cloud, Clouds, Room
from cloudctl.store import UnitOfWork
from provisioning import administrators, running
from provisioning.comparison import Comparison, Known, Restores, There, compare, things
from provisioning.counting import Count
from provisioning.desired import PORT, SERVER, VOLUME

Json = dict[str, Any]

log = logging.getLogger(__name__)

_CHUNK = 500
_LISTED = 200  # so many foreign things are named; all are counted


@dataclass(frozen=True)
class QuotaDrift:
    """A project whose limits at the site are not those last pushed."""

    project_id: str
    kind: str
    pushed: int
    is_now: int


def sync(core: Core, clouds: Clouds, actor: Actor, site_id: str, count: Count | None = None) -> Json:
    """Compare a site with the rows; what was found, as data. Raises when the cloud cannot tell everything.

    With `count`, what grew or shrank outside is counted anew in the ledger.
    """
    actor.must("site.sync", [("site", site_id)])
    with core.store.read() as uow:
        uow.need(Site, site_id)
        before = {row.id: row.state for row in uow.all(Resource, Resource.site_id == site_id)}
    cloud = clouds.at(site_id)
    running.must_see_everything(cloud, site_id)
    servers, volumes, ports = cloud.list_all_servers(), cloud.list_all_volumes(), cloud.list_all_ports()
    drifts, lost = _quota_drifts(core, cloud, site_id)
    rooms = _capacity(cloud)
    with core.store.write() as uow:
        flavors, types = (catalogue_names(uow, site_id, kind) for kind in ("flavor", "volume_type"))
        there = things(servers, volumes, ports, flavors, types)
        projects = {p.external_id: p for p in uow.all(Project, Project.site_id == site_id) if p.external_id}
        external = {project.id: external_id for external_id, project in projects.items()}
        known = [_known(row, before, external) for row in uow.all(Resource, Resource.site_id == site_id)]
        busy, restores = _busy_requests(uow, site_id), _open_restores(uow, site_id)
        found = compare(core.settings.installation, known, there, busy, frozenset(projects), restores)
        names = {row.id: row for row in known}
        orphans = _write(core, uow, site_id, found, projects)
        running.write_down(uow, site_id, servers, core.clock.now())
        if count is not None:
            _recount(uow, found, names, count)
        quotas = {"quota_drift": [vars(drift) for drift in drifts], "projects_gone": lost}
        summary = quotas | _summary(found, names, orphans, there)
        if drifts or lost:
            summary["state"] = "differs"
        if rooms is not None:
            site = uow.need(Site, site_id)
            site.capacity = {kind.value: {"total": r.total, "used": r.used} for kind, r in rooms.items()}
            site.capacity_at = core.clock.now()
        title = _keep(core, uow, actor, site_id, summary)
    return {"id": site_id, "name": title, "at": core.clock.now(), **summary}


# -- asking the cloud -------------------------------------------------------------------------------------


def _capacity(cloud: Cloud) -> Mapping[Kind, Room] | None:
    """What the site has room for; None when it does not tell, and what it told before is kept."""
    try:
        return cloud.capacity()
    except CloudctlError as error:
        log.warning("%s does not tell its capacity: %s", cloud.site, error)
        return None


def _quota_drifts(core: Core, cloud: Cloud, site_id: str) -> tuple[list[QuotaDrift], list[str]]:
    """Limits that are not as pushed, and projects that are gone."""
    with core.store.read() as uow:
        bound = [Project.site_id == site_id, Project.external_id.is_not(None), Project.state == "active"]
        projects = uow.all(Project, *bound, order_by=[Project.id])
        rooms = _backup_rooms_gib(uow, site_id)
    there = {project.id for project in cloud.list_projects()} if projects else set()
    drifts: list[QuotaDrift] = []
    lost: list[str] = []
    for project in projects:
        assert project.external_id is not None
        if project.external_id not in there:
            lost.append(project.id)
        elif project.quota_pushed_at is not None:
            found = _drifts_of(cloud, project.id, project.external_id, Amounts(project.quota_pushed))
            drifts += [one for one in found if not _is_room(one, rooms.get(project.id, 0))]
    return drifts, lost


def _drifts_of(cloud: Cloud, project_id: str, external_id: str, pushed: Amounts) -> list[QuotaDrift]:
    try:
        now = cloud.get_quota(external_id)
    except CloudNotFound:
        return []
    return [
        QuotaDrift(project_id, kind.value, pushed[kind], now[kind])
        for kind in Kind
        if pushed[kind] != now[kind]
    ]


def _is_room(drift: QuotaDrift, room_gib: int) -> bool:
    """Whether a backup may have opened it: Cinder counts snapshots as GiB of volumes, and the driver gives
    a project that has no room for one as much more as its volume is large, until the next push."""
    more = drift.is_now - drift.pushed
    return drift.kind == Kind.VOLUME_GIB.value and 0 < more <= room_gib


# -- reading rows -----------------------------------------------------------------------------------------


def catalogue_names(uow: UnitOfWork, site_id: str, kind: str) -> dict[str, str]:
    """The catalogue's names by what the site calls things."""
    rows = uow.all(CatalogueItem, CatalogueItem.kind == kind)
    return {str((row.site_names or {}).get(site_id) or row.name): row.name for row in rows}


def _known(row: Resource, before: Mapping[str, str], external: Mapping[str, str]) -> Known:
    project = external.get(row.project_id or "")
    return Known(
        row.id, row.kind, row.name, row.external_id, row.state, row.origin, project, row.request_id,
        row.spec or {}, Amounts(row.amounts), before.get(row.id) == row.state,
    )  # fmt: skip


def _backup_rooms_gib(uow: UnitOfWork, site_id: str) -> dict[str, int]:
    """By project what its volumes have together, where they are backed up."""
    systems = uow.column(PolicyMember.system_id, PolicyMember.site_id == site_id)
    volumes = (Resource.site_id == site_id, Resource.kind == VOLUME, Resource.state != State.RELEASED)
    rooms: dict[str, int] = {}
    for project_id, amounts in uow.tuples(
        [Resource.project_id, Resource.amounts], *volumes, Resource.system_id.in_(systems)
    ):
        rooms[project_id] = rooms.get(project_id, 0) + Amounts(amounts)[Kind.VOLUME_GIB]
    return rooms


def _open_restores(uow: UnitOfWork, site_id: str) -> Restores:
    """Restores and proofs that go on here: what they make for a time is their business."""
    open_ones = uow.all(Restore, Restore.to_site_id == site_id, Restore.state.in_(("asked", "running")))
    volumes = (made.get("volume") for one in open_ones for made in (one.made or {}).values())
    return Restores(frozenset(str(one.id) for one in open_ones), frozenset(one for one in volumes if one))


def _busy_requests(uow: UnitOfWork, site_id: str) -> frozenset[int]:
    """Requests that an operation works on just now: their resources are its business."""
    subjects = uow.column(
        Operation.subject_id,
        Operation.state.in_(OPEN),
        Operation.subject_kind == "service_request",
        Operation.site_id == site_id,
    )
    return frozenset(int(subject) for subject in subjects)


# -- writing what was found -------------------------------------------------------------------------------


def _write(
    core: Core, uow: UnitOfWork, site_id: str, found: Comparison, projects: Mapping[str, Project]
) -> list[Json]:
    """States of rows, new rows for orphans, and when each was seen; the orphans that are new."""
    now = core.clock.now()
    for resource_id, (source, target) in found.moves.items():
        ended = {"ended_at": now} if target == State.RELEASED else {}
        uow.update(Resource, Resource.id == resource_id, Resource.state == source, state=target, **ended)
    for resource_id, thing in found.revenants.items():
        released = [Resource.id == resource_id, Resource.state == State.RELEASED]
        uow.update(Resource, *released, state=State.ORPHANED, external_id=thing.external_id, ended_at=None)
    for chunk in _chunks(sorted(found.seen)):
        uow.update(Resource, Resource.id.in_(chunk), seen_at=now)
    new = [_orphan(core, uow, site_id, thing, projects.get(thing.project)) for thing in found.orphans]
    return [*new, *(_thing(thing, resource_id) for resource_id, thing in found.revenants.items())]


def _orphan(core: Core, uow: UnitOfWork, site_id: str, thing: There, project: Project | None) -> Json:
    """A row for a thing of ours that is on none: by its tag's id and its own name where these are free."""
    tagged = thing.tags.get(TAG_RESOURCE, "")
    row_id = tagged if len(tagged) == 32 and uow.get(Resource, tagged) is None else new_id()
    uow.add(
        Resource(
            id=row_id,
            kind=thing.kind,
            site_id=site_id,
            project_id=project.id if project else None,
            system_id=project.system_id if project else None,
            department_id=project.department_id if project else None,
            request_id=_request_of(uow, thing),
            name=free_name(uow, site_id, thing.kind, thing.name, thing.external_id),
            external_id=thing.external_id,
            state=State.ORPHANED,
            origin="found",
            spec=dict(thing.facts),
            amounts=thing.amounts.as_json(),
            created_at=core.clock.now(),
            seen_at=core.clock.now(),
        )
    )
    return _thing(thing, row_id)


def free_name(uow: UnitOfWork, site_id: str, kind: str, name: str, external_id: str) -> str:
    """The name, told apart by the id where a row has it already: clouds allow twins, rows do not."""
    wanted = name or external_id
    taken = uow.count(Resource, Resource.site_id == site_id, Resource.kind == kind, Resource.name == wanted)
    return f"{wanted}~{external_id}" if taken else wanted


def _request_of(uow: UnitOfWork, thing: There) -> int | None:
    number = thing.tags.get(TAG_REQUEST, "")
    request = uow.get(ServiceRequest, int(number)) if number.isdigit() else None
    return request.id if request is not None else None


def _recount(uow: UnitOfWork, found: Comparison, names: Mapping[str, Known], count: Count) -> None:
    """Write the new amounts on the rows, and tell the ledger project by project."""
    more: dict[str, Amounts] = {}
    for resource_id, amounts in found.recounted.items():
        row = uow.need(Resource, resource_id)
        row.amounts = amounts.as_json()
        if row.project_id is not None:
            change = amounts - names[resource_id].amounts
            more[row.project_id] = more.get(row.project_id, Amounts()) + change
    uow.flush()
    for project_id, change in more.items():
        count(uow, uow.need(Project, project_id), change)


def _keep(core: Core, uow: UnitOfWork, actor: Actor, site_id: str, summary: Json) -> str:
    """Audit event, notice and the last result on the site's row; the site's title."""
    news = {
        key: len(summary[key]) for key in ("missing", "orphaned", "drift", "quota_drift", "projects_gone")
    }
    core.audit.record(uow, actor.user_id, "site.sync", "site", site_id, news, actor.trace_id)
    site = uow.for_update(Site, site_id)
    site.check = {**(site.check or {}), "sync": {**summary, "at": core.clock.now().isoformat()}}
    if any(news.values()):
        people = administrators.of_site(uow, site_id)
        words = (
            "sync of {site}: {missing} missing, {orphaned} orphaned, {drift} changed outside,"
            " {quota_drift} quotas changed, {projects_gone} projects gone"
        )
        tell(uow, core.clock, people, words, {"site": site_id, **news}, ("site", site_id))
    return site.title


# -- telling ------------------------------------------------------------------------------------------------


def _summary(
    found: Comparison, names: Mapping[str, Known], orphans: list[Json], there: Sequence[There]
) -> Json:
    moved = {
        target: [
            {"id": one, "name": names[one].name, "kind": names[one].kind, "was": source}
            for one, (source, to) in sorted(found.moves.items())
            if to == target
        ]
        for target in State
    }
    is_clean = not (found.moves or orphans or found.drifts)
    return {
        "state": "as_recorded" if is_clean else "differs",
        "counts": {kind: sum(thing.kind == kind for thing in there) for kind in (SERVER, VOLUME, PORT)}
        | {"ours": len(found.seen), "foreign": len(found.foreign)},
        "missing": moved[State.MISSING],
        "back": moved[State.ACTIVE],
        "broken": moved[State.ERROR],
        "removed": moved[State.RELEASED],
        "orphaned": orphans,
        "drift": [vars(drift) for drift in found.drifts],
        "foreign": [_thing(thing) for thing in found.foreign[:_LISTED]],
        "foreign_inside": [_thing(thing) for thing in found.foreign_inside[:_LISTED]],
    }


def _thing(thing: There, resource_id: str | None = None) -> Json:
    return {
        "id": resource_id,
        "name": thing.name,
        "state": thing.status,
        "kind": thing.kind,
        "external_id": thing.external_id,
        "project": thing.project,
    }


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
