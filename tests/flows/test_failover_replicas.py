"""A move whose volumes the storage replicates: let go, marked, promoted, adopted, and its servers started."""

from datetime import datetime, timedelta

import pytest

from cloudctl.errors import StorageBusy, StorageRefused
from cloudctl.models import ProtectionPlan, Resource
from cloudctl.operations import Engine
from cloudctl.ports import NewServer, NewVolume, Stopped
from cloudctl.ports.replication import ReplicaState
from dr.failover import back
from dr.failover.back_flow import MakeReady
from dr.failover.cutting import StopServers
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED, UNPLANNED
from dr.plans.document import Way, of_json
from dr.ways.moving import HELD, LETS_GO, ReplicationWay
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_images import SiteImages
from provisioning.drivers.fake_replication import FakeReplication
from provisioning.drivers.fake_storage import image_of
from tests.builders import a_resource, an_actor
from tests.flows.protecting import CITY, SOURCE
from tests.flows.restoring import servers_of
from tests.flows.test_failover_points import PLAN, Moving, _Busy, moving, tiny_gib

__all__ = ["moving", "tiny_gib"]  # fixtures from elsewhere


class Replicated(Moving):
    """The same system, whose volumes are pairs in the storage of both sites."""

    def __init__(self, moving: Moving) -> None:
        super().__init__(moving.world, moving.witness)
        self.replication = FakeReplication(clock=self.world.clock)
        self.storage = self.replication.storage
        for one in self.world.volumes:
            self.storage.make(SOURCE, one, b"first")
        for site in (SOURCE, CITY):
            self.world.clouds[site].state.images_in_storage = SiteImages(self.storage, site)
        with self.world.core.store.write() as uow:
            [plan] = uow.all(ProtectionPlan)
            [part] = plan.document["parts"]
            document = {**plan.document, "parts": [{**part, "way": Way.REPLICATION.value}]}
            plan.document, plan.sha256 = document, _sha(document)
        self.world.back_up()  # tells what the system consists of

    def engine(self) -> Engine:
        world = self.world
        way = ReplicationWay(FakeClouds(world.clouds), self.replication, world.core.settings)
        seen = self.witness.at(CITY)
        flow = Move(
            world.core.settings, seen, {Way.REPLICATION: way}, self, clock_s=self._seconds,
            rungs=[StopServers(FakeClouds(world.clouds), seen)],
        )  # fmt: skip
        return Engine(world.core.store, _Busy(self), {KIND: flow}, world.core.settings.lease_s)

    def begin_back(self) -> int:
        """Ask for the way back, and delete the old servers, as people have to; the operation."""
        world = self.world
        begun = back.begin(world.core, an_actor(world.core, "olga"), PLAN, "the fire is out")
        inside = world.clouds[SOURCE].in_project(world.external[SOURCE])
        for one in inside.list_servers():
            inside.delete_server(one.id)
        for _ in range(3):
            inside.list_servers()
        return int(begun["operation_id"])

    def make_ready(self, operation_id: int) -> None:
        """Work on the way back until it ends."""
        world = self.world
        way = ReplicationWay(FakeClouds(world.clouds), self.replication, world.core.settings)
        seen = self.witness.at(CITY)
        flow = MakeReady(FakeClouds(world.clouds), world.core.settings, seen, {Way.REPLICATION: way})
        engine = Engine(world.core.store, _Busy(self), {back.KIND: flow}, world.core.settings.lease_s)
        engine.run(operation_id)
        row = world.operation(operation_id)
        assert row.state == "done", row.error_message

    def old_servers(self) -> set[str]:
        """How the servers of the old site are, when what is under way there is over."""
        cloud = self.world.clouds[SOURCE]
        for _ in range(cloud.state.pace.lists + 1):
            cloud.list_all_servers()
        return {one.status for one in cloud.list_all_servers()}

    def adopted(self) -> list[bytes]:
        """The bytes that the servers of the city have, the boot volume first."""
        [(_name, volumes)] = servers_of(self.world, CITY)
        return [self.storage.read(CITY, image_of(one)) for one in volumes]


def _sha(document: dict[str, object]) -> str:
    return of_json(document).sha256


@pytest.fixture
def replicated(moving: Moving) -> Replicated:
    return Replicated(moving)


def test_a_planned_move_brings_the_last_write_and_nobody_writes_at_the_old_site(
    replicated: Replicated,
) -> None:
    for number, one in enumerate(replicated.world.volumes):
        replicated.storage.write(SOURCE, one, b"last %d" % number)
    row = replicated.run(replicated.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert row.marker["replication"]["word"] == f"epoch-2:move-{row.id}"
    assert replicated.adopted() == [b"last 0", b"last 1"]
    assert replicated.old_servers() == {"SHUTOFF"}, "who runs has his volumes open"
    assert not any(one.is_primary for one in replicated.storage.images[SOURCE].values())
    with replicated.world.core.store.read() as uow:
        rows = uow.all(Resource, Resource.site_id == CITY)
    assert {one.kind: one.state for one in rows} == {"server": "active", "port": "active", "volume": "active"}
    assert row.made["parts"]["app"]["addresses"]["budget-vm1"]
    replicated.world.assert_nothing_over()


def test_servers_of_the_system_that_are_in_no_replicated_part_go_on(replicated: Replicated) -> None:
    world = replicated.world
    inside = world.clouds[SOURCE].in_project(world.external[SOURCE])
    boot = inside.create_volume(NewVolume("batch-boot", 1, "standard", {}))
    for _ in range(3):
        inside.list_volumes()
    inside.make_bootable(boot.id)
    made = inside.create_server(
        NewServer("batch", world.clouds[SOURCE].list_flavors()[0].id, boot.id, (), (), None, {})
    )
    replicated.old_servers()
    a_resource(world.core, f"{SOURCE}-budget", {"instances": 1}, name="batch", external_id=made.id)
    replicated.witness.enrol(PLAN, SOURCE, "batch")
    replicated.witness.say_stopped(Stopped(PLAN, SOURCE, 1, "now", 2), "batch")
    row = replicated.run(replicated.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert replicated.old_servers() == {"SHUTOFF", "ACTIVE"}
    assert world.clouds[SOURCE].get_server(made.id).status == "ACTIVE"


def test_what_is_written_after_a_vain_attempt_is_behind_no_mark_of_it(replicated: Replicated) -> None:
    replication, first = replicated.replication, replicated.world.volumes[0]
    tried: list[str] = []

    def busy_once(name: str, site: str, subject: str) -> None:
        if name == "demote" and not tried:
            tried.append(subject)
            replicated.storage.write(site, first, b"flushed late")
            raise StorageBusy("somebody has it open")

    replication.before = busy_once
    row = replicated.run(replicated.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert replicated.adopted()[0] == b"flushed late"
    assert [one for one in replication.calls if one[0] == "mark" and one[2] == tried[0]] == [
        ("mark", SOURCE, tried[0])
    ] * 2
    assert replication.marked(CITY, tried[0]) == f"epoch-2:move-{row.id}:2"


def test_with_the_old_site_gone_what_has_arrived_is_promoted_by_force(replicated: Replicated) -> None:
    replicated.storage.write(SOURCE, replicated.world.volumes[1], b"never arrived")
    replicated.storage.cut.add(SOURCE)
    replicated.world.clouds[SOURCE].state.is_cut_off = True
    replicated.lose()
    row = replicated.run(replicated.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    assert replicated.adopted() == [b"first", b"first"]


def test_what_waits_for_ever_for_the_site_that_is_gone_is_put_out_after_its_time(
    replicated: Replicated,
) -> None:
    world, replication = replicated.world, replicated.replication
    replicated.storage.grip = 10**6  # it lets go of nothing
    replicated.storage.cut.add(SOURCE)
    world.clouds[SOURCE].state.is_cut_off = True
    replicated.lose()
    seen: list[tuple[str, str, datetime]] = []

    def watch(name: str, site: str, subject: str) -> None:
        if site == CITY and name in ("promote", "evict"):
            seen.append((name, subject, world.clock.now()))

    replication.before = watch
    row = replicated.run(replicated.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    assert replicated.adopted() == [b"first", b"first"]
    put_out = {subject: at for name, subject, at in seen if name == "evict"}
    assert len(put_out) == len([one for one in seen if one[0] == "evict"]) == len(world.volumes)
    for pair, at in put_out.items():
        first = next(when for name, subject, when in seen if (name, subject) == ("promote", pair))
        assert LETS_GO <= at - first <= LETS_GO + timedelta(seconds=4)
    assert row.made[HELD] == {}


def test_once_all_are_written_none_is_promoted_while_cinder_has_them(
    replicated: Replicated,
) -> None:
    replicated.lose()
    adopted = replicated.world.clouds[CITY].state.volumes
    seen: list[list[str]] = []

    def watch(name: str, site: str, _subject: str) -> None:
        if site == CITY and name == "promote":
            seen.append(list(adopted))

    replicated.replication.before = watch
    row = replicated.run(replicated.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    assert len(adopted) == len(replicated.world.volumes)
    assert seen == [[]] * len(replicated.world.volumes)


def test_what_lets_go_in_time_is_left_alone(replicated: Replicated) -> None:
    replicated.storage.grip = 3
    replicated.lose()
    row = replicated.run(replicated.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    assert "evict" not in {name for name, _, _ in replicated.replication.calls}


def test_a_planned_move_that_is_given_back_lets_the_old_site_write_again(replicated: Replicated) -> None:
    storage, replication = replicated.storage, replicated.replication

    def stuck(name: str, _site: str, _subject: str) -> None:
        if name == "marked" and not storage.images[SOURCE][image_of(replicated.world.volumes[0])].is_primary:
            raise StorageRefused("broken for good")

    replication.before = stuck
    failover_id = replicated.begin(PLANNED)
    row = replicated.run(failover_id)
    assert row.state == "aborted"
    assert list(row.made["fenced_servers"]) == list(replicated.world.clouds[SOURCE].state.servers)
    assert replicated.old_servers() == {"ACTIVE"}
    for one in replicated.world.volumes:
        storage.write(SOURCE, one, b"goes on")
    with replicated.world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.site_id == CITY)} <= {"released"}


def test_a_copy_that_has_split_is_told_before_anything_is_taken(replicated: Replicated) -> None:
    replicated.storage.make(SOURCE, replicated.world.volumes[0], b"another story")
    replicated.storage.images[CITY][image_of(replicated.world.volumes[0])].story = ()
    replicated.replication.resync(CITY, replicated.world.volumes[0])
    replicated.storage.delay = 99
    row = replicated.run(replicated.begin(PLANNED))
    assert row.state == "aborted"
    entry = replicated.witness.read("budget")
    assert entry is not None
    assert entry.epoch == 1


def test_after_a_loss_the_old_site_keeps_its_writes_and_follows_when_its_servers_are_gone(
    replicated: Replicated,
) -> None:
    world, storage = replicated.world, replicated.storage
    storage.write(SOURCE, world.volumes[1], b"lost in the fire")
    storage.cut.add(SOURCE)
    world.clouds[SOURCE].state.is_cut_off = True
    replicated.lose()
    row = replicated.run(replicated.begin(UNPLANNED))
    storage.cut.clear()
    world.clouds[SOURCE].state.is_cut_off = False
    begun = replicated.begin_back()
    inside = world.clouds[SOURCE].in_project(world.external[SOURCE])
    replicated.make_ready(begun)
    kept = replicated.row(row.id).made["set_aside"]
    assert len(kept) == len(world.volumes) == 2
    assert b"lost in the fire" in {storage.read(SOURCE, name) for name in kept.values()}
    states = {one.state for one in replicated.replication.replicas(SOURCE, tuple(kept))}
    assert states == {ReplicaState.REPLICA}
    assert not [one for one in inside.list_volumes() if one.id in world.volumes]


def test_what_a_move_has_brought_goes_back_before_anybody_has_taken_a_point_of_it(
    replicated: Replicated,
) -> None:
    world, storage, witness = replicated.world, replicated.storage, replicated.witness
    there = replicated.run(replicated.begin(PLANNED))
    assert there.state == "shifted", there.error_message
    begun = replicated.begin_back()
    assert witness.servers(PLAN, SOURCE) == ["budget-vm1"]
    replicated.make_ready(begun)
    assert witness.servers(PLAN, SOURCE) == [], "it would never again say that it stands still"
    [(name, adopted)] = servers_of(world, CITY)
    for volume in adopted:
        storage.write(CITY, volume, b"written at the city")
    witness.enrol(PLAN, CITY, name)
    home = replicated.begin(PLANNED)
    witness.say_stopped(Stopped(PLAN, CITY, 2, "now", 3), name)
    row = replicated.run(home)
    assert (row.state, row.to_site_id) == ("shifted", SOURCE), row.error_message
    [(name, volumes)] = servers_of(world, SOURCE)
    assert name == f"budget-vm1-r{row.made['replica_volumes']}"
    assert {storage.read(SOURCE, image_of(one)) for one in volumes} == {b"written at the city"}
    assert not set(volumes) & set(world.volumes), "adopted anew"
    assert not any(one.is_primary for one in storage.images[CITY].values())
    with world.core.store.read() as uow:
        assert {one.state for one in uow.all(Resource, Resource.name.in_([name]))} == {"active"}


def test_a_server_that_is_gone_is_waited_for_by_nobody_though_its_agent_never_said_a_word(
    replicated: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = replicated.witness
    replicated.lose()
    row = replicated.run(replicated.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    witness.dismiss(PLAN, SOURCE, "budget-vm1")
    witness.enrol(PLAN, SOURCE, "budget-vm1")
    monkeypatch.setattr(Replicated, "live", lambda _self: None)
    begun = replicated.begin_back()
    replicated.make_ready(begun)
    assert witness.servers(PLAN, SOURCE) == []
