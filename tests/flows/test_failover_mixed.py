"""A move of a plan of two ways: volumes that the storage copies, and a web server's that come from points."""

from dataclasses import replace

import pytest

from cloudctl.models import ProtectionPlan, Resource, Restore
from cloudctl.operations import Engine
from cloudctl.ports import NewPort, NewServer, NewVolume, Stopped
from dr.failover.cutting import StopServers
from dr.failover.flow import Move
from dr.failover.job import KIND, PLANNED, UNPLANNED
from dr.failover.points_way import PointsWay
from dr.failover.protocols import DataWay
from dr.isolated.checks import Check
from dr.plans.document import Part, Way, of_json
from dr.ways.moving import ReplicationWay
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_images import SiteImages
from provisioning.drivers.fake_replication import FakeReplication
from provisioning.drivers.fake_storage import image_of
from tests.builders import AN_SSH_KEY, a_resource
from tests.flows.protecting import CITY, SOURCE
from tests.flows.restoring import servers_of
from tests.flows.test_failover_points import PLAN, Moving, _Busy, moving, tiny_gib

__all__ = ["moving", "tiny_gib"]  # fixtures from elsewhere
WEB = "budget-web"


class Mixed(Moving):
    """The budget system with a web server more, which has one volume that the storage does not copy."""

    def __init__(self, moving: Moving) -> None:
        super().__init__(moving.world, moving.witness)
        world = self.world
        self.replication = FakeReplication(clock=world.clock)
        for one in world.volumes:
            self.replication.storage.make(SOURCE, one, b"first")
        for site in (SOURCE, CITY):
            images = SiteImages(self.replication.storage, site)
            world.clouds[site].state.images_in_storage = images
        self._add_web()
        self.witness.enrol(PLAN, SOURCE, WEB)
        with world.core.store.write() as uow:
            [plan] = uow.all(ProtectionPlan)
            document = of_json(plan.document)
            parts = (
                replace(document.parts[0], way=Way.REPLICATION),
                Part("web", (WEB,), ("app",), Way.POINTS, checks=(Check("tcp", 80),)),
            )
            document = replace(document, parts=parts)
            plan.document, plan.sha256 = document.as_json(), document.sha256

    def live(self) -> None:
        """Its agent speaks as well."""
        entry = self.witness.read(PLAN)
        if entry is not None and entry.holder == CITY:
            self.witness.say_stopped(Stopped(PLAN, SOURCE, 1, "now", entry.epoch), WEB)
        super().live()

    def _add_web(self) -> None:
        """Its server with its rows."""
        world = self.world
        cloud, inside = world.source, world.source.in_project(world.external[SOURCE])
        volume = inside.create_volume(NewVolume(f"{WEB}-boot", 1, "standard", {}))
        for _ in range(3):
            inside.list_volumes()
        inside.make_bootable(volume.id)
        network = next(one.id for one in cloud.list_networks() if one.name == "zone-public")
        port = inside.create_port(NewPort(f"{WEB}-port", network, (), {}))
        flavor = next(one.id for one in cloud.list_flavors() if one.name == "gov.small")
        made = inside.create_server(NewServer(WEB, flavor, volume.id, (), (port.id,), None, {}))
        for _ in range(3):
            inside.list_servers()
        home, spec = f"{SOURCE}-budget", {"size_gib": 1, "type": "standard", "role": "boot"}
        boot = a_resource(
            world.core, home, {"volumes": 1, "volume_gib": 1}, kind="volume", name=f"{WEB}-boot",
            external_id=volume.id, spec=spec,
        )  # fmt: skip
        addresses = {"ipv4": [one for one in port.addresses if ":" not in one], "ipv6": []}
        port_row = a_resource(
            world.core, home, {"ports": 1}, kind="port", name=f"{WEB}-port", external_id=port.id,
            addresses=addresses, spec={"zone": "public"},
        )  # fmt: skip
        a_resource(
            world.core, home, {"instances": 1, "vcpus": 1, "ram_mib": 1024}, name=WEB, external_id=made.id,
            addresses=addresses,
            spec={"flavor": "gov.small", "image": "debian-12", "boot": boot, "data": [], "port": port_row,
                  "zone": "public", "ssh_key": AN_SSH_KEY},
        )  # fmt: skip
        cloud.write(volume.id, 0, b"pages of the web server")

    def engine(self) -> Engine:
        world = self.world
        clouds, settings, seen = FakeClouds(world.clouds), world.core.settings, self.witness.at(CITY)
        ways: dict[Way, DataWay] = {
            Way.POINTS: PointsWay(clouds, world.stores, world.keyring, settings),
            Way.REPLICATION: ReplicationWay(clouds, self.replication, settings),
        }
        flow = Move(settings, seen, ways, self, clock_s=self._seconds, rungs=[StopServers(clouds, seen)])
        return Engine(world.core.store, _Busy(self), {KIND: flow}, settings.lease_s)

    def at_city(self) -> dict[str, tuple[str, ...]]:
        """The volumes of each server there, by the name it had."""
        return {name.partition("-r")[0]: volumes for name, volumes in servers_of(self.world, CITY)}

    def assert_each_came_its_own_way(self, last: bytes) -> None:
        there = self.at_city()
        assert set(there) == {"budget-vm1", WEB}
        storage = self.replication.storage
        assert [storage.read(CITY, image_of(one)) for one in there["budget-vm1"]] == [last, b"first"]
        [web] = there[WEB]
        city = self.world.clouds[CITY]
        assert city.content(web).startswith(b"pages of the web server")
        volumes = {one.id for one in city.in_project(self.world.external[CITY]).list_volumes()}
        assert volumes == {*there["budget-vm1"], web}, "a volume came twice"


@pytest.fixture
def mixed(moving: Moving) -> Mixed:
    return Mixed(moving)


def test_a_planned_move_brings_each_part_its_own_way_and_nothing_twice(mixed: Mixed) -> None:
    world = mixed.world
    world.back_up()
    mixed.replication.storage.write(SOURCE, world.volumes[0], b"last")
    row = mixed.run(mixed.begin(PLANNED))
    assert row.state == "shifted", row.error_message
    assert {"points", "replication"} <= set(row.marker)
    mixed.assert_each_came_its_own_way(b"last")
    with world.core.store.read() as uow:
        rows = uow.all(Resource, Resource.site_id == CITY)
    assert {one.state for one in rows} == {"active"}
    assert sorted(one.kind for one in rows) == [
        "port",
        "port",
        "server",
        "server",
        "volume",
        "volume",
        "volume",
    ]
    world.assert_nothing_over()


def test_an_unplanned_move_brings_each_part_its_own_way(mixed: Mixed) -> None:
    mixed.world.back_up()
    mixed.world.clock.advance(600)
    mixed.lose()
    row = mixed.run(mixed.begin(UNPLANNED))
    assert row.state == "shifted", row.error_message
    mixed.assert_each_came_its_own_way(b"first")


def test_a_move_that_cannot_bring_the_points_gives_the_replicated_part_back(mixed: Mixed) -> None:
    from cloudctl.errors import CloudRejected

    world = mixed.world
    world.back_up()
    world.clouds[CITY].fail("create_volume", nth=1, error=CloudRejected("no"), times=99)
    row = mixed.run(mixed.begin(PLANNED))
    assert (row.state, row.error_code) == ("aborted", "cloud_rejected")
    images = mixed.replication.storage.images
    assert all(one.is_primary for one in images[SOURCE].values())
    assert servers_of(world, CITY) == []
    with world.core.store.read() as uow:
        assert {one.state for one in uow.all(Restore)} == {"failed"}
