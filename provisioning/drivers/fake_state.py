"""What the fake cloud holds, how it moves from state to state, and the hooks by which tests break it."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloudctl.amounts import Amounts, Kind
from cloudctl.clock import Clock, SystemClock
from cloudctl.errors import CloudctlError, CloudUnavailable
from cloudctl.ports import CloudProject, Named, OwnNetwork, Port, Rule, Server, Volume
from provisioning.drivers.fake_cinder import FakeCinder
from provisioning.drivers.fake_images import PlainImages, StorageImages

# Medians of a real OpenStack on two cores, in seconds; for tests that want a cloud as slow as that.
LAB_LATENCY_S: Mapping[str, float] = {
    "list_servers": 0.035,
    "list_volumes": 0.03,
    "list_ports": 0.03,
    "create_volume": 0.12,
    "create_port": 0.2,
    "create_server": 0.35,
    "create_project": 0.08,
    "set_quota": 0.3,
}


@dataclass(frozen=True)
class Call:
    """One call as the hooks see it; `number` counts from 1 over all calls of this cloud."""

    number: int
    name: str
    project_id: str | None
    subject: str  # a name or id, for messages


@dataclass(frozen=True)
class Pace:
    """How long a thing stays in a state of passage: a number of list calls, or seconds of the clock."""

    lists: int = 1
    seconds: float | None = None


@dataclass
class Passage:
    """A thing on its way to another state."""

    lists_left: int
    due_at: datetime | None
    then: Callable[[], None]


@dataclass
class Group:
    """A security group."""

    id: str
    name: str
    project_id: str
    rules: tuple[Rule, ...]


@dataclass
class FakeNetwork:
    """A network of a project's own; `pools` is the first free address of each of its ranges."""

    project_id: str
    seen: OwnNetwork
    pools: dict[str, str]


@dataclass
class PlannedFailure:
    """The nth call of that name fails, before or after it took effect."""

    name: str
    nth: int
    error: CloudctlError
    is_after: bool
    times: int
    seen: int = 0

    def hits(self, call: Call, is_after: bool) -> bool:
        if call.name != self.name or is_after != self.is_after:
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


def _nothing(_call: Call) -> None:
    """The hook that is there before a test puts its own."""


def _plain_console(server: Server) -> str:
    """What a server writes that nobody wrote a test for."""
    return f"{server.name} login:"


@dataclass
class FakeState:
    """Everything a fake cloud knows. One lock; hooks and latencies run outside of it."""

    site: str
    cinder: FakeCinder  # snapshots, backups and the bytes of volumes
    clock: Clock = field(default_factory=SystemClock)
    pace: Pace = Pace()
    split_tagging: bool = False  # as a Neutron that takes no tags when a port is made
    before: Callable[[Call], None] = _nothing
    after: Callable[[Call], None] = _nothing
    latency_s: Mapping[str, float] = field(default_factory=dict)
    sleep: Callable[[float], None] = lambda _seconds: None
    is_cut_off: bool = False

    domains: dict[str, Named] = field(default_factory=dict)
    projects: dict[str, CloudProject] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)
    quotas: dict[str, Amounts] = field(default_factory=dict)
    default_quota: Amounts = field(default_factory=Amounts)
    capacity: dict[Kind, int] = field(
        default_factory=lambda: {Kind.VCPUS: 4096, Kind.RAM_MIB: 1 << 23, Kind.VOLUME_GIB: 1 << 20}
    )
    flavors: dict[str, Named] = field(default_factory=dict)
    images: dict[str, Named] = field(default_factory=dict)
    volume_types: dict[str, Named] = field(default_factory=dict)
    networks: dict[str, Named] = field(default_factory=dict)
    own_networks: dict[str, FakeNetwork] = field(default_factory=dict)
    images_in_storage: StorageImages = field(default_factory=PlainImages)  # what Cinder could adopt
    bootable: set[str] = field(default_factory=set)  # volumes that were made from no image
    console: Callable[[Server], str] = _plain_console
    api_addresses: tuple[str, ...] = ("198.51.100.10:5000", "198.51.100.10:8774")
    volumes: dict[str, Volume] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    user_data: dict[str, str | None] = field(default_factory=dict)  # server id -> what it was made with
    missing_rights: set[str] = field(default_factory=set)

    going: set[str] = field(
        default_factory=set
    )  # servers that are being deleted; Nova's status does not tell
    passages: dict[str, Passage] = field(default_factory=dict)
    broken_servers: Counter[str] = field(default_factory=Counter)  # name -> how often it goes to ERROR
    failures: list[PlannedFailure] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0

    # -- ids and calls

    def new_id(self, kind: str) -> str:
        """An id that looks like OpenStack's and is the same in every run."""
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.site}/{kind}/{self.made}"))

    def request_id(self) -> str:
        return f"req-{uuid.uuid5(uuid.NAMESPACE_URL, f'{self.site}/call/{len(self.calls)}')}"

    @contextmanager
    def call(self, name: str, project_id: str | None = None, subject: str = "") -> Iterator[None]:
        """The frame around every call: count, hooks, planned failures, latency, the lock."""
        with self.lock:
            call = Call(len(self.calls) + 1, name, project_id, subject)
            self.calls.append(call)
        self.before(call)
        self.sleep(self.latency_s.get(name, 0.0))
        if self.is_cut_off:
            raise CloudUnavailable("{site} does not answer", site=self.site)
        self._fail(call, is_after=False)
        with self.lock:
            yield
        self._fail(call, is_after=True)
        self.after(call)

    def _fail(self, call: Call, is_after: bool) -> None:
        with self.lock:
            hit = [failure for failure in self.failures if failure.hits(call, is_after)]
        if hit:
            raise hit[0].error

    # -- passage from state to state

    def begin(self, thing_id: str, then: Callable[[], None]) -> None:
        """`then` happens after the pace's number of listings or seconds; replaces what was under way."""
        seconds = self.pace.seconds
        due_at = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        self.passages[thing_id] = Passage(self.pace.lists, due_at, then)

    def move(self, thing_ids: list[str]) -> None:
        """Move on what is under way among these, as a listing sees it."""
        for thing_id in thing_ids:
            passage = self.passages.get(thing_id)
            if passage is None:
                continue
            if passage.due_at is not None:
                is_due = self.clock.now() >= passage.due_at
            else:
                is_due = passage.lists_left <= 0
                passage.lists_left -= 1
            if is_due:
                del self.passages[thing_id]
                passage.then()

    # -- counting

    def used(self, project_id: str) -> Amounts:
        """What counts against the quotas of the project."""
        servers = [server for server in self.servers.values() if server.project_id == project_id]
        volumes = [volume for volume in self.volumes.values() if volume.project_id == project_id]
        return Amounts(
            {
                Kind.INSTANCES: len(servers),
                Kind.VCPUS: sum(server.vcpus for server in servers),
                Kind.RAM_MIB: sum(server.ram_mib for server in servers),
                Kind.VOLUMES: len(volumes),
                Kind.VOLUME_GIB: sum(volume.size_gib for volume in volumes),
                Kind.PORTS: sum(port.project_id == project_id for port in self.ports.values()),
            }
        )
