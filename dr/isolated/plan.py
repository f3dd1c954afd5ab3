"""What is started in isolation, out of what a system looked like and what a site offers. Pure.

The networks have the ranges they had, and the servers their addresses, so that what a system knows of itself
stays right. Nothing here is a way out: they are told of a gateway as they were, and nobody has its address.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import Fault
from cloudctl.ports import Named, NewSubnet, Rule

POOL_MOST = 32  # addresses that the cloud may give away itself: its own ports' and the probe's
PROBE = "probe"
LEAST_PROBE_MIB = 192  # Python, and the system around it
_FAMILIES = ("ipv4", "ipv6")
_LINUX = ("debian", "ubuntu")
_USUAL_GIB = 10  # for an image that does not say how large a disk it needs
_RESERVED_AT_END = 2  # of a range: the broadcast address, and one where people like to put a router


@dataclass(frozen=True)
class Nic:
    """A server's place on a network."""

    network: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class StartedServer:
    """A server as it is started: `boot` and `data` are positions of volumes of the point."""

    name: str
    label: str
    flavor: Named
    boot: int
    data: tuple[int, ...]
    nic: Nic


@dataclass(frozen=True)
class Probe:
    """The server that looks: what it boots from and how large it is."""

    image: Named
    flavor: Named
    size_gib: int


@dataclass(frozen=True)
class Plan:
    """Everything that is made, in the order in which the servers start."""

    networks: Mapping[str, tuple[NewSubnet, ...]]
    groups: Mapping[str, tuple[Rule, ...]]  # network -> the rules of the group of its servers
    servers: tuple[StartedServer, ...]
    probe: Probe
    forbidden: tuple[str, ...]

    def room(self, volumes: int, volume_gib: int) -> Amounts:
        """What the project must be allowed, beside this many volumes and GiB that it has by then."""
        flavors = [*(one.flavor for one in self.servers), self.probe.flavor]
        ports = len(self.servers) + 2 * len(self.networks)
        return Amounts(
            {
                Kind.INSTANCES: len(flavors),
                Kind.VCPUS: sum(_number(one, "vcpus") for one in flavors),
                Kind.RAM_MIB: sum(_number(one, "ram_mib") for one in flavors),
                Kind.VOLUMES: volumes + 1,
                Kind.VOLUME_GIB: volume_gib + self.probe.size_gib,
                Kind.PORTS: 2 * ports,  # near its limit Neutron refuses some that are made side by side
            }
        )


@dataclass(frozen=True)
class Offer:
    """What the site has, and the words of the configuration about the probe (empty: what fits)."""

    flavors: Sequence[Named]
    images: Sequence[Named]
    probe_flavor: str = ""
    probe_image: str = ""


def draw(
    topology: Mapping[str, Any], offer: Offer, forbidden: Iterable[str]
) -> tuple[Plan | None, list[Fault]]:
    """The plan, or everything that is in its way.

    `topology` is that of a point (`dr.describing`); `forbidden` are addresses that must not answer, besides
    the gateways of the ranges, which are always among them.
    """
    faults: list[Fault] = []
    servers, lost = [], []
    for row in topology.get("servers") or ():
        made, wrong = _server(row, topology, offer.flavors)
        faults += wrong
        servers += [made] if made else []
        lost += [one for one in _addresses(row) if made and one not in made.nic.addresses]
    if not topology.get("servers"):
        faults.append(
            Fault("servers", "no_servers", "the point has volumes and no server that boots from them")
        )
    probe = _probe(topology, offer)
    if isinstance(probe, Fault):
        faults.append(probe)
    zones = sorted({one.nic.network for one in servers})
    taken = [address for one in servers for address in one.nic.addresses]
    networks = {zone: tuple(subnet(cidr, taken) for cidr in _ranges(topology, zone)) for zone in zones}
    if faults or isinstance(probe, Fault):
        return None, faults
    outside = [*_gateways(networks), *lost, *forbidden]
    unlike = [
        one for one in dict.fromkeys(outside) if one.rpartition(":")[0] not in taken and one not in taken
    ]
    groups = {zone: _rules(topology, zone) for zone in zones}
    return Plan(networks, groups, tuple(servers), probe, tuple(unlike)), []


def subnet(cidr: str, taken: Iterable[str]) -> NewSubnet:
    """The range with its gateway's address, which nobody gets, and a pool near its end in which none of the
    taken addresses lies."""
    network = ipaddress.ip_network(cidr)
    inside = {address for one in taken if (address := ipaddress.ip_address(one)) in network}
    gateway = network.network_address + 1
    low, high = _pool(int(gateway), int(network.broadcast_address) - _RESERVED_AT_END, {*map(int, inside)})
    make = type(network.network_address)
    return NewSubnet(
        cidr, (str(make(low)), str(make(high))), None if gateway in inside else str(gateway)
    )  # fmt: skip


def _pool(first: int, last: int, used: set[int]) -> tuple[int, int]:
    """The highest gap between the used ones and what is below `first`; no more of it than is needed."""
    end = last
    for one in [*sorted(used, reverse=True), first]:
        if end > one:
            return max(one + 1, end - POOL_MOST + 1), end
        end = min(end, one - 1)
    return first, first


def fitting(flavors: Sequence[Named], name: str, vcpus: int, ram_mib: int) -> Named | None:
    """The flavor of that name, else the smallest that is not smaller; None when there is none, or when
    nothing is known of the size of one that the site does not have."""
    for one in flavors:
        if one.name == name:
            return one
    if not ram_mib:
        return None
    large = [f for f in flavors if _number(f, "vcpus") >= vcpus and _number(f, "ram_mib") >= ram_mib]
    return min(large, key=_size, default=None)


def _server(
    row: Mapping[str, Any], topology: Mapping[str, Any], flavors: Sequence[Named]
) -> tuple[StartedServer | None, list[Fault]]:
    place, faults = f"servers.{row['name']}", []
    flavor = fitting(
        flavors, str(row.get("flavor") or ""), int(row.get("vcpus") or 0), int(row.get("ram_mib") or 0)
    )
    if flavor is None:
        template = "the site has no flavor like {flavor}"
        faults.append(Fault(place, "no_flavor", template, {"flavor": row.get("flavor")}))
    if row.get("boot") is None:
        faults.append(Fault(place, "no_boot_volume", "what it boots from is not in the point"))
    zone = str(row.get("zone") or "")
    if zone not in (topology.get("networks") or {}):
        faults.append(
            Fault(place, "no_network", "the ranges of its network '{zone}' are not known", {"zone": zone})
        )
    if flavor is None or faults:
        return None, faults
    ranges = [ipaddress.ip_network(one) for one in _ranges(topology, zone)]
    kept = [one for one in _addresses(row) if any(ipaddress.ip_address(one) in each for each in ranges)]
    label, nic = str(row.get("label") or ""), Nic(zone, tuple(kept))
    data = tuple(int(one) for one in row.get("data") or ())
    return StartedServer(str(row["name"]), label, flavor, int(row["boot"]), data, nic), []


def _addresses(row: Mapping[str, Any]) -> list[str]:
    found = row.get("addresses") or {}
    return [str(one) for family in _FAMILIES for one in found.get(family, ())]


def _ranges(topology: Mapping[str, Any], zone: str) -> list[str]:
    return [str(cidr) for family in _FAMILIES if (cidr := topology["networks"][zone].get(family))]


def _probe(topology: Mapping[str, Any], offer: Offer) -> Probe | Fault:
    """An image with Python and cloud-init: as configured, else of Debian or Ubuntu, else the system's own."""
    active = [one for one in offer.images if one.details.get("status") == "active"]
    own = [str(row.get("image")) for row in topology.get("servers") or () if row.get("image")]
    wanted = [offer.probe_image] if offer.probe_image else [*_LINUX, *own]
    found = [
        one
        for word in wanted
        for one in sorted(active, key=lambda each: each.name)  # the name itself, then those that go on
        if one.name.startswith(word)
    ]
    if not found:
        params = {"names": ", ".join(dict.fromkeys(wanted))}
        hint = "set probe_image in cloudctl.yaml"
        return Fault(PROBE, "no_image", "the site has no image for the probe ({names})", params, hint)
    flavor = _probe_flavor(offer)
    if flavor is None:
        params = {"name": offer.probe_flavor or "-"}
        return Fault(PROBE, "no_flavor", "the site has no flavor for the probe ({name})", params)
    size_gib = _number(found[0], "min_disk_gib") or _number(flavor, "disk_gib") or _USUAL_GIB
    return Probe(found[0], flavor, size_gib)


def _probe_flavor(offer: Offer) -> Named | None:
    if offer.probe_flavor:
        return next((one for one in offer.flavors if one.name == offer.probe_flavor), None)
    enough = [one for one in offer.flavors if _number(one, "ram_mib") >= LEAST_PROBE_MIB]
    return min(enough, key=_size, default=None)


def _rules(topology: Mapping[str, Any], zone: str) -> tuple[Rule, ...]:
    """The rules the servers of the zone had, as the point keeps them."""
    rows = (topology.get("security_groups") or {}).get(zone, ())
    return tuple(Rule(**row) for row in rows)


def _gateways(networks: Mapping[str, Sequence[NewSubnet]]) -> list[str]:
    """Where a router of each range would be: its first address."""
    ranges = [ipaddress.ip_network(one.cidr) for subnets in networks.values() for one in subnets]
    return [str(one.network_address + 1) for one in ranges]


def _number(named: Named, key: str) -> int:
    return int(str(named.details.get(key) or 0))


def _size(flavor: Named) -> tuple[int, int, int, str]:
    return _number(flavor, "ram_mib"), _number(flavor, "vcpus"), _number(flavor, "disk_gib"), flavor.name
