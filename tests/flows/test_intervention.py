"""What an administrator can do about an operation that waits."""

import pytest

from cloudctl.core import Core
from cloudctl.errors import LeaseLost, NotAllowed, WrongState
from cloudctl.lifecycle import Later, OperationState, Outcome, ResourceState
from cloudctl.models import Operation, Resource, ServiceRequest
from cloudctl.operations import Engine, Run
from provisioning import intervention
from tenants import approvals, requests
from tenants.settlement import settle
from tests.builders import a_province, a_vm_form, an_actor


@pytest.fixture
def building(core: Core) -> int:
    """The operation of a request that was just approved by all."""
    a_province(core)
    number = requests.submit(core, an_actor(core, "alice"), a_vm_form(), "k1")
    approvals.approve(core, an_actor(core, "bob"), number)
    approvals.approve(core, an_actor(core, "carol"), number)
    with core.store.read() as uow:
        return uow.need(ServiceRequest, number).operation_id or 0


class Stuck:
    """A flow whose undo finds no end, and which says when it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def advance(self, run: Run) -> Outcome:
        self.asked += 1
        with run.write() as (_uow, row):
            row.state = OperationState.UNDOING
        return Later(300, "the volume is still deleting")

    def give_up(self, run: Run, error: Exception) -> Outcome:
        raise AssertionError


def a_stuck_engine(core: Core) -> tuple[Engine, Stuck]:
    flow = Stuck()
    return Engine(core.store, core.clock, {"build": flow}, on_end=settle(core)), flow


def test_retry_makes_a_waiting_operation_due_now(core: Core, building: int) -> None:
    engine, flow = a_stuck_engine(core)
    engine.run(building)
    assert engine.due() == []
    intervention.retry(core, an_actor(core, "carol"), building)
    assert engine.due() == [building]
    engine.run(building)
    assert flow.asked == 2


def test_an_undo_that_finds_no_end_can_be_abandoned_and_leaves_its_things_orphaned(
    core: Core, building: int
) -> None:
    engine, _flow = a_stuck_engine(core)
    engine.run(building)
    with core.store.write() as uow:
        request = uow.first(ServiceRequest)
        assert request is not None
        for name, external_id in (("made", "id-1"), ("never-made", None)):
            uow.add(
                Resource(id=name, kind="volume", site_id="province", request_id=request.id, name=name,
                         external_id=external_id, state="building", created_at=core.clock.now())
            )  # fmt: skip
    intervention.abandon(core, an_actor(core, "carol"), building, settle(core), "Cinder lost it")
    with core.store.read() as uow:
        states = {row.name: row.state for row in uow.all(Resource)}
        assert states["made"] == ResourceState.ORPHANED
        assert states["never-made"] == ResourceState.RELEASED
        assert uow.need(Operation, building).state == OperationState.ABANDONED
        assert uow.need(ServiceRequest, request.id).state == "failed"
    assert engine.due() == []


def test_a_worker_that_still_holds_an_abandoned_operation_cannot_write(core: Core, building: int) -> None:
    seen: list[type[Exception]] = []

    class Slow(Stuck):
        def advance(self, run: Run) -> Outcome:
            super().advance(run)
            intervention.abandon(core, an_actor(core, "carol"), building, settle(core))
            try:
                with run.write():
                    pass
            except LeaseLost as lost:
                seen.append(type(lost))
            return Later(1)

    Engine(core.store, core.clock, {"build": Slow()}, on_end=settle(core)).run(building)
    assert seen == [LeaseLost]


def test_only_what_is_being_undone_can_be_abandoned(core: Core, building: int) -> None:
    with pytest.raises(WrongState):
        intervention.abandon(core, an_actor(core, "carol"), building, settle(core))


def test_a_requester_cannot_intervene(core: Core, building: int) -> None:
    with pytest.raises(NotAllowed):
        intervention.retry(core, an_actor(core, "alice"), building)
