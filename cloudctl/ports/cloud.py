"""One site's OpenStack, as what cloudctl needs of it; one contract suite for every implementation.

All calls of `Cloud` may raise CloudUnavailable (try again), CloudRejected and its kin (do not), each with
OpenStack's request id. Creating is never idempotent here: look first, by name and tag, then create.
Nothing here waits: what takes long is started, and asked for with a list call.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cloudctl.amounts import Amounts, Kind
from cloudctl.ports.adoption import AdoptionInProject
from cloudctl.ports.backups import BackupsInProject, CloudBackups
from cloudctl.ports.isolation import NetworksInProject
from cloudctl.ports.stopping import StoppingInProject

Tags = Mapping[str, str]

TAG_INSTALLATION = "cloudctl:installation"
TAG_REQUEST = "cloudctl:request"
TAG_RESOURCE = "cloudctl:resource"
TAG_SYSTEM = "cloudctl:system"
TAG_RESTORE = "cloudctl:restore"

NO_LIMIT = 2**31 - 1  # how a quota without limit reads: Amounts keeps no zeros, so absence says "none at all"


@dataclass(frozen=True)
class Named:
    """Something of a cloud with an id and a name: a domain, network, image, flavor or volume type."""

    id: str
    name: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class CloudProject:
    id: str
    name: str
    domain_id: str
    tags: frozenset[str] = frozenset()
    is_enabled: bool = True


@dataclass(frozen=True)
class Volume:
    id: str
    name: str
    status: str  # Cinder's words: creating, downloading, available, attaching, in-use, error, deleting
    size_gib: int
    project_id: str
    type: str
    tags: Tags
    server_ids: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Port:
    id: str
    name: str
    status: str
    project_id: str
    network_id: str
    addresses: tuple[str, ...]
    tags: Tags
    device_id: str = ""
    is_up: bool = True  # as somebody wants it; `status` is how it is


@dataclass(frozen=True)
class Server:
    id: str
    name: str
    status: str  # Nova's words: BUILD, ACTIVE, SHUTOFF, ERROR, DELETED
    project_id: str
    flavor: str
    tags: Tags
    addresses: tuple[str, ...] = ()
    volume_ids: tuple[str, ...] = ()
    error: str | None = None
    vcpus: int = 0
    ram_mib: int = 0


@dataclass(frozen=True)
class Rule:
    """One rule of a security group. `remote` is a CIDR; None means the group itself."""

    direction: str  # ingress, egress
    family: str  # IPv4, IPv6
    protocol: str | None
    port_min: int | None = None
    port_max: int | None = None
    remote: str | None = None


@dataclass(frozen=True)
class NewVolume:
    name: str
    size_gib: int
    type: str
    tags: Tags
    image_id: str | None = None  # set: a boot volume


@dataclass(frozen=True)
class NewPort:
    name: str
    network_id: str
    security_group_ids: tuple[str, ...]
    tags: Tags
    addresses: tuple[str, ...] = ()  # exactly these; empty: one of each subnet, as the cloud gives them


@dataclass(frozen=True)
class NewServer:
    name: str
    flavor_id: str
    boot_volume_id: str
    data_volume_ids: tuple[str, ...]
    port_ids: tuple[str, ...]
    key_name: str | None
    tags: Tags
    zone: str | None = None  # availability zone
    user_data: str | None = None  # what cloud-init reads at the first start; no secret
    has_config_drive: bool = False  # it reads that from a disk: its network may have no metadata service


@dataclass(frozen=True)
class Right:
    """One right that cloudctl needs at a site, why, and whether the credential has it."""

    name: str  # identity:create_project
    why: str
    is_held: bool
    needed_for: str  # observe, manage, backup, recover
    detail: str = ""


@dataclass(frozen=True)
class ServiceState:
    """One service of a cloud as it answers now."""

    name: str  # identity, compute, block-storage, network, image
    is_ok: bool
    detail: str = ""  # the newest version both sides know, or why it does not answer


@dataclass(frozen=True)
class Room:
    """How much of a kind a site can hold and holds, in the unit of the kind."""

    total: int
    used: int

    @property
    def free(self) -> int:
        return max(0, self.total - self.used)

    def __add__(self, other: "Room") -> "Room":
        return Room(self.total + other.total, self.used + other.used)


@dataclass(frozen=True)
class Inspection:
    """What a look at a cloud from outside tells; whatever does not answer is in `services`."""

    user: str
    roles: tuple[str, ...]
    services: tuple[ServiceState, ...]
    clock_ahead_s: float | None  # the cloud's clock against ours; None when no service told
    default_quotas: Mapping[str, int]  # service:word to limit; -1 is none


class CloudInProject(BackupsInProject, NetworksInProject, AdoptionInProject, StoppingInProject, Protocol):
    """A cloud seen from inside one project: what is made here belongs to it."""

    def list_volumes(self) -> list[Volume]:
        """All volumes of the project, in one listing."""

    def list_servers(self) -> list[Server]:
        """All servers of the project, in one listing."""

    def list_ports(self) -> list[Port]:
        """All ports of the project, in one listing."""

    def list_security_groups(self) -> list[Named]: ...

    def create_volume(self, new: NewVolume) -> Volume:
        """Start making a volume; its tags are on it from the first moment."""

    def create_port(self, new: NewPort) -> Port:
        """Make a port; CloudConflict when an address asked for is taken. A Neutron that cannot tag at create
        leaves it untagged: `tag_port` follows."""

    def tag_port(self, port_id: str, tags: Tags) -> None:
        """Put the tags on; again changes nothing."""

    def create_server(self, new: NewServer) -> Server:
        """Start making a server that boots from its volume; volumes and ports must be ready."""

    def ensure_key(self, name: str, public_key: str) -> None:
        """A key pair of that name with that key; again changes nothing."""

    def ensure_security_group(self, name: str, description: str, rules: Sequence[Rule]) -> str:
        """The group of that name with exactly these rules; its id. Again changes nothing."""

    def attach_volume(self, server_id: str, volume_id: str) -> None:
        """Start attaching; attached there already is fine."""

    def detach_volume(self, server_id: str, volume_id: str) -> None:
        """Start detaching; not attached is fine."""

    def rename_volume(self, volume_id: str, name: str) -> None:
        """Give a volume another name; again changes nothing. CloudNotFound when it is gone."""

    def delete_server(self, server_id: str) -> None:
        """Start deleting; gone already is fine."""

    def delete_volume(self, volume_id: str) -> None:
        """Start deleting; gone already is fine. CloudBusy while it is still attached or being made."""

    def delete_port(self, port_id: str) -> None:
        """Delete; gone already is fine."""

    def delete_security_group(self, group_id: str) -> None:
        """Delete; gone already is fine. CloudBusy while in use."""


class Cloud(CloudBackups, Protocol):
    """One site's OpenStack as cloudctl's own user sees it."""

    site: str

    def rights(self) -> list[Right]:
        """Exactly the rights needed, each with whether it is held; changes nothing."""

    def api_addresses(self) -> list[str]:
        """`address:port` of each API of the site, names resolved: what no isolated network may reach."""

    def inspect(self) -> Inspection:
        """Sign in and ask every service; never raises for what does not answer. Changes nothing."""

    def find_domain(self, name: str) -> Named | None: ...

    def create_domain(self, name: str, description: str) -> Named: ...

    def list_projects(self, domain_id: str | None = None) -> list[CloudProject]: ...

    def get_project(self, project_id: str) -> CloudProject:
        """CloudNotFound when there is none."""

    def create_project(
        self, domain_id: str, name: str, description: str, tags: Iterable[str]
    ) -> CloudProject:
        """Make a project. CloudConflict when the domain has one by that name."""

    def delete_project(self, project_id: str) -> None:
        """Delete; gone already is fine."""

    def ensure_own_access(self, project_id: str) -> None:
        """Give cloudctl's own user what it needs inside the project; again changes nothing."""

    def in_project(self, project_id: str) -> CloudInProject:
        """The cloud seen from inside the project; cheap, the session is kept."""

    def get_quota(self, project_id: str) -> Amounts:
        """The limits as Nova, Cinder and Neutron hold them now; a kind without limit is NO_LIMIT."""

    def set_quota(self, project_id: str, limits: Amounts) -> None:
        """Push limits for every kind (a kind not named becomes 0) to Nova, Cinder and Neutron."""

    def zero_default_quotas(self) -> list[str]:
        """Set the site's default quotas to zero where the API can; what could not be set, in words."""

    def usage(self, project_id: str) -> Amounts:
        """What the cloud itself counts as used in the project."""

    def capacity(self) -> Mapping[Kind, Room]:
        """What all hosts and storage pools have together, overcommitment counted in; a kind without an end,
        or that nobody tells, is not in it."""

    def list_flavors(self) -> list[Named]:
        """Details: vcpus, ram_mib, disk_gib."""

    def list_images(self) -> list[Named]:
        """Details: min_disk_gib, status."""

    def list_volume_types(self) -> list[Named]:
        """Details: backend (where its volumes lie; empty: not told), is_replicated."""

    def list_networks(self) -> list[Named]:
        """Details: subnets as CIDRs, is_shared."""

    def list_all_servers(self) -> list[Server]:
        """Every server of every project the credential can see. One that is missing need not be gone: a list
        leaves out what the cloud cannot reach just now."""

    def get_server(self, server_id: str) -> Server:
        """The server, of whatever project. CloudNotFound: the cloud says that there is none."""

    def list_all_volumes(self) -> list[Volume]:
        """Every volume of every project the credential can see."""

    def list_all_ports(self) -> list[Port]:
        """Every port of every project the credential can see, with owner compute or unattached."""


class Clouds(Protocol):
    """The clouds of all sites, by site id."""

    def at(self, site_id: str) -> Cloud:
        """Misconfigured when clouds.yaml has no entry for the site."""


class ConnectableClouds(Clouds, Protocol):
    """Clouds that can also be looked at before they are sites."""

    def entries(self) -> list[str]:
        """The names in clouds.yaml."""

    def of_entry(self, entry: str) -> Cloud:
        """The cloud of an entry. Misconfigured says what is wrong with it."""


class Bell(Protocol):
    """Wakes a worker. It may be lost: due rows are polled as well."""

    def ring(self, operation_id: int) -> None: ...
