"""State tables as data, the one function that moves along them, and the outcomes of a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from cloudctl.errors import CloudctlError, WrongState


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


class MigrationStage(StrEnum):
    """How far a system has come on its way onto the cloud. Stored: never rename one without a migration."""

    REGISTERED = "registered"
    CLASSIFIED = "classified"
    ASSESSED = "assessed"
    PLANNED = "planned"
    AGREED = "agreed"
    MIGRATING = "migrating"
    TRIAL = "trial"
    ACCEPTED = "accepted"
    DONE = "done"
    EXEMPT = "exempt"
    RETIRED = "retired"
    MERGED = "merged"


class PointState(StrEnum):
    """Where a RecoveryPoint stands. Stored: never rename one without a migration."""

    PLANNED = "planned"
    CAPTURING = "capturing"  # frozen, snapshotted, thawed, read by the site's own backup service
    COPYING = "copying"  # being sealed into the vaults
    SEALED = "sealed"  # complete in every vault of its policy; nothing read back yet
    PROTECTED = "protected"  # read back and right
    SUSPECT = "suspect"  # something of it is wrong
    LOST = "lost"  # wrong, and the source no longer has it
    EXPIRING = "expiring"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FailoverState(StrEnum):
    """How far the move of a protection group to another site has come. Stored: never rename one without a
    migration. What each step proves is in docs/model/failover.pml, checked in every order of events."""

    REQUESTED = "requested"
    APPROVED = "approved"  # by two people, for this very plan
    RESERVED = "reserved"  # room at the other site is held
    DRAINED = "drained"  # planned moves only: users are away from the old site
    SEIZED = "seized"  # the epoch is ours and closed: the old site can no longer renew its lease
    FENCED = "fenced"  # proof that the old site's writers stopped, or their lease is over
    SYNCED = "synced"  # planned moves only: what was written last has arrived
    PROMOTING = "promoting"  # the intent; no way back from here
    PROMOTED = "promoted"
    OPENED = "opened"  # the epoch is open: the agent here may take the lease
    STARTED = "started"
    VALIDATED = "validated"  # the application answered
    SHIFTED = "shifted"  # users are here
    COMMITTED = "committed"
    GIVING_BACK = "giving_back"
    ABORTED = "aborted"


S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class Transition(Generic[S]):
    """One permitted move: from where, by which event, to where, and which roles may cause it."""

    source: S
    event: str
    target: S
    who: frozenset[str] = frozenset()


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


def _m(source: str, event: str, target: str, who: str) -> Transition[MigrationStage]:
    return Transition(MigrationStage(source), event, MigrationStage(target), frozenset(who.split()))


_OWNER, _CLOUD = "department_approver division_reviewer", "cloud_admin province_admin"
_BEFORE_TRIAL = ("registered", "classified", "assessed", "planned", "agreed", "migrating")
_ON_CLOUD = ("trial", "accepted", "done")

# What each stage has to show is in tenants/migration/stages.py; `exempt` needs a second person.
MIGRATION: tuple[Transition[MigrationStage], ...] = (
    _m("registered", "classify", "classified", _OWNER),
    _m("classified", "assess", "assessed", f"{_OWNER} {_CLOUD}"),
    _m("assessed", "plan", "planned", f"{_OWNER} {_CLOUD}"),
    _m("planned", "agree", "agreed", f"{_OWNER} {_CLOUD}"),
    _m("agreed", "migrate", "migrating", f"{_OWNER} {_CLOUD}"),
    _m("migrating", "try", "trial", f"{_OWNER} {_CLOUD}"),
    _m("trial", "roll_back", "migrating", f"{_OWNER} {_CLOUD}"),
    _m("trial", "accept", "accepted", _OWNER),
    _m("accepted", "finish", "done", f"{_OWNER} {_CLOUD}"),
    _m("accepted", "revoke", "trial", "province_admin"),
    _m("done", "revoke", "trial", "province_admin"),
    *(_m(stage, "exempt", "exempt", "province_admin") for stage in _BEFORE_TRIAL),
    _m("exempt", "end_exemption", "classified", "province_admin system"),
    *(_m(stage, "retire", "retired", _OWNER) for stage in (*_BEFORE_TRIAL, *_ON_CLOUD, "exempt")),
    *(_m(stage, "merge", "merged", _OWNER) for stage in (*_BEFORE_TRIAL, *_ON_CLOUD, "exempt")),
    _m("retired", "restore", "registered", "province_admin"),
)


def _p(source: str, event: str, target: str, who: str = "system") -> Transition[PointState]:
    return Transition(PointState(source), event, PointState(target), frozenset(who.split()))


POINT: tuple[Transition[PointState], ...] = (
    _p("planned", "capture", "capturing"),
    _p("capturing", "copy", "copying"),
    _p("copying", "seal", "sealed"),
    _p("sealed", "prove", "protected"),
    _p("protected", "prove", "protected"),
    _p("sealed", "doubt", "suspect"),
    _p("protected", "doubt", "suspect"),
    _p("suspect", "doubt", "suspect"),
    _p("suspect", "prove", "protected"),
    _p("suspect", "lose", "lost"),
    _p("lost", "prove", "protected"),  # found again, for instance in a vault that was cut off
    *(_p(state, "expire", "expiring") for state in ("sealed", "protected", "suspect", "lost")),
    _p("expiring", "finish", "expired"),
    *(_p(state, "fail", "failed") for state in ("planned", "capturing", "copying")),
    *(_p(state, "cancel", "cancelled", "admin") for state in ("planned", "capturing", "copying")),
)


def _f(source: str, event: str, target: str, who: str = "system") -> Transition[FailoverState]:
    return Transition(FailoverState(source), event, FailoverState(target), frozenset(who.split()))


_RETURNABLE = ("requested", "approved", "reserved", "drained", "seized", "fenced", "synced")

FAILOVER: tuple[Transition[FailoverState], ...] = (
    _f("requested", "approve", "approved", "approver"),
    _f("approved", "reserve", "reserved"),
    _f("reserved", "drain", "drained"),
    _f("reserved", "seize", "seized"),
    _f("drained", "seize", "seized"),
    *(_f(state, "lose", "aborted") for state in ("reserved", "drained", "promoting", "promoted")),
    _f("seized", "fence", "fenced"),
    _f("fenced", "sync", "synced"),
    _f("fenced", "promote", "promoting"),
    _f("synced", "promote", "promoting"),
    _f("promoting", "promoted", "promoted"),
    _f("promoted", "open", "opened"),
    _f("opened", "start", "started"),
    _f("started", "validate", "validated"),
    _f("validated", "shift", "shifted"),
    _f("shifted", "commit", "committed", "requester admin"),
    *(_f(state, "abort", "giving_back", "requester admin system") for state in _RETURNABLE),
    _f("giving_back", "return", "aborted"),
)


def move(table: tuple[Transition[S], ...], state: S, event: str) -> S:
    """The state that `event` leads to from `state`; WrongState when the table has no such row."""
    for row in table:
        if row.source == state and row.event == event:
            return row.target
    possible = ", ".join(sorted({row.event for row in table if row.source == state})) or "-"
    raise WrongState(
        "'{event}' is not possible in state '{state}'; possible: {possible}",
        event=event,
        state=state.value,
        possible=possible,
    )


# -- what a step of an operation answers ------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """The operation is finished."""

    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Later:
    """Look again in `seconds`; `why` is shown to whoever watches."""

    seconds: float
    why: str = ""


@dataclass(frozen=True)
class Failed:
    """The operation has ended without its result; all it made is undone."""

    error: CloudctlError


Outcome = Done | Later | Failed
