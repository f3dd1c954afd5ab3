"""A system of several parts that is rehearsed on the fake cloud, with what answers inside when.

The probe is the real script, run at the moment somebody reads the console of its server.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloudctl.actors import Actor, Role
from cloudctl.clock import Clock
from cloudctl.lifecycle import PlanState
from cloudctl.models import Drill, Operation, ProtectionPlan, Resource
from cloudctl.operations import Engine
from cloudctl.ports import NewVolume, Server, Volume
from dr.drills import asking
from dr.drills.asking import Asked
from dr.drills.cloning import FromPoints
from dr.drills.ends import Ends
from dr.drills.flow import Rehearse
from dr.isolated import probe_script
from dr.isolated.checks import Check
from dr.isolated.laying import EYE
from dr.plans.document import Document, Part, Way
from dr.sentinels.record import Moment
from provisioning.drivers.fake_chunks import Layout
from provisioning.drivers.fake_cloud import FakeClouds
from provisioning.lanes import Lanes
from tests.builders import a_person, a_resource, an_actor
from tests.flows.protecting import CITY, DAY_S, SOURCE, SYSTEM, Impatient, Protected

SMALL = Layout(gib_bytes=96 << 10, object_bytes=64 << 10, block_bytes=32 << 10)
#: name, label, address
SERVERS = (
    ("budget-vm1", "db", "10.20.0.77"),
    ("budget-vm2", "app", "10.20.0.78"),
    ("budget-vm3", "report", "10.20.0.79"),
)
ADDRESS = {label: address for _, label, address in SERVERS}
_HEAD, _TAIL = "\n\nmain(json.loads(", "))\n"


@dataclass
class Answers(probe_script.Network):
    """What answers inside: a server that is up does, unless it hangs; and whatever leaks."""

    servers: Mapping[str, Server] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)  # addresses
    wrong: set[str] = field(default_factory=set)  # addresses that answer otherwise than they should
    leaks: set[str] = field(default_factory=set)
    records: str = ""  # what GET of the sentinels gives
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def _is_up(self, address: str) -> bool:
        up = {
            one for server in self.servers.values() if server.status == "ACTIVE" for one in server.addresses
        }
        return address in self.leaks or (address in up and address not in self.hanging)

    def ping(self, address: str) -> bool:
        return self._is_up(address)

    def connect(self, address: str, port: int) -> str:
        if self._is_up(address):
            return "open" if port in {22, 80, 5432} else "refused"
        raise TimeoutError("timed out")

    def get(self, address: str, port: int, path: str, is_tls: bool, most: int = 0) -> tuple[int, str]:
        if not self._is_up(address):
            raise TimeoutError("timed out")
        if path == "/sentinels":
            return 200, self.records
        return (500, "no") if address in self.wrong else (200, '{"ok": true}')


PARTS = (
    Part("db", ("budget-vm1",), checks=(Check("tcp", 5432),), patience_s=120),
    Part("app", ("budget-vm2",), ("db",), checks=(Check("http", 80, path="/health", status=200),)),
    Part("report", ("budget-vm3",), patience_s=120, is_critical=False),
)


def a_document(**changes: Any) -> Document:
    """A plan for the budget system: an application on a database, and reports beside them."""
    plain: dict[str, Any] = {
        "name": "budget",
        "system": SYSTEM,
        "home": SOURCE,
        "recovery": CITY,
        "rpo_s": DAY_S,
        "rto_s": 4 * 3600,
        "parts": PARTS,
        "checks": (Check("http", 80, server="app", path="/health", status=200, contains="ok"),),
    }
    return Document(**{**plain, **changes})


def set_up(world: Protected, **changes: Any) -> Answers:
    """More servers, the plan, its officer, and a probe at the city that looks: before a point is taken."""
    for name, label, address in SERVERS:
        _server(world, name, label, address)
    put_plan(world, a_document(**changes))
    return look_with(world, Answers(servers=world.clouds[CITY].state.servers))


def put_plan(world: Protected, document: Document) -> None:
    """The plan, as it stands before its first drill, and its officer."""
    with world.core.store.write() as uow:
        now = world.clock.now()
        uow.add(
            ProtectionPlan(
                name=document.name, system_id=SYSTEM, document=document.as_json(), sha256=document.sha256,
                state=PlanState.NEEDS_VERIFICATION, home_site_id=SOURCE, recovery_site_id=CITY,
                active_site_id=SOURCE, created_at=now, created_by="dave",
            )
        )  # fmt: skip
    a_person(world.core, "olga", Role.DR_OFFICER, ("site", CITY))


def officer(world: Protected) -> Actor:
    """Who is on duty."""
    return an_actor(world.core, "olga")


def look_with(world: Protected, inside: Answers) -> Answers:
    """A probe at the city sees this."""
    state = world.clouds[CITY].state

    def console(server: Server) -> str:
        script = state.user_data.get(server.id)
        if server.name != EYE or script is None:
            return f"{server.name} login:"
        task = json.loads(ast.literal_eval(script[script.rindex(_HEAD) + len(_HEAD) : -len(_TAIL)]))
        inside.tasks.append(task)
        said: list[str] = []
        probe_script.main({**task, "rounds": 1}, inside, said.append, lambda _seconds: None)
        return "\n".join(["booting", *said, ""])

    state.console = console
    return inside


def reading(clock: Clock) -> Moment:
    """The clock of tests as a monotonic one."""
    return Moment(clock.now(), clock.now().timestamp(), "boot-1")


def engine(world: Protected, ends: Ends | None = None) -> Engine:
    """A worker that rehearses; nothing but the database is shared with others."""
    clouds, settings, lanes = FakeClouds(world.clouds), world.core.settings, Lanes()
    from_points = FromPoints(clouds, world.stores, world.keyring, settings, lanes)
    flow = Rehearse(clouds, {Way.POINTS: from_points}, settings, lanes, ends, reading=reading)
    return Engine(world.core.store, Impatient(world.clock, 4000), {"drill": flow}, settings.lease_s)


def begin(world: Protected, **asked: Any) -> Drill:
    """A drill of the plan, not worked on yet."""
    row = asking.start(world.core, officer(world), "budget", Asked(**asked))
    return drill(world, row["id"])


def drill(world: Protected, drill_id: int) -> Drill:
    with world.core.store.read() as uow:
        return uow.need(Drill, drill_id)


def work(world: Protected, row: Drill, ends: Ends | None = None, until: str = "done") -> Drill:
    """Work on the drill until it is in that state, waiting as long as it takes."""
    return work_with(engine(world, ends), world, row, until)


def work_with(worker: Engine, world: Protected, row: Drill, until: str = "done") -> Drill:
    """The same with that worker."""
    spent = 0.0
    assert row.operation_id is not None
    while drill(world, row.id).state != until:
        if not worker.run(row.operation_id):
            with world.core.store.read() as uow:
                ahead = (uow.need(Operation, row.operation_id).next_at - world.clock.now()).total_seconds()
            world.clock.advance(max(5, ahead))
            spent += max(5, ahead)
        assert spent < 2 * DAY_S, drill(world, row.id).state
    return drill(world, row.id)


def rehearse(world: Protected, **asked: Any) -> Drill:
    """A drill, begun and worked on to its end."""
    return work(world, begin(world, **asked))


def assert_gone(world: Protected) -> None:
    """Nothing of a drill is left at the city, and nothing of the province was touched."""
    state = world.clouds[CITY].state
    for what in (state.servers, state.ports, state.own_networks, state.groups, state.volumes):
        assert not what
    assert {one.name for one in state.projects.values()} == {f"{SYSTEM}-prod"}
    assert not world.clouds[CITY].cinder.snapshots
    assert not world.native_keys(CITY)


def changes_of(world: Protected, site: str) -> Sequence[str]:
    """The names of the calls to that cloud that change something."""
    reading_calls = ("list_", "get_", "find_", "capacity", "console_output", "api_addresses", "export_backup")
    return [one.name for one in world.clouds[site].state.calls if not one.name.startswith(reading_calls)]


def patient(world: Protected, seconds: float = 60.0) -> Protected:
    """The same with a shorter patience, and with longer pauses: a pass costs more than a pause."""
    settings = replace(world.core.settings, proof_patience_s=seconds, poll_s=5.0)
    return replace(world, core=replace(world.core, settings=settings))


def _server(world: Protected, name: str, label: str, address: str) -> None:
    """A server of the system with a place on the network, and a volume it boots from."""
    core, columns = world.core, {"zone": "public", "label": label}
    address_row = {"addresses": {"ipv4": [address], "ipv6": []}}
    port = a_resource(core, f"{SOURCE}-budget", {}, kind="port", name=f"{name}-port", **address_row)
    sizes = {"vcpus": 1, "ram_mib": 1024}
    with core.store.write() as uow:
        found = uow.first(Resource, Resource.name == name)
        if found is not None:
            found.spec, found.amounts = {**found.spec, **columns, "port": port}, sizes
            return
    inside = world.source.in_project(world.external[SOURCE])
    volume = inside.create_volume(NewVolume(f"{name}-boot", 1, "standard", {"cloudctl:system": SYSTEM}))
    inside.list_volumes()
    inside.list_volumes()
    boot = a_resource(
        core, f"{SOURCE}-budget", {"volumes": 1, "volume_gib": 1}, kind="volume", name=f"{name}-boot",
        external_id=volume.id, spec={"size_gib": 1, "type": "standard", "role": "boot"},
    )  # fmt: skip
    spec = {"flavor": "gov.small", "image": "debian-12", "boot": boot, "data": [], "port": port, **columns}
    a_resource(core, f"{SOURCE}-budget", sizes, name=name, external_id=f"ext-{name}", spec=spec)


def stray(world: Protected, volume: Volume) -> None:
    """A volume with the same tags appears in another project of the city, as `stray`."""
    state = world.clouds[CITY].state
    state.volumes["stray"] = replace(
        volume, id="stray", status="available", project_id="others", server_ids=()
    )
