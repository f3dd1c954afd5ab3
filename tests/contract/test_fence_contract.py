"""A fenced cloud keeps the contract of clouds inside its own project, and changes nothing outside of it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import CloudctlError, CloudNotFound, Fenced
from cloudctl.ports import (
    TAG_INSTALLATION,
    BackupRecord,
    Cloud,
    CloudInProject,
    CloudProject,
    NewAdoption,
    NewBackup,
    NewIsolatedNetwork,
    NewPort,
    NewServer,
    NewSnapshot,
    NewSubnet,
    NewVolume,
)
from dr.drills.fenced_cloud import DOMAIN, FencedClouds, Marks, fenced
from dr.marks import TAG_DRILL
from dr.points.cinder_record import encoded
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from tests.contract.workbench import ROOM

MARKS = Marks("contract", 7, frozenset({3}))
TAGS = {TAG_INSTALLATION: "contract", TAG_DRILL: "7"}
OTHERS = {TAG_INSTALLATION: "contract", TAG_DRILL: "8"}
ROOMY = Amounts(dict.fromkeys(Kind, 1 << 20))


class World:
    """A site with production and a drill side by side."""

    def __init__(self) -> None:
        self.raw = FakeCloud("city-1")
        self.cloud = fenced(self.raw, MARKS)
        domain = self.raw.find_domain("Default")
        assert domain is not None
        self.production = self._project(self.raw, domain.id, "budget-prod", [])
        self.things = self._furnish(self.raw, self.production.id, {TAG_INSTALLATION: "contract"})
        own = self.cloud.create_domain(DOMAIN, "drills")
        self.own = self._project(self.cloud, own.id, "drill", MARKS.labels)
        self.mine = self._furnish(self.cloud, self.own.id, TAGS)

    @staticmethod
    def _project(cloud: Cloud, domain_id: str, name: str, tags: Any) -> CloudProject:
        made = cloud.create_project(domain_id, name, "", tags)
        cloud.ensure_own_access(made.id)
        cloud.set_quota(made.id, ROOMY)
        return made

    @staticmethod
    def _furnish(cloud: Cloud, project_id: str, tags: dict[str, str]) -> dict[str, str]:
        inside = cloud.in_project(project_id)
        image = next(one.id for one in cloud.list_images() if one.name == "debian-12")
        boot = inside.create_volume(NewVolume("boot", 10, "standard", tags, image))
        data = inside.create_volume(NewVolume("data", 1, "standard", tags))
        for _ in range(3):
            inside.list_volumes()
        subnet = NewSubnet("10.9.0.0/24", ("10.9.0.100", "10.9.0.120"))
        network = inside.ensure_isolated_network(NewIsolatedNetwork("net", (subnet,), tags))
        group = inside.ensure_security_group("own", "", ())
        port = inside.create_port(NewPort("port", network.id, (group,), tags))
        flavor = cloud.list_flavors()[0].id
        server = inside.create_server(NewServer("vm", flavor, boot.id, (), (port.id,), None, tags))
        for _ in range(3):
            inside.list_servers()
        snapshot = inside.create_snapshot(NewSnapshot("snap", data.id, tags))
        for _ in range(3):
            inside.list_snapshots()
        spare = inside.create_port(NewPort("spare", network.id, (group,), tags))
        return {"volume": data.id, "boot": boot.id, "network": network.id, "group": group, "port": port.id,
                "server": server.id, "snapshot": snapshot.id, "spare": spare.id}  # fmt: skip

    def state(self) -> tuple[Any, ...]:
        """Everything of production, as the cloud has it."""
        state = self.raw.state
        own = self.production.id
        kinds = (state.servers, state.volumes, state.ports)
        return (
            *({key: one for key, one in kind.items() if one.project_id == own} for kind in kinds),
            {key: one.seen for key, one in state.own_networks.items() if one.project_id == own},
            {key: (one.name, one.rules) for key, one in state.groups.items() if one.project_id == own},
            state.projects[own] if own in state.projects else None,
            state.quotas.get(own),
            set(self.raw.cinder.snapshots) & {self.things["snapshot"]},
            set(state.going) & {self.things["server"]},
            set(state.keys),
            self.things["volume"] in state.bootable,
            state.default_quota,
        )


@pytest.fixture
def world() -> World:
    return World()


def test_inside_its_own_project_a_drill_makes_and_unmakes_as_anywhere(world: World) -> None:
    inside, mine = world.cloud.in_project(world.own.id), world.mine
    inside.tag_port(mine["port"], TAGS)
    inside.make_bootable(mine["volume"])
    inside.rename_volume(mine["volume"], "again")
    inside.delete_snapshot(mine["snapshot"])
    for _ in range(3):
        inside.list_snapshots()
    inside.attach_volume(mine["server"], mine["volume"])
    inside.delete_server(mine["server"])
    for _ in range(3):
        inside.list_servers()
    for port in ("port", "spare"):
        inside.delete_port(mine[port])
    for one in (mine["volume"], mine["boot"]):
        inside.delete_volume(one)
    inside.delete_network(mine["network"])
    inside.delete_security_group(mine["group"])
    for _ in range(3):
        inside.list_volumes()
    assert not inside.list_volumes()
    world.cloud.delete_project(world.own.id)
    with pytest.raises(CloudNotFound):
        world.raw.get_project(world.own.id)
    world.cloud.delete_project(world.own.id)


def test_what_is_gone_already_may_be_deleted_again(world: World) -> None:
    inside = world.cloud.in_project(world.own.id)
    for call in ("server", "volume", "port", "network", "security_group", "snapshot", "backup"):
        getattr(inside, f"delete_{call}")("never-was")


def test_everything_can_be_looked_at(world: World) -> None:
    there = world.cloud.in_project(world.production.id)
    assert [one.id for one in there.list_servers()] == [world.things["server"]]
    assert world.cloud.get_project(world.production.id).name == "budget-prod"
    assert world.cloud.usage(world.production.id)[Kind.INSTANCES] == 1


def test_another_site_can_only_be_looked_at(world: World) -> None:
    clouds = FencedClouds(FakeClouds({"province": world.raw, "city-1": world.raw}), "city-1", MARKS)
    assert clouds.at("province").list_flavors()
    with pytest.raises(Fenced):
        clouds.at("province").in_project(world.own.id).delete_server(world.mine["server"])
    with pytest.raises(Fenced):
        clouds.at("province").create_project("d", "p", "", MARKS.labels)


def test_a_call_that_the_fence_does_not_know_is_refused(world: World) -> None:
    with pytest.raises(Fenced):
        world.cloud.zero_default_quotas()


def test_every_change_that_the_port_has_is_known_to_the_fence_or_meant_to_be_refused(world: World) -> None:
    """A port that grows is noticed here: say in the fence what the new call may be used for."""
    reading = ("list_", "get_", "find_")
    also = {"site", "rights", "inspect", "usage", "capacity", "backup_services", "export_backup",
            "console_output", "api_addresses", "in_project"}  # fmt: skip
    unknown = set()
    for port, target in ((Cloud, world.cloud), (CloudInProject, world.cloud.in_project(world.own.id))):
        names = {name for name in dir(port) if not name.startswith("_")} - also
        rule: Callable[[str], object] = target._rule
        unknown |= {name for name in names if not name.startswith(reading) and rule(name) is None}
    assert unknown == {"zero_default_quotas", "ensure_key"}, (
        "a key belongs to cloudctl's user, not to a project"
    )


def _attacks(
    world: World, project: str, tags: dict[str, str], ids: dict[str, str]
) -> list[Callable[[], Any]]:
    """Every change there is, aimed at these."""
    cloud, inside = world.cloud, world.cloud.in_project(project)
    record = BackupRecord("driver", encoded({"id": "b1", "metadata": tags, **_RECORD}))
    subnet = NewSubnet("10.9.1.0/24", ("10.9.1.100", "10.9.1.120"))
    return [
        lambda: cloud.delete_project(project),
        lambda: cloud.set_quota(project, ROOM),
        lambda: cloud.ensure_own_access(project),
        lambda: cloud.create_project(
            "default", "evil", "", [f"{key}={value}" for key, value in tags.items()]
        ),
        lambda: cloud.create_domain("evil", ""),
        lambda: cloud.import_backup(record),
        lambda: cloud.restore_backup("b1", ids["volume"]),
        lambda: cloud.delete_imported("b1"),
        lambda: cloud.reset_stuck("b1"),
        cloud.zero_default_quotas,
        lambda: inside.create_volume(NewVolume("evil", 1, "standard", tags)),
        lambda: inside.create_port(NewPort("evil", ids["network"], (ids["group"],), tags)),
        lambda: inside.create_server(
            NewServer("evil", world.raw.list_flavors()[0].id, ids["volume"], (), (ids["spare"],), None, tags)
        ),
        lambda: inside.create_snapshot(NewSnapshot("evil", ids["volume"], tags)),
        lambda: inside.create_backup(NewBackup("evil", ids["volume"], tags)),
        lambda: inside.ensure_isolated_network(NewIsolatedNetwork("evil", (subnet,), tags)),
        lambda: inside.ensure_security_group("own", "evil", ()),
        lambda: inside.ensure_key("evil", "ssh-ed25519 AAAA evil"),
        lambda: inside.adopt_volume(NewAdoption("evil", "volume-of-production", "standard", tags)),
        lambda: inside.release_volume(ids["volume"]),
        lambda: inside.tag_port(ids["port"], tags),
        lambda: inside.tag_volume(ids["volume"], tags),
        lambda: inside.make_bootable(ids["volume"]),
        lambda: inside.rename_volume(ids["volume"], "evil"),
        lambda: inside.stop_server(ids["server"]),
        lambda: inside.start_server(ids["server"]),
        lambda: inside.set_port_up(ids["port"], is_up=False),
        lambda: inside.attach_volume(ids["server"], ids["volume"]),
        lambda: inside.detach_volume(ids["server"], ids["boot"]),
        lambda: inside.delete_server(ids["server"]),
        lambda: inside.delete_volume(ids["volume"]),
        lambda: inside.delete_port(ids["spare"]),
        lambda: inside.delete_network(ids["network"]),
        lambda: inside.delete_security_group(ids["group"]),
        lambda: inside.delete_snapshot(ids["snapshot"]),
        lambda: inside.delete_backup("b1"),
    ]


_RECORD = {
    "service_metadata": "x", "container": "c", "size": 1, "display_name": "n", "display_description": "",
    "object_count": 1, "parent_id": None, "volume_id": "v",
}  # fmt: skip
COUNT = len(_attacks(World(), "p", {}, {}))


@given(st.data())
def test_whatever_a_drill_tries_production_stays_as_it_is(data: st.DataObject) -> None:
    """Any change, in the drill's project or in production's, with the drill's tags or others, of things of
    one or the other: production is the same after it."""
    world = World()
    project = data.draw(st.sampled_from([world.own.id, world.production.id]))
    tags = data.draw(st.sampled_from([TAGS, OTHERS, {}, {TAG_DRILL: "7"}]))
    ids = {
        key: data.draw(st.sampled_from([world.mine[key], world.things[key]]), label=key) for key in world.mine
    }
    number = data.draw(st.integers(0, COUNT - 1))
    before = world.state()
    try:
        _attacks(world, project, tags, ids)[number]()
    except CloudctlError:
        pass
    assert world.state() == before


@pytest.mark.parametrize("number", range(COUNT))
def test_each_change_of_production_is_refused_by_the_fence_itself(world: World, number: int) -> None:
    before = world.state()
    calls = len([one for one in world.raw.state.calls if not _is_reading(one.name)])
    attack = _attacks(world, world.production.id, OTHERS, world.things)[number]
    with pytest.raises(Fenced):
        attack()
    assert len([one for one in world.raw.state.calls if not _is_reading(one.name)]) == calls
    assert world.state() == before


def _is_reading(name: str) -> bool:
    return name.startswith(("list_", "get_", "find_"))
