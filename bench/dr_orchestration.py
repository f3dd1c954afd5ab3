"""How long a drill takes to bring many servers up, beside what no order of the work could beat.

    python -m bench.dr_orchestration [--servers 20,100] [--slots 16] [--seed 1]

Needs no lab: the fake cloud answers as slowly as the lab did when it was measured, servers take times that
are drawn (build: median 9 s, until it answers: median 20 s, both with a long tail), and the probe looks once
a second. Everything cloudctl computes and writes, and every call, takes the time it takes on this machine;
only waiting is jumped over. So what is told is a ratio.

The least that it can take is max(the longest chain, the work / slots) of the bare calls and times of the same
run. Beside it: the same servers with a barrier after each tier, as recovery plans by priority have, and one
after the other, of which only the bare times are added up. Then one server never answers.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cloudctl.amounts import Kind
from cloudctl.lifecycle import Outcome
from cloudctl.models import Drill, Site
from cloudctl.operations import Engine, Run
from cloudctl.ports import Server, Volume
from dr import graph
from dr.drills import asking
from dr.drills.asking import Asked
from dr.drills.flow import Rehearse
from dr.drills.job import DrillJob
from dr.isolated import probe_script
from dr.isolated.checks import Check
from dr.isolated.laying import EYE
from dr.plans.document import Document, Part, Way
from provisioning.drivers.fake_cloud import FakeCloud, FakeClouds
from provisioning.drivers.fake_state import LAB_LATENCY_S, Passage
from provisioning.lanes import Lanes
from tests.conftest import make_core
from tests.flows import rehearsing
from tests.flows.protecting import CITY, SOURCE, SYSTEM, Protected, protect

BAR = 1.10
PATIENCE_S = 600
_HEAD, _TAIL = "\n\nmain(json.loads(", "))\n"


class JumpingClock:
    """The machine's clock; whoever waits is ahead at once by as much."""

    def __init__(self) -> None:
        self._begun, self._at, self._jumped_s = time.monotonic(), datetime.now(UTC), 0.0

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.ticks())

    def ticks(self) -> float:
        return time.monotonic() - self._begun + self._jumped_s

    def wait(self, seconds: float, woken: Callable[[float], bool]) -> bool:
        self._jumped_s += seconds
        return woken(0)

    def advance(self, seconds: float) -> None:
        self._jumped_s += seconds


@dataclass(frozen=True)
class Machine:
    """One server: its tier, what it needs, and its own times."""

    name: str
    tier: int
    needs: tuple[str, ...]
    build_s: float
    answer_s: float


def draw(count: int, seed: int) -> list[Machine]:
    """A fifth keeps data, half works on one or two of those, the rest stands in front of these."""
    dice = random.Random(seed)
    tiers = [0] * (count // 5) + [1] * (count // 2)
    tiers += [2] * (count - len(tiers))
    made: list[Machine] = []
    for number, tier in enumerate(tiers):
        below = [one.name for one in made if one.tier == tier - 1]
        needs = tuple(dice.sample(below, min(len(below), dice.randint(1, 2)))) if tier else ()
        build, answer = dice.lognormvariate(2.2, 0.3), dice.lognormvariate(3.0, 0.35)
        made.append(Machine(f"vm{number:03d}", tier, needs, round(build, 1), round(answer, 1)))
    return made


def with_barriers(machines: Sequence[Machine]) -> list[Machine]:
    """The same, where each tier waits for all of the one before."""
    return [
        replace(one, needs=tuple(two.name for two in machines if two.tier == one.tier - 1))
        for one in machines
    ]


@dataclass
class Ready:
    """The data is there at once: only the orchestration is measured."""

    cloud: FakeCloud
    machines: Sequence[Machine]
    made: dict[int, str] = field(default_factory=dict)
    flavor: str = "gov.small"

    def begin(self, run: Run, job: DrillJob) -> None:
        """Nothing."""

    def topology(self, run: Run, job: DrillJob) -> Mapping[str, Any]:
        return {
            "servers": [
                {"name": one.name, "label": one.name, "flavor": self.flavor, "zone": "public", "boot": number,
                 "image": "debian-12", "addresses": {"ipv4": [_address(number)]}}
                for number, one in enumerate(self.machines)
            ],
            "networks": {"public": {"ipv4": "10.20.0.0/16"}},
            "volumes": [
                {"position": number, "type": "standard", "size_gib": 1}
                for number in range(len(self.machines))
            ],
        }  # fmt: skip

    def clone(self, run: Run, job: DrillJob, types: list[dict[str, Any]]) -> Outcome | None:
        for number in range(len(self.machines)):
            one_id = f"clone-{job.drill.id}-{number}"
            self.cloud.state.volumes[one_id] = Volume(
                one_id, one_id, "available", 1, job.project, "standard", dict(job.tags)
            )
            self.made[number] = one_id
        return None

    def volumes(self, run: Run, job: DrillJob) -> Mapping[int, str]:
        return self.made

    def clear(self, run: Run, job: DrillJob) -> int:
        return 0

    def forget(self, job: DrillJob) -> None:
        """Nothing."""


class Times:
    """The city as it makes servers and as the probe sees them."""

    def __init__(
        self, cloud: FakeCloud, clock: JumpingClock, machines: Sequence[Machine], hangs: str
    ) -> None:
        self._state, self._clock, self._hangs = cloud.state, clock, hangs
        self._by_name = {one.name: one for one in machines}
        self._ready_at: dict[str, datetime] = {}
        self._state.begin = self.begin  # type: ignore[method-assign]
        self._state.console = self.console

    def begin(self, thing_id: str, then: Callable[[], None]) -> None:
        """In place of the state's own: each server in its own time, all else at once."""
        server = self._state.servers.get(thing_id)
        one = self._by_name.get(server.name) if server is not None else None
        is_new = one is not None and server is not None and server.status == "BUILD"
        due_at = self._clock.now() + timedelta(seconds=one.build_s if is_new and one is not None else 0.0)
        if is_new and one is not None:
            self._ready_at[one.name] = due_at + timedelta(seconds=one.answer_s)
        self._state.passages[thing_id] = Passage(0, due_at, then)

    def console(self, server: Server) -> str:
        """The words of the probe of the last whole second."""
        script = self._state.user_data.get(server.id) or ""
        if server.name != EYE:
            return ""
        at = self._clock.now().replace(microsecond=0)
        up = {name for name, ready_at in self._ready_at.items() if ready_at <= at and name != self._hangs}
        return recite(script, up, at)


def recite(script: str, up: set[str], at: datetime) -> str:
    """What the probe with that script would say at that moment, while these servers answer."""
    task = json.loads(json.loads(script[script.rindex(_HEAD) + len(_HEAD) : -len(_TAIL)]))
    by_address = {one["address"]: one["id"] for one in task["servers"]}
    checks = {one["id"]: [by_address[one["address"]] in up, "open"] for one in task["checks"]}
    seen = {one["id"]: "echo" if one["id"] in up else "" for one in task["servers"]}
    found = {"servers": seen, "checks": checks, "answered": {}, "round": int(at.timestamp())}
    return probe_script.line_of(task["nonce"], found)


@dataclass(frozen=True)
class Taken:
    """Seconds from the first start to each answer."""

    answered: Mapping[str, float]

    @property
    def makespan_s(self) -> float:
        return max(self.answered.values())


def rehearse(machines: Sequence[Machine], slots: int, hangs: str = "") -> Taken:
    """One drill of these servers, worked on by one worker from its beginning to its end."""
    with tempfile.TemporaryDirectory() as directory:
        clock = JumpingClock()
        home = Path(directory) / "home"
        home.mkdir()
        world = protect(make_core(home, clock=clock), clock, (CITY,), (1,))  # type: ignore[arg-type]
        parts = parts_of(machines, is_critical=not hangs)
        seen = _drill(world, clock, parts, machines, slots, hangs)
        world.core.store.close()
    return taken(seen)


def parts_of(machines: Sequence[Machine], is_critical: bool = True) -> list[Part]:
    """Every server is a part of its own."""
    return [
        Part(one.name, (one.name,), one.needs, Way.NONE, checks=(Check("tcp", 22),), patience_s=PATIENCE_S,
             is_critical=is_critical)
        for one in machines
    ]  # fmt: skip


def taken(seen: Mapping[str, Any]) -> Taken:
    """Out of what was seen of a drill."""
    begun = min(one["begun_s"] for one in seen["parts"].values() if one["begun_s"] is not None)
    ends = {name: one["answered_s"] for name, one in seen["parts"].items()}
    return Taken({name: at_s - begun for name, at_s in ends.items() if at_s is not None})


def begin(world: Protected, parts: Sequence[Part], slots: int) -> dict[str, Any]:
    """A drill of these parts, asked for."""
    with world.core.store.write() as uow:
        uow.need(Site, CITY).slots = slots
    document = Document("bench", SYSTEM, SOURCE, CITY, 86_400, 86_400, tuple(parts))
    rehearsing.put_plan(world, document)
    return dict(asking.start(world.core, rehearsing.officer(world), "bench", Asked()))


def until_done(
    world: Protected, engine: Engine, asked: Mapping[str, Any], pause: Callable[[float], None]
) -> Mapping[str, Any]:
    """What was seen of the drill, once it has passed."""
    while True:
        with world.core.store.read() as uow:
            drill = uow.need(Drill, asked["id"])
        if drill.state == "done":
            assert drill.verdict == "passed", drill.why
            return dict(drill.seen)
        if not engine.run(int(asked["operation_id"])):
            pause(1.0)


def _drill(
    world: Protected,
    clock: JumpingClock,
    parts: Sequence[Part],
    machines: Sequence[Machine],
    slots: int,
    hangs: str,
) -> Mapping[str, Any]:
    city = world.clouds[CITY]
    city.state.latency_s, city.state.sleep = LAB_LATENCY_S, time.sleep
    city.state.capacity = {Kind.VCPUS: 1 << 20}
    Times(city, clock, machines, hangs)
    asked = begin(world, parts, slots)
    lanes, settings = Lanes(), world.core.settings
    flow = Rehearse(
        FakeClouds(world.clouds), {Way.REPLICATION: Ready(city, machines)}, settings, lanes,
        reading=rehearsing.reading,
    )  # fmt: skip
    engine = Engine(world.core.store, clock, {"drill": flow}, settings.lease_s)
    return until_done(world, engine, asked, clock.advance)


def least_s(machines: Sequence[Machine], slots: int) -> float:
    """What nobody does it faster than: a slot is held while a server is made, not while it starts up."""
    call_s = LAB_LATENCY_S["create_server"]
    needs = {one.name: one.needs for one in machines}
    whole = {one.name: call_s + one.build_s + one.answer_s for one in machines}
    work = sum(call_s + one.build_s for one in machines)
    return max(graph.critical_path(needs, whole), work / slots)


def compare(count: int, slots: int, seed: int) -> bool:
    """Print one table; whether the bar is kept."""
    machines = draw(count, seed)
    least = least_s(machines, slots)
    ours = rehearse(machines, slots)
    barriers = rehearse(with_barriers(machines), slots)
    alone = sum(LAB_LATENCY_S["create_server"] + one.build_s + one.answer_s for one in machines)
    hangs = next(one.name for one in reversed(machines) if one.tier == 0)
    needs = {one.name: one.needs for one in machines}
    free = [one.name for one in machines if one.name not in graph.blocked(needs, {hangs}) | {hangs}]
    stuck = rehearse(machines, slots, hangs)
    slower = max(stuck.answered[name] for name in free) / max(ours.answered[name] for name in free)
    print(f"\n{count} servers, {slots} slots; ratios to max(longest chain, work / slots) = 1.00")
    for name, makespan_s, mean_s in (
        ("cloudctl", ours.makespan_s, statistics.mean(ours.answered.values())),
        ("barriers by tier", barriers.makespan_s, statistics.mean(barriers.answered.values())),
        ("one after the other, bare", alone, alone / 2),
    ):
        print(
            f"  {name:<28}{makespan_s / least:6.2f}   until a server answers, on average {mean_s / least:.2f}"
        )
    print(f"  with {hangs} hanging: the {len(free)} servers that do not need it take {slower:.2f} as long")
    return ours.makespan_s <= BAR * least and slower <= BAR


def _address(number: int) -> str:
    return f"10.20.{1 + number // 200}.{10 + number % 200}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--servers", default="20,100")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    kept = [compare(int(count), args.slots, args.seed) for count in args.servers.split(",")]
    print(f"\nbar {BAR:.2f}: {'kept' if all(kept) else 'NOT kept'}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
