"""What one pass of a move works on: its rows, the plan it was approved for, and where both sites are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudctl.actors import SYSTEM
from cloudctl.audit import Audit
from cloudctl.lifecycle import FAILOVER, FailoverState, OperationState, move
from cloudctl.models import Failover, FailoverApproval, Operation, ProtectionPlan, Site
from cloudctl.operations import Run
from cloudctl.store import UnitOfWork
from dr.plans.document import Document, Part, Way, of_json

KIND = "failover"  # of the operation
SUBJECT = "failover"
PLANNED, UNPLANNED = "planned", "unplanned"
KINDS = (PLANNED, UNPLANNED)
ABORT, LOSE = "abort", "lose"  # events
TAKEN, OPENED_AT = "register_epoch", "register_opened_at"  # in `made`: what the register itself has said
UNREAD = "base_epoch_unread"  # in `made`: nobody answered when the move was asked for

#: From here on nothing is given back: a move goes on, whatever it meets.
RETURNABLE = frozenset(row.source for row in FAILOVER if row.event == ABORT)
ENDED = (FailoverState.COMMITTED, FailoverState.ABORTED)


@dataclass(frozen=True)
class MoveJob:
    """The rows as they were when the pass began; written only through `run.write()`."""

    installation: str
    operation: Operation
    failover: Failover
    plan: ProtectionPlan
    approvals: tuple[FailoverApproval, ...]
    site: Site  # to which it goes
    audit: Audit | None = None  # into which every state goes that is entered
    must_be_mine: Callable[[], None] = lambda: None  # reads the register again; Conflict when it is not

    @cached_property
    def document(self) -> Document:
        """The plan as it was approved; the row of the plan may say something else by now."""
        return of_json(self.failover.plan)

    @property
    def state(self) -> FailoverState:
        return FailoverState(self.failover.state)

    @property
    def is_undoing(self) -> bool:
        return self.operation.state == OperationState.UNDOING

    @property
    def is_planned(self) -> bool:
        return self.failover.kind == PLANNED

    @property
    def is_glass_broken(self) -> bool:
        """Whether two people have said that it goes on without what it would have to wait for."""
        return bool((self.failover.glass or {}).get("second"))

    @property
    def made(self) -> Mapping[str, Any]:
        return self.failover.made or {}

    @property
    def group(self) -> str:
        return self.document.name

    def parts(self, way: Way) -> tuple[Part, ...]:
        """The parts whose data comes that way."""
        return tuple(one for one in self.document.parts if one.way == way)


def load(run: Run, installation: str, audit: Audit | None = None) -> MoveJob:
    """Read everything the move is about, in one short transaction."""
    with run.store.read() as uow:
        operation = uow.need(Operation, run.operation_id)
        failover = uow.need(Failover, int(operation.subject_id))
        mine = FailoverApproval.failover_id == failover.id
        return MoveJob(
            installation,
            operation,
            failover,
            uow.need(ProtectionPlan, failover.plan_id),
            tuple(uow.all(FailoverApproval, mine, order_by=[FailoverApproval.id])),
            uow.need(Site, failover.to_site_id),
            audit,
        )


def enter(uow: UnitOfWork, run: Run, job: MoveJob, event: str, note: str = "") -> Failover | None:
    """Take the move along its table, in the caller's transaction; None when somebody else did meanwhile.

    Nobody asked to stop it either: that and a state with no way back exclude each other here.
    """
    row = uow.for_update(Failover, job.failover.id)
    operation = uow.need(Operation, run.operation_id)
    if row.state != job.failover.state:
        return None
    if operation.cancel_asked_at is not None and event != ABORT and job.state in RETURNABLE:
        return None
    go(row, event, run.clock.now().isoformat())
    run.journal(uow, row.state, "done", note)
    if row.state in ENDED:
        look_soon(uow, row)
    if job.audit is not None:
        told = {"plan": job.group, "from": row.from_site_id, "to": row.to_site_id, "note": note}
        job.audit.record(uow, SYSTEM.user_id, f"failover.{row.state}", SUBJECT, row.id, told)
    return row


def go(row: Failover, event: str, at: str) -> None:
    """The next state by the table, and when it was reached. WrongState where there is none."""
    row.state = move(FAILOVER, FailoverState(row.state), event)
    row.times = {**(row.times or {}), row.state: at}


def look_soon(uow: UnitOfWork, row: Failover) -> None:
    """The plan is looked at in the next round of its lookers: its state, and the room that it holds."""
    uow.need(ProtectionPlan, row.plan_id).seen_at = None


def remember(run: Run, failover_id: int, **values: Any) -> None:
    """Merge what was made, before or after it was."""
    with run.write() as (uow, _operation):
        row = uow.for_update(Failover, failover_id)
        row.made = {**(row.made or {}), **values}


def bound_faults(document_sha256: str, approved: Iterable[str]) -> list[str]:
    """Pure: the approvals that were given for another plan than the one that is carried out."""
    return [one for one in approved if one != document_sha256]
