"""What a cloud administrator can do about an operation that waits: look again now, or give it up."""

from collections.abc import Callable
from datetime import timedelta

from cloudctl.actors import Actor
from cloudctl.core import Core
from cloudctl.lifecycle import OPERATION, OperationState, ResourceState, move
from cloudctl.models import Operation, Resource
from cloudctl.store import UnitOfWork

OnEnd = Callable[[UnitOfWork, Operation], None]


def retry(core: Core, actor: Actor, operation_id: int) -> None:
    """Make an open operation due now, with a new deadline, instead of after its growing pause.

    Again changes nothing more. WrongState when it has ended: what failed is undone, so ask anew.
    """
    with core.store.write() as uow:
        row = _locked(uow, actor, operation_id)
        move(OPERATION, OperationState(row.state), "retry")
        now = core.clock.now()
        row.next_at, row.attempts = now, 0
        row.deadline_at = now + timedelta(seconds=core.settings.operation_deadline_s)
        core.audit.record(uow, actor.user_id, "operation.retry", "operation", row.id, trace_id=actor.trace_id)
        uow.after_commit(lambda: core.bell.ring(operation_id))


def abandon(core: Core, actor: Actor, operation_id: int, on_end: OnEnd, reason: str = "") -> None:
    """End an undo that cannot be finished; what it leaves on the cloud is shown as orphaned.

    Nothing is deleted. The worker that holds the operation loses it by the raised fence. `on_end` is what
    the engine calls at every end. WrongState unless the operation is undoing.
    """
    with core.store.write() as uow:
        row = _locked(uow, actor, operation_id)
        row.state = move(OPERATION, OperationState(row.state), "abandon")
        row.fence, row.lease_owner, row.lease_until = row.fence + 1, None, None
        row.ended_at, row.why = core.clock.now(), ""
        left = _leave(core, uow, row)
        details = {"reason": reason, "left": left}
        actor_id, trace = actor.user_id, actor.trace_id
        core.audit.record(uow, actor_id, "operation.abandon", "operation", row.id, details, trace)
        on_end(uow, row)


def _locked(uow: UnitOfWork, actor: Actor, operation_id: int) -> Operation:
    row = uow.for_update(Operation, operation_id)
    actor.must("operation.retry", [("site", row.site_id)] if row.site_id else [])
    return row


def _leave(core: Core, uow: UnitOfWork, operation: Operation) -> list[str]:
    """Mark what the request made and still has; the names of what stays on the cloud."""
    if operation.subject_kind != "service_request":
        return []
    of_request = (Resource.request_id == int(operation.subject_id), Resource.state != ResourceState.RELEASED)
    left = sorted(uow.column(Resource.name, *of_request, Resource.external_id.is_not(None)))
    uow.update(
        Resource,
        *of_request,
        Resource.external_id.is_(None),
        state=ResourceState.RELEASED,
        ended_at=core.clock.now(),
    )
    uow.update(Resource, *of_request, state=ResourceState.ORPHANED)
    return left
