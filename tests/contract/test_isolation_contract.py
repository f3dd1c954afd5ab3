"""What every Cloud does about networks that lead nowhere and consoles, in memory and on the lab."""

import ipaddress
import uuid

import pytest

from cloudctl.errors import CloudConflict, CloudNotFound
from cloudctl.ports import NewIsolatedNetwork, NewPort, NewSubnet, OwnNetwork
from tests.contract.test_cloud_contract import make_port
from tests.contract.workbench import Bench, named

V4, V6 = "10.77.0.0/24", "fd77::/64"
SUBNETS = (
    NewSubnet(V4, ("10.77.0.200", "10.77.0.220"), "10.77.0.1"),
    NewSubnet(V6, ("fd77::200", "fd77::220")),
)


@pytest.fixture
def network(bench: Bench) -> OwnNetwork:
    new = NewIsolatedNetwork(f"isolated-{bench.run}", SUBNETS, bench.tags())
    for one in bench.inside.list_own_networks():
        bench.inside.delete_network(one.id)
    made = bench.inside.ensure_isolated_network(new)
    assert set(new.tags) <= set(made.tags)
    return made


def test_an_isolated_network_has_its_ranges_and_nothing_leads_out_of_it(
    bench: Bench, network: OwnNetwork
) -> None:
    [listed] = bench.inside.list_own_networks()
    assert listed == network
    assert listed.subnets == (V4, V6)
    assert listed.ways_out == ()
    again = NewIsolatedNetwork(network.name, SUBNETS, network.tags)
    assert bench.inside.ensure_isolated_network(again).id == network.id
    assert network.id not in {one.id for one in bench.cloud.list_networks() if one.details["is_shared"]}
    bench.inside.delete_network(network.id)
    assert not bench.inside.list_own_networks()
    bench.inside.delete_network(network.id)


def test_a_port_keeps_the_addresses_asked_for_and_nobody_else_gets_them(
    bench: Bench, network: OwnNetwork
) -> None:
    wanted = ("10.77.0.5", "fd77::5")
    new = NewPort(f"kept-{bench.run}", network.id, (), bench.tags(), wanted)
    made = bench.inside.create_port(new)
    assert set(made.addresses) == set(wanted)
    with pytest.raises(CloudConflict):
        bench.inside.create_port(new)
    other = bench.inside.create_port(NewPort(f"other-{bench.run}", network.id, (), bench.tags()))
    low, high = (ipaddress.ip_address(word) for word in SUBNETS[0].pool)
    v4 = [ipaddress.ip_address(one) for one in other.addresses if ":" not in one]
    assert len(v4) == 1
    assert int(low) <= int(v4[0]) <= int(high)
    for port in (made, other):
        bench.inside.delete_port(port.id)
    bench.inside.delete_network(network.id)


def test_a_console_is_text_and_that_of_no_server_is_not_found(bench: Bench) -> None:
    boot = bench.inside.create_volume(bench.new_volume("console", 10, image="debian-12"))
    bench.volume(boot.id, "available")
    bench.inside.make_bootable(boot.id)
    bench.inside.make_bootable(boot.id)
    port = make_port(bench, "console")
    flavor = named(bench.cloud.list_flavors(), "gov.small").id
    made = bench.inside.create_server(bench.new_server("console", flavor, boot.id, port.id))
    bench.server(made.id, "ACTIVE")
    assert bench.until(lambda: bench.inside.console_output(made.id, 5) or None, "a console")
    bench.inside.delete_server(made.id)
    bench.gone(bench.inside.list_servers, made.id)
    with pytest.raises(CloudNotFound):
        bench.inside.console_output(str(uuid.uuid4()))
    bench.inside.delete_port(port.id)


def test_the_site_tells_where_its_apis_are(bench: Bench) -> None:
    found = bench.cloud.api_addresses()
    assert found
    for one in found:
        address, _, port = one.rpartition(":")
        assert ipaddress.ip_address(address.strip("[]"))
        assert int(port) > 0
