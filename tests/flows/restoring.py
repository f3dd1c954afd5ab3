"""A system whose server really stands at the cloud, with its port and volumes: what can be restored over."""

from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.models import Operation, PolicyMember, RecoveryPoint, Resource, Restore
from cloudctl.ports import TAG_INSTALLATION, NewPort, NewServer
from dr import starting
from dr.restore_plan import SYSTEM
from tests.builders import AN_SSH_KEY, a_resource
from tests.flows.protecting import CITY, SITES, SOURCE, Protected

ROOM = Amounts(
    {
        Kind.INSTANCES: 5, Kind.VCPUS: 20, Kind.RAM_MIB: 65536,
        Kind.VOLUMES: 50, Kind.VOLUME_GIB: 500, Kind.PORTS: 20,
    }
)  # fmt: skip
BOOT, DATA = "resource-1", "resource-2"  # rows of the volumes


def with_server(world: Protected) -> str:
    """Start the system's server from its volumes; the id of its row."""
    cloud, project = world.source, world.external[SOURCE]
    for site in SITES:
        world.clouds[site].set_quota(world.external[site], ROOM)
    inside = cloud.in_project(project)
    inside.make_bootable(world.volumes[0])
    network = next(one.id for one in cloud.list_networks() if one.name == "zone-public")
    ours = {TAG_INSTALLATION: "test-installation"}
    port = inside.create_port(NewPort("budget-vm1-port", network, (), ours))
    flavor = next(one.id for one in cloud.list_flavors() if one.name == "gov.small")
    made = inside.create_server(
        NewServer("budget-vm1", flavor, world.volumes[0], tuple(world.volumes[1:]), (port.id,), None, {})
    )
    for _ in range(3):
        inside.list_servers()
    addresses = {
        "ipv4": [one for one in port.addresses if ":" not in one],
        "ipv6": [one for one in port.addresses if ":" in one],
    }
    port_row = a_resource(
        world.core, f"{SOURCE}-budget", {"ports": 1}, kind="port", name="budget-vm1-port",
        external_id=port.id, addresses=addresses, spec={"zone": "public"},
    )  # fmt: skip
    with world.core.store.write() as uow:
        row = uow.first(Resource, Resource.name == "budget-vm1")
        assert row is not None
        row.external_id, row.addresses = made.id, addresses
        more = {"port": port_row, "flavor": "gov.small", "zone": "public", "ssh_key": AN_SSH_KEY}
        row.spec = {**row.spec, **more}
        row.amounts = {"instances": 1, "vcpus": 1, "ram_mib": 1024}
        return row.id


def servers_of(world: Protected, site: str = SOURCE) -> list[tuple[str, tuple[str, ...]]]:
    """Name and volumes of every server that stands at the site."""
    found = world.clouds[site].state.servers.values()
    return sorted((one.name, one.volume_ids) for one in found if one.status == "ACTIVE")


def rows_of(world: Protected, site: str = SOURCE) -> dict[str, Resource]:
    """Every row at the site that is not released, by name."""
    with world.core.store.read() as uow:
        return {
            row.name: row for row in uow.all(Resource, Resource.site_id == site, Resource.state != "released")
        }


def begin_over(world: Protected, point_id: str, server: str, positions: tuple[int, ...] = (0, 1)) -> Restore:
    """A restore over what is there, approved."""
    originals = (BOOT, DATA)
    wanted = [{"position": n, "original": originals[n]} for n in positions]
    with world.core.store.write() as uow:
        made = starting.begin_restore(
            uow, world.clock, uow.need(RecoveryPoint, point_id), CITY, SOURCE, world.external[SOURCE],
            "carol", wanted, "over", servers=[{"row": server, "name": "budget-vm1", "flavor": "gov.small"}],
        )  # fmt: skip
        starting.start_restore(uow, world.clock, made)
        return made


def begin_system(world: Protected, point_id: str, site: str = CITY) -> Restore:
    """A restore with a server of its own."""
    one: dict[str, Any] = {
        "name": "budget-vm1", "flavor": "gov.small", "zone": "public", "boot": 0, "data": [1],
        "ssh_key": AN_SSH_KEY,
    }  # fmt: skip
    with world.core.store.write() as uow:
        return starting.begin_restore(
            uow, world.clock, uow.need(RecoveryPoint, point_id), CITY, site, world.external[site],
            "carol", (), SYSTEM, servers=[one],
        )  # fmt: skip


def ended(world: Protected, restore: Restore) -> tuple[Restore, Operation]:
    """The restore, worked on to its end, and its operation."""
    operation = world.work(restore.operation_id)
    with world.core.store.read() as uow:
        assert uow.count(PolicyMember) == 1
        return uow.need(Restore, restore.id), operation
