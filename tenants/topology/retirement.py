"""What stands in the way of retiring or moving something: projects, resources, requests under way."""

from collections.abc import Iterable, Iterator
from typing import Any

from cloudctl.errors import Fault
from cloudctl.lifecycle import RequestState
from cloudctl.models import InformationSystem, Project, Resource, ServiceRequest
from cloudctl.store import UnitOfWork

OPEN = (
    RequestState.AWAITING_APPROVAL,
    RequestState.RETURNED,
    RequestState.BUILDING,
    RequestState.CANCELLING,
)
_NAMED = 5

Asked = tuple[str, str, str, list[str]]  # kind, id, action, differing attributes


def blockers(uow: UnitOfWork, changes: Iterable[Asked]) -> Iterator[Fault]:
    """One fault for each kind of thing that stands in the way, naming the first of them."""
    for kind, id_, action, differing in changes:
        if action == "retire" and kind in ("department", "system", "site"):
            yield from _held(uow, kind, id_)
            yield from _requests(uow, kind, id_, _column(ServiceRequest, kind) == id_)
            yield from _registered(uow, kind, id_)
        elif action == "retire" and kind == "zone":
            site, _, zone = id_.rpartition("/")
            yield from _requests(uow, kind, id_, ServiceRequest.site_id == site, ServiceRequest.zone == zone)
        elif action == "change" and kind == "system" and "department" in differing:
            yield from _requests(uow, kind, id_, ServiceRequest.system_id == id_)


def _held(uow: UnitOfWork, kind: str, id_: str) -> Iterator[Fault]:
    projects = uow.all(
        Project, _column(Project, kind) == id_, Project.state != "retired", order_by=[Project.name]
    )
    if projects:
        yield _fault(kind, id_, "it still holds {count} projects: {names}", [one.name for one in projects])
    resources = uow.all(
        Resource, _column(Resource, kind) == id_, Resource.ended_at.is_(None), order_by=[Resource.name]
    )
    if resources:
        names = [one.name for one in resources]
        yield _fault(kind, id_, "it still holds {count} resources: {names}", names)


def _registered(uow: UnitOfWork, kind: str, id_: str) -> Iterator[Fault]:
    """A department goes when the register has no system of it any more that is counted."""
    if kind != "department":
        return
    mine = (InformationSystem.department_id == id_, InformationSystem.origin != "topology")
    names = uow.column(InformationSystem.id, *mine, InformationSystem.retired_at.is_(None))
    if names:
        yield _fault(kind, id_, "the register has {count} systems of it: {names}", sorted(names))


def _requests(uow: UnitOfWork, kind: str, id_: str, *conditions: Any) -> Iterator[Fault]:
    found = uow.all(ServiceRequest, *conditions, ServiceRequest.state.in_(OPEN), order_by=[ServiceRequest.id])
    if found:
        yield _fault(kind, id_, "{count} requests are under way: {names}", [str(one.id) for one in found])


def _fault(kind: str, id_: str, template: str, names: list[str]) -> Fault:
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return Fault(f"{kind} {id_}", "still_in_use", template, {"count": len(names), "names": shown})


def _column(model: Any, kind: str) -> Any:
    return getattr(model, f"{kind}_id")
