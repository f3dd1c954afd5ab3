"""Requests, operations, and what they make."""

from enum import StrEnum

from cloudctl.lifecycle.table import Transition


class RequestState(StrEnum):
    """Where a ServiceRequest stands. Stored: never rename one without a migration."""

    AWAITING_APPROVAL = "awaiting_approval"
    RETURNED = "returned"
    BUILDING = "building"
    CANCELLING = "cancelling"
    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class OperationState(StrEnum):
    """Where an Operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    ABANDONED = "abandoned"


class ResourceState(StrEnum):
    """Where a Resource stands; `intended` is written before the cloud is asked."""

    INTENDED = "intended"
    BUILDING = "building"
    ACTIVE = "active"
    ERROR = "error"
    RELEASING = "releasing"
    RELEASED = "released"
    MISSING = "missing"
    ORPHANED = "orphaned"
    FOREIGN = "foreign"


class HoldState(StrEnum):
    """What became of an amount reserved by a request."""

    HELD = "held"
    CONVERTED = "converted"
    FREED = "freed"


def _r(source: str, event: str, target: str, who: str) -> Transition[RequestState]:
    return Transition(RequestState(source), event, RequestState(target), frozenset(who.split()))


REQUEST: tuple[Transition[RequestState], ...] = (
    _r("awaiting_approval", "approve", "awaiting_approval", "approver"),
    _r("awaiting_approval", "approve_last", "building", "approver"),
    _r("awaiting_approval", "return", "returned", "approver"),
    _r("awaiting_approval", "reject", "rejected", "approver"),
    _r("awaiting_approval", "withdraw", "withdrawn", "requester"),
    _r("awaiting_approval", "cancel", "cancelled", "requester admin"),
    _r("awaiting_approval", "expire", "expired", "system"),
    _r("returned", "resubmit", "awaiting_approval", "requester"),
    _r("returned", "resubmit_automatic", "building", "requester"),
    _r("returned", "withdraw", "withdrawn", "requester"),
    _r("returned", "expire", "expired", "system"),
    _r("building", "deliver", "delivered", "system"),
    _r("building", "fail", "failed", "system"),
    _r("building", "cancel", "cancelling", "requester admin"),
    _r("cancelling", "undone", "cancelled", "system"),
    _r("cancelling", "deliver", "delivered", "system"),  # finished before the wish to stop was seen
)


def _o(source: str, event: str, target: str) -> Transition[OperationState]:
    return Transition(OperationState(source), event, OperationState(target), frozenset({"system"}))


OPERATION: tuple[Transition[OperationState], ...] = (
    _o("queued", "claim", "running"),
    _o("running", "finish", "done"),
    _o("running", "undo", "undoing"),
    _o("running", "fail", "failed"),
    _o("queued", "undo", "undoing"),
    _o("undoing", "fail", "failed"),
    _o("queued", "retry", "queued"),  # looked at now instead of after its pause
    _o("running", "retry", "running"),
    _o("undoing", "retry", "undoing"),
    _o("undoing", "abandon", "abandoned"),
)
