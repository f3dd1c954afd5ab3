"""What may be given back: whether the resources a release names can be released, and whose they are."""

from collections.abc import Iterable, Sequence

from cloudctl.errors import Fault
from cloudctl.lifecycle import RequestState, ResourceState
from cloudctl.models import Project, Resource, ServiceRequest
from cloudctl.store import UnitOfWork
from tenants.draft import Draft

RELEASABLE = (ResourceState.ACTIVE, ResourceState.ERROR, ResourceState.MISSING)
OPEN = (
    RequestState.AWAITING_APPROVAL,
    RequestState.RETURNED,
    RequestState.BUILDING,
    RequestState.CANCELLING,
)


def faults_of_release(
    uow: UnitOfWork, draft: Draft, faults: list[Fault], request_id: int | None = None
) -> Project | None:
    """The one project all the resources belong to; adds to `faults` whatever forbids the release.

    `request_id` is the release request itself where it exists already.
    """
    rows = {row.id: row for row in uow.all(Resource, Resource.id.in_(draft.resources))}
    taken = _in_other_releases(uow, rows.values(), request_id)
    for index, key in enumerate(draft.resources):
        fault = _fault(f"resources[{index}]", key, rows.get(key), taken)
        if fault is not None:
            faults.append(fault)
    projects = {row.project_id for row in rows.values() if row.project_id is not None}
    if len(projects) > 1:
        params = {"projects": ", ".join(sorted(projects))}
        faults.append(
            Fault(
                "resources", "many_projects", "belong to several projects: {projects}", params, "ask for each"
            )
        )
    return uow.need(Project, min(projects)) if projects else None


def lock_projects(uow: UnitOfWork, resources: Sequence[str]) -> None:
    """Let one release of a project's resources be decided after the other."""
    for project in sorted(set(uow.column(Resource.project_id, Resource.id.in_(resources))) - {None}):
        uow.for_update(Project, project)


def _fault(place: str, key: str, row: Resource | None, taken: dict[str, int]) -> Fault | None:
    if row is None or row.project_id is None:
        return Fault(place, "unknown_name", "there is no resource '{id}'", {"id": key})
    params: dict[str, object] = {"name": row.name, "state": row.state, "request": taken.get(key)}
    if row.kind not in ("server", "volume") or row.spec.get("role") == "boot":
        return Fault(place, "goes_with_server", "{name} goes with its server", params, "name the server")
    if row.state not in RELEASABLE:
        return Fault(place, "not_releasable", "{name} is {state}", params)
    if key in taken:
        return Fault(place, "already_asked", "request {request} releases {name} already", params)
    return None


def _in_other_releases(uow: UnitOfWork, rows: Iterable[Resource], request_id: int | None) -> dict[str, int]:
    """Resources that another open request releases, each with that request."""
    projects = {row.project_id for row in rows}
    others = uow.all(
        ServiceRequest,
        ServiceRequest.kind == "release",
        ServiceRequest.state.in_(OPEN),
        ServiceRequest.project_id.in_(projects),
    )
    return {key: one.id for one in others if one.id != request_id for key in one.draft["resources"]}
