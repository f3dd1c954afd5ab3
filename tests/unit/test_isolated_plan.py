"""What is started in isolation: as it was, as far as the site has it, and never with a way out."""

import ipaddress
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudctl.amounts import Kind
from cloudctl.ports import Named
from dr.isolated.plan import Offer, Plan, draw, fitting, subnet
from provisioning.zone_rules import rules


def flavor(name: str, vcpus: int, ram_mib: int) -> Named:
    return Named(f"id-{name}", name, {"vcpus": vcpus, "ram_mib": ram_mib, "disk_gib": 0})


def image(name: str, status: str = "active") -> Named:
    return Named(f"id-{name}", name, {"min_disk_gib": 2, "status": status})


FLAVORS = (flavor("gov.small", 1, 1024), flavor("gov.large", 4, 8192), flavor("tiny", 1, 128))
OFFER = Offer(FLAVORS, (image("debian-12"), image("kylin-v10")))


def topology(**changes: Any) -> dict[str, Any]:
    server = {
        "name": "budget-vm1", "flavor": "gov.small", "image": "kylin-v10", "zone": "public", "label": "vm1",
        "vcpus": 1, "ram_mib": 1024, "boot": 0, "data": [1, 2],
        "addresses": {"ipv4": ["10.20.0.7"], "ipv6": ["fd00:1:1::7"]},
    }  # fmt: skip
    return {
        "servers": [{**server, **changes}],
        "networks": {"public": {"network": "zone-public", "ipv4": "10.20.0.0/20", "ipv6": "fd00:1:1::/64"}},
        "security_groups": {"public": [asdict(one) for one in rules("public", 3)]},
    }


def drawn(given: dict[str, Any], offer: Offer = OFFER, forbidden: tuple[str, ...] = ()) -> Plan:
    plan, faults = draw(given, offer, forbidden)
    assert not faults
    assert plan is not None
    return plan


def test_servers_keep_addresses_flavor_groups_and_the_order_of_their_volumes() -> None:
    plan = drawn(topology())
    [server] = plan.servers
    assert (server.flavor.name, server.boot, server.data) == ("gov.small", 0, (1, 2))
    assert server.nic.addresses == ("10.20.0.7", "fd00:1:1::7")
    assert plan.groups["public"] == rules("public", 3)
    assert [one.cidr for one in plan.networks["public"]] == ["10.20.0.0/20", "fd00:1:1::/64"]


def test_the_probe_is_a_small_linux_of_the_catalogue_unless_the_configuration_says_otherwise() -> None:
    plan = drawn(topology())
    assert (plan.probe.image.name, plan.probe.flavor.name, plan.probe.size_gib) == (
        "debian-12", "gov.small", 2,
    )  # fmt: skip
    chosen = drawn(topology(), Offer(FLAVORS, OFFER.images, "gov.large", "kylin-v10"))
    assert (chosen.probe.image.name, chosen.probe.flavor.name) == ("kylin-v10", "gov.large")


def test_room_is_for_the_servers_and_the_probe_beside_what_is_there() -> None:
    room = drawn(topology()).room(6, 40)
    assert room[Kind.INSTANCES] == 2
    assert room[Kind.RAM_MIB] == 2048
    assert (room[Kind.VOLUMES], room[Kind.VOLUME_GIB]) == (7, 42)


def test_what_must_not_answer_are_gateways_apis_and_addresses_that_could_not_be_kept() -> None:
    given = topology(addresses={"ipv4": ["10.20.0.7", "203.0.113.9"], "ipv6": []})
    plan = drawn(given, forbidden=("10.101.2.2:5000", "10.20.0.7", "10.20.0.7:80"))
    assert plan.servers[0].nic.addresses == ("10.20.0.7",)
    assert plan.forbidden == ("10.20.0.1", "fd00:1:1::1", "203.0.113.9", "10.101.2.2:5000")


def test_everything_that_keeps_a_system_from_being_started_is_told_at_once() -> None:
    given = topology(flavor="gov.huge", ram_mib=None, boot=None, zone="moon")
    plan, faults = draw(given, Offer((), (image("debian-12", "queued"),)), ())
    assert plan is None
    assert {one.code for one in faults} == {"no_flavor", "no_boot_volume", "no_network", "no_image"}


def test_volumes_without_a_server_start_nothing() -> None:
    plan, faults = draw({"servers": [], "networks": {}}, OFFER, ())
    assert plan is None
    assert [one.code for one in faults] == ["no_servers"]


def test_a_flavor_the_site_does_not_have_is_taken_for_the_smallest_that_is_not_smaller() -> None:
    found = fitting(FLAVORS, "c2m2", 2, 2048)
    assert found is not None
    assert found.name == "gov.large"
    assert fitting(FLAVORS, "c2m2", 8, 2048) is None
    assert fitting(FLAVORS, "c2m2", 0, 0) is None


@given(st.sets(st.integers(1, 253), max_size=200), st.sampled_from(["10.9.8.0/24", "fd00:9::/120"]))
def test_a_pool_never_has_an_address_that_is_taken(numbers: set[int], cidr: str) -> None:
    network = ipaddress.ip_network(cidr)
    taken = {str(network.network_address + n) for n in numbers}
    made = subnet(cidr, taken)
    low, high = (ipaddress.ip_address(word) for word in made.pool)
    pool = {str(ipaddress.ip_address(n)) for n in range(int(low), int(high) + 1)}
    assert pool
    assert not pool & {*taken, made.gateway}
    assert made.gateway == (None if 1 in numbers else str(network.network_address + 1))
    assert all(ipaddress.ip_address(one) in network for one in pool)
    assert str(network.network_address) not in pool
    assert str(network.broadcast_address) not in pool
