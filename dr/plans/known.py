"""What is known of a plan's system and of both sites, as values: nothing else is judged from. Pure.

Everything is told from the site where the system runs (`source`) to the one it would move to (`target`):
after a move the two change places, and the mapping is read the other way round.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloudctl.amounts import Amounts, Kind
from cloudctl.errors import Fault
from cloudctl.ports import Room
from cloudctl.ports.replication import Replica
from dr.plans.document import Document, Part, Serving, Way

Pairs = Mapping[str, str]


_OF_A_RESTORE = re.compile(r"(-r\d+)+$")


def bare(name: str) -> str:
    """The name of a server without what restores have put behind it."""
    return _OF_A_RESTORE.sub("", name)


@dataclass(frozen=True)
class VolumeFacts:
    """A volume of a server, as its row tells."""

    name: str
    external_id: str
    size_gib: int
    type: str
    amounts: Amounts = field(default_factory=Amounts)


@dataclass(frozen=True)
class ServerFacts:
    """A server of the system at the source."""

    name: str
    label: str
    flavor: str
    zone: str
    image: str
    addresses: tuple[str, ...]
    volumes: tuple[VolumeFacts, ...]
    amounts: Amounts  # of the server and its port alone
    has_key: bool = False


@dataclass(frozen=True)
class Portrait:
    """What was told last of the servers of the whole system, by their names then."""

    volumes: Mapping[str, frozenset[str]]  # Cinder's ids
    labels: Pairs = field(default_factory=dict)

    def volumes_of(self, name: str) -> frozenset[str] | None:
        """Those of the server that a plan calls so; None: the point has no such server."""
        for one, volumes in self.volumes.items():
            if bare(one) == bare(name) or self.labels.get(one) == name:
                return volumes
        return None


@dataclass(frozen=True)
class CloudFacts:
    """What the cloud of a site told when it was asked; `problem` says why it told nothing."""

    problem: str = ""
    flavors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by name and id -> details
    types: frozenset[str] = frozenset()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name and id -> subnets
    images: Mapping[str, str] = field(default_factory=dict)  # by name and id -> status
    taken: frozenset[str] = frozenset()  # addresses that a port has
    missing_rights: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteFacts:
    """A site as the register and the catalogue have it."""

    id: str
    mode: str = "managed"
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (kind, catalogue name) -> there
    zones: Pairs = field(default_factory=dict)  # zone -> network
    sizes: Mapping[str, Amounts] = field(default_factory=dict)  # flavors of the catalogue: what one counts
    rooms: Mapping[Kind, Room] = field(default_factory=dict)  # as the site told last
    capacity_at: datetime | None = None
    cloud: CloudFacts | None = None  # None: not asked

    def at_site(self, kind: str, name: str) -> str:
        """What the catalogue's name is called here."""
        return self.names.get((kind, name), name)


@dataclass(frozen=True)
class PolicyFacts:
    """A backup policy that has the system at the source."""

    name: str
    is_active: bool
    vaults: tuple[str, ...]
    longest_gap_s: int
    delay_s: int | None  # from taking a point to its last copy; None: never measured
    every_s: int = 0


@dataclass(frozen=True)
class PointFacts:
    """A point that was read back (L1 or more), with the vaults that have it sealed."""

    id: str
    taken_at: datetime
    level: str
    vaults: tuple[str, ...]
    policy: str = ""


@dataclass(frozen=True)
class SystemFacts:
    """The system in the register."""

    id: str
    department: str
    mlps_level: int
    is_classified: bool = False
    is_retired: bool = False


@dataclass(frozen=True)
class WitnessFacts:
    """The vote of three places as it answers from here."""

    problem: str = ""
    members: int = 0
    members_ok: int = 0
    holder: str = ""  # who may write for the plan; empty: the witness has no entry
    epoch: int = 0
    is_open: bool = True
    agents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by site: the servers that have one


@dataclass(frozen=True)
class Known:
    """All of it for one plan, at one moment."""

    at: datetime
    source: str
    target: str
    system: SystemFacts | None = None
    sites: Mapping[str, SiteFacts] = field(default_factory=dict)
    servers: tuple[ServerFacts, ...] = ()
    standing: tuple[ServerFacts, ...] = ()  # those that stand at the target already
    policies: tuple[PolicyFacts, ...] = ()
    points: tuple[PointFacts, ...] = ()  # newest first
    is_point_coming: bool = False  # one is being made
    portrait: Portrait | None = None  # by the newest point; None: there is none
    project: str = ""  # the system's row at the target; empty: it has none
    other_plans: Mapping[str, str] = field(default_factory=dict)  # name -> system
    taken_servers: Pairs = field(default_factory=dict)  # server -> the plan that has it as well
    quota: tuple[Fault, ...] = ()  # levels at which the reserve does not fit
    reserved: Amounts = field(default_factory=Amounts)  # what the plan holds
    reserved_by_others: Amounts = field(default_factory=Amounts)  # at the target
    gives_way: Amounts = field(default_factory=Amounts)  # what systems take there that the plan may stop
    replicas: Mapping[str, Replica] = field(default_factory=dict)  # by volume, at the target
    replication_problem: str = ""  # why nobody tells of replicas
    application_lag_s: Mapping[str, float] = field(default_factory=dict)  # by part, where it is measured
    witness: WitnessFacts | None = None  # None: there is none

    def server(self, name: str) -> ServerFacts | None:
        """The server of that name, else the one that people call so, else what a restore made of it."""
        return named(self.servers, name)

    def site(self, site_id: str) -> SiteFacts:
        """The site; an empty one when there is none."""
        return self.sites.get(site_id, SiteFacts(site_id))

    def servers_of(self, part: Part) -> list[ServerFacts]:
        """Those of the part that stand at the source."""
        return [one for one in map(self.server, part.names_at(self.source)) if one is not None]


def named(servers: Sequence[ServerFacts], name: str) -> ServerFacts | None:
    """The server of that name, else the one that people call so, else what a restore made of it."""
    for is_meant in (
        lambda one: one.name == name,
        lambda one: one.label == name,
        lambda one: bare(one.name) == bare(name),
    ):
        if found := next(filter(is_meant, servers), None):
            return found
    return None


def without_agents(document: Document, known: Known) -> list[tuple[str, str]]:
    """(site, server) of what can write and whose agent the witness has never heard of: where the system runs,
    and what stands ready at the target. Nothing where the witness does not answer."""
    told = known.witness
    if told is None or told.problem:
        return []
    found = []
    for part in document.parts:
        if part.serving is Serving.STATELESS:
            continue
        ready = known.standing if part.writers and not is_made_anew(part) else ()
        for site, servers in ((known.source, known.servers), (known.target, ready)):
            rows = [one for name in part.names_at(site) if (one := named(servers, name)) is not None]
            enrolled = told.agents.get(site, ())
            found += [(site, one.name) for one in rows if not any(named([one], agent) for agent in enrolled)]
    return found


def mapping_to(document: Document, target: str) -> Mapping[str, Pairs]:
    """What stands for what at the target: as written on the way there, turned round on the way back."""
    if target == document.recovery:
        return document.mapping
    return {
        key: {there: here for here, there in reversed(list(pairs.items()))}
        for key, pairs in document.mapping.items()
    }


def mapping_between(document: Document, source: str, target: str) -> Mapping[str, Pairs]:
    """The same for names as they were at `source`: at that very site each stands for itself."""
    return mapping_to(document, target) if source != target else {}


def is_made_anew(part: Part) -> bool:
    """Whether a move makes its servers at the target; what serves at both sites stands there already."""
    return part.serving is Serving.ONE_SITE and part.way is not Way.APPLICATION


def flavor_at(document: Document, known: Known, server: ServerFacts) -> str:
    """The catalogue's flavor that the server gets at the target."""
    return mapping_to(document, known.target).get("flavors", {}).get(server.flavor, server.flavor)


def network_at(document: Document, known: Known, server: ServerFacts) -> tuple[str, str | None]:
    """(zone, network) of the server at the target; None where the zone has no network there."""
    zone = mapping_to(document, known.target).get("networks", {}).get(server.zone, server.zone)
    return zone, known.site(known.target).zones.get(zone)


def needed(document: Document, known: Known) -> Amounts:
    """What a move makes at the target: the room that has to be held there."""
    total = Amounts()
    for part in document.parts:
        if not is_made_anew(part):
            continue
        for server in known.servers_of(part):
            total = total + _sized(document, known, server)
            total = sum((one.amounts for one in server.volumes), total)
    return total


def _sized(document: Document, known: Known, server: ServerFacts) -> Amounts:
    """The server with the size it gets at the target, where the catalogue knows it."""
    size = known.site(known.target).sizes.get(flavor_at(document, known, server))
    if size is None:
        return server.amounts
    own = {kind: server.amounts[kind] for kind in (Kind.INSTANCES, Kind.PORTS)}
    return size + Amounts(own)
