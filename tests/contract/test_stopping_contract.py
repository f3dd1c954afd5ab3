"""What every Cloud does about servers that are stopped and ports that are closed: in memory, on the lab."""

from cloudctl.ports import NewPort, Port
from tests.contract.workbench import ROOM, Bench, named


def port_of(bench: Bench, port_id: str, *, is_up: bool) -> Port:
    """The port once it is so. Where servers are rows no port becomes ACTIVE, so only DOWN is looked for."""

    def look() -> Port | None:
        found = next((one for one in bench.cloud.list_all_ports() if one.id == port_id), None)
        is_so = found is not None and found.is_up is is_up and (is_up or found.status == "DOWN")
        return found if is_so else None

    return bench.until(look, f"port that is {'open' if is_up else 'closed'}")


def test_a_server_is_stopped_and_started_and_its_port_closed_and_opened(bench: Bench) -> None:
    """One server for all of it: on the lab one takes a while."""
    cloud, inside = bench.cloud, bench.inside
    cloud.set_quota(bench.project_id, ROOM)
    image = named(cloud.list_images(), "debian-12").name
    boot = inside.create_volume(bench.new_volume("stopped", image=image))
    bench.volume(boot.id, "available")
    network = named(cloud.list_networks(), "zone-public").id
    port = inside.create_port(NewPort(f"stopped-{bench.run}", network, (), bench.tags()))
    assert port.is_up
    flavor = cloud.list_flavors()[0].id
    server = inside.create_server(bench.new_server("stopped", flavor, boot.id, port.id))
    bench.server(server.id, "ACTIVE")

    inside.start_server(server.id)  # runs already
    inside.stop_server(server.id)
    bench.server(server.id, "SHUTOFF")
    inside.stop_server(server.id)
    inside.start_server(server.id)
    bench.server(server.id, "ACTIVE")

    port_of(bench, port.id, is_up=True)
    inside.set_port_up(port.id, is_up=False)
    port_of(bench, port.id, is_up=False)
    inside.set_port_up(port.id, is_up=False)
    inside.set_port_up(port.id, is_up=True)
    port_of(bench, port.id, is_up=True)

    inside.delete_server(server.id)
    bench.gone(inside.list_servers, server.id)
    inside.stop_server(server.id)  # what is gone writes nothing
    inside.delete_port(port.id)
    inside.set_port_up(port.id, is_up=False)
