"""What follows from the end of an operation on a request: holds settled, state set, people told."""

from collections.abc import Callable

from cloudctl import notices
from cloudctl.actors import SYSTEM, Role
from cloudctl.core import Core
from cloudctl.lifecycle import HoldState, OperationState, RequestState
from cloudctl.models import Operation, Project, ServiceRequest
from cloudctl.queries import requests as queries
from cloudctl.store import UnitOfWork
from tenants import course, ledger
from tenants.bulletin import flow, reports

_EVENTS = {
    (RequestState.BUILDING, True): "deliver",
    (RequestState.BUILDING, False): "fail",
    (RequestState.CANCELLING, True): "deliver",  # it was finished before the wish to stop was seen
    (RequestState.CANCELLING, False): "undone",
}
_TOLD = {
    RequestState.DELIVERED: "request {id} ({title}) is delivered",
    RequestState.FAILED: "request {id} ({title}) could not be carried out: {error}",
    RequestState.CANCELLED: "request {id} ({title}) is cancelled; what was made for it is undone",
}


def settle(core: Core) -> Callable[[UnitOfWork, Operation], None]:
    """What the engine calls in the transaction that ends an operation, by what the operation was about."""

    def on_end(uow: UnitOfWork, operation: Operation) -> None:
        if operation.subject_kind == course.SUBJECT:
            _settle(core, uow, operation)
        elif operation.subject_kind == flow.SUBJECT:
            reports.settle(core, uow, operation)

    return on_end


def _settle(core: Core, uow: UnitOfWork, operation: Operation) -> None:
    request = uow.need(ServiceRequest, int(operation.subject_id))
    is_done = operation.state == OperationState.DONE
    error = operation.error_message or operation.error_code or ""
    event = _EVENTS.get((RequestState(request.state), is_done))
    if event is None:  # tried again after its request had ended: only what is there now counts
        ledger.count_used(uow, request.project_id)
        return
    target = course.move_request(
        uow,
        core.clock,
        request,
        event,
        ended_at=core.clock.now(),
        delivered=operation.scratch.get("delivered", {}) if is_done else {},
        error_code=None if is_done else operation.error_code,
        error_message=None if is_done else operation.error_message,
        cloud_request_id=operation.cloud_request_id,
    )
    to = HoldState.CONVERTED if is_done else HoldState.FREED
    ledger.settle_project(uow, core.clock, request.id, request.project_id, to)
    if is_done and request.kind != "release":
        planned = (Project.id == request.project_id, Project.state == "planned")
        uow.update(Project, *planned, Project.external_id.is_not(None), state="active")
    course.tell_requester(core, uow, request, _TOLD[target], {"error": error})
    if target is RequestState.FAILED:
        _tell_administrators(core, uow, request, error)
    course.record(core, uow, SYSTEM, f"request.{event}", request, operation=operation.id, error=error or None)


def _tell_administrators(core: Core, uow: UnitOfWork, request: ServiceRequest, error: str) -> None:
    people = [user.id for user in queries.people_for(uow, Role.CLOUD_ADMIN, ("site", request.site_id))]
    params = {"id": request.id, "site": request.site_id, "error": error}
    template = "request {id} failed at the cloud {site}: {error}"
    notices.tell(uow, core.clock, people, template, params, (course.SUBJECT, request.id))
