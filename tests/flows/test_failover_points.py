"""A move whose data comes from points: restored at the other site, its servers started part by part."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cloudctl.actors import INSTALLATION, Role
from cloudctl.clock import FrozenClock
from cloudctl.core import Core
from cloudctl.errors import CloudRejected, Refused
from cloudctl.lifecycle import PlanState
from cloudctl.models import Failover, PolicyMember, ProtectionPlan, QuotaRow, RecoveryPoint, Resource, Restore
from cloudctl.operations import Engine
from cloudctl.ports import Observation, Stopped
from dr.failover import asking, deciding, register
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED, UNPLANNED
from dr.failover.off import ServersOff
from dr.failover.points_way import PointsWay, turn_policies
from dr.isolated.checks import Check
from dr.plans.document import Document, Part, Way, of_json
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_witness import FakeWitness
from tests.builders import a_person, an_actor
from tests.conftest import make_core
from tests.flows.protecting import CITY, SOURCE, SYSTEM, Impatient, Protected, protect
from tests.flows.restoring import servers_of, with_server

PLAN = "budget"
SMALL = Layout(gib_bytes=96 << 10, object_bytes=64 << 10, block_bytes=32 << 10)


@pytest.fixture(autouse=True)
def tiny_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dr.drafting.GIB", SMALL.gib_bytes)


@dataclass
class Moving:
    """A protected system with a plan, and a witness with whose words the tests do as they like."""

    world: Protected
    witness: FakeWitness

    def engine(self) -> Engine:
        world = self.world
        clouds, settings = FakeClouds(world.clouds), world.core.settings
        points = PointsWay(clouds, world.stores, world.keyring, settings)
        seen = self.witness.at(CITY)
        flow = Move(
            settings, seen, {Way.POINTS: points}, self, rungs=[ServersOff(clouds)], clock_s=self._seconds
        )
        return Engine(world.core.store, _Busy(self), {KIND: flow}, settings.lease_s)

    def live(self) -> None:
        """What goes on while the move waits: the agent speaks, another worker takes points."""
        entry = self.witness.read(PLAN)
        if entry is not None and entry.holder == CITY and self.witness.servers(PLAN, SOURCE):
            self.witness.say_stopped(Stopped(PLAN, SOURCE, 1, "now", entry.epoch), "budget-vm1")
        engine = self.world.engine()
        for one in engine.due():
            engine.run(one)

    def ask(self, site_id: str, check: Check, address: str) -> tuple[bool, str]:
        """Whatever has an address answers."""
        return bool(address), ""

    def begin(self, kind: str = PLANNED, point: str | None = None) -> int:
        core = self.world.core
        wanted = asking.Wanted(PLAN, kind, reason="an exercise with the fire brigade", point=point)
        outlook = asking.look(self.witness.at(CITY), PLAN)
        asked = asking.ask(core, an_actor(core, "olga"), wanted, outlook)
        for who in ("dave", "bob"):
            deciding.approve(core, an_actor(core, who), asked["id"], asked["plan_sha256"], "", outlook)
        return int(asked["id"])

    def run(self, failover_id: int) -> Failover:
        """To the end, with every operation that comes of it."""
        engine = self.engine()
        while self.world.operation(self.row(failover_id).operation_id).ended_at is None:
            for one in engine.due():
                engine.run(one)
            self.live()
            self.world.clock.advance(2)
        return self.row(failover_id)

    def row(self, failover_id: int) -> Failover:
        with self.world.core.store.read() as uow:
            return uow.need(Failover, failover_id)

    def lose(self) -> None:
        for place in (CITY, "third"):
            self.witness.at(place).observe(Observation(PLAN, place, SOURCE, "api", False, "now"), 3600)

    def _seconds(self) -> float:
        return self.world.clock.now().timestamp()


class _Busy(Impatient):
    """The clock of the worker that moves: while it waits, the others work."""

    def __init__(self, moving: Moving) -> None:
        super().__init__(moving.world.clock, 150)
        self._moving = moving

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self._moving.live()
        return super().wait(seconds, woken)


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Moving]:
    clock = FrozenClock()
    made = a_moving(make_core(tmp_path, clock=clock), clock)
    yield made
    made.world.core.store.close()


def a_moving(core: Core, clock: FrozenClock) -> Moving:
    """The budget system at the province, the plan that moves it, and its agent."""
    world = protect(core, clock, (CITY,), (1, 1), layout=SMALL)
    with_server(world)
    a_person(core, "olga", Role.DR_OFFICER, INSTALLATION)
    part = Part("app", ("budget-vm1",), checks=(Check("tcp", 22),))
    document = Document(
        PLAN, SYSTEM, SOURCE, CITY, 3600, 3600, (part,), approvers=("department_approver", "province_admin")
    )
    with core.store.write() as uow:
        uow.add(
            ProtectionPlan(
                name=PLAN, system_id=SYSTEM, document=document.as_json(), sha256=document.sha256,
                state=PlanState.VERIFIED, home_site_id=SOURCE, recovery_site_id=CITY, active_site_id=SOURCE,
                epoch=1, created_at=clock.now(), created_by="dave",
            )
        )  # fmt: skip
    witness = FakeWitness(lambda: 0.0)
    witness.swap(None, register.first(PLAN, SOURCE))
    witness.enrol(PLAN, SOURCE, "budget-vm1")
    return Moving(world, witness)


def test_a_planned_move_takes_a_point_after_the_stop_and_brings_that_one(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    world.scribble(0)  # written after the last point, and before the stop
    written = world.contents()
    row = moving.run(moving.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    with world.core.store.read() as uow:
        points = uow.all(RecoveryPoint, order_by=[RecoveryPoint.sequence])
        [restore] = uow.all(Restore)
        rows = {one.kind: one for one in uow.all(Resource, Resource.site_id == CITY)}
    assert (len(points), row.point_id, row.rpo_s) == (2, points[1].id, 0.0)
    assert row.marker["points"]["level"] == "L1"
    assert row.marker["points"]["taken_at"] >= row.times["fenced"]
    made = [restore.made[key]["volume"] for key in ("0", "1")]
    assert [world.clouds[CITY].content(one) for one in made] == written
    assert servers_of(world, CITY) == [(f"budget-vm1-r{restore.id}", tuple(made))]
    assert rows["server"].state == "active"
    assert row.made["parts"]["app"]["addresses"]["budget-vm1"]
    world.assert_nothing_over()


def test_an_unplanned_move_brings_the_newest_point_and_says_what_is_lost(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    before = world.contents()
    world.scribble(1)
    world.clock.advance(600)
    moving.lose()
    failover_id = moving.begin(UNPLANNED)
    loss = moving.row(failover_id).loss
    assert loss["seconds"] >= 600
    row = moving.run(failover_id)
    assert (row.state, row.rpo_s) == ("shifted", loss["seconds"])
    with world.core.store.read() as uow:
        [restore] = uow.all(Restore)
    assert [world.clouds[CITY].content(restore.made[key]["volume"]) for key in ("0", "1")] == before


def test_an_older_point_can_be_chosen(moving: Moving) -> None:
    first = moving.world.back_up()
    moving.world.scribble(1)
    newest = moving.world.back_up()
    moving.lose()
    loss = moving.row(moving.begin(UNPLANNED, first.id)).loss
    assert loss["point"] == first.id
    assert [one["id"] for one in loss["points"]] == [newest.id, first.id]


def test_a_move_for_which_the_quota_has_no_room_takes_nothing(moving: Moving) -> None:
    moving.world.back_up()
    moving.lose()
    failover_id = moving.begin(UNPLANNED)
    with moving.world.core.store.write() as uow:
        uow.insert_missing(
            QuotaRow,
            [{"scope_kind": "department", "scope_id": "gx-finance", "site": "*", "kind": "volumes",
              "limit": 1, "guarantee": 0, "held": 0, "used": 0, "load": 0}],
        )  # fmt: skip
    row = moving.run(failover_id)
    assert row.state == "aborted"
    assert "is short of 1 volumes" in (moving.world.operation(row.operation_id).error_message or "")
    entry = moving.witness.read(PLAN)
    assert entry is not None
    assert (entry.epoch, entry.holder) == (1, SOURCE), "it was found out before the register was taken"


def test_a_move_that_is_given_back_leaves_nothing_at_the_other_site(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    world.clouds[CITY].fail("create_volume", nth=2, error=CloudRejected("no"), times=99)
    moving.lose()
    row = moving.run(moving.begin(UNPLANNED))
    assert (row.state, row.error_code) == ("aborted", "cloud_rejected")
    assert not world.clouds[CITY].state.volumes
    assert not world.clouds[CITY].state.servers
    entry = moving.witness.read(PLAN)
    assert entry is not None
    assert (entry.holder, entry.is_open) == (SOURCE, True)
    with world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.site_id == CITY)} == {"released"}
    world.assert_nothing_over()


def test_a_flavor_that_the_other_site_lacks_is_told_before_anything_is_taken(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    with world.core.store.write() as uow:
        [plan] = uow.all(ProtectionPlan)
        document = {**plan.document, "mapping": {"flavors": {"gov.small": "gov.none"}}}
        plan.document, plan.sha256 = document, _sha(document)
    row = moving.run(moving.begin(PLANNED))
    assert row.state == "aborted"
    entry = moving.witness.read(PLAN)
    assert entry is not None
    assert entry.epoch == 1


def test_after_the_move_points_are_taken_where_the_system_runs(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    failover_id = moving.begin(PLANNED)
    moving.run(failover_id)

    with world.core.store.write() as uow:
        run = _Run(world.clock)
        turn_policies(uow, run, SYSTEM, SOURCE, CITY)  # type: ignore[arg-type]
        turn_policies(uow, run, SYSTEM, SOURCE, CITY)  # type: ignore[arg-type]
        members = {one.site_id: one.left_at for one in uow.all(PolicyMember)}
    assert members[CITY] is None
    assert members[SOURCE] is not None


@dataclass
class _Run:
    clock: FrozenClock


def _sha(document: Mapping[str, object]) -> str:

    return of_json(document).sha256


def test_servers_that_are_off_are_a_fence_where_no_agent_is(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    moving.witness.dismiss(PLAN, SOURCE, "budget-vm1")
    failover_id = moving.begin(PLANNED)
    with pytest.raises(AssertionError, match="never comes"):
        moving.run(failover_id)
    operation = world.operation(moving.row(failover_id).operation_id)
    assert operation.why == "budget-vm1 to be stopped at province"
    servers = world.source.state.servers
    servers.update({key: replace(one, status="SHUTOFF") for key, one in servers.items()})
    world.clock.advance(world.core.settings.lease_s + 1)
    row = moving.run(failover_id)
    assert (row.state, row.fence) == ("shifted", {"rung": "compute", "proof": {"off": ["budget-vm1"]}})


def test_a_server_that_is_on_again_before_the_intent_ends_the_move(moving: Moving) -> None:
    world, servers = moving.world, moving.world.source.state.servers
    world.back_up()
    moving.witness.dismiss(PLAN, SOURCE, "budget-vm1")
    servers.update({key: replace(one, status="SHUTOFF") for key, one in servers.items()})
    failover_id, live = moving.begin(PLANNED), moving.live

    def switch_on() -> None:
        if moving.row(failover_id).state == "synced":
            servers.update({key: replace(one, status="ACTIVE") for key, one in servers.items()})
        live()

    moving.live = switch_on  # type: ignore[method-assign]
    row = moving.run(failover_id)
    assert (row.state, row.error_code) == ("aborted", Refused.code)
    assert "budget-vm1 to be stopped" in (row.error_message or "")


def test_the_word_of_one_agent_does_not_stand_for_a_server_without_one(moving: Moving) -> None:
    world = moving.world
    world.back_up()
    moving.witness.dismiss(PLAN, SOURCE, "budget-vm1")
    moving.witness.enrol(PLAN, SOURCE, "budget-vm2")
    failover_id = moving.begin(PLANNED)

    def the_other_speaks() -> None:
        entry = moving.witness.read(PLAN)
        assert entry is not None
        moving.witness.say_stopped(Stopped(PLAN, SOURCE, 1, "now", entry.epoch), "budget-vm2")

    moving.live = the_other_speaks  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="never comes"):
        moving.run(failover_id)
    operation = world.operation(moving.row(failover_id).operation_id)
    assert operation.why == "budget-vm1 to be stopped at province"
