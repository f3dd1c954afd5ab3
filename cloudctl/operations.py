"""Durable operations: an Operation is a row; whoever holds its lease moves it on, and a crash loses nothing.

Claiming raises the fence; every commit of a flow checks that its fence is still the newest. A worker
that was only slow therefore cannot write over the one that took its place.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from cloudctl.clock import Clock, new_id
from cloudctl.errors import CloudctlError, Conflict, LeaseLost, StoreUnavailable
from cloudctl.lifecycle import Done, Failed, Later, OperationState, Outcome
from cloudctl.models import Operation, Step
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

    @contextmanager
    def write(self) -> Iterator[tuple[UnitOfWork, Operation]]:
        """A transaction that commits only while this worker holds the lease; LeaseLost otherwise."""
        with self.store.write() as uow:
            until = self.clock.now() + timedelta(seconds=self.lease_s)
            held = uow.update(Operation, *self._mine(), lease_until=until)
            if not held:
                raise LeaseLost("operation {id} is held by another worker", id=self.operation_id)
            yield uow, uow.need(Operation, self.operation_id)

    def renew(self) -> bool:
        """Keep the lease; False when it is lost."""
        with self.store.write() as uow:
            until = self.clock.now() + timedelta(seconds=self.lease_s)
            return uow.update(Operation, *self._mine(), lease_until=until) == 1

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
    """Write an operation in the transaction of what caused it."""
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
                if outcome is None or not self._stay(claimed, outcome):
                    return True

    # -- the pieces

    def _claim(self, operation_id: int) -> Run | None:
        now = self._clock.now()
        owner = new_id()
        with self._store.write() as uow:
            free = (Operation.lease_until.is_(None)) | (Operation.lease_until < now)
            found = uow.update_one_returning(
                Operation,
                [Operation.id == operation_id, Operation.state.in_(OPEN), Operation.next_at <= now, free],
                {
                    "lease_owner": owner,
                    "lease_until": now + timedelta(seconds=self._lease_s),
                    "fence": Operation.fence + 1,
                },
                [Operation.fence],
            )
            if found is None:
                return None
            row = uow.need(Operation, operation_id)
            row.started_at = row.started_at or now
            if row.state == OperationState.QUEUED:
                row.state = OperationState.RUNNING
            return Run(
                self._store, self._clock, row.id, row.kind, row.subject_id, row.site_id,
                owner, found[0], found[0] > 1, self._lease_s,
            )  # fmt: skip

    def _advance(self, run: Run) -> Outcome | None:
        """One pass of the flow with its result saved; None when the lease was lost."""
        flow = self._flows[run.kind]
        try:
            outcome = self._outcome(flow, run)
            self._save(run, outcome)
        except LeaseLost:
            log.warning("operation %s: lease lost", run.operation_id)
            return None
        except StoreUnavailable as error:
            log.warning("operation %s: %s", run.operation_id, error)
            return None  # the lease ends by itself, and the row is due again
        return outcome

    def _outcome(self, flow: Flow, run: Run) -> Outcome:
        try:
            return flow.advance(run)
        except (LeaseLost, StoreUnavailable):
            raise
        except CloudctlError as error:
            failure = error
        except Exception as error:
            log.exception("operation %s: unexpected", run.operation_id)
            failure = CloudctlError("unexpected: {detail}", detail=f"{type(error).__name__}: {error}")
            failure.retry = True  # type: ignore[misc]  # a bug may pass; the deadline ends it
        attempts, is_late = self._count_failure(run, failure)
        if (failure.retry or isinstance(failure, Conflict)) and not is_late:
            wait = BACKOFF_S[min(attempts - 1, len(BACKOFF_S) - 1)]
            return Later(wait, failure.text())
        return flow.give_up(run, failure)

    def _count_failure(self, run: Run, error: CloudctlError) -> tuple[int, bool]:
        log.warning("operation %s: %s: %s", run.operation_id, error.code, error.text())
        with run.write() as (_uow, row):
            row.attempts += 1
            row.error_code, row.error_message = error.code, error.text()
            row.cloud_request_id = error.cloud_request_id
            is_late = row.deadline_at is not None and self._clock.now() >= row.deadline_at
            return row.attempts, is_late and row.state != OperationState.UNDOING

    def _save(self, run: Run, outcome: Outcome) -> None:
        now = self._clock.now()
        with run.write() as (uow, row):
            if isinstance(outcome, Later):
                row.next_at, row.why = now + timedelta(seconds=outcome.seconds), outcome.why
                if outcome.seconds > STAY_S or self._stopping.is_set():
                    row.lease_owner = row.lease_until = None
                return
            row.lease_owner = row.lease_until = None
            row.ended_at, row.why = now, ""
            if isinstance(outcome, Failed):
                row.state = OperationState.FAILED
                row.error_code, row.error_message = outcome.error.code, outcome.error.text()
                row.cloud_request_id = outcome.error.cloud_request_id
            else:
                row.state = OperationState.DONE
                row.error_code = row.error_message = row.cloud_request_id = None
            self._on_end(uow, row)

    def _stay(self, run: Run, outcome: Outcome) -> bool:
        """Wait here for a short Later; False when this worker is finished with the operation."""
        if not isinstance(outcome, Later) or outcome.seconds > STAY_S or self._stopping.is_set():
            return False
        self._clock.wait(outcome.seconds, self._stopping.wait)
        return not self._stopping.is_set() or not self._let_go(run)

    def _let_go(self, run: Run) -> bool:
        with run.write() as (_uow, row):
            row.lease_owner = row.lease_until = None
        return True

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


def is_past(moment: datetime | None, clock: Clock) -> bool:
    """Whether the moment, if there is one, has come."""
    return moment is not None and clock.now() >= moment
