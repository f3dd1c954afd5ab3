"""How long a drill takes to bring 20 servers up on the lab, beside the bare calls of the same run.

    python -m bench.dr_lab [--servers 20] [--slots 8] [--seed 1] [--without-ansible]

Needs the lab (CLOUDCTL_HOME/lab), best without guests: what is told is how long the clouds' own calls take
and what the order of the work adds. A server answers as soon as it is ACTIVE; nothing is restored, volumes
and ports are there before the clock starts, in every column.

The bare column starts each server as soon as those that it needs are ACTIVE, records nothing and gives up at
the first error. The least is max(the longest chain, the work / slots) of its times. Beside it the drill with
a barrier after each tier, and a playbook that starts one server after the other.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import ansible_openstack
from bench.bare_openstack import Wanted, entry_of
from bench.dr_bare import POLL_S, Bare
from bench.dr_orchestration import (
    BAR,
    Machine,
    Ready,
    begin,
    draw,
    parts_of,
    recite,
    taken,
    until_done,
    with_barriers,
)
from cloudctl.clock import SystemClock
from cloudctl.lifecycle import Later, Outcome
from cloudctl.operations import Engine, Run
from cloudctl.ports import NewServer, NewVolume, Server
from dr.drills.flow import Rehearse
from dr.drills.job import DrillJob
from dr.isolated.laying import EYE
from dr.plans.document import Way
from provisioning.drivers.openstack_cloud import OpenStackClouds
from provisioning.lanes import Lanes
from tests.conftest import make_core
from tests.flows.protecting import CITY, protect

FLAVOR, GIB = "gov.micro", 1


@dataclass
class Probe:
    """What the probe would say, were there guests: every server that is ACTIVE answers."""

    script: str = ""
    up: set[str] = field(default_factory=set)

    def see(self, servers: Sequence[Server]) -> None:
        """What the cloud listed last."""
        self.up = {one.name for one in servers if one.status == "ACTIVE"}


class Told:
    """A cloud or a project of the lab; only what the probe says there is made up."""

    def __init__(self, inner: Any, probe: Probe) -> None:
        self._inner, self._probe = inner, probe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def at(self, site_id: str) -> "Told":
        """As Clouds have it."""
        return Told(self._inner.at(site_id), self._probe)

    def in_project(self, project_id: str) -> "Told":
        """As a Cloud has it."""
        return Told(self._inner.in_project(project_id), self._probe)

    def list_servers(self) -> list[Server]:
        """Looked at by the probe as well."""
        found: list[Server] = self._inner.list_servers()
        self._probe.see(found)
        return found

    def create_server(self, new: NewServer) -> Server:
        """The probe keeps its script."""
        if new.name == EYE:
            self._probe.script = new.user_data or ""
        made: Server = self._inner.create_server(new)
        return made

    def console_output(self, server_id: str, lines: int = 200) -> str:
        """The words of this moment."""
        return recite(self._probe.script, self._probe.up, SystemClock().now())


class EmptyVolumes(Ready):
    """Volumes with nothing on them, made before the first server is started."""

    def clone(self, run: Run, job: DrillJob, types: list[dict[str, Any]]) -> Outcome | None:
        inside = self.cloud.in_project(job.project)
        there = {one.name: one for one in inside.list_volumes()}
        missing = [one.name for one in self.machines if one.name not in there]
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda name: inside.create_volume(NewVolume(name, GIB, "standard", job.tags)), missing
                )
            )
        if missing or any(there[one.name].status != "available" for one in self.machines):
            return Later(POLL_S, "the volumes")
        self.made = {number: there[one.name].id for number, one in enumerate(self.machines)}
        return None


def rehearse(machines: Sequence[Machine], clouds: Told, slots: int) -> float:
    """Seconds from the first start to the last answer, in a drill of these servers."""
    with tempfile.TemporaryDirectory() as directory:
        home, clock = Path(directory) / "home", SystemClock()
        home.mkdir()
        world: Any = protect(make_core(home, clock=clock), clock, (CITY,), (1,))  # type: ignore[arg-type]
        settings = replace(world.core.settings, installation=f"bench-{int(time.time()):x}", poll_s=POLL_S)
        world = replace(world, core=replace(world.core, settings=settings))
        data: Any = EmptyVolumes(clouds.at(CITY), machines, flavor=FLAVOR)  # type: ignore[arg-type]
        asked = begin(world, parts_of(machines), slots)
        flow = Rehearse(clouds, {Way.REPLICATION: data}, settings, Lanes())
        engine = Engine(world.core.store, clock, {"drill": flow}, settings.lease_s)
        seen = until_done(world, engine, asked, time.sleep)
        world.core.store.close()
    return taken(seen).makespan_s


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-ansible", action="store_true")
    args = parser.parse_args()
    home = Path(os.environ["CLOUDCTL_HOME"])
    clouds_file = home / "lab" / "clouds.yaml"
    entry, machines = entry_of(clouds_file, CITY), draw(args.servers, args.seed)
    stamp = f"{int(time.time()):x}"

    def bare(column: str) -> Bare:
        wanted = Wanted(f"bench-{stamp}-{column}", args.servers, FLAVOR, boot_gib=GIB, data_gib=())
        return Bare(entry, wanted, machines, args.slots)

    core = make_core(Path(tempfile.mkdtemp()))
    settings = replace(core.settings, clouds_yaml=str(clouds_file))
    clouds = Told(OpenStackClouds(settings, sites={CITY: CITY}), Probe())
    yardstick, rows = bare("b"), list[tuple[str, float]]()
    try:
        rows.append(("the bare calls, along the graph", asyncio.run(yardstick.start())))
    finally:
        yardstick.clean()
    rows.append(("cloudctl, along the graph", rehearse(machines, clouds, args.slots)))
    ours = rows[-1][1]
    rows.append(("with a barrier after each tier", rehearse(with_barriers(machines), clouds, args.slots)))
    if not args.without_ansible:
        (home / "bench").mkdir(exist_ok=True)
        playbook = bare("a")
        try:
            asyncio.run(playbook.prepare_only())
            given = {"servers": playbook.in_order, "flavor": FLAVOR}
            seconds = ansible_openstack.one_by_one(home / "bench", entry, playbook.project, given)
            rows.append(("Ansible, one after the other", seconds))
        finally:
            playbook.clean()
    least = yardstick.least_s
    print(f"{args.servers} servers, {args.slots} slots; the least of the bare calls: {least:.1f} s")
    for name, seconds in rows:
        print(f"  {name:<34}{seconds:7.1f} s  {seconds / least:5.2f}")
    print(f"bar {BAR:.2f}: {'kept' if ours <= BAR * least else 'NOT kept'}")
    return 0 if ours <= BAR * least else 1


if __name__ == "__main__":
    sys.exit(main())
