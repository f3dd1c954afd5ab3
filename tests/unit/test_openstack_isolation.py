"""Isolated networks and consoles over HTTP: what a healthy lab never answers, and what is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudctl.errors import CloudBusy, CloudNotFound
from cloudctl.ports import CloudInProject, NewIsolatedNetwork, NewSubnet
from tests.unit.stub_openstack import Answer, StubOpenStack, clouds_of, running, write_clouds_yaml

PROJECT = "b" * 32
NETWORKS, SUBNETS = "/network/v2.0/networks", "/network/v2.0/subnets"
NEW = NewIsolatedNetwork(
    "isolated-public",
    (
        NewSubnet("10.20.0.0/20", ("10.20.15.200", "10.20.15.220"), "10.20.0.1"),
        NewSubnet("fd00::/64", ("fd00::a", "fd00::f")),
    ),
    {"cloudctl:restore": "7"},
)  # fmt: skip


@pytest.fixture
def stub() -> Iterator[StubOpenStack]:
    with running() as made:
        made.answer("GET", NETWORKS, Answer(body={"networks": []}))
        made.answer("GET", SUBNETS, Answer(body={"subnets": []}))
        made.answer("GET", "/network/v2.0/ports", Answer(body={"ports": []}))
        used = {"network": {"used": 0, "limit": 0}, "subnet": {"used": 0, "reserved": 1, "limit": 0}}
        quota = f"/network/v2.0/quotas/{PROJECT}"
        made.answer("GET", f"{quota}/details.json", Answer(body={"quota": used}))
        made.answer("PUT", quota, Answer(body={"quota": {}}))
        made.answer("POST", NETWORKS, Answer(201, {"network": row()}))
        made.answer("PUT", f"{NETWORKS}/n1/tags", Answer(body={"tags": []}))
        made.answer("POST", SUBNETS, Answer(201, {"subnet": {}}))
        yield made


@pytest.fixture
def inside(stub: StubOpenStack, tmp_path: Path) -> CloudInProject:
    clouds = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url))
    return clouds.at("province").in_project(PROJECT)


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "n1", "name": NEW.name, "shared": False, "router:external": False, "tags": [], **changes}


def bodies(stub: StubOpenStack, method: str, path: str) -> list[Any]:
    return [one.body for one in stub.calls(method, path)]


def test_a_network_is_made_after_room_for_it_was_opened_and_told_of_no_router(
    stub: StubOpenStack, inside: CloudInProject
) -> None:
    made = inside.ensure_isolated_network(NEW)
    assert (made.id, dict(made.tags)) == ("n1", {"cloudctl:restore": "7"})
    [room] = bodies(stub, "PUT", f"/network/v2.0/quotas/{PROJECT}")
    assert room == {"quota": {"network": 1, "subnet": 3}}
    four, six = (one["subnet"] for one in bodies(stub, "POST", SUBNETS))
    assert (four["gateway_ip"], six["gateway_ip"]) == ("10.20.0.1", None)
    assert four["allocation_pools"] == [{"start": "10.20.15.200", "end": "10.20.15.220"}]
    assert six["ipv6_address_mode"] == "dhcpv6-stateful"


def test_a_network_that_a_crash_left_half_made_gets_the_ranges_it_lacks(
    stub: StubOpenStack, inside: CloudInProject
) -> None:
    stub.answer("GET", NETWORKS, Answer(body={"networks": [row(), row(id="n2")]}))
    there = {"subnets": [{"network_id": "n1", "cidr": "10.20.0.0/20"}]}
    stub.answer("GET", SUBNETS, Answer(body=there))
    assert inside.ensure_isolated_network(NEW).id == "n1"
    assert not stub.calls("POST", NETWORKS)
    assert [one["subnet"]["cidr"] for one in bodies(stub, "POST", SUBNETS)] == ["fd00::/64"]


def test_whatever_leads_out_of_a_network_is_named(stub: StubOpenStack, inside: CloudInProject) -> None:
    stub.answer("GET", NETWORKS, Answer(body={"networks": [row(shared=True)]}))
    ports = [
        {"id": "p1", "device_owner": "network:router_interface", "device_id": "r1"},
        {"id": "p2", "device_owner": "network:dhcp", "device_id": "d1"},
        {"id": "p3", "device_owner": "compute:nova", "device_id": "s1"},
        {"id": "p4", "device_owner": "network:router_interface_distributed", "device_id": "r2"},
    ]
    stub.answer("GET", "/network/v2.0/ports", Answer(body={"ports": ports}))
    [network] = inside.list_own_networks()
    assert network.ways_out == ("router r1", "router r2", "shared")


def test_a_network_in_use_is_busy_and_one_that_is_gone_is_fine(
    stub: StubOpenStack, inside: CloudInProject
) -> None:
    stub.answer("DELETE", f"{NETWORKS}/n1", Answer(409, {"NeutronError": {"message": "in use"}}))
    with pytest.raises(CloudBusy):
        inside.delete_network("n1")
    inside.delete_network("n9")


def test_a_console_that_is_not_there_yet_is_empty_and_that_of_nobody_is_not_found(
    stub: StubOpenStack, inside: CloudInProject
) -> None:
    action = "/compute/v2.1/servers/s1/action"
    stub.answer("POST", action, Answer(409, {"conflictingRequest": {"message": "not ready"}}))
    stub.answer("GET", "/compute/v2.1/servers/s1", Answer(body={"server": {"id": "s1"}}))
    assert inside.console_output("s1") == ""
    stub.answer("POST", action, Answer(body={"output": "hello"}))
    assert inside.console_output("s1", 5) == "hello"
    assert bodies(stub, "POST", action)[-1] == {"os-getConsoleOutput": {"length": 5}}
    with pytest.raises(CloudNotFound):
        inside.console_output("s9")


def test_the_apis_are_told_as_addresses_and_ports(stub: StubOpenStack, tmp_path: Path) -> None:
    cloud = clouds_of(write_clouds_yaml(tmp_path / "clouds.yaml", stub.url)).at("province")
    port = stub.url.rpartition(":")[2]
    assert cloud.api_addresses() == [f"127.0.0.1:{port}"]
