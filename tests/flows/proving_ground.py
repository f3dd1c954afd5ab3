"""A system that can be started in isolation on the fake cloud, and a probe that looks at it there.

The probe is the real script, run at the moment somebody reads the console of its server; only what it asks
is made up here.
"""

import ast
import json
from dataclasses import dataclass, field
from typing import Any

from cloudctl.models import PointProof, PolicyMember, RecoveryPoint, Resource
from cloudctl.ports import Server
from dr.isolated import probe_script
from dr.isolated.laying import EYE
from dr.starting import begin_proof
from tests.builders import a_resource
from tests.flows.protecting import CITY, SOURCE, Protected

ADDRESS = "10.20.0.77"
HEALTHY = {"kind": "http", "port": 80, "path": "/health", "status": 200, "contains": '"notes"'}
_HEAD, _TAIL = "\n\nmain(json.loads(", "))\n"


@dataclass
class Inside(probe_script.Network):
    """What answers inside the isolated network, and what it says."""

    present: set[str] = field(default_factory=lambda: {ADDRESS})
    pages: dict[str, tuple[int, str]] = field(default_factory=lambda: {"/health": (200, '{"notes": 3}')})
    tasks: list[dict[str, Any]] = field(default_factory=list)

    def ping(self, address: str) -> bool:
        return address in self.present

    def connect(self, address: str, port: int) -> str:
        if address in self.present:
            return "open" if port in {22, 80} else "refused"
        raise TimeoutError("timed out")

    def get(self, address: str, port: int, path: str, is_tls: bool, most: int = 1 << 20) -> tuple[int, str]:
        assert (port, is_tls) == (80, False)
        if address not in self.present:
            raise TimeoutError("timed out")
        return self.pages[path]


def make_startable(world: Protected, *checks: dict[str, Any]) -> Inside:
    """The system's server has a place on a network, its member these checks; a probe at the city looks."""
    port = a_resource(
        world.core, f"{SOURCE}-budget", {}, kind="port", name="budget-vm1-port",
        addresses={"ipv4": [ADDRESS], "ipv6": []},
    )  # fmt: skip
    with world.core.store.write() as uow:
        server = uow.first(Resource, Resource.name == "budget-vm1")
        assert server is not None
        server.spec = {**server.spec, "zone": "public", "label": "vm1", "port": port}
        server.amounts = {"vcpus": 1, "ram_mib": 1024}
        [member] = uow.all(PolicyMember)
        member.checks = list(checks)
    return look_with(world, Inside())


def look_with(world: Protected, inside: Inside) -> Inside:
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


def begin(world: Protected, point_id: str, level: str) -> int | None:
    """The operation of a proof to the level from the city's vault, not worked on yet."""
    with world.core.store.write() as uow:
        point = uow.need(RecoveryPoint, point_id)
        return begin_proof(uow, world.clock, point, level, CITY, "dave").operation_id


def last_proof(world: Protected) -> PointProof:
    with world.core.store.read() as uow:
        return uow.all(PointProof, order_by=[PointProof.id.desc()])[0]


def assert_swept(world: Protected) -> None:
    """Nothing of what was started is left at the city: servers, ports, networks, groups, volumes, project."""
    state = world.clouds[CITY].state
    for what in (state.servers, state.ports, state.own_networks, state.groups, state.volumes):
        assert not what
    assert len(state.projects) == 1
