"""Which sites a lab has, and their names, addresses and ports: the address plan, pure."""

from dataclasses import dataclass

PORTS = {
    "mariadb": 3306,
    "etcd": 2379,
    "pdns": 53,
    "ceph-mon": 3300,
    "epmd": 4369,
    "keystone": 5000,
    "rabbitmq": 5672,
    "radosgw": 7480,
    "nova-api": 8774,
    "cinder-api": 8776,
    "placement": 8778,
    "glance": 9292,
    "neutron-api": 9696,
    "memcached": 11211,
}


_THIRD = 9


@dataclass(frozen=True)
class Site:
    """One cloud: `number` is its place in the plan, and everything else follows from it."""

    name: str
    number: int

    @property
    def is_cloud(self) -> bool:
        """Whether it has a cloud at all; the third place has a network and what is put there."""
        return self.number < _THIRD

    @property
    def region(self) -> str:
        return self.name.title()

    @property
    def namespace(self) -> str:
        return f"site-{self.name}"

    @property
    def host_link(self) -> str:
        """The machine's end of the cable to the site (at most 15 characters)."""
        return f"lab-{self.name}"

    @property
    def address(self) -> str:
        return f"10.101.{self.number}.2"

    @property
    def gateway(self) -> str:
        return f"10.101.{self.number}.1"

    def url(self, service: str, path: str = "") -> str:
        """The address of an HTTP service of this site."""
        return f"http://{self.address}:{PORTS[service]}{path}"

    @property
    def auth_url(self) -> str:
        return self.url("keystone", "/v3")


@dataclass(frozen=True)
class ZoneNetwork:
    """One shared dual-stack network of a site."""

    name: str
    cidr_v4: str
    cidr_v6: str


@dataclass(frozen=True)
class ExternalNetwork:
    """A site's way out: `gateway` is the site's own end of it, `router` the one before the zone networks."""

    cidr: str
    gateway: str
    router: str


#: A place of its own, for what must not be lost together with a site.
THIRD = Site("third", _THIRD)


def plan(cities: int) -> tuple[Site, ...]:
    """The province and its cities, in the order in which they are numbered."""
    if cities not in (1, 2):
        raise ValueError("a lab has one or two cities")
    names = ["province", *(f"city-{number}" for number in range(1, cities + 1))]
    return tuple(Site(name, number) for number, name in enumerate(names, start=1))


def external_network(site: Site) -> ExternalNetwork:
    """The network of the site's floating addresses."""
    prefix = f"172.24.{site.number}"
    return ExternalNetwork(f"{prefix}.0/24", f"{prefix}.1", f"{prefix}.254")


def zone_networks(site: Site) -> tuple[ZoneNetwork, ...]:
    """The three network zones of a site; no two sites share a prefix, so drills can join them."""
    return tuple(
        ZoneNetwork(
            f"zone-{zone}",
            f"10.{20 + site.number - 1}.{16 * index}.0/20",
            f"fd00:{site.number}:{index + 1}::/64",
        )
        for index, zone in enumerate(("public", "dedicated", "internet"))
    )
