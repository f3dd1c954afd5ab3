"""Durable operations: an Operation is a row; whoever holds its lease moves it on, and a crash loses nothing.

Claiming raises the fence; every commit of a flow checks that its fence is still the newest. A worker
that was only slow therefore cannot write over the one that took its place.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from cloudctl.clock import Clock, new_id
from cloudctl.errors import CloudctlError, Conflict, LeaseLost, StoreUnavailable, TimedOut
from cloudctl.lifecycle import OPERATION, Failed, Later, OperationState, Outcome, move
from cloudctl.models import Operation, Step
from cloudctl.observing import allowed_kinds, must_act
from cloudctl.store import Store, UnitOfWork

log = logging.getLogger(__name__)

OPEN = (OperationState.QUEUED, OperationState.RUNNING, OperationState.UNDOING)
STAY_S = 5.0  # a flow that wants to look again sooner keeps its lease and its thread
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


@dataclass
class Run:
    """An operation in the hands of the worker that claimed it."""

    store: Store
    clock: Clock
    operation_id: int
    kind: str
    subject_id: str
    site_id: str | None
    owner: str
    fence: int
    is_resumed: bool  # somebody held it before: what was begun may be there already
    lease_s: int
    held_until: float  # by the clock's ticks, of the moment before the lease was written
    stopping: threading.Event = field(default_factory=threading.Event)  # set when the worker is to let go

    @contextmanager
    def write(self) -> Iterator[tuple[UnitOfWork, Operation]]:
        """A transaction that commits only while this worker holds the lease; LeaseLost otherwise."""
        with self.store.write() as uow:
            held_until = self.clock.ticks() + self.lease_s
            if not self._renewed(uow):
                raise LeaseLost("operation {id} is held by another worker", id=self.operation_id)
            yield uow, uow.need(Operation, self.operation_id)
        self.held_until = held_until

    def renew(self) -> bool:
        """Keep the lease; False when it is lost."""
        with self.store.write() as uow:
            held_until = self.clock.ticks() + self.lease_s
            is_held = self._renewed(uow)
        if is_held:
            self.held_until = held_until
        return is_held

    def must_hold(self) -> None:
        """LeaseLost when the lease has run out; to be asked right before a call that makes something.

        A worker that was frozen for longer than its lease wakes up in the middle of a batch: what is left
        of the batch now belongs to the one that took its place. Told by ticks: whoever sets the clock of this
        machine back makes no lease longer.
        """
        if self.clock.ticks() >= self.held_until:
            raise LeaseLost("the lease of operation {id} has run out", id=self.operation_id)

    def journal(
        self, uow: UnitOfWork, name: str, state: str, note: str = "", cloud_request_id: str | None = None
    ) -> None:
        """Write or bring on a step of the journal, in the caller's transaction."""
        step = uow.first(Step, Step.operation_id == self.operation_id, Step.name == name)
        now = self.clock.now()
        if step is None:
            step = Step(operation_id=self.operation_id, name=name, state=state, started_at=now)
            uow.session.add(step)
        step.state, step.note = state, note or step.note or ""
        step.cloud_request_id = cloud_request_id or step.cloud_request_id
        step.ended_at = None if state == "started" else now
        uow.flush()

    def _renewed(self, uow: UnitOfWork) -> bool:
        until = self.clock.now() + timedelta(seconds=self.lease_s)
        return uow.update(Operation, *self._mine(), lease_until=until) == 1

    def _mine(self) -> list[Any]:
        return [
            Operation.id == self.operation_id,
            Operation.fence == self.fence,
            Operation.lease_owner == self.owner,
        ]


class Flow(Protocol):
    """One kind of operation. All it must remember is in rows; it may be asked again after any crash."""

    def advance(self, run: Run) -> Outcome:
        """Do what can be done now. Raises CloudctlError; a retryable one is tried again with backoff."""

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        """`advance` cannot go on: begin to undo (Later) or end (Failed). Must itself be repeatable."""


def start(
    uow: UnitOfWork,
    clock: Clock,
    kind: str,
    subject: tuple[str, object],
    site_id: str | None,
    deadline_s: int,
) -> Operation:
    """Write an operation in the transaction of what caused it.

    ObserveOnly while the database, brought back from a vault, may not act on clouds yet.
    """
    must_act(uow, kind)
    now = clock.now()
    return uow.add(
        Operation(
            kind=kind,
            subject_kind=subject[0],
            subject_id=str(subject[1]),
            site_id=site_id,
            state=OperationState.QUEUED,
            next_at=now,
            deadline_at=now + timedelta(seconds=deadline_s),
            created_at=now,
        )
    )


class Engine:
    """Claims due operations and moves them on. Any number may run, in threads, processes and hosts.

    `on_end` is called in the very transaction that ends an operation: what follows from the end (holds
    converted or freed, the request's state, notices) is on disk with it or not at all.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        flows: Mapping[str, Flow],
        lease_s: int = 30,
        on_end: Callable[[UnitOfWork, Operation], None] = lambda _uow, _row: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._flows = flows
        self._lease_s = lease_s
        self._on_end = on_end
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let go of what is held at the next good place."""
        self._stopping.set()

    def due(self, limit: int = 100) -> list[int]:
        """The ids of the operations that somebody should move on now, the longest due first."""
        now = self._clock.now()
        with self._store.read() as uow:
            rows = uow.all(
                Operation,
                Operation.state.in_(OPEN),
                Operation.next_at <= now,
                (Operation.lease_until.is_(None)) | (Operation.lease_until < now),
                *_held_back(uow),
                order_by=[Operation.next_at, Operation.id],
                limit=limit,
            )
            return [row.id for row in rows if row.kind in self._flows]

    def run(self, operation_id: int) -> bool:
        """Claim the operation and move it on until it ends or wants to wait long. False: not to be had."""
        claimed = self._claim(operation_id)
        if claimed is None:
            return False
        with self._heartbeat(claimed):
            while True:
                outcome = self._advance(claimed)
                if outcome is None or not self._wait(claimed, outcome):
                    return True

    # -- the pieces

    def _claim(self, operation_id: int) -> Run | None:
        now, held_until = self._clock.now(), self._clock.ticks() + self._lease_s
        until = now + timedelta(seconds=self._lease_s)
        owner = new_id()
        with self._store.write() as uow:
            free = (Operation.lease_until.is_(None)) | (Operation.lease_until < now)
            found = uow.update_one_returning(
                Operation,
                [
                    Operation.id == operation_id,
                    Operation.state.in_(OPEN),
                    Operation.next_at <= now,
                    free,
                    *_held_back(uow),
                ],
                {
                    "lease_owner": owner,
                    "lease_until": until,
                    "fence": Operation.fence + 1,
                },
                [Operation.fence],
            )
            if found is None:
                return None
            row = uow.need(Operation, operation_id)
            row.started_at = row.started_at or now
            if row.state == OperationState.QUEUED:
                row.state = move(OPERATION, OperationState.QUEUED, "claim")
            return Run(
                self._store, self._clock, row.id, row.kind, row.subject_id, row.site_id,
                owner, found[0], found[0] > 1, self._lease_s, held_until, self._stopping,
            )  # fmt: skip

    def _advance(self, run: Run) -> Outcome | None:
        """One pass of the flow with its result saved; None when the lease was lost or the store is away."""
        try:
            outcome, has_failed = self._outcome(run)
            return self._save(run, outcome, has_failed)
        except LeaseLost:
            log.warning("operation %s: lease lost", run.operation_id)
            return None
        except StoreUnavailable as error:
            log.warning("operation %s: %s", run.operation_id, error)
            return None  # the lease ends by itself, and the row is due again

    def _outcome(self, run: Run) -> tuple[Outcome, bool]:
        """What the flow answers, and whether that came out of a failure."""
        try:
            outcome = self._flows[run.kind].advance(run)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            failure = _as_failure(run, error)
        else:
            if not isinstance(outcome, Later) or not self._is_late(run):
                return outcome, False
            failure = TimedOut("not done by the deadline; it waited for: {why}", why=outcome.why or "-")
        attempts, is_late = self._count_failure(run, failure)
        if (failure.retry or isinstance(failure, Conflict)) and not is_late:
            return Later(_backoff(attempts), failure.text()), True
        return self._give_up(run, failure, attempts), True

    def _give_up(self, run: Run, failure: CloudctlError, attempts: int) -> Outcome:
        """The flow's own way out; when that fails too, it is tried again."""
        try:
            return self._flows[run.kind].give_up(run, failure)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            return Later(_backoff(attempts), _as_failure(run, error).text())

    def _is_late(self, run: Run) -> bool:
        """Past the deadline with work that may still be given up; undoing has no deadline."""
        with self._store.read() as uow:
            row = uow.need(Operation, run.operation_id)
            return row.state != OperationState.UNDOING and is_past(row.deadline_at, self._clock)

    def _count_failure(self, run: Run, error: CloudctlError) -> tuple[int, bool]:
        log.warning("operation %s: %s: %s", run.operation_id, error.code, error.text())
        with run.write() as (_uow, row):
            row.attempts += 1
            row.error_code, row.error_message = error.code, error.in_full()
            row.cloud_request_id = error.cloud_request_id
            is_late = row.state != OperationState.UNDOING and is_past(row.deadline_at, self._clock)
            return row.attempts, is_late

    def _save(self, run: Run, outcome: Outcome, has_failed: bool) -> Outcome:
        """Put the outcome on disk. When what follows from an end cannot be done, it has not ended yet."""
        try:
            self._write(run, outcome, has_failed)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            failure = _as_failure(run, error)
            attempts, _ = self._count_failure(run, failure)
            outcome = Later(_backoff(attempts), failure.text())
            self._write(run, outcome, has_failed=True)
        return outcome

    def _write(self, run: Run, outcome: Outcome, has_failed: bool) -> None:
        now = self._clock.now()
        with run.write() as (uow, row):
            if not has_failed:
                row.attempts = 0  # it counts the failures in a row
            if isinstance(outcome, Later):
                row.next_at, row.why = now + timedelta(seconds=outcome.seconds), outcome.why
                if not self._stays(outcome):
                    row.lease_owner = row.lease_until = None
                return
            row.lease_owner = row.lease_until = None
            row.ended_at, row.why = now, ""
            if isinstance(outcome, Failed):
                row.state = move(OPERATION, OperationState(row.state), "fail")
                row.error_code, row.error_message = outcome.error.code, outcome.error.in_full()
                row.cloud_request_id = outcome.error.cloud_request_id
            else:
                row.state = move(OPERATION, OperationState(row.state), "finish")
                row.error_code = row.error_message = row.cloud_request_id = None
            self._on_end(uow, row)

    def _stays(self, outcome: Later) -> bool:
        """A short wait is spent here, with the lease; a long one, or one while stopping, is not."""
        return outcome.seconds <= STAY_S and not self._stopping.is_set()

    def _wait(self, run: Run, outcome: Outcome) -> bool:
        """Wait here for a short Later; False when this worker is finished with the operation."""
        if not isinstance(outcome, Later) or outcome.seconds > STAY_S:
            return False
        if self._stopping.is_set() or self._clock.wait(outcome.seconds, self._stopping.wait):
            self._let_go(run)
            return False
        return True

    def _let_go(self, run: Run) -> None:
        """Give the lease back so that another worker can go on at once; if that fails it runs out."""
        with suppress(LeaseLost, StoreUnavailable), run.write() as (_uow, row):
            row.lease_owner = row.lease_until = None

    @contextmanager
    def _heartbeat(self, run: Run) -> Iterator[None]:
        """Renew the lease while a pass takes long; a lost lease shows at the next commit."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self._lease_s / 3):
                try:
                    if not run.renew():
                        return
                except StoreUnavailable:
                    continue

        thread = threading.Thread(target=beat, name=f"lease-{run.operation_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _held_back(uow: UnitOfWork) -> list[Any]:
    """While a database that was brought back only observes: what acts on no cloud goes on, all else waits."""
    allowed = allowed_kinds(uow)
    return [Operation.kind.in_(allowed)] if allowed is not None else []


def _as_failure(run: Run, error: Exception) -> CloudctlError:
    """The error itself; or, for a bug, one that is tried again until the deadline: some bugs pass."""
    if isinstance(error, CloudctlError):
        return error
    log.error("operation %s: unexpected", run.operation_id, exc_info=error)
    failure = CloudctlError("unexpected: {detail}", detail=f"{type(error).__name__}: {error}")
    failure.retry = True  # type: ignore[misc]  # of this one
    return failure


def _backoff(attempts: int) -> float:
    return BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]


def is_past(moment: datetime | None, clock: Clock) -> bool:
    """Whether the moment, if there is one, has come."""
    return moment is not None and clock.now() >= moment
