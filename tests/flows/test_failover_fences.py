"""The rungs that cut, on a system whose writers no agent stops: storage, then compute, then network."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloudctl.errors import StorageRefused
from cloudctl.models import Failover, ProtectionPlan
from cloudctl.operations import Engine
from dr.failover.cutting import NetworkFence, StopServers, StorageFence
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED, UNPLANNED
from dr.failover.protocols import Fence
from dr.plans.document import Fencing, Part, Serving, Way, of_json
from dr.ways.moving import ReplicationWay
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_storage import image_of
from tests.flows.crashing import Killed
from tests.flows.protecting import CITY, SOURCE
from tests.flows.test_failover_points import PLAN, Moving, _Busy, moving, tiny_gib
from tests.flows.test_failover_replicas import Replicated

__all__ = ["moving", "tiny_gib"]  # fixtures from elsewhere
SERVER = "budget-vm1"
MOMENTS = ("before evict", "before demote", "after demote")
CUTS = frozenset({"evict", "demote", "stop_server", "set_port_up"})


class Fenced(Replicated):
    """The replicated system without agents, and the whole ladder."""

    def __init__(self, moving: Moving) -> None:
        super().__init__(moving)
        self.witness.dismiss(PLAN, SOURCE, SERVER)
        self.held = self.storage.images[SOURCE][image_of(self.world.volumes[0])]
        self.held.is_open = True  # by the server that runs

    def engine(self, patience: int = 150) -> Engine:
        world = self.world
        clouds, seen = FakeClouds(world.clouds), self.witness.at(CITY)
        way = ReplicationWay(clouds, self.replication, world.core.settings)
        rungs: list[Fence] = [
            StorageFence(self.replication, seen),
            StopServers(clouds, seen),
            NetworkFence(clouds, seen),
        ]
        flow = Move(
            world.core.settings, seen, {Way.REPLICATION: way}, self, rungs=rungs, clock_s=self._seconds
        )
        return Engine(world.core.store, _Brief(self, patience), {KIND: flow}, world.core.settings.lease_s)

    def plan(self, **changes: Any) -> None:
        """The plan says something else, as it was approved."""
        with self.world.core.store.write() as uow:
            [row] = uow.all(ProtectionPlan)
            document = replace(of_json(row.document), **changes)
            row.document, row.sha256 = document.as_json(), document.sha256

    def done(self) -> list[str]:
        """What was done to the old site, in order."""
        clouds = [one.name for one in self.world.source.state.calls if one.name in CUTS | {"start_server"}]
        return [
            name for name, site, _ in self.replication.calls if name == "evict" and site == SOURCE
        ] + clouds

    def status(self) -> tuple[str, set[str], set[bool]]:
        """Of the old server, its ports, and whether its volumes may be written."""
        state = self.world.source.state
        [server] = [one for one in state.servers.values() if one.name == SERVER]
        ports = {one.status for one in state.ports.values() if one.device_id == server.id}
        images = self.storage.images[SOURCE]
        return server.status, ports, {images[image_of(one)].is_primary for one in self.world.volumes}

    def lost(self) -> int:
        self.lose()
        return self.begin(UNPLANNED)

    def step(self, failover_id: int, waits: int = 6) -> Failover:
        """A worker that waits so often, and no more."""
        engine = self.engine(waits)
        with contextlib.suppress(AssertionError):  # its patience is over
            for one in engine.due():
                engine.run(one)
        return self.row(failover_id)


class _Brief(_Busy):
    """A worker that waits only so often."""

    def __init__(self, moving: Moving, patience: int) -> None:
        super().__init__(moving)
        self._left = patience


@pytest.fixture
def fenced(moving: Moving) -> Fenced:
    return Fenced(moving)


def test_storage_that_answers_puts_the_writers_out_and_what_they_wrote_last_arrives(fenced: Fenced) -> None:
    for one in fenced.world.volumes:
        fenced.storage.write(SOURCE, one, b"the last line")
    row = fenced.run(fenced.lost())
    assert row.state == "shifted", row.error_message
    assert row.fence["rung"] == "storage"
    assert row.fence["proof"]["volumes"] == len(fenced.world.volumes)
    assert fenced.status() == ("ACTIVE", {"ACTIVE"}, {False})
    assert fenced.adopted() == [b"the last line"] * 2
    with pytest.raises(PermissionError):
        fenced.storage.write(SOURCE, fenced.world.volumes[0], b"too late")


@pytest.mark.soak
def test_a_volume_that_is_opened_anew_is_put_out_again_until_it_is_demoted(fenced: Fenced) -> None:
    opened: list[str] = []

    def open_again(name: str, _site: str, _subject: str) -> None:
        if name == "evict" and len(opened) < 3:
            opened.append(name)
            fenced.held.is_open = True

    fenced.replication.after = open_again
    row = fenced.run(fenced.lost())
    assert (row.state, row.fence["rung"]) == ("shifted", "storage")
    assert fenced.status()[2] == {False}


def test_with_the_storage_away_servers_are_stopped_where_the_plan_lets_it(fenced: Fenced) -> None:
    fenced.plan(fence=Fencing(stop_servers=True))
    fenced.storage.cut.add(SOURCE)
    row = fenced.run(fenced.lost())
    assert (row.state, row.fence["rung"]) == ("shifted", "compute")
    assert fenced.status()[0] == "SHUTOFF"
    assert fenced.done().count("stop_server") == 1


def test_where_no_server_may_be_stopped_the_network_lets_nothing_of_it_through(fenced: Fenced) -> None:
    fenced.storage.cut.add(SOURCE)
    row = fenced.run(fenced.lost())
    assert (row.state, row.fence["rung"]) == ("shifted", "network")
    assert fenced.status()[:2] == ("ACTIVE", {"DOWN"})


@pytest.mark.soak
def test_a_network_that_does_not_say_that_it_cut_proves_nothing(
    fenced: Fenced, monkeypatch: pytest.MonkeyPatch
) -> None:
    fenced.storage.cut.add(SOURCE)
    state = fenced.world.source.state

    def deaf(call: Any) -> None:
        if call.name == "set_port_up":
            ports = {key: replace(one, status="ACTIVE", is_up=False) for key, one in state.ports.items()}
            state.ports.update(ports)

    monkeypatch.setattr(state, "after", deaf)
    row = fenced.step(fenced.lost())
    assert (row.state, row.fence) == ("seized", {})


def test_nothing_is_cut_where_an_agent_stops_every_writer(fenced: Fenced) -> None:
    fenced.plan(fence=Fencing(stop_servers=True))
    fenced.witness.enrol(PLAN, SOURCE, SERVER)
    row = fenced.run(fenced.lost())
    assert row.state == "shifted", row.error_message
    assert row.fence["rung"] in {"agents", "lease"}
    assert fenced.done() == []


@pytest.mark.soak
def test_storage_stands_for_no_writer_whose_data_lies_elsewhere(fenced: Fenced) -> None:
    with fenced.world.core.store.read() as uow:
        [row] = uow.all(ProtectionPlan)
    [part] = of_json(row.document).parts
    other = Part("other", ("elsewhere",), way=Way.APPLICATION, serving=Serving.READ_ANYWHERE)
    fenced.plan(parts=(part, other))
    fenced.step(fenced.lost())
    assert "evict" not in fenced.done()


def test_in_a_planned_move_storage_and_network_cut_nobody_and_servers_stop_by_the_plan_alone(
    fenced: Fenced,
) -> None:
    failover_id = fenced.begin(PLANNED)
    assert fenced.step(failover_id).state == "seized"
    assert fenced.done() == []


def test_a_planned_move_stops_the_servers_itself_and_loses_nothing(fenced: Fenced) -> None:
    fenced.plan(fence=Fencing(stop_servers=True))
    fenced.held.is_open = False
    row = fenced.run(fenced.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert row.fence["rung"] == "compute"
    assert fenced.done() == ["stop_server"]


@pytest.mark.parametrize(
    ("away", "fence"),
    [
        pytest.param((), Fencing(), id="storage"),
        pytest.param((SOURCE,), Fencing(stop_servers=True), id="compute", marks=pytest.mark.soak),
        pytest.param((SOURCE,), Fencing(), id="network"),
    ],
)
def test_what_was_cut_is_given_back_with_the_move(
    fenced: Fenced, away: tuple[str, ...], fence: Fencing
) -> None:
    fenced.plan(fence=fence)
    fenced.storage.cut.update(away)
    before = fenced.status()

    def broken(name: str, site: str, _subject: str) -> None:
        if name == "replicas" and site == CITY and fenced.row(failover_id).state == "fenced":
            fenced.storage.cut.clear()
            raise StorageRefused("broken for good")

    fenced.replication.before = broken
    failover_id = fenced.lost()
    row = fenced.run(failover_id)
    assert row.state == "aborted"
    for _ in range(3):
        fenced.world.source.list_all_servers()
    assert fenced.status() == before
    entry = fenced.witness.read(PLAN)
    assert entry is not None
    assert (entry.holder, entry.is_open) == (SOURCE, True)
    for one in fenced.world.volumes:
        fenced.storage.write(SOURCE, one, b"goes on")


def test_a_site_that_dies_after_its_servers_were_seen_off_takes_no_proof_back(fenced: Fenced) -> None:
    fenced.plan(fence=Fencing(stop_servers=True))
    fenced.storage.cut.add(SOURCE)
    failover_id = fenced.lost()

    def dies(name: str, site: str, _subject: str) -> None:
        if site == CITY and fenced.row(failover_id).state == "fenced":
            fenced.world.source.state.is_cut_off = True

    fenced.replication.before = dies
    row = fenced.run(failover_id)
    assert (row.state, row.fence["rung"]) == ("shifted", "compute")


@pytest.mark.soak
def test_what_cannot_be_given_back_is_told_and_keeps_nobody_from_the_register(fenced: Fenced) -> None:
    fenced.storage.cut.add(SOURCE)
    failover_id = fenced.lost()

    def broken(name: str, site: str, _subject: str) -> None:
        if name == "replicas" and site == CITY and fenced.row(failover_id).state == "fenced":
            fenced.world.source.state.is_cut_off = True
            raise StorageRefused("broken for good")

    fenced.replication.before = broken
    row = fenced.run(failover_id)
    assert row.state == "aborted"
    assert any(one.startswith("network: ") for one in row.made["fence_left"])
    entry = fenced.witness.read(PLAN)
    assert entry is not None
    assert entry.holder == SOURCE


@pytest.mark.parametrize(
    "name", ["after evict", *(pytest.param(one, marks=pytest.mark.soak) for one in MOMENTS)]
)
def test_a_worker_that_dies_in_the_middle_of_cutting_leaves_what_the_next_one_ends(
    fenced: Fenced, name: str
) -> None:
    died: list[str] = []

    def die(moment: str) -> Callable[[str, str, str], None]:
        def hook(call: str, _site: str, _subject: str) -> None:
            if f"{moment} {call}" == name and not died:
                died.append(call)
                raise Killed(name)

        return hook

    fenced.replication.before, fenced.replication.after = die("before"), die("after")
    failover_id = fenced.lost()
    with pytest.raises(Killed):
        fenced.run(failover_id)
    assert set(fenced.row(failover_id).made["fenced_volumes"].values()) == {SOURCE}
    fenced.world.clock.advance(fenced.world.core.settings.lease_s + 1)
    row = fenced.run(failover_id)
    assert (row.state, row.fence["rung"]) == ("shifted", "storage")
    assert fenced.status()[2] == {False}
