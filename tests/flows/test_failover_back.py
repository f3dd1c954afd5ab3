"""The way back is made ready: nobody writes at the old site, what only it has is kept, data comes back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudctl.clock import FrozenClock
from cloudctl.errors import Conflict, NotAllowed, Refused
from cloudctl.lifecycle import FailoverState, PlanState
from cloudctl.models import BackupPolicy, Failover, PolicyMember, ProtectionPlan, RecoveryPoint, Resource
from cloudctl.operations import Engine
from cloudctl.ports import Stopped
from dr.failover import back, register
from dr.failover.back_flow import MakeReady
from dr.failover.points_way import PointsWay
from dr.failover.protocols import DataWay, WithoutData
from dr.plans.document import Document, Part, Way
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_witness import FakeWitness
from tests.builders import an_actor
from tests.conftest import make_core
from tests.flows.protecting import CITY, SITES, SOURCE, SYSTEM, Impatient, Protected, protect
from tests.flows.restoring import with_server

PLAN = "budget"
SMALL = Layout(gib_bytes=96 << 10, object_bytes=64 << 10, block_bytes=32 << 10)


@pytest.fixture(autouse=True)
def tiny_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Protected]:
    """The system was moved to the city; its servers at the province still stand."""
    clock = FrozenClock()
    core = make_core(tmp_path, clock=clock)
    made = protect(core, clock, SITES, (1,), layout=SMALL)
    with_server(made)
    document = Document(PLAN, SYSTEM, SOURCE, CITY, 3600, 3600, (Part("app", ("budget-vm1",)),))
    with core.store.write() as uow:
        plan = uow.add(
            ProtectionPlan(
                name=PLAN, system_id=SYSTEM, document=document.as_json(), sha256=document.sha256,
                state=PlanState.VERIFIED, home_site_id=SOURCE, recovery_site_id=CITY, active_site_id=CITY,
                epoch=2, created_at=clock.now(), created_by="dave", seen_at=clock.now(),
            )
        )  # fmt: skip
        uow.add(
            Failover(
                plan_id=plan.id, plan_sha256=plan.sha256, plan=document.as_json(), kind="unplanned",
                from_site_id=SOURCE, to_site_id=CITY, state=FailoverState.COMMITTED, owner="me", base_epoch=1,
                epoch=2, asked_at=clock.now(), asked_by="dave",
            )
        )  # fmt: skip
    yield made
    core.store.close()


def a_witness(word: Stopped | None = None, has_agents: bool = True) -> FakeWitness:
    """The register names the city."""
    witness = FakeWitness(lambda: 0.0)
    entry = witness.swap(None, register.first(PLAN, SOURCE))
    witness.swap(entry, replace(register.seized(entry, CITY, "me"), is_open=True, last=CITY))
    if has_agents:
        witness.enrol(PLAN, SOURCE, "budget-vm1")
    if word is not None:
        witness.say_stopped(word, "budget-vm1")
    return witness


def begin(world: Protected) -> int:
    core = world.core
    return int(back.begin(core, an_actor(core, "dave"), PLAN, "the hall is dry again")["operation_id"])


def run(world: Protected, witness: FakeWitness, operation_id: int, patience: int = 60) -> None:
    """Both workers, until the way back is ready."""
    clouds, settings = FakeClouds(world.clouds), world.core.settings
    ways: dict[Way, DataWay] = {
        Way.POINTS: PointsWay(clouds, world.stores, world.keyring, settings),
        Way.NONE: WithoutData(),
    }
    flow = MakeReady(clouds, settings, witness, ways)
    for _ in range(patience):
        if world.operation(operation_id).ended_at is not None:
            return
        engine = Engine(world.core.store, Impatient(world.clock, 1), {back.KIND: flow}, settings.lease_s)
        try:
            engine.run(operation_id)
        except AssertionError:  # it waits; the others work meanwhile
            world.clock.advance(settings.lease_s + 1)
        backups = world.engine()
        for one in backups.due():
            backups.run(one)
        world.clock.advance(5)


def looked_at(world: Protected) -> bool:
    with world.core.store.read() as uow:
        [plan] = uow.all(ProtectionPlan)
    return plan.seen_at is not None


def said(epoch: int = 2) -> Stopped:
    return Stopped(PLAN, SOURCE, 1, "now", epoch)


def test_what_only_the_old_site_has_is_kept_and_backups_turn_round(world: Protected) -> None:
    with world.core.store.write() as uow:
        row = uow.all(Resource, Resource.name == "budget-boot")[0]
        uow.add(Resource(**{**_columns(row), "id": "moved", "site_id": CITY, "project_id": "city-1-budget",
                            "external_id": _volume_at_the_city(world)}))  # fmt: skip
    assert looked_at(world)
    operation_id = begin(world)
    run(world, a_witness(said()), operation_id)
    operation = world.operation(operation_id)
    assert not looked_at(world), "what a way back needs is looked for at once, not in five minutes"
    assert operation.state == "done", f"{operation.step}: {operation.why} {operation.error_message}"
    with world.core.store.read() as uow:
        points = uow.all(RecoveryPoint, order_by=[RecoveryPoint.created_at])
        members = {one.site_id: one.left_at for one in uow.all(PolicyMember)}
    assert [(one.site_id, one.kind, one.state) for one in points] == [
        (SOURCE, "full", "protected"), (CITY, "full", "protected"),
    ]  # fmt: skip
    assert points[0].locked_until is not None
    assert world.copies(points[1].id)[SOURCE].state == "sealed"
    assert members[CITY] is None
    assert members[SOURCE] is not None
    assert world.clouds[SOURCE].state.volumes
    assert world.clouds[SOURCE].state.servers


def test_nothing_begins_while_the_old_site_may_write(world: Protected) -> None:
    operation_id = begin(world)
    run(world, a_witness(said(1)), operation_id, patience=4)  # a word of the time before the move
    assert world.operation(operation_id).step == ""
    run(world, a_witness(None, has_agents=False), operation_id, patience=4)
    assert world.operation(operation_id).why == "budget-vm1 to be stopped at province"


def test_a_register_that_names_the_old_site_ends_it(world: Protected) -> None:
    witness = FakeWitness(lambda: 0.0)
    witness.swap(None, register.first(PLAN, SOURCE))
    operation_id = begin(world)
    run(world, witness, operation_id)
    assert world.operation(operation_id).error_code == Refused.code


def test_a_policy_without_a_vault_at_the_old_site_is_told(world: Protected) -> None:
    with world.core.store.write() as uow:
        [policy] = uow.all(BackupPolicy)
        policy.vault_sites = [CITY]
        row = uow.all(Resource, Resource.name == "budget-boot")[0]
        uow.add(Resource(**{**_columns(row), "id": "moved", "site_id": CITY, "project_id": "city-1-budget",
                            "external_id": _volume_at_the_city(world)}))  # fmt: skip
    operation_id = begin(world)
    run(world, a_witness(said()), operation_id)
    assert "policy daily has no vault at province" in (world.operation(operation_id).error_message or "")


def test_only_one_at_a_time_by_those_who_may(world: Protected) -> None:
    core = world.core
    with pytest.raises(NotAllowed):
        back.begin(core, an_actor(core, "bob"), PLAN, "why not")
    begin(world)
    with pytest.raises(Conflict):
        begin(world)


def _columns(row: Resource) -> dict[str, object]:
    return {one.name: getattr(row, one.name) for one in row.__table__.columns}


def _volume_at_the_city(world: Protected) -> str:
    from cloudctl.ports import NewVolume

    inside = world.clouds[CITY].in_project(world.external[CITY])
    made = inside.create_volume(NewVolume("budget-boot-r1", 1, "standard", {}))
    inside.list_volumes()
    inside.list_volumes()
    return made.id
