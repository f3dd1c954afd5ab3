"""A system whose volumes the storage copies to the city, and its plan: where drills from replicas begin."""

from dataclasses import dataclass, replace
from typing import Any

from cloudctl.lifecycle import PointState
from cloudctl.models import Drill, Operation, PointVolume, PolicyMember, RecoveryPoint, Resource
from cloudctl.operations import Engine
from dr.describing import describe
from dr.drills.flow import Rehearse
from dr.drills.from_replicas import FromReplicas
from dr.members import holdings_of, volumes_of
from dr.plans.document import Way
from dr.ways import replication as way
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.drivers.fake_images import SiteImages
from provisioning.drivers.fake_replication import FakeReplication
from provisioning.drivers.fake_storage import FakeStorage
from provisioning.lanes import Lanes
from tests.flows import rehearsing
from tests.flows.protecting import CITY, SITES, SOURCE, Impatient, Protected
from tests.flows.rehearsing import PARTS, Answers


@dataclass
class Replicating:
    """One installation and the storages of both sites."""

    world: Protected
    replication: FakeReplication
    inside: Answers
    volumes: list[str]  # Cinder's ids at the province

    @property
    def storage(self) -> FakeStorage:
        return self.replication.storage

    def data_of(self, name: str) -> bytes:
        """What was written at first, by Cinder's id or the pair's."""
        found = self.storage.find(SOURCE, name)
        assert found is not None
        return found.name.encode()

    def beat(self) -> None:
        """The moment is written, and has arrived."""
        now = self.world.clock.now()
        way.beat(self.replication, SOURCE, self.volumes, now)
        for _ in range(self.storage.delay + 1):
            way.lags(self.replication, CITY, self.volumes, now)

    def settle(self) -> None:
        """What was written last has arrived everywhere."""
        for site in SITES:
            for _ in range(self.storage.delay + 2):
                self.storage.arrive(site)

    def begin(self, **asked: Any) -> Drill:
        return rehearsing.begin(self.world, **asked)

    def rehearse(self) -> Drill:
        return self.work(self.begin())

    def engine(self, world: Protected | None = None) -> Engine:
        """A worker of its own."""
        world = world or self.world
        clouds, settings = FakeClouds(world.clouds), world.core.settings
        cloning = FromReplicas(clouds, self.replication, settings)
        flow = Rehearse(clouds, {Way.REPLICATION: cloning}, settings, Lanes(), reading=rehearsing.reading)
        return Engine(world.core.store, Impatient(world.clock, 4000), {"drill": flow}, settings.lease_s)

    def work(self, row: Drill, until: str = "done", world: Protected | None = None) -> Drill:
        """Work on the drill until it is in that state, waiting as long as it takes."""
        return rehearsing.work_with(self.engine(world), world or self.world, row, until)

    def assert_gone(self) -> None:
        """No volume, image or moment of a drill is anywhere."""
        rehearsing.assert_gone(self.world)
        for site in SITES:
            for image in self.storage.images[site].values():
                assert image.pair_id, f"{image.name} is left at {site}"
        assert not any(image.moments for image in self.storage.images[SOURCE].values())


def describe_system(world: Protected) -> str:
    """A point that tells what the system consists of now, as if it had been taken; its id."""
    point_id = world.begin()
    with world.core.store.write() as uow:
        [member] = uow.all(PolicyMember)
        holdings = holdings_of(uow, member)
        volumes = volumes_of(member, holdings)
        point = uow.need(RecoveryPoint, point_id)
        point.state, point.taken_at = PointState.PROTECTED, world.clock.now()
        uow.need(Operation, point.operation_id).state = "done"
        point.topology = describe(uow, member, volumes, holdings)
        for position, one in enumerate(volumes):
            uow.add(
                PointVolume(
                    point_id=point_id, position=position, name=one.name, volume_id=one.external_id,
                    size_gib=one.size_gib, volume_type=one.type,
                )
            )  # fmt: skip
    return point_id


def replicate(world: Protected) -> Replicating:
    """Every volume of the system is a pair, and the newest point tells of them."""
    parts = tuple(replace(one, way=Way.REPLICATION) for one in PARTS)
    inside = rehearsing.set_up(world, parts=parts)
    replication = FakeReplication(clock=world.clock)
    with world.core.store.write() as uow:
        rows = uow.all(Resource, Resource.kind == "volume", Resource.site_id == SOURCE)
        for row in rows:
            row.spec = {**row.spec, "type": "replicated"}
        volumes = [str(row.external_id) for row in rows]
    for one in volumes:
        replication.storage.make(SOURCE, one, f"volume-{one}".encode())
    for site in SITES:
        cloud = world.clouds[site]
        cloud.state.images_in_storage = SiteImages(replication.storage, site)
        cloud.add_volume_type("replicated", "pairs", is_replicated=True)
        cloud.add_volume_type("rehearsal", "pairs")
    describe_system(world)
    return Replicating(world, replication, inside, volumes)
