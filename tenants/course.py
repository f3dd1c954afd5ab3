"""How a request moves on: compare-and-set along the state table, work begun, people told."""

from collections.abc import Mapping
from typing import Any

from cloudctl import notices, operations
from cloudctl.actors import Actor
from cloudctl.clock import Clock
from cloudctl.core import Core
from cloudctl.errors import Conflict, NotFound
from cloudctl.lifecycle import REQUEST, RequestState, move
from cloudctl.models import Department, ServiceRequest
from cloudctl.queries import requests as queries
from cloudctl.queries import scopes
from cloudctl.store import UnitOfWork
from tenants.stages import Stage

SUBJECT = "service_request"
_WORK = {"release": "release", "backup": "enrol"}  # kinds of operations; everything else is built


def visible(uow: UnitOfWork, actor: Actor, request_id: int) -> ServiceRequest:
    """The request; NotFound when there is none that the actor may see."""
    request = uow.get(ServiceRequest, int(request_id))
    if request is not None:
        path = scopes.department_path(uow, request.department_id, request.site_id)
        if request.requested_by == actor.user_id or actor.may("request.see", path):
            return request
    raise NotFound("request {id} does not exist", id=request_id)


def move_request(
    uow: UnitOfWork, clock: Clock, request: ServiceRequest, event: str, **values: Any
) -> RequestState:
    """Move the request along the state table and set the values; Conflict when somebody was faster."""
    target = move(REQUEST, RequestState(request.state), event)
    request_id = request.id
    moved = uow.update(
        ServiceRequest,
        ServiceRequest.id == request_id,
        ServiceRequest.state == request.state,
        ServiceRequest.version == request.version,
        state=target,
        version=request.version + 1,
        changed_at=clock.now(),
        **values,
    )
    if not moved:
        raise Conflict("request {id} has changed meanwhile; look again", id=request_id)
    return target


def begin_work(core: Core, uow: UnitOfWork, request: ServiceRequest) -> int:
    """Write the operation that does what was approved, and ring for it once that is on disk."""
    request_id = request.id
    kind = _WORK.get(request.kind, "build")
    deadline_s = core.settings.operation_deadline_s
    subject = (SUBJECT, request_id)
    operation = operations.start(uow, core.clock, kind, subject, request.site_id, deadline_s)
    operation_id = operation.id
    uow.update(ServiceRequest, ServiceRequest.id == request_id, operation_id=operation_id, expires_at=None)
    uow.after_commit(lambda: core.bell.ring(operation_id))
    return operation_id


def ask_next(core: Core, uow: UnitOfWork, request: ServiceRequest) -> None:
    """Tell those who can decide the present stage that it waits for them."""
    stage = Stage.from_json(request.stages[request.stage])
    but = {request.requested_by, *queries.approvers(uow, request.id)}
    people = [user.id for user in queries.people_for(uow, stage.role, stage.scope, but)]
    template = "request {id} of {department} waits for your decision: {stage} ({title})"
    params = {**_words(uow, request), "stage": stage.title}
    notices.tell(uow, core.clock, people, template, params, (SUBJECT, request.id), needs_action=True)


def tell_requester(
    core: Core,
    uow: UnitOfWork,
    request: ServiceRequest,
    template: str,
    params: Mapping[str, object] | None = None,
    needs_action: bool = False,
) -> None:
    """Tell whoever asked what became of it; nobody has to decide anything about it any more."""
    settle_notices(core, uow, request)
    subject = (SUBJECT, request.id)
    words = {**_words(uow, request), **(params or {})}
    notices.tell(uow, core.clock, [request.requested_by], template, words, subject, needs_action)


def settle_notices(core: Core, uow: UnitOfWork, request: ServiceRequest) -> None:
    """Whoever was asked to act on the request has not to any more."""
    notices.settle(uow, core.clock, (SUBJECT, request.id))


def record(
    core: Core, uow: UnitOfWork, actor: Actor, action: str, request: ServiceRequest, **details: object
) -> None:
    """The event of the audit chain."""
    known = {"kind": request.kind, "system": request.system_id, "site": request.site_id}
    core.audit.record(uow, actor.user_id, action, SUBJECT, request.id, {**known, **details}, actor.trace_id)


def _words(uow: UnitOfWork, request: ServiceRequest) -> dict[str, object]:
    department = uow.need(Department, request.department_id)
    title = queries.title(request.kind, request.draft)
    return {"id": request.id, "title": title, "department": department.name}
