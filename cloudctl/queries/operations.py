"""Reads of operations and their journal, as the actor may see."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import String, cast, or_, select

from cloudctl.actors import Actor
from cloudctl.errors import NotFound
from cloudctl.lifecycle import OperationState
from cloudctl.models import (
    InformationSystem,
    Operation,
    PointProof,
    RecoveryPoint,
    Restore,
    ServiceRequest,
    Step,
)
from cloudctl.queries.moments import iso
from cloudctl.queries.sight import Sight
from cloudctl.store import UnitOfWork

Json = dict[str, Any]
Rows = list[Json]
OPEN = (OperationState.QUEUED, OperationState.RUNNING, OperationState.UNDOING)
PAGE = 100


def list_operations(
    uow: UnitOfWork,
    actor: Actor,
    state: str | None = None,
    request: int | None = None,
    site: str | None = None,
    limit: int = PAGE,
    marker: int | None = None,
) -> Rows:
    """Operations, the newest first; `marker` is the last one seen before. State `open`: all that go on."""
    conditions = [*_may_see(uow, actor)]
    filters = (
        (Operation.state, None if state == "open" else state),
        (Operation.site_id, site),
        (Operation.subject_id, request),
    )
    conditions += [column == str(value) for column, value in filters if value is not None]
    if request is not None:
        conditions.append(Operation.subject_kind == "service_request")
    if state == "open":
        conditions.append(Operation.state.in_(OPEN))
    if marker is not None:
        conditions.append(Operation.id < marker)
    rows = uow.all(Operation, *conditions, order_by=[Operation.id.desc()], limit=limit)
    return [as_json(row) for row in rows]


def show_operation(uow: UnitOfWork, actor: Actor, operation_id: int) -> Json:
    """One operation with the steps of its journal in their order; NotFound when not seen."""
    found = uow.first(Operation, *_may_see(uow, actor), Operation.id == operation_id)
    if found is None:
        raise NotFound("{what} '{key}' does not exist", what="operation", key=str(operation_id))
    steps = uow.all(Step, Step.operation_id == operation_id, order_by=[Step.started_at, Step.id])
    return {**as_json(found), "steps": [_step(step) for step in steps]}


def as_json(row: Operation) -> Json:
    """The keys that scripts rely on."""
    return {
        "id": row.id,
        "name": f"{row.kind} {row.subject_kind} {row.subject_id}",
        "state": row.state,
        "kind": row.kind,
        "subject_kind": row.subject_kind,
        "subject_id": row.subject_id,
        "site": row.site_id,
        "step": row.step,
        "why": row.why,
        "progress_done": row.progress_done,
        "progress_total": row.progress_total,
        "attempts": row.attempts,
        "next_at": iso(row.next_at),
        "deadline_at": iso(row.deadline_at),
        "cancel_asked_at": iso(row.cancel_asked_at),
        "error_code": row.error_code,
        "error_message": row.error_message,
        "cloud_request_id": row.cloud_request_id,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
    }


def _step(step: Step) -> Json:
    return {
        "id": step.id,
        "name": step.name,
        "state": step.state,
        "note": step.note,
        "cloud_request_id": step.cloud_request_id,
        "started_at": iso(step.started_at),
        "ended_at": iso(step.ended_at),
    }


def _may_see(uow: UnitOfWork, actor: Actor) -> Sequence[Any]:
    """Conditions on operations: those of requests of departments that are seen, and of own sites."""

    def of_requests(departments: Any) -> Any:
        requests = uow.column(ServiceRequest.id, ServiceRequest.department_id.in_(departments))
        ids = [str(one) for one in requests]
        mine = (Operation.subject_kind == "service_request") & Operation.subject_id.in_(ids)
        return or_(mine, *_of_points(departments))

    return Sight(uow, actor, "operation.see").own(of_requests, Operation.site_id)


def _of_points(departments: Any) -> Iterator[Any]:
    """Conditions on operations that make, prove and bring back points of these departments' systems."""
    systems = select(InformationSystem.id).where(InformationSystem.department_id.in_(departments))
    points = select(RecoveryPoint.id).where(RecoveryPoint.system_id.in_(systems))
    yield (Operation.subject_kind == "recovery_point") & Operation.subject_id.in_(points)
    for kind, model in (("point_proof", PointProof), ("restore", Restore)):
        ids = select(cast(model.id, String)).where(model.point_id.in_(points))
        yield (Operation.subject_kind == kind) & Operation.subject_id.in_(ids)
