"""The engine: lease, fence, backoff, deadline, racing workers, stopping."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from cloudctl.clock import FrozenClock, SystemClock
from cloudctl.core import Core
from cloudctl.errors import (
    CloudctlError,
    CloudRejected,
    CloudUnavailable,
    Conflict,
    LeaseLost,
    StoreUnavailable,
)
from cloudctl.lifecycle import Done, Failed, Later, OperationState, Outcome
from cloudctl.models import Operation, Step
from cloudctl.operations import BACKOFF_S, Engine, Run, start


@dataclass
class Scripted:
    """A flow that does what the test says, one entry a pass; the last one again and again."""

    passes: list[Callable[[Run], Outcome]]
    given_up: list[CloudctlError] = field(default_factory=list)
    seen: list[Run] = field(default_factory=list)
    way_out: Callable[[Run, CloudctlError], Outcome] = lambda _run, error: Failed(error)

    def advance(self, run: Run) -> Outcome:
        self.seen.append(run)
        return self.passes[min(len(self.seen), len(self.passes)) - 1](run)

    def give_up(self, run: Run, error: CloudctlError) -> Outcome:
        self.given_up.append(error)
        return self.way_out(run, error)


def answer(outcome: Outcome) -> Callable[[Run], Outcome]:
    return lambda _run: outcome


def trouble(error: Exception) -> Callable[[Run], Outcome]:
    def advance(_run: Run) -> Outcome:
        raise error

    return advance


def an_operation(core: Core, deadline_s: int = 600) -> int:
    with core.store.write() as uow:
        return start(uow, core.clock, "test", ("thing", 1), None, deadline_s).id


def an_engine(core: Core, flow: Scripted, **more: object) -> Engine:
    return Engine(core.store, core.clock, {"test": flow}, lease_s=30, **more)  # type: ignore[arg-type]


def row(core: Core, operation_id: int) -> Operation:
    with core.store.read() as uow:
        return uow.need(Operation, operation_id)


def test_a_flow_that_is_done_ends_the_operation_and_what_follows_in_one_transaction(core: Core) -> None:
    ended: list[str] = []
    engine = an_engine(core, Scripted([answer(Done())]), on_end=lambda _uow, op: ended.append(op.state))
    operation_id = an_operation(core)
    assert engine.due() == [operation_id]
    assert engine.run(operation_id)
    assert row(core, operation_id).state == "done"
    assert row(core, operation_id).lease_owner is None
    assert ended == ["done"]
    assert engine.due() == []
    assert not engine.run(operation_id)


def test_a_short_later_is_waited_for_with_the_lease_and_a_long_one_is_given_back(
    core: Core, clock: FrozenClock
) -> None:
    flow = Scripted([answer(Later(1, "a volume")), answer(Later(60, "people")), answer(Done())])
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    engine.run(operation_id)
    assert len(flow.seen) == 2
    assert row(core, operation_id).why == "people"
    assert row(core, operation_id).lease_owner is None
    assert engine.due() == []
    clock.advance(60)
    assert engine.due() == [operation_id]
    engine.run(operation_id)
    assert row(core, operation_id).state == "done"
    assert [run.is_resumed for run in flow.seen] == [False, False, True]


def test_trouble_that_may_pass_is_tried_again_with_growing_pauses(core: Core, clock: FrozenClock) -> None:
    flow = Scripted([trouble(CloudUnavailable("503"))] * 4 + [answer(Done())])
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    pauses = []
    while row(core, operation_id).state != "done":
        before = clock.now()
        if not engine.run(operation_id):
            clock.advance(1)
        pauses.append((clock.now() - before).total_seconds())
    assert sum(pauses) == sum(BACKOFF_S[:4])
    assert row(core, operation_id).attempts == 0
    assert row(core, operation_id).error_code is None


def test_failures_are_counted_in_a_row_only(core: Core, clock: FrozenClock) -> None:
    flow = Scripted(
        [
            trouble(CloudUnavailable("503")),
            trouble(CloudUnavailable("503")),
            answer(Later(1)),
            trouble(CloudUnavailable("503")),
            answer(Later(100)),
        ]
    )
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    started = clock.now()
    engine.run(operation_id)
    assert (clock.now() - started).total_seconds() == BACKOFF_S[0] + BACKOFF_S[1] + 1 + BACKOFF_S[0]
    assert row(core, operation_id).attempts == 0


def test_a_refusal_for_good_goes_to_the_flows_way_out_with_openstacks_request_id(core: Core) -> None:
    refusal = CloudRejected("no such image", cloud_request_id="req-1")
    flow = Scripted([trouble(refusal)])
    operation_id = an_operation(core)
    an_engine(core, flow).run(operation_id)
    found = row(core, operation_id)
    assert flow.given_up == [refusal]
    assert (found.state, found.error_code, found.cloud_request_id) == ("failed", "cloud_rejected", "req-1")


def test_a_conflict_in_the_database_is_tried_again(core: Core) -> None:
    flow = Scripted([trouble(Conflict("somebody was faster")), answer(Done())])
    operation_id = an_operation(core)
    an_engine(core, flow).run(operation_id)
    assert row(core, operation_id).state == "done"


def test_a_bug_is_tried_again_until_the_deadline(core: Core, clock: FrozenClock) -> None:
    flow = Scripted([trouble(ZeroDivisionError("bug"))])
    engine = an_engine(core, flow)
    operation_id = an_operation(core, deadline_s=100)
    while row(core, operation_id).state not in ("failed",):
        if not engine.run(operation_id):
            clock.advance(5)
    assert "ZeroDivisionError: bug" in (row(core, operation_id).error_message or "")
    assert len(flow.seen) > 5


def test_waiting_beyond_the_deadline_is_given_up_with_what_it_waited_for(
    core: Core, clock: FrozenClock
) -> None:
    flow = Scripted([answer(Later(2, "server vm1 to become ACTIVE"))])
    operation_id = an_operation(core, deadline_s=20)
    an_engine(core, flow).run(operation_id)
    found = row(core, operation_id)
    assert (found.state, found.error_code) == ("failed", "timed_out")
    assert "vm1" in (found.error_message or "")
    assert found.ended_at == found.created_at + timedelta(seconds=20)


def test_undoing_has_no_deadline(core: Core, clock: FrozenClock) -> None:
    def begin(run: Run, _error: CloudctlError) -> Outcome:
        with run.write() as (_uow, operation):
            operation.state = OperationState.UNDOING
        return Later(1, "undo")

    passes: list[Callable[[Run], Outcome]] = [trouble(CloudRejected("no"))]
    passes += [trouble(CloudUnavailable("down"))] * 10 + [answer(Failed(CloudRejected("no")))]
    flow = Scripted(passes, way_out=begin)
    engine = an_engine(core, flow)
    operation_id = an_operation(core, deadline_s=5)
    while row(core, operation_id).state != "failed":
        if not engine.run(operation_id):
            clock.advance(5)
    assert len(flow.given_up) == 1
    assert len(flow.seen) == 12


def test_a_way_out_that_fails_is_tried_again(core: Core, clock: FrozenClock) -> None:
    answers: list[Outcome] = []

    def way_out(_run: Run, error: CloudctlError) -> Outcome:
        if not answers:
            answers.append(Failed(error))
            raise CloudUnavailable("down")
        return answers[0]

    flow = Scripted([trouble(CloudRejected("no"))], way_out=way_out)
    operation_id = an_operation(core)
    an_engine(core, flow).run(operation_id)
    assert row(core, operation_id).state == "failed"
    assert len(flow.given_up) == 2


def test_an_end_whose_consequences_cannot_be_written_is_no_end_yet(core: Core, clock: FrozenClock) -> None:
    tries: list[int] = []

    def on_end(_uow: object, operation: Operation) -> None:
        tries.append(operation.id)
        if len(tries) < 3:
            raise Conflict("the ledger moved")

    operation_id = an_operation(core)
    an_engine(core, Scripted([answer(Done())]), on_end=on_end).run(operation_id)
    assert len(tries) == 3
    assert row(core, operation_id).state == "done"


def test_only_one_of_many_workers_gets_an_operation(core: Core) -> None:
    gate = threading.Event()

    def slow(_run: Run) -> Outcome:
        gate.wait(20)
        return Done()

    flow = Scripted([slow])
    engines = [an_engine(core, flow) for _ in range(8)]
    operation_id = an_operation(core)
    had: list[bool] = []
    threads = [
        threading.Thread(target=lambda e=engine: had.append(e.run(operation_id))) for engine in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads[:1]:
        while len(had) < 7:
            thread.join(0.01)
    gate.set()
    for thread in threads:
        thread.join()
    assert sorted(had) == [False] * 7 + [True]
    assert len(flow.seen) == 1


def test_a_worker_whose_lease_ran_out_writes_nothing_any_more(core: Core, clock: FrozenClock) -> None:
    second = Scripted([answer(Later(60))])
    other = an_engine(core, second)

    def slow(run: Run) -> Outcome:
        clock.advance(31)
        assert other.run(run.operation_id)
        with pytest.raises(LeaseLost):
            run.must_hold()
        with run.write() as (_uow, operation):
            operation.step = "written by the slow one"
        return Done()

    flow = Scripted([slow])
    operation_id = an_operation(core)
    assert an_engine(core, flow).run(operation_id)
    found = row(core, operation_id)
    assert (found.state, found.step, found.fence) == ("running", "", 2)


def test_a_worker_that_died_is_followed_by_another_when_its_lease_has_run_out(
    core: Core, clock: FrozenClock
) -> None:
    class Killed(BaseException):
        pass

    def die(_run: Run) -> Outcome:
        raise Killed

    flow = Scripted([die, answer(Done())])
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    with pytest.raises(Killed):
        engine.run(operation_id)
    assert engine.due() == []
    assert not engine.run(operation_id)
    clock.advance(30.1)
    assert engine.due() == [operation_id]
    assert engine.run(operation_id)
    assert flow.seen[-1].is_resumed
    assert row(core, operation_id).state == "done"


def test_writing_and_must_hold_keep_the_lease_while_a_pass_takes_long(core: Core, clock: FrozenClock) -> None:
    def long(run: Run) -> Outcome:
        for _ in range(5):
            clock.advance(20)
            with run.write():
                pass
            run.must_hold()
        return Done()

    operation_id = an_operation(core)
    an_engine(core, Scripted([long])).run(operation_id)
    assert row(core, operation_id).state == "done"


def test_the_heartbeat_keeps_a_lease_while_a_pass_makes_one_long_call(core: Core) -> None:
    clock = SystemClock()
    with core.store.write() as uow:
        operation_id = start(uow, clock, "test", ("thing", 1), None, 600).id
    renewed = threading.Event()

    def long(run: Run) -> Outcome:
        first = run.held_until
        while run.held_until == first:
            renewed.wait(0.02)
        return Done()

    engine = Engine(core.store, clock, {"test": Scripted([long])}, lease_s=1)
    assert engine.run(operation_id)
    assert row(core, operation_id).state == "done"


def test_stopping_gives_the_lease_back_so_that_another_goes_on_at_once(
    core: Core, clock: FrozenClock
) -> None:
    engine: Engine

    def stop(_run: Run) -> Outcome:
        engine.stop()
        return Later(1, "a volume")

    flow = Scripted([stop, answer(Done())])
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    engine.run(operation_id)
    assert row(core, operation_id).lease_owner is None
    assert row(core, operation_id).state == "running"
    clock.advance(1)
    assert an_engine(core, flow).run(operation_id)
    assert row(core, operation_id).state == "done"


def test_a_stop_in_the_middle_of_a_wait_gives_the_lease_back(core: Core) -> None:
    clock = SystemClock()
    with core.store.write() as uow:
        operation_id = start(uow, clock, "test", ("thing", 1), None, 600).id
    began = threading.Event()

    def wait(_run: Run) -> Outcome:
        began.set()
        return Later(5, "a volume")

    engine = Engine(core.store, clock, {"test": Scripted([wait])})
    worker = threading.Thread(target=engine.run, args=(operation_id,))
    worker.start()
    began.wait(20)
    engine.stop()
    worker.join(20)
    assert not worker.is_alive()
    assert row(core, operation_id).lease_owner is None


def test_a_database_that_does_not_answer_leaves_the_operation_to_whoever_comes_next(
    core: Core, clock: FrozenClock
) -> None:
    flow = Scripted([trouble(StoreUnavailable("locked")), answer(Done())])
    engine = an_engine(core, flow)
    operation_id = an_operation(core)
    engine.run(operation_id)
    assert row(core, operation_id).state == "running"
    assert flow.given_up == []
    clock.advance(31)
    engine.run(operation_id)
    assert row(core, operation_id).state == "done"


def test_steps_of_the_journal_begin_and_end_once(core: Core, clock: FrozenClock) -> None:
    def journals(run: Run) -> Outcome:
        with run.write() as (uow, _operation):
            run.journal(uow, "project", "started")
        clock.advance(2)
        with run.write() as (uow, _operation):
            run.journal(uow, "project", "done", "made", "req-7")
        return Done()

    operation_id = an_operation(core)
    an_engine(core, Scripted([journals])).run(operation_id)
    with core.store.read() as uow:
        steps = uow.all(Step, Step.operation_id == operation_id)
    assert [(s.name, s.state, s.note, s.cloud_request_id) for s in steps] == [
        ("project", "done", "made", "req-7")
    ]
    assert steps[0].ended_at == steps[0].started_at + timedelta(seconds=2)
